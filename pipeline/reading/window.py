"""A window of time, and the walk through its pages to an end that can be believed.

Nobody documents whether HubSpot's bounds are inclusive, or compared to the millisecond: a window asks for whole seconds and one
millisecond more, and keeps only what lies in its own half-open interval.
"""
import threading
from bisect import bisect_left
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from pipeline.client import Page
from pipeline.errors import Refused
from pipeline.moments import SECOND, to_ms

MOST_OUTSIDE = 2  # pages from outside the bounds that were asked for, with none of the window's own between them
MOST_STALE = 6  # pages in a row without a new event; one that holds events, all known, counts twice
RECENT_IDS = 20_000  # among which an event is not new, at least: no circle of fewer events is walked for long


class Window(NamedTuple):
    """A range of time to read, ms UTC, half-open; `end` None: no end.

    >>> Window(1500, 2500).bounds()
    (999, 3000)
    """

    start: int
    end: int | None

    def bounds(self) -> tuple[int, int | None]:
        """What a request names as occurredAfter and occurredBefore, ms."""
        return whole_second(self.start) - 1, None if self.end is None else -whole_second(-self.end)


def whole_second(ms: int) -> int:
    return ms // SECOND * SECOND


def next_second(ms: int) -> int:
    return whole_second(ms) + SECOND


class Question(NamedTuple):
    """What one request asks: bounds (ms), page cursor (None: the first page), events a page (None: as configured)."""

    asked: tuple[int, int | None]
    after: str | None = None
    limit: int | None = None


Fetch = Callable[[Question, threading.Event], Page]


class Part(NamedTuple):
    """What one page holds of its window.

    `events` are the window's own (those without a readable moment too), in HubSpot's order; `strays` are from outside the bounds
    that were asked for. `first`, `middle` and `last` are the earliest, the median and the latest moment of the own events (ms,
    None: there is none), `crowd` how many share the latest second; `ascending` says whether they are in the order of time. `full`
    is the page in events, `size` in bytes, `new` whether one of its events was not known yet; `more`: another page follows.
    """

    events: list[Any]
    strays: list[Any]
    first: int | None
    middle: int | None
    last: int | None
    crowd: int
    ascending: bool
    full: int
    size: int
    new: bool = True
    more: bool = True


class Astray(Exception):
    """This walk leads to no end that can be believed; a walk through a smaller window, or with pages of another size, may.

    `events` is how many it counted. `ended`: it did end, but not plainly. `cause` is what HubSpot said, if it refused.
    """

    def __init__(self, why: str, events: int, ended: bool = False, cause: Refused | None = None):
        super().__init__(why)
        self.events = events
        self.ended = ended
        self.cause = cause


def walk(
    fetch: Fetch, window: Window, stop: threading.Event, before: Astray | None = None, limit: int | None = None
) -> Iterator[Part]:
    """The pages of a window, to an end that can be believed: the window is whole if this ends without an error.

    A page that names no next one ends it, unless it is an empty page at a cursor, or its paging cannot be read. Such an end is
    believed where it does not hang on the size of pages: the walk `before`, whose pages were of another size, counted the same
    events, and this one's last page is not full (of `limit` events). Raises Astray where this walk cannot be followed to its end,
    and what `fetch` raises.
    """
    after, known, events, last, outside = None, _Known(), 0, 0, 0
    while True:
        question = Question(window.bounds(), after, limit)
        try:
            page = _ask(fetch, question, stop)
        except Refused as refused:
            if after is None:
                raise
            raise Astray("HubSpot refused a page cursor of its own.", events, cause=refused) from None
        part, ids = _sort_out(page, window, question.asked)
        part = part._replace(new=known.learns(ids))
        events, last = events + len(ids), part.full or last
        outside = 0 if part.events else outside + bool(part.strays)
        proved = before is not None and before.ended and before.events == events and limit is not None and last < limit
        if page.after is None and (proved or not _is_doubtful(page, question)):
            yield part._replace(more=False)
            return
        yield part
        if page.after is None:
            raise Astray("HubSpot's pages ended without saying so plainly.", events, ended=True)
        if outside >= MOST_OUTSIDE:
            raise Astray("HubSpot does not keep to the time range asked for (occurredAfter, occurredBefore).", events)
        if page.after == after or known.leads_nowhere(page.after):
            raise Astray("HubSpot's page cursors lead to the same pages again.", events)
        after = page.after


