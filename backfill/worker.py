"""One window on a worker: the connector's stages, from HubSpot to a Parquet file."""

from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq
from dask.distributed import Client as Dask
from dask.distributed import get_client

from backfill.parquet import RowFile
from backfill.quota import SharedRateLimit
from backfill.windows import Window, file_of, rejects_of
from frames.text import COLUMNS
from pipeline import Client, Reader, Settings, protect, protection
from pipeline.config.connect import query_for
from pipeline.names.tables import REJECTED_EVENT
from pipeline.reading.fetch import fetch_page
from pipeline.rows import rows
from pipeline.tables.rejected_event import rejected_row
from pipeline.timestamps import to_text

UNFINISHED = ".unfinished"  # below the folder of the files, so that a rename moves them there


class Report(NamedTuple):
    """A file that a worker has written, or found."""

    table: str
    path: Path
    rows: int


def read_window(window: Window, settings: Settings, folder: Path) -> list[Report]:
    """Reads one window into its file, unless the file exists."""
    file, rejects = file_of(window, folder), rejects_of(window, folder)
    if not file.exists():
        with (
            RowFile(
                file, folder / UNFINISHED, COLUMNS
            ) as written,  # first, so that it is the last to be put in place
            RowFile(rejects, folder / UNFINISHED) as rejected,
            hubspot_client(get_client(), settings) as hubspot,
        ):
            write_rows(window, settings, hubspot, written, rejected)
    files = ((window.event_type, file), (REJECTED_EVENT, rejects))
    return [
        Report(table, path, pq.read_metadata(path).num_rows)
        for table, path in files
        if path.exists()
    ]


def write_rows(
    window: Window, settings: Settings, hubspot: Client, file: RowFile, rejected: RowFile
) -> None:
    """Runs the stages over one window, one page after another: concurrency comes from the
    workers.
    """
    protect_event = protection(settings.drop_columns, settings.hash_columns, settings.hash_salt)

    def reject(event: Any, reason: str) -> None:
        (event,) = protect(protect_event, [event])
        rejected.add(rejected_row(window.event_type, event, reason, to_text(hubspot.clock.now())))

    fetch = partial(fetch_page, hubspot, query_for(settings, window.event_type))
    with Reader(fetch, hubspot.clock.later) as reader:
        for row in rows(settings, reader, window.event_type, (window.start, window.end), reject):
            file.add(row)


def hubspot_client(dask: Dask, settings: Settings) -> Client:
    """A client like the connector's, except that its rate limit is shared by all workers."""
    hubspot = Client(
        settings.api_token, settings.api_base_url, settings.api_version, settings.max_outage
    )
    hubspot.rate_limit = SharedRateLimit(dask, settings)
    return hubspot
