"""Record batches into a DuckDB table."""
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import duckdb
import pyarrow as pa
from toolz import partition_all

TOGETHER = 8  # batches in a transaction: DuckDB keeps what is not committed in memory, and writes 122,880 rows together


def into_duckdb(connection: duckdb.DuckDBPyConnection, table: str, batches: Iterable[pa.RecordBatch]) -> int:
    """Replaces a table by the rows of the batches, which may differ in their columns, and returns the number of rows.

    They are loaded into a table beside it, which takes its place at the end: if anything fails, the table stays as it was. Memory
    does not grow with the rows, apart from what DuckDB itself takes for its file.
    """
    name, beside, rows = _quoted(table), _quoted(f"{table} (loading)"), 0
    columns: list[str] = []
    connection.execute(f"DROP TABLE IF EXISTS {beside}")
    try:
        for some in partition_all(TOGETHER, batches):
            with _transaction(connection):
                for batch in some:
                    columns = _append(connection, beside, columns, batch)
                    rows += batch.num_rows
        with _transaction(connection):
            connection.execute(f"DROP TABLE IF EXISTS {name}")
            connection.execute(f"ALTER TABLE {beside} RENAME TO {name}")
    finally:
        connection.execute(f"DROP TABLE IF EXISTS {beside}")
    return rows


def _append(connection: duckdb.DuckDBPyConnection, name: str, columns: list[str], batch: pa.RecordBatch) -> list[str]:
    """Appends a batch to a table of these columns (none: not there yet). Returns the columns that it has then."""
    connection.register("next_batch", pa.Table.from_batches([batch]))
    if not columns:
        connection.execute(f"CREATE TABLE {name} AS FROM next_batch LIMIT 0")
        columns = batch.schema.names
    more = [column for column in batch.schema.names if column not in columns]
    for column in more:
        connection.execute(f"ALTER TABLE {name} ADD COLUMN {_quoted(column)} VARCHAR")
    connection.execute(f"INSERT INTO {name} BY NAME FROM next_batch")
    connection.unregister("next_batch")
    return [*columns, *more]


@contextmanager
def _transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    connection.begin()
    try:
        yield
    except BaseException:
        connection.rollback()
        raise
    connection.commit()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
