"""Reads a long history on a Dask cluster: windows of time do not depend on each other, so each is a
task.

The backfill delivers [start, end), and the connector, resuming from the state that it returns,
everything from `end` on. `end` is fixed before the first window is read, at least a look-back
earlier: what happened before it is visible by then.
"""

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from dask.distributed import Client as Dask
from dask.distributed import KilledWorker, as_completed

from backfill.marks import prove_shared
from backfill.windows import HOUR, Window, file_of, names_of, plan, rejects_of
from backfill.worker import LEDGER, hubspot_client, read_window
from frames.storage import Footer, address_of, clean, files, footers
from pipeline import ConnectorError, Settings
from pipeline.audits.cells import Cell, Kind
from pipeline.audits.subject import STATE_SIZE, fitting
from pipeline.audits.text import decode
from pipeline.config.event_types import NONE_SELECTED, select_asking
from pipeline.connection.reporting import format_duration, throttle
from pipeline.connection.state import Progress, state_dict
from pipeline.errors import SettingsError
from pipeline.hubspot import events_api
from pipeline.names.tables import REJECTED_EVENT
from pipeline.timestamps import to_text

PROGRESS_SECONDS = 5.0  # between two progress messages, at least


class Backfilled(NamedTuple):
    """The state to start the connector with, and the number of rows by table."""

    state: dict[str, Any]
    rows: Counter[str]


def backfill(
    dask: Dask,
    settings: Settings,
    address: str | Path,
    hours: int = 24,
    tell: Callable[[str], Any] = lambda sentence: None,
) -> Backfilled:
    """Writes the history of every event type from `settings.start` on to a storage that this
    machine and all workers reach, a Parquet file for each window of `hours` (a divisor or a
    multiple of 24). `tell` receives a progress message every few seconds.

    A window whose file exists is done: start an interrupted backfill again to resume it, or a
    finished one later to add what has happened since. The windows of a lost worker go to another.
    Raises ConnectorError as a sync does, if the storage cannot be used or lacks rows, and for
    windows with which four workers were lost; ValueError for files of other windows.
    """
    address = address_of(address)
    try:
        mark = prove_shared(dask, address)
        with hubspot_client(dask, settings) as hubspot:
            event_types = select_asking(settings.event_types, hubspot.event_types).names
            if not event_types:
                raise SettingsError(NONE_SELECTED)
            # sets HubSpot's clock and the rate limit
            hubspot.page(events_api.query(event_types[0], limit=1))
            began = hubspot.clock.earlier()
        end = (began - settings.lookback) // (hours * HOUR) * hours * HOUR
        windows = plan(event_types, settings.start, end, hours)
        there = footers(address, names_of(windows, files(address)))
        missing = [window for window in windows if file_of(window) not in there]
        given = {"settings": settings, "address": address, "mark": mark}
        reported = read(dask, missing, len(windows) - len(missing), tell, **given)
        there |= footers(address, files(address) & reported.keys())
        prove(address, reported, there)
    finally:
        clean(address)
    rows = Counter[str]()
    cells: dict[str, list[Cell]] = {name: [] for name in event_types}
    for window in windows:
        footer, rejects = there[file_of(window)], there.get(rejects_of(window))
        rows[window.event_type] += footer.rows
        if rejects:
            rows[REJECTED_EVENT] += rejects.rows
        uncounted = Cell(window.start, window.end, Kind.UNCOUNTED)  # by an earlier version
        text = footer.metadata.get(LEDGER)
        cells[window.event_type] += decode(text) if text else [uncounted]
    start, room = settings.start, STATE_SIZE // len(event_types)
    progress = {
        name: Progress(
            occurred=to_text(max(end, start)),
            read_at=to_text(began),
            start_date=to_text(start),
            fingerprint=settings.fingerprint(name),
            ledger=fitting(cells[name], began, settings.audit_days, room)
            if cells[name] and settings.audit_days
            else None,
        )
        for name in event_types
    }
    return Backfilled(state_dict(progress, api_base_url=settings.api_base_url), rows)


def read(dask: Dask, windows: list[Window], done: int, tell: Callable[[str], Any], **arguments: Any) -> dict[str, int]:
    """Reads windows, besides `done` others that are there. Returns the number of rows of each file,
    by name. Raises the first error of a window, and at the end if workers died of some windows.
    """
    reported: dict[str, int] = {}
    began, earlier, of = time.monotonic(), done, done + len(windows)

    def report() -> None:
        seconds, rows = max(0.001, time.monotonic() - began), sum(reported.values())
        left = format_duration(seconds / max(1, done - earlier) * (of - done))
        tell(
            f"{done:,} of {of:,} windows, {rows:,} rows, {rows / seconds:,.0f} rows/s, "
            f"{done / max(1, of):.0%}, {f'about {left}' if done > earlier else 'unknown time'} left"
        )

    def run(windows: list[Window]) -> list[Window]:
        """Returns the windows with which four workers were lost."""
        nonlocal done
        lost, tasks = [], dask.map(read_window, windows, pure=False, **arguments)
        # a result that is still held when its worker dies would be read again
        held = dict(zip(tasks, windows, strict=True))
        tasks.clear()
        try:
            for task in as_completed(list(held)):
                window = held.pop(task)
                try:
                    reported.update(task.result())
                    done += 1
                except KilledWorker:
                    lost.append(window)
                report_sometimes()
        finally:
            dask.cancel(list(held))
        return lost

    report()
    report_sometimes = throttle(PROGRESS_SECONDS, report)
    lost = run(windows)
    if len(lost) > 1:  # one may have waited on each of the workers that died of another
        lost = [window for each in lost for window in run([each])]
    report()
    if lost:
        named = [f"{name} from {to_text(start)} to {to_text(end)}" for name, start, end, _ in lost]
        raise ConnectorError(
            f"Four workers died while they read {', '.join(named)}. All other windows are written. "
            "Cure: look into the log of a worker (does it lack memory?), and start again: only what "
            "is missing is read."
        )
    return reported


def prove(address: str, reported: dict[str, int], there: dict[str, Footer]) -> None:
    """Raises ConnectorError, naming a file, if any is missing or has other rows than reported."""
    rows = {name: footer.rows for name, footer in there.items()}
    if wrong := [name for name in reported if rows.get(name) != reported[name]]:
        name = wrong[0]
        found = f"it has {rows[name]:,}" if name in rows else "it is not there"
        raise ConnectorError(
            f"Of {len(reported):,} files that workers have written, {len(wrong):,} are not at "
            f"{address} as reported, such as {name}: {reported[name]:,} rows, but {found}. Cure: make "
            "sure that every worker reaches this address, and start again: what is missing is read."
        )
