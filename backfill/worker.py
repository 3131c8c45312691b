"""One window on a worker: the connector's stages, from HubSpot to a Parquet file."""
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from dask.distributed import Client as Dask
from dask.distributed import get_client
from toolz import curry, pipe

from backfill.parquet import RowFile
from backfill.quota import SharedRateLimit
from backfill.windows import Window, file_of, rejects_of
from pipeline import (
    Client,
    Reader,
    Settings,
    dedupe_by_id,
    fetch_pages,
    flatten,
    keep_type,
    properties_as_json,
    protect,
    protection,
    reject_malformed,
    rename_columns,
    serialize_lists,
    unwrap_results,
)
from pipeline.config.connect import query_for
from pipeline.connection.deliver import fetch_page
from pipeline.hubspot.events_api import OCCURRED_AT
from pipeline.names.tables import REJECTED_EVENT
from pipeline.stages.events import Event, Reject
from pipeline.tables.rejected_event import rejected_row
from pipeline.timestamps import to_ms, to_text

COLUMNS = ("id", "event_type", "occurred", "occurred_at", "object_id", "object_type")  # in every file, even one without rows
UNFINISHED = ".unfinished"  # below the folder of the files, so that a rename moves them there


def read_window(window: Window, settings: Settings, folder: Path) -> Counter[str]:
    """Reads one window into its file, unless the file exists. Returns the number of rows by table."""
    file, rejects = file_of(window, folder), rejects_of(window, folder)
    if not file.exists():
        with (
            RowFile(file, folder / UNFINISHED, COLUMNS) as rows,  # first, so that it is the last to be put in place
            RowFile(rejects, folder / UNFINISHED) as rejected,
            hubspot_client(get_client(), settings) as hubspot,
        ):
            write_rows(window, settings, hubspot, rows, rejected)
    written = ((window.event_type, file), (REJECTED_EVENT, rejects))
    return Counter({table: pq.read_metadata(path).num_rows for table, path in written if path.exists()})


def write_rows(window: Window, settings: Settings, hubspot: Client, rows: RowFile, rejected: RowFile) -> None:
    """Runs the stages over one window, one page after another: concurrency comes from the workers."""
    protect_event = protection(settings.drop_columns, settings.hash_columns, settings.hash_salt)

    def reject(event: Any, reason: str) -> None:
        (event,) = protect(protect_event, [event])
        rejected.add(rejected_row(window.event_type, event, reason, to_text(hubspot.clock.now())))

    fetch = partial(fetch_page, hubspot, query_for(settings, window.event_type))
    with Reader(fetch, hubspot.clock.later) as reader:
        for row in pipe(
            [(window.start, window.end)],
            fetch_pages(reader.pages),
            unwrap_results,
            reject_malformed(reject),
            keep_type(window.event_type, reject),
            keep_range(window.start, window.end, reject),
            protect(protect_event),
            properties_as_json(settings.is_single_table),
            flatten,
            serialize_lists,
            rename_columns(settings.rename_columns),
            dedupe_by_id(settings.dedupe_window),
        ):
            rows.add(row)


@curry
def keep_range(start: int, end: int, reject: Reject, events: Iterable[Event]) -> Iterator[Event]:
    """The events of [start, end), ms; `reject(event, reason)` gets each of the others. Files have no upsert, so an event outside
    its own window would be stored twice.

    >>> list(keep_range(0, 1000, lambda event, reason: print(reason))([{"occurredAt": "1970-01-01T00:00:01Z"}]))
    out of the time range asked for
    []
    """
    for event in events:
        if start <= to_ms(event[OCCURRED_AT]) < end:
            yield event
        else:
            reject(event, "out of the time range asked for")


def hubspot_client(dask: Dask, settings: Settings) -> Client:
    """A client like the connector's, except that its rate limit is shared by all workers."""
    hubspot = Client(settings.api_token, settings.api_base_url, settings.api_version, settings.max_outage)
    hubspot.rate_limit = SharedRateLimit(dask, settings)
    return hubspot
