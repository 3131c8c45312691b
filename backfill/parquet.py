"""Rows into one Parquet file: every column text, in memory that does not grow with the rows, there only when it is whole.

Every column is STRING, since HubSpot's properties are text and each file sees only its own rows: a type inferred from them
would be a number in one file and a text in the next, and "007" a 7. Text loses nothing, and never disagrees between files, so
readers may unite them by name however the columns vary. What is no text (numbers, true) is written as its JSON; null is null.
Columns are called what Fivetran calls them in the destination, so the files and the connector's table unite as well.
"""
import os
import shutil
import uuid
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.names import destination_name
from pipeline.stages import json_text

ROWS = 20_000  # held as Python objects; a row group of the file


class RowFile:
    """A Parquet file under way, in a folder of its own below `unfinished`; a context manager. Left without an error, it takes
    its place at `path` at once and whole; left with one, nothing of it stays.

    `columns` are always in the file. With none of them and no rows there is no file.
    """

    def __init__(self, path: Path, unfinished: Path, columns: tuple[str, ...] = ()):
        self.rows = 0
        self._path, self._columns = path, columns
        self._folder = unfinished / uuid.uuid4().hex
        self._waiting: list[dict[str, Any]] = []
        self._pieces: list[Path] = []

    def __enter__(self) -> "RowFile":
        self._folder.mkdir(parents=True)
        return self

    def __exit__(self, error: object, *_: object) -> None:
        try:
            if error is None and (self.rows or self._columns):
                self._flush()
                self._path.parent.mkdir(parents=True, exist_ok=True)
                os.replace(self._whole(), self._path)
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def add(self, row: dict[str, Any]) -> None:
        self.rows += 1
        self._waiting.append({destination_name(name): value for name, value in row.items()})
        if len(self._waiting) == ROWS:
            self._flush()

    def _flush(self) -> None:
        """The rows that wait, as a piece: which columns the file has is known only once all rows are seen."""
        if self._waiting or not self._pieces:
            piece = self._folder / str(len(self._pieces))
            pq.write_table(as_table(self._waiting, self._columns), piece, compression="zstd")
            self._pieces.append(piece)
            self._waiting = []

    def _whole(self) -> Path:
        """The pieces as one file that has the columns of all."""
        if len(self._pieces) == 1:
            return self._pieces[0]
        schema, whole = pa.unify_schemas([pq.read_schema(piece) for piece in self._pieces]), self._folder / "whole"
        with pq.ParquetWriter(whole, schema, compression="zstd") as writer:
            for piece in self._pieces:
                writer.write_table(pq.read_table(piece, schema=schema))
        return whole


def as_table(rows: list[dict[str, Any]], columns: tuple[str, ...] = ()) -> pa.Table:
    """Rows as a table of text, null where a row has no such column.

    >>> as_table([{"id": "a", "n": 1.5}, {"id": "b", "ok": True}]).to_pylist()
    [{'id': 'a', 'n': '1.5', 'ok': None}, {'id': 'b', 'n': None, 'ok': 'true'}]
    """
    names = dict.fromkeys((*columns, *(name for row in rows for name in row)))
    return pa.table({name: pa.array([as_text(row.get(name)) for row in rows], pa.string()) for name in names})


def as_text(value: Any) -> str | None:
    return value if value is None or type(value) is str else json_text(value)
