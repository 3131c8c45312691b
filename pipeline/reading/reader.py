"""A range of time read by several workers at once, its pages released window by window; it owns the watermark.

The law: **the order of HubSpot's answers decides what a sync costs, never what it delivers.** A range is cut into windows, and
the watermark moves only over windows that were walked to their end. What is believed of the order and the density of events
decides where to cut, nothing else. All planning is in the consumer's thread: workers walk and plan nothing, so there are no locks.
"""
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple

from pipeline.errors import BadAnswer, ConnectorError
from pipeline.moments import SECOND, to_text
from pipeline.reading.window import Astray, Fetch, Part, Window, crowd, moment_of, next_second, walk, whole_second

Span = tuple[int, "int | None"]  # half-open, ms UTC; None: up to now and beyond

FIRST_PAGES = 2  # of the whole range, before anything is decided
MOST_PAGES = 4  # of a window, as far as can be foreseen: more repeat more after a kill, fewer leave more pages half empty
LONGEST_WALK = 12  # pages of a window that turns out fuller: walking on costs no page twice, but a kill repeats them all
UNCUT = 6  # pages of a range that is not worth cutting
MOST_REPEATS = 5  # walks through one second, which cannot be cut
GROWTH = 8  # by how much an empty window is widened, and a full one narrowed, where nothing tells more
BURST = 4  # times as dense as usual
PARSED_AHEAD = 20 << 20  # bytes of JSON that jobs have brought or are about to; as objects they take three times that
LOST = 40  # requests of walks that led nowhere: so many, eight more for each worker, and four for each page of a whole window


class Brought(NamedTuple):
    """What one job brought of a walk, and the error that it met behind that."""

    parts: list[Part]
    error: Exception | None = None


def bring(walking: Iterator[Part], most: int) -> Brought:
    """Up to `most` pages of a walk. Runs in a worker."""
    parts: list[Part] = []
    try:
        parts += islice(walking, most)
    except (ConnectorError, Astray) as error:
        return Brought(parts, error)
    return Brought(parts)


@dataclass(eq=False)
class _Place:
    """A window's place in the line: its walk once that has begun, and the parts that wait to be handed on.

    `density` is how many events a ms it holds: counted once it is whole (0: none), before that as the window that it is a piece
    of tells, if it does; `guess` is what it was started with.
    """

    window: Window
    density: float | None = None
    guess: float = 0.0
    before: Astray | None = None  # a walk through the same window that led nowhere
    repeats: int = 0  # how many did
    walk: Iterator[Part] | None = None
    job: "Future[Brought] | None" = None
    job_pages: int = 0
    parts: deque[Part] = field(default_factory=deque)
    spare: deque[Part] = field(default_factory=deque)  # what came of the window that it is a piece of: for an error before its own
    asked: int = 0  # pages
    pages: int = 0  # those that brought something new
    events: int = 0
    first: int | None = None
    last: int | None = None
    full: int = 0  # its largest page, in events
    local: float = 0.0  # density of the last page
    ascending: bool = True
    whole: bool = False
    error: Exception | None = None

    def is_ready(self) -> bool:
        """Whether a job may be started on it."""
        return self.job is None and not self.whole and self.error is None

    def finish(self) -> Brought:
        """What the job under way brought; there is none any more."""
        job, self.job = self.job, None
        return job.result() if job else Brought([])

    def take(self, part: Part) -> None:
        """Takes up one more page."""
        self.parts.append(part)
        self.spare.clear()
        self.asked, self.pages, self.events = self.asked + 1, self.pages + part.new, self.events + len(part.events)
        self.full = max(self.full, part.full)
        if part.first is not None and part.last is not None:
            self.ascending &= part.ascending and (self.last is None or part.first >= self.last)
            self.first = part.first if self.first is None else min(self.first, part.first)
            self.last = part.last if self.last is None else max(self.last, part.last)
            if 2 * len(part.events) > self.full:  # a few events tell nothing
                self.local = (len(part.events) - 1) / max(1, part.last - part.first)

    def fail(self, error: Exception) -> None:
        """The error that ends this window; what came of it is handed on before."""
        self.error = error
        self.parts.extendleft(reversed(self.spare))

    def density_ahead(self) -> float:
        """How densely events probably lie behind the last page: as guessed and read so far, for a page may be an hour by day or by
        night; like the last page alone where that is a burst."""
        read = self.events / max(1, (self.last or 0) - (self.first or 0)) if self.local else 0.0
        usual = max(read, self.guess)
        return self.local if self.local > BURST * usual else usual


