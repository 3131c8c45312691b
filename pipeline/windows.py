"""A window of time, and the reading of a few pages of it.

Nobody documents whether HubSpot's bounds are inclusive, or to the millisecond: a window asks for whole seconds and one
millisecond more, and keeps only what lies in its own half-open interval.
"""
import threading
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from pipeline.client import Page
from pipeline.errors import BadAnswer, HubSpotError, Refused
from pipeline.moments import SECOND, to_ms

MOST_RESTARTS = 3  # of a window that gets no further


class Window(NamedTuple):
    """A range of time to read, ms UTC, half-open; `end` None: no end. What JSON can hold, since the state may hold one.

    `asked` are the bounds the request names, which stay what they are as long as `after`, the page cursor, goes on from
    them; `reached` is the moment of the last event before that cursor. `held`: nobody knows the order of its pages, so the
    sync's cursor waits until all of them are handed on.
    """

    start: int
    end: int | None
    reached: int
    asked: tuple[int, int | None]
    after: str | None = None
    held: bool = False
    restarts: int = 0  # for a page cursor that was refused, since it last got on
    walked: int = 0  # pages by cursor so far
    mark: str | None = None  # the cursor at the last power of two of them: one that comes back to it goes in a circle


def window_of(saved: Mapping[str, Any] | None) -> Window | None:
    """The window that a state holds, None if it holds none that makes sense: the cursor beside it then tells all.

    >>> window_of(fresh(1500, 2500)._asdict()) == fresh(1500, 2500)
    True
    >>> window_of({"start": "soon"}) is None
    True
    """
    if not saved or set(saved) != set(Window._fields):
        return None
    (low, high), moments = saved["asked"] if _is_pair(saved["asked"]) else ("", ""), (saved["start"], saved["reached"])
    whole = all(type(moment) is int for moment in (*moments, low))
    if not whole or not all(moment is None or type(moment) is int for moment in (saved["end"], high)):
        return None
    return Window(**{**saved, "asked": (low, high)})


