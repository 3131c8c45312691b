"""A long history read on a Dask cluster: windows of time are independent of each other, so each is
a task.

The backfill delivers [start, end), and the connector, resuming from the state that it returns,
everything from `end` on. `end` is fixed before the first window is read, at least a look-back
earlier: what happened before it is visible by then.
"""

import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from dask.distributed import Client as Dask
from dask.distributed import as_completed

from backfill.storage import folder_of, prove_shared, prove_written
from backfill.windows import HOUR, check, plan
from backfill.worker import UNFINISHED, Report, hubspot_client, read_window
from pipeline import Settings
from pipeline.config.event_types import NONE_SELECTED, select_asking
from pipeline.connection.reporting import throttle
from pipeline.connection.state import Progress, state_dict
from pipeline.errors import SettingsError
from pipeline.hubspot import events_api
from pipeline.timestamps import to_text

PROGRESS_SECONDS = 5.0  # between two progress messages, at least


class Backfilled(NamedTuple):
    """The result of a backfill, beside its files: the state to start the connector with, and the
    number of rows by table.
    """

    state: dict[str, Any]
    rows: Counter[str]


def backfill(
    dask: Dask,
    settings: Settings,
    address: str | Path,
    hours: int = 24,
    tell: Callable[[str], Any] = lambda sentence: None,
) -> Backfilled:
    """Writes the history of every event type from `settings.start` on to a folder that all workers
    reach, as <table>/day=<date>/<window>.parquet. A window is `hours` long: a divisor of 24, or for
    few events a multiple, which makes it from=<date>, since it spans several days. `tell` gets a
    progress message every few seconds.

    A window whose file exists is done: start an interrupted backfill again to resume it, or a
    finished one later to add what has happened since. The windows of a lost worker go to another;
    Dask gives a window up after it has lost four workers. Raises ConnectorError as a sync does,
    SettingsError for an address that is no folder, and ValueError if the folder has files of other
    windows.
    """
    folder = folder_of(address)
    prove_shared(dask, folder)
    with hubspot_client(dask, settings) as hubspot:
        event_types = select_asking(settings.event_types, hubspot.event_types).names
        if not event_types:
            raise SettingsError(NONE_SELECTED)
        hubspot.page(
            events_api.query(event_types[0], limit=1)
        )  # sets HubSpot's clock and the rate limit
        began = hubspot.clock.earlier()
    end = (began - settings.lookback) // (hours * HOUR) * hours * HOUR
    windows = plan(event_types, settings.start, end, hours)
    check(folder, windows)
    tasks = dask.map(read_window, windows, settings=settings, folder=folder, pure=False)
    try:
        reports = gather(tasks, tell)
    finally:
        dask.cancel(tasks)
    prove_written({report.path: report.rows for report in reports})
    shutil.rmtree(folder / UNFINISHED, ignore_errors=True)  # left by lost workers
    cursor, start = to_text(max(end, settings.start)), to_text(settings.start)
    delivered = Progress(cursor, read_at=to_text(began), start_date=start)
    progress = {
        name: replace(delivered, fingerprint=settings.fingerprint(name)) for name in event_types
    }
    return Backfilled(state_dict(progress, api_base_url=settings.api_base_url), count(reports))


def gather(tasks: list[Any], tell: Callable[[str], Any]) -> list[Report]:
    """What the workers report of all windows. Raises the first error of a window."""
    reports: list[Report] = []
    done = 0

    def report() -> None:
        tell(f"{done:,} of {len(tasks):,} windows, {count(reports).total():,} rows.")

    report()
    report_sometimes = throttle(PROGRESS_SECONDS, report)
    for task in as_completed(tasks):
        reports += task.result()
        done += 1
        report_sometimes()
    report()
    return reports


def count(reports: list[Report]) -> Counter[str]:
    """The number of rows by table."""
    rows: Counter[str] = Counter()
    for report in reports:
        rows[report.table] += report.rows
    return rows
