"""Rows to one Parquet file, in memory that does not grow with their number.

Every column is text (frames/text.py), which loses nothing and never differs between files, so
readers can unite them by name.
"""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from frames.batches import ROWS
from frames.text import text_columns


class RowFile:
    """Rows on their way into a Parquet file with at least `columns`. They wait in a file beside
    `path`, since the columns are known only after the last row.
    """

    def __init__(self, path: Path, columns: tuple[str, ...] = ()):
        self.path, self.rows = path, 0
        self._waiting = path.with_suffix(".rows")
        self._columns = dict.fromkeys(columns)
        self._pending: list[dict[str, Any]] = []
        self._pieces = 0

    def add(self, row: dict[str, Any]) -> None:
        self.rows += 1
        self._columns |= dict.fromkeys(row)
        self._pending.append(row)
        if len(self._pending) == ROWS:
            self._set_aside()

    def _set_aside(self) -> None:
        with self._waiting.open("ab") as waiting:
            pickle.dump(self._pending, waiting)
        self._pieces, self._pending = self._pieces + 1, []

    def finish(self, metadata: Mapping[str, str] | None = None) -> Path:
        """Writes the Parquet file, with metadata in its footer. Returns its path."""
        self._set_aside()
        columns = tuple(self._columns)
        schema = pa.schema([(name, pa.string()) for name in columns], metadata)
        with (
            self._waiting.open("rb") as waiting,
            pq.ParquetWriter(self.path, schema, compression="zstd") as writer,
        ):
            for _ in range(self._pieces):
                rows = pickle.load(waiting)  # noqa: S301  # written above
                writer.write_table(pa.table(text_columns(rows, columns), schema))
        return self.path
