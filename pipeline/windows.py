"""A range of time cut into windows; windows read at once, their pages handed on in the order of time.

The cursor of a sync is only true if events leave in order, so all concurrency lives here, and the planning of it in one
thread: the consumer's. A worker's job is bounded (a few pages of one window); what it leaves of a fuller window comes back
to the line of windows right behind it and is cut anew. So a burst is shared among the workers, and memory is windows under
way x pages a job, whatever the data.

Nobody documents whether HubSpot's bounds are inclusive, or to the millisecond: a window asks for whole seconds and one
millisecond more, and keeps only what lies in its own half-open interval.
"""
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pipeline.client import Page
from pipeline.errors import BadAnswer, HubSpotError, Refused
from pipeline.moments import SECOND, to_ms
from pipeline.state import Span

MOST_PAGES = 4  # of one window, as far as can be foreseen, and of one job
MOST_RESTARTS = 3  # of a window that gets no further
PARSED_AHEAD = 13 << 20  # bytes of JSON that all workers read ahead, in a burst twice that; as objects they take three times that
PROOF = 20  # ascending steps after which the order is believed: by chance they come once in 20! times


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

    >>> window_of(_fresh(1500, 2500)._asdict()) == _fresh(1500, 2500)
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


def _fresh(start: int, end: int | None) -> Window:
    """A window not yet asked for.

    >>> _fresh(1500, 2500).asked
    (999, 3000)
    """
    return Window(start, end, start, (_whole_second(start) - 1, None if end is None else -_whole_second(-end)))


def _whole_second(ms: int) -> int:
    return ms // SECOND * SECOND


def _next_second(ms: int) -> int:
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
                f"HubSpot's page cursors go in a circle: {after[:80]!r} came before. What arrived is saved. Start the sync "
                "again; if it ends here again, show this to HubSpot's support."
            )
        return _without_cursor(window)
    walked = window.walked + 1
    mark = after if walked & (walked - 1) == 0 else window.mark
    return window._replace(after=after, walked=walked, mark=mark)


def _without_cursor(window: Window) -> Window:
    """The window as it is asked for when its page cursor is refused (it may expire): from the moment reached on, or, where
    nobody knows the order, from its start."""
    again = _fresh(window.start if window.held else max(window.start, window.reached), window.end)
    return window._replace(asked=again.asked, after=None, restarts=window.restarts + 1, walked=0, mark=None)


def _sort_out(results: list[Any], window: Window) -> tuple[Part, list[int], list[Any]]:
    """A page's events that are the window's own (those without a moment too), the moments that show the API's order, and
    the events that are not even from where the window asked."""
    moments = [_moment(event) for event in results]
    known = [moment for moment in moments if moment is not None]
    start, end = window.start, window.end
    if len(known) == len(moments) and (not known or (min(known) >= start and (end is None or max(known) < end))):
        return Part(results, moments), known, []
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


def _moment(event: Any) -> int | None:
    try:
        return to_ms(event["occurredAt"])
    except (TypeError, KeyError, ValueError, AttributeError):
        return None


@dataclass(eq=False)
class _Slot:
    """A window's place in the line, its job once that is started, and what the job brought once that is looked at.

    `density` is how many events a ms its window holds: as guessed, then as read (0: none); None: no guess. `pages` is what the
    job may take.
    """

    window: Window
    density: float | None = None
    pages: int = 0
    job: "Future[Reading] | None" = None
    reading: Reading | None = None


