"""Loads record batches into a DuckDB table."""

import uuid
from collections.abc import Iterable
from contextlib import suppress

import duckdb
import pyarrow as pa


def into_duckdb(connection: duckdb.DuckDBPyConnection, table: str, batches: Iterable[pa.RecordBatch]) -> int:
    """Replaces a table of the current schema by the rows of the batches, which may differ in their
    columns. Returns the number of rows.

    They are loaded into another table, which takes its place at the end: if anything fails, the
    table stays as it was. Memory does not grow with the rows, apart from what DuckDB takes for its
    file. Raises ValueError, before anything is read, if the connection has an open transaction or
    the name is that of a view.
    """
    _check(connection, table)
    name, beside, rows = _quoted(table), _quoted(f"{table} (loading {uuid.uuid4().hex})"), 0
    columns: list[str] = []
    try:
        for batch in batches:
            columns = _append(connection, beside, columns, batch)
            rows += batch.num_rows
        connection.begin()
        try:
            connection.execute(f"DROP TABLE IF EXISTS {name}")
            connection.execute(f"ALTER TABLE {beside} RENAME TO {name}")
        except BaseException:
            connection.rollback()
            raise
        connection.commit()
    finally:
        with suppress(duckdb.Error):  # or it would hide why the load failed
            connection.execute(f"DROP TABLE IF EXISTS {beside}")
    return rows


def _check(connection: duckdb.DuckDBPyConnection, table: str) -> None:
    ids = {connection.execute("SELECT txid_current()").fetchall()[0] for _ in range(2)}
    if len(ids) == 1:  # outside a transaction, each statement has its own
        raise ValueError("The connection has an open transaction: commit it or roll it back, then load.")
    views = connection.execute(
        "SELECT 1 FROM duckdb_views() WHERE NOT internal AND lower(view_name) = lower(?)", [table]
    )
    if views.fetchall():
        raise ValueError(f"{table} is a view: drop it, or give the name of a table.")


def _append(connection: duckdb.DuckDBPyConnection, name: str, columns: list[str], batch: pa.RecordBatch) -> list[str]:
    """Appends a batch to a table of these columns (none: it is created). Returns its new columns."""
    source = f"batch_{uuid.uuid4().hex}"
    connection.register(source, pa.Table.from_batches([batch]))
    if not columns:
        connection.execute(f"CREATE TABLE {name} AS FROM {source} LIMIT 0")
        columns = batch.schema.names
    more = [column for column in batch.schema.names if column not in columns]
    for column in more:
        connection.execute(f"ALTER TABLE {name} ADD COLUMN {_quoted(column)} VARCHAR")
    connection.execute(f"INSERT INTO {name} BY NAME FROM {source}")
    connection.unregister(source)
    return [*columns, *more]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
