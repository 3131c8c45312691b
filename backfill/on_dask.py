"""A long history read on a Dask cluster: windows of time are independent of each other, so each is a task.

The backfill is responsible for [start, end), and the connector, from the state that this returns, for everything from `end` on.
`end` is fixed before the first window is read, a look-back or more before that moment: what happened earlier is visible by then.
"""
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq
from dask.distributed import Client as Dask
from dask.distributed import as_completed, get_client
from toolz import curry, pipe

from backfill.parquet import RowFile
from backfill.quota import Granted
from pipeline import (
    Client,
    Reader,
    Settings,
    dedupe_by_id,
    fetch_pages,
    flatten,
    keep_type,
    keep_whole,
    protect,
    protection,
    rename_columns,
    serialize_lists,
    set_aside,
    unwrap_results,
)
from pipeline.connection.state import Progress, write_state
from pipeline.deliver import ask, question
from pipeline.errors import SettingsError
from pipeline.event_types import NONE_CHOSEN, choose_asking
from pipeline.metrics import seldom
from pipeline.moments import DAY, to_ms, to_text
from pipeline.names import table_name
from pipeline.rejects import TABLE as REJECTED
from pipeline.rejects import rejected_row
from pipeline.stages import Event

HOUR = DAY // 24
COLUMNS = ("id", "event_type", "occurred", "occurred_at", "object_id", "object_type")  # in every file, even one without rows
TELL_SECONDS = 5.0  # between two sentences, at least
UNFINISHED = ".unfinished"  # below the folder of the files, so that a rename takes them there


class Window(NamedTuple):
    """A stretch of one event type's history, half-open, ms UTC, within one day or `hours` long: one task, one file."""

    event_type: str
    start: int
    end: int
    hours: int = 24


class Backfilled(NamedTuple):
    """What a backfill leaves beside its files: the state to start the connector with, and the number of rows by table."""

    state: dict[str, Any]
    rows: Counter[str]


def backfill(
    dask: Dask, settings: Settings, folder: Path, hours: int = 24, tell: Callable[[str], Any] = lambda sentence: None
) -> Backfilled:
    """Writes the history of every event type from `settings.start` on below a folder that all workers reach, as
    <table>/day=<date>/<window>.parquet. A window is `hours` long: a divisor of 24, or for few events a multiple (then it is
    from=<date>, since it holds several days). `tell` gets a sentence on how far it is every few seconds.

    A window whose file is there is done: a backfill that ended early goes on when it is started again, and a later one adds
    what has happened since. The windows of a lost worker go to another (Dask gives one up after four workers). Raises
    ConnectorError as a sync does, and ValueError where the folder holds other windows.
    """
    folder = Path(folder).absolute()
    with hubspot_client(dask, settings) as hubspot:
        event_types = choose_asking(settings.event_types, hubspot.event_types).names
        if not event_types:
            raise SettingsError(NONE_CHOSEN)
        hubspot.page({"eventType": event_types[0], "limit": 1})  # an answer tells HubSpot's clock and the limits
        began = hubspot.clock.earlier()
    end = (began - settings.lookback) // (hours * HOUR) * hours * HOUR
    windows = plan(event_types, settings.start, end, hours)
    check(folder, windows)
    tasks = dask.map(read_window, windows, settings=settings, folder=folder, pure=False)
    try:
        rows = together(tasks, tell)
    finally:
        dask.cancel(tasks)
    shutil.rmtree(folder / UNFINISHED, ignore_errors=True)  # what lost workers left
    upto, start = to_text(max(end, settings.start)), to_text(settings.start)
    begun = Progress(upto, read_at=to_text(began), start_date=start)
    progress = {name: replace(begun, made_under=settings.made_under(name)) for name in event_types}
    return Backfilled(write_state(progress, made_against=settings.api_base_url), rows)


def together(tasks: list[Any], tell: Callable[[str], Any]) -> Counter[str]:
    """The rows by table of all windows. Raises the first error of one."""
    rows: Counter[str] = Counter()
    done = 0

    def how_far() -> None:
        tell(f"{done:,} of {len(tasks):,} windows, {sum(rows.values()):,} rows.")

    how_far()
    seldom_told = seldom(TELL_SECONDS, how_far)
    for task in as_completed(tasks):
        rows += task.result()
        done += 1
        seldom_told()
    how_far()
    return rows


