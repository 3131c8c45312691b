"""Writes rows to one Parquet file, in memory that does not grow with their number.

Every column is text (frames/text.py), which loses nothing and never differs between files, so
readers can unite them by name.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import feather

from frames.batches import ROWS
from frames.text import text_columns


class RowFile:
    """Collects rows for a Parquet file with at least `columns`. They wait in files beside `path`,
    since all columns are known only after the last row.
    """

    def __init__(self, path: Path, columns: tuple[str, ...] = ()):
        self.path, self.rows = path, 0
        self._columns = columns
        self._pending: list[dict[str, Any]] = []
        self._pieces: dict[Path, pa.Schema] = {}

    def add(self, row: dict[str, Any]) -> None:
        self.rows += 1
        self._pending.append(row)
        if len(self._pending) == ROWS:
            self._set_aside()

    def _set_aside(self) -> None:
        piece = self.path.with_suffix(f".{len(self._pieces)}")
        table = pa.table(text_columns(self._pending, self._columns))
        feather.write_feather(table, str(piece))
        self._pieces[piece] = table.schema
        self._pending = []

    def finish(self, metadata: Mapping[str, str] | None = None) -> Path:
        """Writes the Parquet file, with metadata in its footer. Returns its path."""
        if self._pending or not self._pieces:
            self._set_aside()
        schema = pa.unify_schemas(list(self._pieces.values())).with_metadata(metadata)
        with pq.ParquetWriter(self.path, schema, compression="zstd") as writer:
            for piece in self._pieces:
                parts = [schema.empty_table(), feather.read_table(str(piece))]
                writer.write_table(pa.concat_tables(parts, promote_options="default"))
        return self.path