def another_size(limit: int, known: int) -> int:
    """Another number of events a page, which shifts what page cursors point at: a smaller one than was `known` to be granted, for
    a larger one may be cut down to what it was.

    >>> another_size(1000, 1000), another_size(2, 50), another_size(1, 1)
    (999, 50, 4)
    """
    limit = min(limit, known)
    if limit > 2:
        return limit - 1
    return known if limit < known else limit + 3


def _ask(fetch: Fetch, question: Question, stop: threading.Event) -> Page:
    """One page. A cursor that is refused, and an answer that is hard to believe, are asked for once more: either may pass."""
    try:
        page = fetch(question, stop)
    except Refused:
        if question.after is None:
            raise
        page = fetch(question, stop)
    return fetch(question, stop) if _is_doubtful(page, question) else page


def _is_doubtful(page: Page, question: Question) -> bool:
    """Whether an answer may hide events: it does not say where it goes on, or goes on where it was; it is empty where another
    page named it, or although it names a next one."""
    if page.unclear or (page.after is not None and page.after == question.after):
        return True
    return not page.results and (page.after is not None or question.after is not None)


class _Known:
    """What a walk remembers, in bounded memory, to know that it goes nowhere: the ids seen last, and the cursor at the last power
    of two of its pages, which any circle comes back to in the end."""

    def __init__(self) -> None:
        self._older: set[Any] = set()
        self._ids: set[Any] = set()
        self._mark: str | None = None
        self._pages = 0
        self._stale = 0

    def learns(self, ids: set[Any]) -> bool:
        """Takes up the ids of one more page; whether there are new ones among them."""
        new = bool(ids - self._ids - self._older)
        self._stale = 0 if new else self._stale + 1 + bool(ids)
        self._ids |= ids
        if len(self._ids) >= RECENT_IDS:
            self._older, self._ids = self._ids, set()
        return new

    def leads_nowhere(self, after: str) -> bool:
        """Whether the walk has come to nothing but what it knows, with the cursor behind one more page."""
        self._pages += 1
        circle = after == self._mark
        if self._pages & (self._pages - 1) == 0:
            self._mark = after
        return circle or self._stale >= MOST_STALE


def _sort_out(page: Page, window: Window, asked: tuple[int, int | None]) -> tuple[Part, set[Any]]:
    """What a page holds of its window, and the ids of all its events."""
    start, end = window
    events, strays, results = page.results, [], page.results
    try:
        ids = {event["id"] for event in results}
        moments = [to_ms(event["occurredAt"]) for event in results]
        inside = not moments or (min(moments) >= start and (end is None or max(moments) < end))
    except (TypeError, KeyError, ValueError):  # one is no event: one by one, then
        ids = {_id_of(event) for event in results}
        inside = False
    if not inside:
        low, high = asked
        events, moments = [], []
        for event in results:
            moment = moment_of(event)
            if moment is None or (moment >= start and (end is None or moment < end)):
                events.append(event)
                moments += [] if moment is None else [moment]
            elif moment < low - SECOND or (high is not None and moment > high + SECOND):
                strays.append(event)
    ordered = sorted(moments)
    first, middle, last = (ordered[0], ordered[len(ordered) // 2], ordered[-1]) if ordered else (None, None, None)
    return Part(events, strays, first, middle, last, crowd(ordered), moments == ordered, len(results), page.size), ids


def crowd(ordered: list[int]) -> int:
    """How many moments (ms, in order) share the latest second.

    >>> crowd([1500, 1999, 2000, 2999])
    2
    """
    return len(ordered) - bisect_left(ordered, whole_second(ordered[-1])) if ordered else 0


def _id_of(event: Any) -> Any:
    """What tells an event from others: its id, or all of it."""
    key = event.get("id") if isinstance(event, dict) else None
    return key if isinstance(key, (str, int)) else repr(event)


def moment_of(event: Any) -> int | None:
    """When an event occurred, ms; None where that cannot be read."""
    try:
        return to_ms(event["occurredAt"])
    except (TypeError, KeyError, ValueError, AttributeError):
        return None