def _is_pair(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and len(value) == 2


def fresh(start: int, end: int | None) -> Window:
    """A window not yet asked for.

    >>> fresh(1500, 2500).asked
    (999, 3000)
    """
    return Window(start, end, start, (_whole_second(start) - 1, None if end is None else -_whole_second(-end)))


def ending(window: Window, at: int) -> Window | None:
    """The same window, page cursor and all, up to a moment (ms) at most; None where nothing is left of it.

    >>> ending(fresh(1500, None), 2500).end, ending(fresh(1500, 2000), 2500).end, ending(fresh(1500, None), 1500)
    (2500, 2000, None)
    """
    end = at if window.end is None else min(window.end, at)
    return window._replace(end=end) if window.start < end else None


def _whole_second(ms: int) -> int:
    return ms // SECOND * SECOND


def next_second(ms: int) -> int:
    return _whole_second(ms) + SECOND


class Part(NamedTuple):
    """What is a window's own of one page: events in the API's order, the moment of each (None: unreadable), and the window
    that is left behind it."""

    events: list[Any]
    moments: list[int | None]
    rest: Window | None = None


class Reading(NamedTuple):
    """What one job brought of its window: the parts, events from elsewhere, and what is left (None: it is read to its end).

    `steps` counts how often the moments rose, `ordered` is whether they never fell, `relied` whether that was relied on.
    `full` is the largest page in events, `size` in bytes; `span` the first and last moment of the last page; `hollow` counts
    pages that were empty, twice, and yet named a next one.
    """

    parts: list[Part]
    strays: list[Any]
    rest: Window | None
    steps: int
    ordered: bool
    relied: bool
    full: int
    size: int
    span: tuple[int, int]
    hollow: int

    def total(self) -> int:
        return sum(len(part.events) for part in self.parts)


Fetch = Callable[[Window, threading.Event], Page]


def read(fetch: Fetch, window: Window, most: int, trusted: bool, stop: threading.Event) -> Reading:
    """Reads up to `most` pages of a window; where the order is `trusted`, it stops at an event behind the window. Runs in a
    worker and plans nothing. An error behind the first page is left to the job that goes on there, so that no page is lost."""
    parts: list[Part] = []
    strays: list[Any] = []
    steps, ordered, relied, full, size, hollow = 0, True, window.after is not None, 0, 0, 0
    span = (window.reached, window.reached)
    while len(parts) < most:
        try:
            page = _ask(fetch, window, stop)
        except HubSpotError as error:
            if parts:
                break
            if not isinstance(error, Refused) or window.after is None or window.restarts == MOST_RESTARTS:
                raise
            window = _without_cursor(window)
            page = _ask(fetch, window, stop)
        part, order, elsewhere = _sort_out(page.results, window)
        strays += elsewhere
        full, size = max(full, len(page.results)), max(size, page.size)
        hollow += page.after is not None and not page.results
        span = (order[0], order[-1]) if order else (window.reached, window.reached)
        if window.after is not None:
            order.insert(0, window.reached)
        steps += max(0, len(set(order)) - 1)
        ordered = ordered and order == sorted(order)
        beyond = trusted and window.end is not None and span[1] >= window.end
        if page.after is None or beyond:
            parts.append(part)
            return Reading(parts, strays, None, steps, ordered, relied or beyond, full, size, span, hollow)
        restarts = 0 if trusted and span[1] > window.reached else window.restarts
        window = _next_page(window._replace(reached=span[1], restarts=restarts), page.after)
        parts.append(part._replace(rest=window))
    return Reading(parts, strays, window, steps, ordered, relied, full, size, span, hollow)


def _ask(fetch: Fetch, window: Window, stop: threading.Event) -> Page:
    """The window's next page; an empty one that names a next is asked for once more before it is believed."""
    page = fetch(window, stop)
    if not page.results and page.after is not None:
        page = fetch(window, stop)
    return page


def _next_page(window: Window, after: str) -> Window:
    """The window behind a page. Cursors that go in a circle would be walked for ever: such a one is given up like one that is
    refused. Raises BadAnswer where that leads nowhere."""
    if after == window.mark:
        if window.restarts == MOST_RESTARTS:
            raise BadAnswer(
                "HubSpot's page cursors go in a circle. What arrived is saved. Start the sync again; if it ends here again, show "
                "this to HubSpot's support."
            )
        return _without_cursor(window)
    walked = window.walked + 1
    mark = after if walked & (walked - 1) == 0 else window.mark
    return window._replace(after=after, walked=walked, mark=mark)


def _without_cursor(window: Window) -> Window:
    """The window as it is asked for when its page cursor is refused (it may expire): from the moment reached on, or, where
    nobody knows the order, from its start."""
    again = fresh(window.start if window.held else max(window.start, window.reached), window.end)
    return window._replace(asked=again.asked, after=None, restarts=window.restarts + 1, walked=0, mark=None)


def _sort_out(results: list[Any], window: Window) -> tuple[Part, list[int], list[Any]]:
    """A page's events that are the window's own (those without a moment too), the moments that show the API's order, and
    the events that are not even from where the window asked."""
    start, end = window.start, window.end
    try:
        known = [to_ms(event["occurredAt"]) for event in results]
        if not known or (min(known) >= start and (end is None or max(known) < end)):
            return Part(results, [*known]), known, []
    except (TypeError, KeyError, ValueError):  # one has none: one by one, then
        pass
    moments = [moment_of(event) for event in results]
    low, high = window.asked
    part, order, strays = Part([], []), [], []
    for event, moment in zip(results, moments, strict=True):
        if moment is None or (moment >= start and (end is None or moment < end)):
            part.events.append(event)
            part.moments.append(moment)
        elif moment < low - SECOND or (high is not None and moment > high + SECOND):
            strays.append(event)
            continue
        if moment is not None:
            order.append(moment)
    return part, order, strays


def moment_of(event: Any) -> int | None:
    try:
        return to_ms(event["occurredAt"])
    except (TypeError, KeyError, ValueError, AttributeError):
        return None
