"""Where a range of time is cut into windows. All of it is foresight, from the order and the density of the events read so far: if
it is wrong, a sync costs more requests, and nothing else.

Windows are large enough that their last pages, half empty, cost little, and small enough that a kill repeats little.
"""
import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import NamedTuple

from pipeline.moments import SECOND
from pipeline.reading.window import Astray, Part, Window, next_second, whole_second

FIRST_PAGES = 2  # of the whole range, before anything is decided: a sync of two pages costs two requests
UNCUT = 6  # pages of a range that is not worth cutting
MOST_PAGES = 4  # of a window, as planned: what a worker takes
MOST_ALONE = 6  # with one worker, which nobody waits for
LONGEST_WALK = 12  # pages of a window that turns out fuller: walking on costs no page twice, but a kill repeats them all
GROWTH = 8  # by how much an empty window is widened, and a full one narrowed, where nothing tells more
BURST = 4  # times as dense as usual
ALIKE = 2  # densities no further apart are evened out
PARSED_AHEAD = 20 << 20  # bytes of JSON that jobs have brought or are about to; as objects they take three times that


class Brought(NamedTuple):
    """What one job brought of a walk, and the error that it met behind that."""

    parts: list[Part]
    error: Exception | None = None


@dataclass(eq=False)
class Place:
    """A window's place in the line: its walk once that has begun, what it has shown, and the parts that wait to be handed on.

    `density` is how many events a ms it holds: counted once it is whole (0: none), before that as the window that it is a piece
    of tells, if it does; `guess` is what it was started with.
    """

    window: Window
    density: float | None = None
    guess: float = 0.0
    before: Astray | None = None  # a walk through the same window that led nowhere
    limit: int | None = None  # events a page; None: as configured
    repeats: int = 0  # how many did
    lost: int = 0  # the requests that they took
    walk: Iterator[Part] | None = None
    job: "Future[Brought] | None" = None
    job_pages: int = 0
    parts: deque[Part] = field(default_factory=deque)
    spare: deque[Part] = field(default_factory=deque)  # what came of the window that it is a piece of, until it has its own
    asked: int = 0  # pages
    pages: int = 0  # those that brought something new
    events: int = 0
    first: int | None = None  # the earliest moment, ms
    middle: int | None = None  # the median of the last page
    last: int | None = None
    full: int = 0  # its largest page, in events
    local: float = 0.0  # density of the last page
    ascending: bool = True
    whole: bool = False
    error: Exception | None = None

    def is_ready(self) -> bool:
        """Whether a job may be started on it."""
        return self.job is None and not self.whole and self.error is None

    def is_empty(self) -> bool:
        """Whether the window is known to hold no event."""
        return self.whole and not self.events

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
            self.first, self.middle = part.first if self.first is None else min(self.first, part.first), part.middle
            self.last = part.last if self.last is None else max(self.last, part.last)
            if 2 * len(part.events) > self.full:  # a few events tell nothing
                self.local = (len(part.events) - 1) / max(1, part.last - part.first)

    def fail(self, error: Exception) -> None:
        """The error that ends this window; what came of it is handed on before."""
        self.error = error
        self.parts.extendleft(reversed(self.spare))

    def density_ahead(self) -> float:
        """How densely events probably lie behind the last page: as guessed and read so far, for a page may be an hour by day or
        by night; like the last page alone where that is a burst."""
        read = self.events / max(1, (self.last or 0) - (self.first or 0)) if self.local else 0.0
        usual = max(read, self.guess)
        return self.local if self.local > BURST * usual else usual


