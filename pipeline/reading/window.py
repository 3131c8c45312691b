"""A window of time, and the part of a page that lies in it. Where windows are cut is in cutting.py.

It is undocumented whether HubSpot's bounds are inclusive, or compared to the millisecond: a window
asks for whole seconds and one millisecond more on either side, and keeps only what lies in its own
half-open interval.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pipeline.fingerprints import EMPTY, Sum
from pipeline.hubspot.client import Page
from pipeline.hubspot.events_api import EVENTS, ID, OCCURRED_AT, Bounds, occurred_ms
from pipeline.timestamps import SECOND, to_ms

Places = dict[Any, int | None]  # by the id of an event: when it occurred, ms (None: unreadable)


class Window(NamedTuple):
    """A range of time to read, ms UTC, half-open; `end` None: no end.

    >>> Window(1500, 2500).bounds()
    (999, 3000)
    """

    start: int
    end: int | None

    def bounds(self) -> Bounds:
        """The values of occurredAfter and occurredBefore in a request, ms."""
        return floor_to_second(self.start) - 1, None if self.end is None else ceil_to_second(self.end)

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


@dataclass(slots=True)
class WindowPage:
    """The part of a page that lies in its window.

    `events` are the window's own (those without a readable moment included), in HubSpot's order;
    `outside` are those outside the bounds asked for; `answer` is HubSpot's. `earliest`, `median`
    and `latest` are moments of the own events (ms; None: there is none); `ascending` says whether
    they are in order. `places` are all events of the page, `byte_count` what it takes in memory, and `is_full`
    says that it holds as many events as were asked for.

    A walk adds `is_new` (an event was not known yet), `held` (what is new and settled) and, on its
    last page, `is_end` and `is_plain` (whole.py). `is_counted` is false for what is released out of
    turn.
    """

    answer: dict[str, Any]
    events: list[Any]
    outside: list[Any] = field(default_factory=list)
    places: Places = field(default_factory=dict)
    earliest: int | None = None
    median: int | None = None
    latest: int | None = None
    ascending: bool = True
    byte_count: int = 0
    is_full: bool = False
    is_new: bool = False
    held: Sum = EMPTY
    is_end: bool = False
    is_plain: bool = False
    is_counted: bool = True


def part_of(window: Window, page: Page, bounds: Bounds) -> WindowPage:
    """The part of a page, requested with these bounds, that lies in a window."""
    places = places_of(page.events)
    events, outside, moments = page.events, list[Any](), [*places.values()]
    if None in moments or (
        moments and not (window.contains(min(moments)) and window.contains(max(moments)))  # type: ignore[type-var, arg-type]
    ):
        events, moments, outside = _partition(window, page.events, bounds)
    ordered = sorted(moments)  # type: ignore[type-var]
    earliest, median, latest = (ordered[0], ordered[len(ordered) // 2], ordered[-1]) if ordered else (None, None, None)
    return WindowPage(
        page.answer,
        events,
        outside,
        places,
        earliest,
        median,
        latest,
        ascending=moments == ordered,
        byte_count=page.memory,
        is_full=page.full,
    )


def out_of_turn(events: list[Any]) -> WindowPage:
    """A page of events that earlier walks have read, and the one that counts has not."""
    return WindowPage({}, events, is_counted=False)


def _partition(window: Window, events: list[Any], bounds: Bounds) -> tuple[list[Any], list[int | None], list[Any]]:
    """The window's own events, their readable moments, and the events outside the bounds. What lies
    between is another window's.
    """
    own: list[Any] = []
    moments: list[int | None] = []
    outside: list[Any] = []
    for event in events:
        moment = occurred_ms(event)
        if moment is None or window.contains(moment):
            own.append(event)
            moments += [] if moment is None else [moment]
        elif is_outside(moment, bounds):
            outside.append(event)
    return own, moments, outside


def is_outside(moment: int | None, bounds: Bounds) -> bool:
    """Whether a moment lies outside the bounds of a request, even if these are compared to the
    second.
    """
    after, before = bounds
    return moment is not None and (moment < after - SECOND or (before is not None and moment > before + SECOND))


def places_of(events: list[Any]) -> Places:
    """Events by id, each once; an event without an id is its own.

    >>> places_of([{"id": "a", "occurredAt": "1970-01-01T00:00:01Z"}, {"id": None}, 7])
    {'a': 1000, "{'id': None}": None, '7': None}
    """
    try:
        places: Places = {event[ID]: to_ms(event[OCCURRED_AT]) for event in events}
    except (TypeError, KeyError, ValueError, AttributeError):  # not every one is an event
        places = {None: None}
    return places if None not in places else {id_of(event): occurred_ms(event) for event in events}


def id_of(event: Any) -> Any:
    """What tells an event from others: its id, or the whole event if it has none."""
    key = event.get(ID) if isinstance(event, dict) else None
    return key if isinstance(key, (str, int)) else repr(event)


def answer_of(page: WindowPage, others: list[Any]) -> dict[str, Any]:
    """What a reader releases of a page: HubSpot's answer with the window's own events and these
    others; `counted` is false if the page is out of turn.
    """
    if not page.is_counted:
        return {EVENTS: page.events, COUNTED: False}
    if not others and len(page.events) == len(page.answer[EVENTS]):
        return page.answer
    return page.answer | {EVENTS: page.events + others}


COUNTED = "counted"  # in a page: whether a count of what was read includes it
