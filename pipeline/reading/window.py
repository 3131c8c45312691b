"""A window of time, and what one page holds of it.

Nobody documents whether HubSpot's bounds are inclusive, or compared to the millisecond: a window asks for whole seconds and one
millisecond more on either side, and keeps only what lies in its own half-open interval.
"""
import threading
from bisect import bisect_left
from collections.abc import Callable
from typing import Any, NamedTuple

from pipeline.hubspot.client import Page
from pipeline.hubspot.events import EVENTS, ID, OCCURRED_AT, Bounds, occurred_ms
from pipeline.timestamps import SECOND, to_ms


class Window(NamedTuple):
    """A range of time to read, ms UTC, half-open; `end` None: no end.

    >>> Window(1500, 2500).bounds()
    (999, 3000)
    """

    start: int
    end: int | None

    def bounds(self) -> Bounds:
        """What a request names as occurredAfter and occurredBefore, ms."""
        return whole_second(self.start) - 1, None if self.end is None else -whole_second(-self.end)

    def holds(self, moment: int) -> bool:
        return moment >= self.start and (self.end is None or moment < self.end)


def whole_second(ms: int) -> int:
    return ms // SECOND * SECOND


def next_second(ms: int) -> int:
    return whole_second(ms) + SECOND


class PageRequest(NamedTuple):
    """One request: bounds (ms), page cursor (None: the first page), events a page (None: as configured)."""

    bounds: Bounds
    cursor: str | None = None
    limit: int | None = None


Fetch = Callable[[PageRequest, threading.Event], Page]


class WindowPage(NamedTuple):
    """What one page holds of its window.

    `answer` is HubSpot's, with the window's own events alone (those without a readable moment included), in HubSpot's order;
    `out_of_range` are events outside the bounds that were asked for. `first`, `middle` and `last` are the earliest, the median
    and the latest moment of the own events (ms; None: there is none), `crowd` how many share the latest second; `ascending`
    says whether they are in order. `fullness` is the whole page in events, `size` in bytes. `new`: one of its events was not yet
    known. `more`: another page follows.
    """

    answer: dict[str, Any]
    out_of_range: list[Any]
    first: int | None
    middle: int | None
    last: int | None
    crowd: int
    ascending: bool
    fullness: int
    size: int
    new: bool = True
    more: bool = True

    @property
    def events(self) -> list[Any]:
        events: list[Any] = self.answer[EVENTS]
        return events


def part_of(window: Window, page: Page, bounds: Bounds) -> tuple[WindowPage, set[Any]]:
    """What a page, asked for with these bounds, holds of a window, and the ids of all its events."""
    events, answer = page.events, page.answer
    out_of_range: list[Any] = []
    try:
        ids = {event[ID] for event in events}
        moments = [to_ms(event[OCCURRED_AT]) for event in events]
        inside = not moments or (window.holds(min(moments)) and window.holds(max(moments)))
    except (TypeError, KeyError, ValueError):  # not every one is an event: look at them one by one
        ids = {_id_of(event) for event in events}
        inside = False
    if not inside:
        own, moments, out_of_range = _sort(window, events, bounds)
        answer = answer | {EVENTS: own}
    ordered = sorted(moments)
    first, middle, last = (ordered[0], ordered[len(ordered) // 2], ordered[-1]) if ordered else (None, None, None)
    in_order = moments == ordered
    return WindowPage(answer, out_of_range, first, middle, last, crowd(ordered), in_order, len(events), page.size), ids


def _sort(window: Window, events: list[Any], bounds: Bounds) -> tuple[list[Any], list[int], list[Any]]:
    """The window's own events, their moments where those can be read, and the events outside the bounds. What is between is
    another window's."""
    after, before = bounds
    own: list[Any] = []
    moments: list[int] = []
    out_of_range: list[Any] = []
    for event in events:
        moment = occurred_ms(event)
        if moment is None or window.holds(moment):
            own.append(event)
            moments += [] if moment is None else [moment]
        elif moment < after - SECOND or (before is not None and moment > before + SECOND):
            out_of_range.append(event)
    return own, moments, out_of_range


def crowd(ordered: list[int]) -> int:
    """How many moments (ms, in order) share the latest second.

    >>> crowd([1500, 1999, 2000, 2999])
    2
    """
    return len(ordered) - bisect_left(ordered, whole_second(ordered[-1])) if ordered else 0


def _id_of(event: Any) -> Any:
    """What distinguishes an event from others: its id, or all of it."""
    key = event.get(ID) if isinstance(event, dict) else None
    return key if isinstance(key, (str, int)) else repr(event)
