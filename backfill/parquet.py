"""Rows to one Parquet file, in memory that does not grow with their number. The file appears only
when it is complete.

Every column is text (frames/text.py), which loses nothing and never differs between files, so
readers can unite them by name.
"""

import os
import shutil
import uuid
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from frames.text import text_columns

ROWS = 20_000  # held as Python objects, and in a row group of the file


class RowFile:
    """A context manager that writes rows to a Parquet file, in a folder below `unfinished`. On exit
    the complete file is moved to `path`; on an error nothing is kept.

    The file always has `columns`. Without `columns` and rows there is no file.
    """

    def __init__(self, path: Path, unfinished: Path, columns: tuple[str, ...] = ()):
        self.rows = 0
        self._path, self._columns = path, columns
        self._folder = unfinished / uuid.uuid4().hex
        self._pending: list[dict[str, Any]] = []
        self._pieces: list[Path] = []

    def __enter__(self) -> "RowFile":
        self._folder.mkdir(parents=True)
        return self

    def __exit__(self, error: object, *_: object) -> None:
        try:
            if error is None and (self.rows or self._columns):
                self._flush()
                self._path.parent.mkdir(parents=True, exist_ok=True)
                os.replace(self._join(), self._path)
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def add(self, row: dict[str, Any]) -> None:
        self.rows += 1
        self._pending.append(row)
        if len(self._pending) == ROWS:
            self._flush()

    def _flush(self) -> None:
        """Writes the pending rows as a piece: the columns of the file are known only after the last
        row.
        """
        if self._pending or not self._pieces:
            piece = self._folder / str(len(self._pieces))
            pq.write_table(
                pa.table(text_columns(self._pending, self._columns)), piece, compression="zstd"
            )
            self._pieces.append(piece)
            self._pending = []

    def _join(self) -> Path:
        """Joins the pieces into one file with the columns of all of them."""
        if len(self._pieces) == 1:
            return self._pieces[0]
        schema, joined = (
            pa.unify_schemas([pq.read_schema(piece) for piece in self._pieces]),
            self._folder / "joined",
        )
        with pq.ParquetWriter(joined, schema, compression="zstd") as writer:
            for piece in self._pieces:
                writer.write_table(pq.read_table(piece, schema=schema))
        return joined
