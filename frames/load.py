"""Record batches into a DuckDB table."""
from collections.abc import Iterable

import duckdb
import pyarrow as pa


def into_duckdb(connection: duckdb.DuckDBPyConnection, table: str, batches: Iterable[pa.RecordBatch]) -> int:
    """Replaces a table by the rows of the batches, which may differ in their columns, and returns the number of rows. Memory does
    not grow with it. It is one transaction: if anything fails, the table stays as it was."""
    name, rows = '"' + table.replace('"', '""') + '"', 0
    connection.begin()
    try:
        known: dict[str, None] = {}
        for batch in batches:
            connection.register("next_batch", pa.Table.from_batches([batch]))
            if not known:
                connection.execute(f"CREATE OR REPLACE TABLE {name} AS FROM next_batch LIMIT 0")  # noqa: S608 (quoted)
            for column in [column for column in batch.schema.names if known and column not in known]:
                quoted = '"' + column.replace('"', '""') + '"'
                connection.execute(f"ALTER TABLE {name} ADD COLUMN {quoted} VARCHAR")
            known |= dict.fromkeys(batch.schema.names)
            connection.execute(f"INSERT INTO {name} BY NAME FROM next_batch")  # noqa: S608 (quoted)
            rows += batch.num_rows
        connection.commit()
    except BaseException:
        connection.rollback()
        raise
    finally:
        connection.unregister("next_batch")
    return rows