def plan(event_types: Iterable[str], start: int, end: int, hours: int = 24) -> list[Window]:
    """The windows of [start, end), ms: cut at every `hours`, whatever the start, so that they are the same again tomorrow. Nobody
    knows beforehand how dense events lie: there are many more windows than workers, and Dask evens them out.

    >>> [(start // HOUR, end // HOUR) for _, start, end, _ in plan(["e_visited_page"], 5 * HOUR, 24 * HOUR, hours=8)]
    [(5, 8), (8, 16), (16, 24)]
    """
    if hours < 1 or (24 % hours and hours % 24):
        raise ValueError(f"A window may be 1, 2, 3, 4, 6, 8, 12 or a multiple of 24 hours long, not {hours}: it fits into days.")
    length = hours * HOUR
    cuts = [start, *range((start // length + 1) * length, end, length), end] if start < end else []
    return [Window(event_type, *cut, hours) for event_type in event_types for cut in pairwise(cuts)]


def file_of(window: Window, folder: Path) -> Path:
    """Where a window's rows go. The name depends on the window alone: one that is done twice replaces itself. It stays below the
    folder whatever HubSpot calls the event type.

    >>> file_of(Window("e_visited_page", 0, HOUR), Path("history")).as_posix()
    'history/e_visited_page/day=1970-01-01/1970-01-01T000000.000Z_1970-01-01T010000.000Z.parquet'
    """
    start, end = to_text(window.start), to_text(window.end)
    date = f"{'day' if window.hours <= 24 else 'from'}={start[:10]}"
    return folder / table_name(window.event_type) / date / f"{start}_{end}.parquet".replace(":", "")


def rejects_of(window: Window, folder: Path) -> Path:
    file = file_of(window, folder)
    return folder / REJECTED / file.parent.name / f"{table_name(window.event_type)}_{file.name}"


def check(folder: Path, windows: Iterable[Window]) -> None:
    """Raises ValueError where files of other windows would hold some events twice."""
    expected = {name(window, folder) for window in windows for name in (file_of, rejects_of)}
    if strangers := sorted(set(folder.glob("*/*=*/*.parquet")) - expected):
        raise ValueError(f"{strangers[0]} belongs to another backfill (another start date, other hours): use another folder.")


def read_window(window: Window, settings: Settings, folder: Path) -> Counter[str]:
    """Reads one window into its file, unless that is there. Returns the number of rows by table. Runs on a worker."""
    file, rejects = file_of(window, folder), rejects_of(window, folder)
    if not file.exists():
        with (
            RowFile(file, folder / UNFINISHED, COLUMNS) as rows,  # the outermost, so the last to take its place
            RowFile(rejects, folder / UNFINISHED) as rejected,
            hubspot_client(get_client(), settings) as hubspot,
        ):
            write_rows(window, settings, hubspot, rows, rejected)
    written = ((window.event_type, file), (REJECTED, rejects))
    return Counter({table: pq.read_metadata(path).num_rows for table, path in written if path.exists()})


def write_rows(window: Window, settings: Settings, hubspot: Client, rows: RowFile, rejected: RowFile) -> None:
    """The stages of the connector over one window, page after page: here the workers are the concurrency."""

    protected = protection(settings.drop_columns, settings.hash_columns, settings.hash_salt)

    def reject(event: Any, reason: str) -> None:
        (event,) = protect(protected, [event])
        rejected.add(rejected_row(window.event_type, event, reason, to_text(hubspot.now())))

    fetch = partial(ask, hubspot, question(settings, window.event_type))
    with Reader(fetch, hubspot.clock.later) as reader:
        for row in pipe(
            [(window.start, window.end)],
            fetch_pages(reader.pages),
            unwrap_results,
            set_aside(reject),
            keep_type(window.event_type, reject),
            keep_span(window.start, window.end, reject),
            protect(protected),
            keep_whole(settings.table_layout == "single"),
            flatten,
            serialize_lists,
            rename_columns(settings.rename_columns),
            dedupe_by_id(settings.dedupe_window),
        ):
            rows.add(row)


@curry
def keep_span(start: int, end: int, reject: Callable[[Any, str], None], events: Iterable[Event]) -> Iterator[Event]:
    """The events of [start, end), ms; `reject(event, reason)` gets each other one: files know no upsert, so it would be there
    twice when its own window brings it too.

    >>> list(keep_span(0, 1000, lambda event, reason: print(reason))([{"occurredAt": "1970-01-01T00:00:01Z"}]))
    from outside the time that was asked for
    []
    """
    for event in events:
        if start <= to_ms(event["occurredAt"]) < end:
            yield event
        else:
            reject(event, "from outside the time that was asked for")


def hubspot_client(dask: Dask, settings: Settings) -> Client:
    """A client like the connector's, but for the quota, which all of them share."""
    hubspot = Client(settings.api_token, settings.api_base_url, settings.api_version, settings.max_outage)
    hubspot.quota = Granted(dask, settings)
    return hubspot
