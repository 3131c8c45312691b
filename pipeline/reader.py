"""Windows of time read at once, their pages handed on in the order of time.

The cursor of a sync is only true if events leave in order, so all concurrency lives here, and the planning of it in one
thread: the consumer's. A worker's job is bounded (a few pages of one window); what it leaves of a fuller window comes back
to the line of windows right behind it and is cut anew. So a burst is shared among the workers, and memory is bounded in
bytes, whatever the data.
"""
import math
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any

from pipeline.moments import SECOND
from pipeline.state import Span
from pipeline.windows import Fetch, Part, Reading, Window, fresh, moment_of, next_second, read

MOST_PAGES = 4  # of one window, as far as can be foreseen, and of one job
PARSED_AHEAD = 20 << 20  # bytes of JSON that jobs have brought or are about to; as objects they take three times that
PROOF = 20  # ascending steps after which the order is believed: by chance they come once in 20! times


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

    began: int | None = field(default=None, init=False)  # HubSpot's clock (ms) when the first request went; None: no answer yet
    delivered: int = field(default=0, init=False)  # everything before it is in the pages before this one
    reach: int = field(default=0, init=False)  # the last moment of this page, where it is in the order of time
    loose: int = field(default=-1, init=False)  # the last moment of what was handed on out of that order
    rest: Window | None = field(default=None, init=False)  # what the pages before this one left, where only a page cursor tells
    strays: int = field(default=0, init=False)
    waited: float = field(default=0.0, init=False)  # seconds the consumer waited for a page

    _started: float = field(default=0.0, init=False)  # monotonic seconds
    _present: int = field(default=0, init=False)  # HubSpot's clock (ms) at the first answer: what is dated later is the future
    _past: int = field(default=0, init=False)  # the last moment handed on, in whatever order, that is not of the future
    _steps: int = field(default=0, init=False)
    _broken: bool = field(default=False, init=False)
    _density: float | None = field(default=None, init=False)  # of the window last handed on
    _full: int = field(default=1, init=False)
    _size: int = field(default=1, init=False)
    _line: list[_Slot] = field(default_factory=list, init=False)
    _stop: threading.Event = field(default_factory=threading.Event, init=False)

    def __enter__(self) -> "Reader":
        self._started = time.monotonic()
        self._pool = ThreadPoolExecutor(self.concurrency, thread_name_prefix="hubspot")
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def pages(self, span: Span, rest: Window | None = None) -> Iterator[dict[str, Any]]:
        """The pages of a span as {"results": [event, …]}, ascending by occurredAt; `rest` is the window that an earlier reader
        left at the span's start. Raises what `fetch` raises, where the page would have come."""
        windows = [fresh(*span)] if rest is None else [rest, *([] if rest.end is None else [fresh(rest.end, span[1])])]
        self._line = [_Slot(window) for window in windows]
        self.delivered = self.reach = span[0]
        self._past = span[0] - SECOND
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
                since = time.monotonic()
                wait([slot.job for slot in self._line if slot.job and not slot.job.done()], return_when=FIRST_COMPLETED)
                self.waited += time.monotonic() - since

    def _hand_on(self, window: Window, reading: Reading) -> Iterator[dict[str, Any]]:
        strays = [event for event in reading.strays if (moment_of(event) or 0) >= self.floor]
        if strays:
            self.strays += len(strays)
            self.loose = max(self.loose, *(moment_of(event) or 0 for event in strays))
            yield {"results": strays}
        while reading.parts:
            part = reading.parts.pop(0)  # so that a page is gone once it is emitted
            moments = set(part.moments)
            known = [moment for moment in moments if moment is not None]
            self._past = max([self._past, *(moment for moment in known if moment <= self._present)])
            if window.held:
                self.loose = max([self.loose, *known])
            else:
                self.reach = max(self.reach, min(self._past, max(known, default=self.reach)))
            self._look()  # so that workers read on while this page is emitted
            yield {"results": part.events}
            self.delivered = self.reach
            self.rest = part.rest if not self._broken and (window.held or len(moments) == 1) else None
        if window.held and reading.rest is None:
            # The next second, or one moment that holds many pages would be read again by each sync until something follows.
            self.delivered = self.reach = max(self.reach, min(next_second(self._past), self._end(window) - 1))

    # -- planning: what the jobs brought, and which are started next

    def _look(self) -> None:
        """Looks at the jobs that are done, then starts more from the head of the line on, until all workers are busy: a head that
        takes long does not keep the others idle."""
        for slot in list(self._line):
            if slot.reading is None and slot.job is not None and slot.job.done() and not slot.job.exception():
                self._settle(slot, slot.job.result())
        position, running = 0, sum(slot.job is not None and slot.reading is None for slot in self._line)
        while position < len(self._line) and running < self.concurrency and (position == 0 or self._has_room()):
            if self._line[position].job is None:
                self._start(position)
                running += 1
            position += 1

    def _has_room(self) -> bool:
        """Whether memory allows one more job beside those under way and done: a third of it for a consumer that never waits, all
        of it for one that has waited a quarter of its time."""
        pages = sum(len(slot.reading.parts) if slot.reading else slot.pages for slot in self._line)
        elapsed = time.monotonic() - self._started + 3  # so that the first answer, which all wait for, does not decide it
        share = 1 / 3 + 3 * self.waited / elapsed
        return pages * self._size < PARSED_AHEAD * min(1.0, share)

    def _settle(self, slot: _Slot, reading: Reading) -> None:
        """Takes up what a job brought; what is left of its window goes back to the line behind it.

        While the order is not proved, pages flow but the sync's cursor waits. Once it is known to be broken, a window is
        handed on only when it is whole, and one too full for that is read anew in smaller ones, down to a second.
        """
        window = slot.window
        position = self._line.index(slot)
        self._learn(reading)
        if self._broken and reading.relied and (self._divisible(window) or not window.held):
            self._line[position] = _Slot(fresh(window.start, window.end))
        elif reading.rest is None:
            slot.reading = reading if reading.ordered or window.held else _sorted(reading)
            guess = slot.density or 0
            slot.density = reading.total() / max(1, self._end(window) - max(window.start, window.reached))
            if self._broken and slot.density == 0:  # no single page can tell then where events go on
                slot.density = guess / 8
        elif self._broken and self._divisible(window):
            density = 4 * self._full * len(reading.parts) / max(1, self._end(window) - window.start)
            self._line[position] = _Slot(fresh(window.start, window.end), density)
        else:
            held = not self._trusted()
            slot.window, slot.reading = window._replace(held=held), reading
            first, last = reading.span
            slot.density = len(reading.parts[-1].events) / max(1, last - first)
            self._line.insert(position + 1, _Slot(reading.rest._replace(held=held)))

    def _learn(self, reading: Reading) -> None:
        """The order of events and the size of pages as a reading shows them."""
        if self.began is None:
            self._present = self.now()
            self.began = self._present - math.ceil((time.monotonic() - self._started) * 1000)
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
        if position == 0 and not self._broken:
            pages = 1  # the consumer waits for it
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
        cut = next_second(begin + max(0, int(aim * self._full / density) - SECOND // 2))
        if cut >= end:
            return window, None, pages
        piece = window._replace(end=cut) if window.after else fresh(window.start, cut)
        return piece, fresh(cut, window.end), pages

    def _pages(self, expected: float) -> tuple[int, int]:
        """The pages of a window (as few as share what is expected among the workers, but more, and fewer are half empty), and
        those of one job on it (no more than memory allows)."""
        window = min(MOST_PAGES, max(2, int(expected / (4 * self.concurrency))))
        allowed = PARSED_AHEAD * 2 // 3 // (self._size * (self.concurrency + 1))  # the last third waits to be handed on
        return window, max(1, min(window, allowed))

    def _end(self, window: Window) -> int:
        """Where a window's events end: HubSpot's now, if nowhere before."""
        now = self._present or self.now()
        return now if window.end is None else min(window.end, max(now, window.start))

    def _divisible(self, window: Window) -> bool:
        return next_second(window.start) < self._end(window)


def _sorted(reading: Reading) -> Reading:
    """A whole reading as one part in the order of time, events without a moment first."""
    dated = [pair for part in reading.parts for pair in zip(part.moments, part.events, strict=True)]
    dated.sort(key=lambda pair: (pair[0] is not None, pair[0] or 0))
    return reading._replace(parts=[Part([event for _, event in dated], [moment for moment, _ in dated])])
