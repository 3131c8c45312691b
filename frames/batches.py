"""The events of a time range as Arrow record batches."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import pyarrow as pa
from toolz import partition_all

from frames.text import COLUMNS, text_columns
from pipeline import events
from pipeline.rows import Moment
from pipeline.stages.flatten import Row
from pipeline.timestamps import to_ms

ROWS = 5_000  # in a batch: some 20 MB while they are Python objects
MOMENT = "occurred_at"


def batches(
    configuration: Mapping[str, str],
    event_type: str = "e_visited_page",
    start: Moment | None = None,
    end: Moment | None = None,
) -> Iterator[pa.RecordBatch]:
    """Yields the rows of `pipeline.events`, which takes the same arguments, as Arrow record batches
    of 5,000. `occurred_at` is a timestamp (ms, UTC), every other column text, so that no value is
    guessed.

    There is at least one batch, if need be of no rows. A property is a column from the batch on in
    which it first appears: `as_table` and `into_duckdb` unite the batches.
    """
    return as_batches(events(configuration, event_type, start, end))


def as_batches(rows: Iterable[Row], size: int = ROWS) -> Iterator[pa.RecordBatch]:
    """Yields rows as record batches; each has the columns of those before it, and its own.

    >>> rows = [{"id": "a", "occurred_at": "1970-01-01"}, {"id": "b", "hs_url": "/"}]
    >>> [(batch.num_rows, batch.num_columns) for batch in as_batches(rows, 1)]
    [(1, 6), (1, 7)]
    """
    columns = COLUMNS
    for part in partition_all(size, rows):
        batch = _as_batch(part, columns)
        columns = tuple(batch.schema.names)
        yield batch
    if columns is COLUMNS:
        yield _as_batch((), columns)


def as_table(batches: Iterable[pa.RecordBatch]) -> pa.Table:
    """Unites all batches in one table, null where a batch lacks a column, for `to_pandas()` or
    `polars.from_arrow`. It is all in memory.
    """
    return pa.concat_tables((pa.Table.from_batches([batch]) for batch in batches), promote_options="default")


def _as_batch(rows: Sequence[Row], columns: tuple[str, ...]) -> pa.RecordBatch:
    moments = [None if row.get(MOMENT) is None else to_ms(row[MOMENT]) for row in rows]
    return pa.RecordBatch.from_pydict(
        {**text_columns(rows, columns), MOMENT: pa.array(moments, pa.timestamp("ms", "UTC"))}
    )