@dataclass
class Reader:
    """Reads spans of time with `concurrency` workers and hands their pages on in order. A context manager: leaving it, in
    whatever way, ends the workers. Used from one thread.

    `fetch(window, stop)` gives one page and raises when `stop` is set; `now` is HubSpot's clock (ms); events before `floor`
    (ms) are not handed on; `warn` is told in a sentence what a person should know.
    """

    fetch: Fetch
    now: Callable[[], int]
    concurrency: int = 1
    floor: int = 0
    warn: Callable[[str], None] = lambda sentence: None

    began: int | None = field(default=None, init=False)  # HubSpot's clock at the first answer
    delivered: int = field(default=0, init=False)  # everything before it is in the pages before this one
    reach: int = field(default=0, init=False)  # the last moment of this page, where it is in the order of time
    loose: int = field(default=-1, init=False)  # the last moment of what was handed on out of that order
    rest: Window | None = field(default=None, init=False)  # what the pages before this one left, where only a page cursor tells
    strays: int = field(default=0, init=False)

    _steps: int = field(default=0, init=False)
    _broken: bool = field(default=False, init=False)
    _density: float | None = field(default=None, init=False)  # of the window last handed on
    _full: int = field(default=1, init=False)
    _size: int = field(default=1, init=False)
    _line: list[_Slot] = field(default_factory=list, init=False)
    _stop: threading.Event = field(default_factory=threading.Event, init=False)

    def __enter__(self) -> "Reader":
        self._pool = ThreadPoolExecutor(self.concurrency, thread_name_prefix="hubspot")
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def pages(self, span: Span, rest: Window | None = None) -> Iterator[dict[str, Any]]:
        """The pages of a span as {"results": [event, …]}, ascending by occurredAt; `rest` is the window that an earlier reader
        left at the span's start. Raises what `fetch` raises, where the page would have come."""
        windows = [_fresh(*span)] if rest is None else [rest, *([] if rest.end is None else [_fresh(rest.end, span[1])])]
        self._line = [_Slot(window) for window in windows]
        self.delivered = self.reach = span[0]
        self.rest = rest
        while self._line:
            self._look()
            head = self._line[0]
            if head.reading is not None:
                self._line.pop(0)
                self._density = head.density
                yield from self._hand_on(head.window, head.reading)
            elif head.job is not None and head.job.done():
                head.job.result()  # raises, if the job failed
            else:
                wait([slot.job for slot in self._line if slot.job and not slot.job.done()], return_when=FIRST_COMPLETED)

    def _hand_on(self, window: Window, reading: Reading) -> Iterator[dict[str, Any]]:
        strays = [event for event in reading.strays if (_moment(event) or 0) >= self.floor]
        if strays:
            self.strays += len(strays)
            self.loose = max(self.loose, *(_moment(event) or 0 for event in strays))
            yield {"results": strays}
        while reading.parts:
            part = reading.parts.pop(0)  # so that a page is gone once it is emitted
            last = max((moment for moment in part.moments if moment is not None), default=self.reach)
            if window.held:
                self.loose = max(self.loose, last)
            else:
                self.reach = max(self.reach, min(last, self.began or 0))
            self._look()  # so that workers read on while this page is emitted
            yield {"results": part.events}
            self.delivered = self.reach
            moments = set(part.moments)
            self.rest = part.rest if not self._broken and (window.held or len(moments) == 1) else None
        if window.held and reading.rest is None:
            self.delivered = self.reach = max(self.reach, self._end(window) - 1)

    # -- planning: what the jobs brought, and which are started next

    def _look(self) -> None:
        """Looks at the jobs that are done, then starts more: as many from the head of the line as there are workers."""
        for slot in list(self._line):
            if slot.reading is None and slot.job is not None and slot.job.done() and not slot.job.exception():
                self._settle(slot, slot.job.result())
        position = 0
        while position < min(self.concurrency, len(self._line)) and (position == 0 or self._has_room()):
            if self._line[position].job is None:
                self._start(position)
            position += 1

    def _has_room(self) -> bool:
        """Whether memory allows one more job beside those under way and done, which a burst may have pushed back in the line."""
        pages = sum(len(slot.reading.parts) if slot.reading else slot.pages for slot in self._line)
        return pages * self._size < 2 * PARSED_AHEAD

    def _settle(self, slot: _Slot, reading: Reading) -> None:
        """Takes up what a job brought; what is left of its window goes back to the line behind it.

        While the order is not proved, pages flow but the sync's cursor waits. Once it is known to be broken, a window is
        handed on only when it is whole, and one too full for that is read anew in smaller ones, down to a second.
        """
        window = slot.window
        position = self._line.index(slot)
        self._learn(reading)
        if self._broken and reading.relied and (self._divisible(window) or not window.held):
            self._line[position] = _Slot(_fresh(window.start, window.end))
        elif reading.rest is None:
            slot.reading = reading if reading.ordered or window.held else _sorted(reading)
            guess = slot.density or 0
            slot.density = reading.total() / max(1, self._end(window) - max(window.start, window.reached))
            if self._broken and slot.density == 0:  # no single page can tell then where events go on
                slot.density = guess / 8
        elif self._broken and self._divisible(window):
            density = 4 * self._full * len(reading.parts) / max(1, self._end(window) - window.start)
            self._line[position] = _Slot(_fresh(window.start, window.end), density)
        else:
            held = not self._trusted()
            slot.window, slot.reading = window._replace(held=held), reading
            first, last = reading.span
            slot.density = len(reading.parts[-1].events) / max(1, last - first)
            self._line.insert(position + 1, _Slot(reading.rest._replace(held=held)))

    def _learn(self, reading: Reading) -> None:
        """The order of events and the size of pages as a reading shows them."""
        if self.began is None:
            self.began = self.now()
        self._steps += reading.steps
        if not reading.ordered and not self._broken:
            self._broken = True
            self.warn(
                "HubSpot's answers are not in the order of time: the sync goes on with whole windows only, which takes more "
                "requests."
            )
        if reading.hollow:
            self.warn("HubSpot answered with an empty page, twice, that named a next one: the sync went on there.")
        self._full, self._size = max(self._full, reading.full), max(self._size, reading.size)

    def _trusted(self) -> bool:
        return self._steps >= PROOF and not self._broken

    def _start(self, position: int) -> None:
        slot = self._line[position]
        density = self._density_at(position)
        piece, rest, pages = self._cut(slot.window, density)
        if rest is not None:
            self._line.insert(position + 1, _Slot(rest))
        job = self._pool.submit(read, self.fetch, piece, pages, self._trusted(), self._stop)
        self._line[position] = _Slot(piece, density, pages, job)

    def _density_at(self, position: int) -> float:
        """How densely events lie at a place in the line: as guessed there, or as the nearest window before it was read."""
        if (guess := self._line[position].density) is not None:
            return guess
        for slot in reversed(self._line[:position]):
            if slot.reading is not None:
                return slot.density or 0
        return self._density or 0

    def _cut(self, window: Window, density: float) -> tuple[Window, Window | None, int]:
        """A piece of a window that one job will probably read whole, the rest, and the pages the job may take. Where no events
        are known of, the piece is the whole window and the job a single page: it tells where they go on, and how densely."""
        if density == 0:
            return window, None, 1
        begin, end = max(window.start, window.reached), self._end(window)
        expected = density * (end - begin) / self._full
        most, pages = self._pages(expected)
        if window.held or (self.concurrency == 1 and not self._broken) or expected <= most:
            return window, None, pages
        aim = pages / 2 if self._broken else most - 0.1
        cut = _next_second(begin + max(0, int(aim * self._full / density) - SECOND // 2))
        if cut >= end:
            return window, None, pages
        piece = window._replace(end=cut) if window.after else _fresh(window.start, cut)
        return piece, _fresh(cut, window.end), pages

    def _pages(self, expected: float) -> tuple[int, int]:
        """The pages of a window (as few as share what is expected among the workers, but more, and fewer are half empty), and
        those of one job on it (no more than memory allows)."""
        window = min(MOST_PAGES, max(2, int(expected / (4 * self.concurrency))))
        allowed = PARSED_AHEAD // (self._size * (self.concurrency + 1))
        return window, max(1, min(window, allowed))

    def _end(self, window: Window) -> int:
        """Where a window's events end: HubSpot's now, if nowhere before."""
        now = self.began or self.now()
        return now if window.end is None else min(window.end, max(now, window.start))

    def _divisible(self, window: Window) -> bool:
        return _next_second(window.start) < self._end(window)


def _sorted(reading: Reading) -> Reading:
    """A whole reading as one part in the order of time, events without a moment first."""
    dated = [pair for part in reading.parts for pair in zip(part.moments, part.events, strict=True)]
    dated.sort(key=lambda pair: (pair[0] is not None, pair[0] or 0))
    return reading._replace(parts=[Part([event for _, event in dated], [moment for moment, _ in dated])])