@dataclass
class Reader:
    """Reads a range of time with `concurrency` workers. A context manager: leaving it, in whatever way, ends the workers. Used
    from one thread, for one range.

    `fetch(question, stop)` gives one page and raises when `stop` is set; `now` is the later of the clocks (ms): what is dated
    after it does not move the watermark; events before `floor` (ms) are not handed on; `warn` is told in a sentence what a person
    should know.
    """

    fetch: Fetch
    now: Callable[[], int]
    concurrency: int = 1
    floor: int = 0
    warn: Callable[[str], None] = lambda sentence: None

    position: int = field(default=0, init=False)  # the watermark, ms: everything before it is delivered; a kill goes on from here
    strays: int = field(default=0, init=False)
    waited: float = field(default=0.0, init=False)  # seconds the consumer waited for a page

    _line: list[_Place] = field(default_factory=list, init=False)  # the range as windows, in the order of time
    _frontier: float = field(default=0, init=False)  # ms: every window before it is whole, and handed on
    _latest: int = field(default=0, init=False)  # the latest moment handed on that is not of the future, ms
    _crowd: int = field(default=0, init=False)  # events in its second
    _densities: deque[float] = field(default_factory=lambda: deque(maxlen=3), init=False)  # of the windows last handed on
    _full: int = field(default=1, init=False)  # the largest page, in events
    _size: int = field(default=1, init=False)  # the same in bytes
    _seen: int = field(default=0, init=False)  # the latest moment of any page, ms
    _ascending: bool = field(default=True, init=False)
    _hollow: bool = field(default=False, init=False)
    _most: int = field(default=MOST_PAGES, init=False)  # pages of a window; fewer once cursors were refused
    _workers: int = field(default=1, init=False)
    _lost: int = field(default=0, init=False)  # requests of walks that led nowhere
    _kept: int = field(default=0, init=False)  # pages of whole windows
    _started: float = field(default=0.0, init=False)  # monotonic seconds
    _stop: threading.Event = field(default_factory=threading.Event, init=False)

    def __enter__(self) -> "Reader":
        self._started, self._workers = time.monotonic(), self.concurrency
        self._pool = ThreadPoolExecutor(self.concurrency, thread_name_prefix="hubspot")
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def pages(self, span: Span) -> Iterator[dict[str, Any]]:
        """The pages of a span as {"results": [event, …]}: window by window in the order of time, within one as HubSpot has them.
        Raises what `fetch` raises, where the page would have come, and BadAnswer where no walk comes to an end."""
        self._line = [_Place(Window(*span))]
        self.position = self._latest = span[0]
        self._frontier = span[0]
        while self._line:
            self._look()
            head = self._line[0]
            if head.parts and self._is_released(head):
                part = head.parts.popleft()
                self._look()  # so that workers read on while this page is emitted
                yield {"results": self._events(part)}
                self._note_latest(part)
            elif head.error is not None:
                raise head.error
            elif head.whole:
                self._line.pop(0)
                self._densities.append(head.density or 0.0)
                self._frontier = math.inf if head.window.end is None else head.window.end
            else:
                self._wait()
            self._move()

    def _is_released(self, place: _Place) -> bool:
        """Whether pages go out as they come. Where answers do not ascend, a window that is not whole may still be cut anew, and its
        rows would go out twice for nothing."""
        return self._ascending or place.whole or place.error is not None or not self._is_divisible(place.window)

    # -- the watermark

    def _events(self, part: Part) -> list[Any]:
        strays = [event for event in part.strays if (moment_of(event) or 0) >= self.floor]
        self.strays += len(strays)
        return part.events + strays if strays else part.events

    def _note_latest(self, part: Part) -> None:
        """The latest moment that has gone out, the future aside."""
        last, crowded, now = part.last, part.crowd, self.now()
        if last is not None and last > now:
            past = sorted(moment for moment in map(moment_of, part.events) if moment is not None and moment <= now)
            last, crowded = (past[-1] if past else None), crowd(past)
        if last is not None and whole_second(last) >= whole_second(self._latest):
            self._crowd = crowded + (self._crowd if whole_second(last) == whole_second(self._latest) else 0)
            self._latest = max(self._latest, last)

    def _move(self) -> None:
        """Moves the watermark to the end of the whole windows, no further than events are known of: what becomes visible there is
        still ahead. A second that fills pages is passed, or each sync would read them again until something follows."""
        latest = self._latest
        if self._crowd > self._full:
            latest = max(latest, min(next_second(latest), self.now()))
        self.position = max(self.position, int(min(self._frontier, latest)))

    # -- the line: what jobs brought, and which are started next

    def _wait(self) -> None:
        since = time.monotonic()
        wait([place.job for place in self._line if place.job and not place.job.done()], return_when=FIRST_COMPLETED)
        self.waited += time.monotonic() - since

    def _look(self) -> None:
        """Takes up the jobs that are done, then starts more from the head of the line on, until all workers are busy: a head that
        takes long keeps no other waiting."""
        for place in list(self._line):
            if place.job is not None and place.job.done():
                self._take_up(place)
        running, position = sum(place.job is not None for place in self._line), 0
        while position < len(self._line) and running < self._workers and (position == 0 or self._has_room()):
            if self._line[position].is_ready():
                self._start(position)
                running += 1
            position += 1

    def _has_room(self) -> bool:
        """Whether memory allows one more job beside those under way and done: a third of it for a consumer that never waits, all
        of it for one that has waited a quarter of its time."""
        pages = sum(len(place.parts) + (place.job_pages if place.job else 0) for place in self._line)
        elapsed = time.monotonic() - self._started + 3  # so that the first answer, which all wait for, does not decide it
        share = 1 / 3 + 3 * self.waited / elapsed
        return pages * self._size < PARSED_AHEAD * min(1.0, share)

    def _take_up(self, place: _Place) -> None:
        """Takes up what a job brought: the window is whole, its walk goes on, or it is cut anew."""
        parts, error = place.finish()
        for part in parts:
            self._learn(part)
            place.take(part)
        if self._ascending and not place.ascending:
            self._ascending = False
            self.warn("HubSpot's answers are not in the order of time: nothing is lost, but the sync takes more requests.")
        if isinstance(error, Astray):
            self._lose(place, error)
        elif error is not None:
            place.fail(error)
        elif not parts[-1].more:
            place.whole = True
            self._kept += place.pages
            self._count(place)
        elif self._is_too_full(place):
            self._recut(place)

    def _is_too_full(self, place: _Place) -> bool:
        """Whether it costs less to cut a window anew than to walk on through it."""
        planned = place.guess or place.before
        return self._is_divisible(place.window) and place.pages + self._pages_to_come(place) > (LONGEST_WALK if planned else UNCUT)

    def _learn(self, part: Part) -> None:
        """The size of pages and the latest moment, as a page shows them."""
        self._full, self._size = max(self._full, part.full), max(self._size, part.size)
        self._seen = max(self._seen, part.last or 0)
        if not part.full and part.more and not self._hollow:
            self._hollow = True
            self.warn("HubSpot answered with an empty page, twice, that named a next one: the sync went on there.")

    def _count(self, place: _Place) -> None:
        """The density of a whole window. Where one is empty, and answers come in any order, no single page can tell where events
        go on: the next window is wider, until one is found that is not."""
        place.density = place.events / max(1, self._end(place.window) - place.window.start)
        if not place.events and not self._ascending:
            place.density = place.guess / GROWTH

    def _pages_to_come(self, place: _Place) -> float:
        """How many pages a walk under way has still to come, as far as can be foreseen."""
        if place.first is None or place.last is None:
            return 1
        start, end = place.window.start, self._end(place.window)
        unread = end - place.last if place.ascending else max(0, place.first - start) + max(0, end - place.last)
        if not place.ascending and unread < (end - start) * (1 - 1 / GROWTH):
            return 2 * place.pages  # what was read lies all over the window: it may hold any number more
        return max(1.0, unread * place.density_ahead() / self._full)

    def _lose(self, place: _Place, astray: Astray) -> None:
        """What to do about a walk that led nowhere: an end that was not plain is proved by a second walk; a window is cut smaller;
        a second is walked again, with nothing else under way, since cursors may live for a few requests only."""
        self._lost += place.asked + 2  # what cannot be believed was asked for twice
        again = _Place(place.window, place.density, place.guess, astray, place.repeats + 1)
        if self._lost > LOST + 8 * self.concurrency + 4 * self._kept:
            place.fail(_no_end(place.window, astray))
        elif astray.ended and not (place.before and place.before.ended):
            self._replace(place, again)
        elif self._is_divisible(place.window):
            self._most = max(1, self._most // 2)
            self._recut(place, smaller=True)
        elif place.repeats < MOST_REPEATS:
            self._workers = 1
            self._replace(place, again)
        else:
            place.fail(_no_end(place.window, astray))

    def _replace(self, place: _Place, *others: _Place) -> None:
        others[0].spare = place.parts
        position = self._line.index(place)
        self._line[position : position + 1] = others

    def _recut(self, place: _Place, smaller: bool = False) -> None:
        """Puts two windows in the place of one, cut behind what was read of it where answers ascend (or, `smaller`, before its first
        page ends); before that, where it lies together; elsewhere, nothing tells but that the window is too full."""
        start, end, pages = place.window.start, self._end(place.window), max(1, place.pages)
        first, last = (start, start) if place.first is None or place.last is None else (place.first, place.last)
        piece = rest = None
        if place.ascending and last > start:
            at = first + (last - first) // (pages + 1) if smaller else last
            piece, rest = place.events / (last - start), place.density_ahead()
        elif (last - first) * GROWTH < end - start and first > next_second(start) and not smaller:
            at, rest = first, place.density_ahead()
            piece = place.guess or rest
        else:
            piece = max(GROWTH * pages * self._full / (end - start), max(self._densities, default=0))
            at = start + int(self._full / piece)
        cut = min(max(whole_second(at), next_second(start)), whole_second(end - 1))
        self._replace(place, _Place(Window(start, cut), piece), _Place(Window(cut, place.window.end), rest))

    def _start(self, position: int) -> None:
        """Starts a job on a place in the line; the walk begins there if it has not."""
        place = self._line[position]
        if place.walk is None:
            density = self._density_at(position)
            window, rest = self._cut(place.window, density) if place.before is None else (place.window, None)
            if rest is not None:
                self._line.insert(position + 1, _Place(rest))
            place.window, place.guess = window, density
            place.walk = walk(self.fetch, window, self._stop, place.before)
            expected = place.guess * (self._end(window) - window.start) / self._full
        else:
            expected = self._pages_to_come(place)
        place.job_pages = self._job_pages(position, place, expected)
        place.job = self._pool.submit(bring, place.walk, place.job_pages)

    def _job_pages(self, position: int, place: _Place, expected: float) -> int:
        """The pages that one job takes: all that are expected, as far as memory allows, but one at the head of the line, since the
        consumer waits for it, and one where no events are known of."""
        if self._size == 1:  # nothing was read yet
            return FIRST_PAGES
        if position == 0 or not place.pages:
            return 1
        allowed = PARSED_AHEAD * 2 // 3 // (self._size * (self.concurrency + 1))  # the last third waits to be handed on
        return max(1, min(math.ceil(expected), LONGEST_WALK, allowed))

    def _density_at(self, position: int) -> float:
        """How densely events lie at a place in the line, as far as that or the windows before it tell: the nearest, evened out over
        a few where they are alike."""
        if (known := self._line[position].density) is not None:
            return known
        before = [place.density for place in self._line[:position] if place.density is not None]
        nearest, *others = [*reversed(before), *reversed(self._densities)] or [0.0]
        alike = [density for density in others[:2] if nearest / 2 < density < 2 * nearest]
        return sum(alike, nearest) / (1 + len(alike))

    def _cut(self, window: Window, density: float) -> tuple[Window, Window | None]:
        """The piece of a window that one walk will probably read whole, and the rest. Where no events are known of, the piece is all
        of it: its first page tells where they go on, and how densely."""
        start, end = window.start, self._end(window)
        expected = density * (end - start) / self._full
        most = self._pages_a_window(density * (self._end(self._line[-1].window) - start) / self._full)
        if expected <= most:
            return window, None
        cut = next_second(start + max(0, int((most - 0.1 - math.sqrt(most / self._full)) * self._full / density) - SECOND // 2))
        return (window, None) if cut >= end else (Window(start, cut), Window(cut, window.end))

    def _pages_a_window(self, expected: float) -> int:
        """How many pages a window may have: as few as share what is expected of the whole range among the workers."""
        return min(self._most, max(2, int(expected / (2 * self.concurrency))))

    def _end(self, window: Window) -> int:
        """Where a window's events end, as far as is known: now, if nowhere before."""
        now = max(self.now(), self._seen + 1)
        return now if window.end is None else min(window.end, max(now, window.start))

    def _is_divisible(self, window: Window) -> bool:
        return next_second(window.start) < self._end(window)


def _no_end(window: Window, astray: Astray) -> BadAnswer:
    """What a sync ends with where no walk through a window comes to an end that can be believed."""
    end = "on" if window.end is None else f"to {to_text(window.end)}"
    said = f" It said: {astray.cause}" if astray.cause else ""
    return BadAnswer(
        f"HubSpot's answers from {to_text(window.start)} {end} come to no end that can be believed: {astray}{said} What arrived is "
        "saved. Start the sync again; if it ends here again, try another page_size, and show this to HubSpot's support."
    )