@dataclass
class Plan:
    """What is known of the pages and the density of events so far, and what it says of where to cut; `now` as for a Reader."""

    now: Callable[[], int]
    concurrency: int
    ascending: bool = True  # whether every answer was, so far
    full: int = 1  # the largest page, in events
    size: int = 1  # the same in bytes
    horizon: int = 0  # ms: now, or the latest moment of any page; it never moves back, whatever the clocks do
    densities: deque[float] = field(default_factory=lambda: deque(maxlen=3))  # of the windows last handed on
    most: int = field(init=False)  # pages of a window, as planned; fewer once page cursors have failed
    silent: bool = False  # whether the last of them was empty

    def __post_init__(self) -> None:
        self.most = MOST_PAGES if self.concurrency > 1 else MOST_ALONE

    def learn(self, part: Part) -> None:
        self.full, self.size = max(self.full, part.full), max(self.size, part.size)
        self.horizon = max(self.horizon, (part.last or 0) + 1)

    def end(self, window: Window) -> int:
        """Where a window's events end, as far as is known: now, if nowhere before."""
        self.horizon = max(self.horizon, self.now())
        return self.horizon if window.end is None else min(window.end, max(self.horizon, window.start))

    def is_divisible(self, window: Window) -> bool:
        """Whether a window holds a whole second to cut at: nobody knows whether bounds are finer than that."""
        return next_second(window.start) < self.end(window)

    def count(self, place: Place) -> None:
        """Counts the density of a whole window. Where one is empty, and answers come in any order, no single page can tell where
        events go on: the next window is wider, until one is found that is not."""
        place.density = place.events / max(1, self.end(place.window) - place.window.start)
        if not place.events and not self.ascending:
            place.density = place.guess / GROWTH

    def pages_to_come(self, place: Place) -> float:
        """How many pages a walk under way has still to come."""
        if place.first is None or place.last is None:
            return 1
        start, end = place.window.start, self.end(place.window)
        unread = end - place.last if place.ascending else max(0, place.first - start) + max(0, end - place.last)
        if not place.ascending and unread < (end - start) * (1 - 1 / GROWTH):
            return 2 * place.pages  # what was read lies all over the window: it may hold any number more
        return max(1.0, unread * place.density_ahead() / self.full)

    def is_too_full(self, place: Place) -> bool:
        """Whether it costs less to cut a window anew than to walk on through it."""
        planned = place.guess or place.before
        return self.is_divisible(place.window) and place.pages + self.pages_to_come(place) > (LONGEST_WALK if planned else UNCUT)

    def recut(self, place: Place, smaller: bool = False) -> tuple[Place, Place]:
        """Two windows in the place of one. Where answers ascend, it is cut behind what was read of it (or, `smaller`, before its
        first page ends); where what was read lies together, before that; where the windows before it foretold fewer events, in
        the middle of what was read. Elsewhere, nothing tells but that it is too full."""
        start, end, pages = place.window.start, self.end(place.window), max(1, place.pages)
        first, last = (start, start) if place.first is None or place.last is None else (place.first, place.last)
        piece = rest = None
        if place.ascending and last > start:
            at = first + (last - first) // (pages + 1) if smaller else last
            piece, rest = place.events / (last - start), place.density_ahead()
        elif (last - first) * GROWTH < end - start and first > next_second(start) and not smaller:
            at, rest = first, place.density_ahead()
            piece = place.guess or rest
        elif place.guess and place.middle is not None and not smaller:
            at = place.middle
        else:
            piece = max(GROWTH * pages * self.full / (end - start), max(self.densities, default=0))
            at = start + int(self.full / piece)
        cut = min(max(whole_second(at), next_second(start)), whole_second(end - 1))
        return Place(Window(start, cut), piece), Place(Window(cut, place.window.end), rest)

    def cut(self, line: Sequence[Place], position: int) -> Place | None:
        """Narrows the window at a place in the line to what one walk will probably read whole; returns the rest, None if there is
        none. Where no events are known of, it stays all of it: its first page tells where they go on, and how densely."""
        place = line[position]
        window, place.guess = place.window, self.density_at(line, position)
        start, end = window.start, self.end(window)
        expected = self.end(line[-1].window) - start
        share = int(place.guess * expected / self.full / (2 * self.concurrency))  # so that all workers have some
        most = min(self.most, max(2, share))
        if place.before is not None or place.guess * (end - start) / self.full <= most:
            return None
        aim = most - 0.1 - math.sqrt(most / self.full) / 2  # a page that holds a few events costs as much as a full one
        at = next_second(start + max(0, int(aim * self.full / place.guess) - SECOND // 2))
        if at >= end:
            return None
        place.window = Window(start, at)
        return Place(Window(at, window.end))

    def density_at(self, line: Sequence[Place], position: int) -> float:
        """How densely events lie at a place in the line, as far as that or the windows before it tell: the nearest, evened out
        over a few where they are alike. Behind an empty one, each that is not read yet is wider than the one before."""
        if (known := line[position].density) is not None:
            return known
        before = [place for place in line[:position] if place.density is not None]
        nearest, *others = [*(place.density or 0.0 for place in reversed(before)), *reversed(self.densities)] or [0.0]
        if before[-1].is_empty() if before else self.silent:
            unread = position - (line.index(before[-1]) + 1 if before else 0)
            return float(nearest / GROWTH**unread)
        alike = [density for density in others[:2] if nearest / ALIKE < density < nearest * ALIKE]
        return sum(alike, nearest) / (1 + len(alike))

    def pass_by(self, place: Place) -> None:
        """Remembers what a window held that is handed on."""
        self.densities.append(place.density or 0.0)
        self.silent = place.is_empty()

    def job_pages(self, place: Place, is_head: bool) -> int:
        """The pages that one job takes: all that are expected, as far as memory allows. One where the consumer waits for it, and
        one at first, for that tells whether the window is as full as planned."""
        if self.size == 1:  # nothing was read yet
            return FIRST_PAGES
        if is_head or not place.asked:
            return 1
        allowed = PARSED_AHEAD * 2 // 3 // (self.size * (self.concurrency + 1))  # the last third waits to be handed on
        return max(1, min(math.ceil(self.pages_to_come(place)), LONGEST_WALK, allowed))
