"""Reads one window on a worker, through the connector's stages, from HubSpot to a Parquet file."""

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
from dask.distributed import Client as Dask
from dask.distributed import get_client, get_worker

from backfill.marks import exchange_marks
from backfill.quota import SharedRateLimit
from backfill.windows import Window, file_of, rejects_of
from frames.parquet import RowFile
from frames.storage import put
from frames.text import COLUMNS
from pipeline import Client, Reader, Settings, protect, protection
from pipeline.audits.counting import events_of
from pipeline.audits.ledger import counting
from pipeline.audits.text import encode
from pipeline.config.connect import query_for
from pipeline.reading.fetch import fetch_page
from pipeline.rows import rows
from pipeline.tables.rejected_event import rejected_row
from pipeline.timestamps import to_text

LEDGER = "ledger"  # in the metadata of a file: its cells, as in the saved state


def read_window(window: Window, settings: Settings, address: str, mark: str) -> dict[str, int]:
    """Reads one window into its files. Returns the number of rows of each, by name."""
    exchange_marks(address, mark)
    pa.set_memory_pool(pa.system_memory_pool())  # Arrow's own pool keeps what was freed
    with (
        TemporaryDirectory(dir=get_worker().local_directory) as folder,
        hubspot_client(get_client(), settings) as hubspot,
    ):
        file, rejected = RowFile(Path(folder, "rows"), COLUMNS), RowFile(Path(folder, "rejects"))
        ledger = write_rows(window, settings, hubspot, file, rejected)
        written = {rejects_of(window): rejected} if rejected.rows else {}
        written[file_of(window)] = file  # the last: where it is, the window is done
        for name, each in written.items():
            put(each.finish({LEDGER: ledger}), address, name)
    return {name: each.rows for name, each in written.items()}


def write_rows(window: Window, settings: Settings, hubspot: Client, file: RowFile, rejected: RowFile) -> str:
    """Runs the stages over one window, page by page: concurrency comes from the workers. Returns
    its cells, for the connector's looks.
    """
    event_type, start, end, _ = window
    protect_event = protection(settings.drop_columns, settings.hash_columns, settings.hash_salt)
    count = counting(hubspot.clock, settings.audit_days, start)

    def reject(event: Any, reason: str) -> None:
        (event,) = protect(protect_event, [event])
        rejected.add(rejected_row(event_type, event, reason, to_text(hubspot.clock.now())))

    fetch = partial(fetch_page, hubspot, query_for(settings, event_type))
    with Reader(fetch, hubspot.clock.later) as reader:

        def observe(page: dict[str, Any]) -> None:
            count.close(reader.position)
            for event in events_of(event_type, [page]):
                count.add(event)

        for row in rows(settings, reader, event_type, (start, end), reject, observe):
            file.add(row)
    count.close(end)
    return encode(count.cells())


def hubspot_client(dask: Dask, settings: Settings) -> Client:
    """A client like the connector's, except that its rate limit is shared by all workers."""
    hubspot = Client(settings.api_token, settings.api_base_url, settings.api_version, settings.max_outage)
    hubspot.rate_limit = SharedRateLimit(dask, settings)
    return hubspot
