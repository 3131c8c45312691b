"""A window of time, and the part of a page that lies in it. Where windows are cut is in cutting.py.

It is undocumented whether HubSpot's bounds are inclusive, or compared to the millisecond: a window
asks for whole seconds and one millisecond more on either side, and keeps only what lies in its own
half-open interval.
"""

import threading
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from pipeline.hubspot.client import Page
from pipeline.hubspot.events_api import EVENTS, ID, OCCURRED_AT, Bounds, occurred_ms
from pipeline.timestamps import SECOND, to_ms


class Window(NamedTuple):
    """A range of time to read, ms UTC, half-open; `end` None: no end.

    >>> Window(1500, 2500).bounds()
    (999, 3000)
    """

    start: int
    end: int | None

    def bounds(self) -> Bounds:
        """The values of occurredAfter and occurredBefore in a request, ms."""
        return floor_to_second(self.start) - 1, None if self.end is None else ceil_to_second(
            self.end
        )

    def contains(self, moment: int) -> bool:
        return moment >= self.start and (self.end is None or moment < self.end)


def floor_to_second(ms: int) -> int:
    return ms // SECOND * SECOND


def ceil_to_second(ms: int) -> int:
    return -floor_to_second(-ms)


def next_second(ms: int) -> int:
    return floor_to_second(ms) + SECOND


class PageRequest(NamedTuple):
    """One request: bounds (ms), page cursor (None: the first page), events per page (None: as
    configured).
    """

    bounds: Bounds
    cursor: str | None = None
    limit: int | None = None


Fetch = Callable[[PageRequest, threading.Event], Page]


@dataclass(frozen=True, slots=True)
class WindowPage:
    """The part of a page that lies in its window.

    `answer` is HubSpot's, with the window's own events alone (those without a readable moment
    included), in HubSpot's order; `out_of_range` are events outside the bounds that were asked for.
    `earliest`, `median` and `latest` are moments of the own events (ms; None: there is none),
    `crowd` is how many share the latest second, `ascending` whether they are in order.
    `event_count` and `byte_count` are of the whole page; an event that is on it twice counts once.
    `new`: one of its events was not yet known. `more`: another page follows.
    """

    answer: dict[str, Any]
    out_of_range: list[Any]
    earliest: int | None
    median: int | None
    latest: int | None
    crowd: int
    ascending: bool
    event_count: int
    byte_count: int
    new: bool
    more: bool

    @property
    def events(self) -> list[Any]:
        events: list[Any] = self.answer[EVENTS]
        return events


def part_of(
    window: Window, page: Page, bounds: Bounds, event_count: int, new: bool, more: bool
) -> WindowPage:
    """The part of a page, requested with these bounds, that lies in a window; the rest as in
    WindowPage.
    """
    events, answer = page.events, page.answer
    out_of_range: list[Any] = []
    try:
        moments = [to_ms(event[OCCURRED_AT]) for event in events]
        inside = not moments or (window.contains(min(moments)) and window.contains(max(moments)))
    except (TypeError, KeyError, ValueError):  # not every one is an event: look at them one by one
        inside = False
    if not inside:
        own, moments, out_of_range = _partition(window, events, bounds)
        answer = answer | {EVENTS: own}
    ordered = sorted(moments)
    earliest, median, latest = (
        (ordered[0], ordered[len(ordered) // 2], ordered[-1]) if ordered else (None, None, None)
    )
    ascending, counts = moments == ordered, (event_count, page.size)
    return WindowPage(
        answer,
        out_of_range,
        earliest,
        median,
        latest,
        crowd(ordered),
        ascending,
        *counts,
        new,
        more,
    )


def _partition(
    window: Window, events: list[Any], bounds: Bounds
) -> tuple[list[Any], list[int], list[Any]]:
    """The window's own events, their moments where those can be read, and the events outside the
    bounds. What is between is another window's.
    """
    own: list[Any] = []
    moments: list[int] = []
    out_of_range: list[Any] = []
    for event in events:
        moment = occurred_ms(event)
        if moment is None or window.contains(moment):
            own.append(event)
            moments += [] if moment is None else [moment]
        elif is_out_of_range(event, bounds):
            out_of_range.append(event)
    return own, moments, out_of_range


def is_out_of_range(event: Any, bounds: Bounds) -> bool:
    """Whether an event certainly lies outside the bounds of a request, which may be compared to the
    second.
    """
    moment, (after, before) = occurred_ms(event), bounds
    return moment is not None and (
        moment < after - SECOND or (before is not None and moment > before + SECOND)
    )


def crowd(ordered: list[int]) -> int:
    """The number of moments (ms, in order) that share the latest second.

    >>> crowd([1500, 1999, 2000, 2999])
    2
    """
    return len(ordered) - bisect_left(ordered, floor_to_second(ordered[-1])) if ordered else 0


def ids_of(events: list[Any]) -> set[Any]:
    """The ids of events; an event without an id is its own.

    >>> sorted(ids_of([{"id": "a"}, {"id": "a"}, {"id": None}, 7]))
    ['7', 'a', "{'id': None}"]
    """
    try:
        ids = {event[ID] for event in events}
    except (TypeError, KeyError):  # not every one is an event
        ids = {None}
    return ids if None not in ids else {_id_of(event) for event in events}


def _id_of(event: Any) -> Any:
    key = event.get(ID) if isinstance(event, dict) else None
    return key if isinstance(key, (str, int)) else repr(event)
