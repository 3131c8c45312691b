"""The windows of a backfill, and the files that their rows are written to."""

import re
from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

from pipeline.names.tables import REJECTED_EVENT, table_name
from pipeline.timestamps import DAY, to_text

HOUR = DAY // 24


class Window(NamedTuple):
    """A half-open interval of one event type's history, ms UTC, within one day or `hours` long: one
    task, one file.
    """

    event_type: str
    start: int
    end: int
    hours: int = 24


def plan(event_types: Iterable[str], start: int, end: int, hours: int = 24) -> list[Window]:
    """The windows of [start, end), ms, cut at multiples of `hours` whatever the start, so that a
    later run has the same ones. The density of events is not known beforehand: with many more
    windows than workers, Dask balances the load.

    >>> [(start // HOUR, end // HOUR) for _, start, end, _ in plan(["e_visited_page"], 5 * HOUR, 24 * HOUR, hours=8)]
    [(5, 8), (8, 16), (16, 24)]
    """
    if hours < 1 or (24 % hours and hours % 24):
        raise ValueError(f"A window must be 1, 2, 3, 4, 6, 8, 12 or a multiple of 24 hours long, not {hours}.")
    length = hours * HOUR
    cuts = [start, *range((start // length + 1) * length, end, length), end] if start < end else []
    return [Window(event_type, *cut, hours) for event_type in event_types for cut in pairwise(cuts)]


def file_of(window: Window) -> str:
    """The name of the file for a window's rows. It depends only on the window, so a window that is
    read twice replaces its file, whatever the event type is called.

    >>> file_of(Window("e_visited_page", 0, HOUR))
    'e_visited_page/day=1970-01-01/1970-01-01T000000.000Z_1970-01-01T010000.000Z.parquet'
    """
    start, end = to_text(window.start), to_text(window.end)
    date = f"{'day' if window.hours <= 24 else 'from'}={start[:10]}"
    return f"{table_name(window.event_type)}/{date}/{start}_{end}.parquet".replace(":", "")


def rejects_of(window: Window) -> str:
    """The name of the file for a window's rejected events."""
    table, date, file = file_of(window).split("/")
    return f"{REJECTED_EVENT}/{date}/{table}_{file}"


def names_of(windows: Iterable[Window], there: Iterable[str]) -> set[str]:
    """The files of these windows among those that are there. Raises ValueError if there are files
    of other windows, which would hold some events twice.
    """
    files = {name for name in there if re.fullmatch(r"[^/]+/[^/]+=[^/]+/[^/]+\.parquet", name)}
    others = files.difference(name(window) for window in windows for name in (file_of, rejects_of))
    if others:
        raise ValueError(
            f"{min(others)} is from another backfill (another start date, or other hours): use another address."
        )
    return files
