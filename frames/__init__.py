"""HubSpot events as Arrow record batches, for DuckDB, Polars and pandas in one line, and as Parquet
files in any storage.
"""

from frames.batches import as_table, batches
from frames.load import into_duckdb

__all__ = ["as_table", "batches", "into_duckdb"]
