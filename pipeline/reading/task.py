"""One window in a reader's queue: the walk through it, the pages that wait to be released, and what they have shown."""
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import NamedTuple

from pipeline.reading.walk import Inconclusive
from pipeline.reading.window import Window, WindowPage

BURST = 4  # times as dense as usual


class Batch(NamedTuple):
    """What one job brought of a walk, and the error that it met after that."""

    pages: list[WindowPage]
    error: Exception | None = None


class Earlier(NamedTuple):
    """The walks through a window that were inconclusive: the last of them, how many there were, and their requests; `limit` is
    the number of events a page for the next."""

    last: Inconclusive
    walks: int
    requests: int
    limit: int


@dataclass
class Findings:
    """What the pages of a window have shown so far. Moments are ms, densities events a ms."""

    asked: int = 0  # pages
    pages: int = 0  # those that brought something new
    events: int = 0
    first: int | None = None  # the earliest moment
    middle: int | None = None  # the median of the last page
    last: int | None = None  # the latest moment
    fullest: int = 0  # its largest page, in events
    last_density: float = 0.0  # of the last page
    ascending: bool = True

    def add(self, page: WindowPage) -> None:
        self.asked, self.pages, self.events = self.asked + 1, self.pages + page.new, self.events + len(page.events)
        self.fullest = max(self.fullest, page.fullness)
        if page.first is not None and page.last is not None:
            self.ascending &= page.ascending and (self.last is None or page.first >= self.last)
            self.first, self.middle = page.first if self.first is None else min(self.first, page.first), page.middle
            self.last = page.last if self.last is None else max(self.last, page.last)
            if 2 * len(page.events) > self.fullest:  # a few events say nothing
                self.last_density = (len(page.events) - 1) / max(1, page.last - page.first)

    def density_ahead(self, expected: float) -> float:
        """How densely events probably lie after the last page: as `expected` and read so far, since one page may be an hour by
        day or by night; like the last page alone if that is a burst."""
        read = self.events / max(1, (self.last or 0) - (self.first or 0)) if self.last_density else 0.0
        usual = max(read, expected)
        return self.last_density if self.last_density > BURST * usual else usual


@dataclass(eq=False)
class Task:
    """A window to read, by one walk at a time.

    `density` is how many events a ms it holds: counted once it is whole (0: none); before that, as the window that it is a
    piece of tells, if it does. `expected` is what its walk was planned with.
    """

    window: Window
    density: float | None = None
    expected: float = 0.0
    earlier: Earlier | None = None  # inconclusive walks through the same window
    found: Findings = field(default_factory=Findings)
    waiting: deque[WindowPage] = field(default_factory=deque)  # pages to be released
    spare: deque[WindowPage] = field(default_factory=deque)  # those of the window that it is a piece of, until it has its own
    walk: Iterator[WindowPage] | None = None
    job: "Future[Batch] | None" = None
    job_pages: int = 0
    whole: bool = False
    error: Exception | None = None

    def is_ready(self) -> bool:
        """Whether a job may be started on it."""
        return self.job is None and not self.whole and self.error is None

    def is_empty(self) -> bool:
        """Whether the window is known to hold no event."""
        return self.whole and not self.found.events

    def finish_job(self) -> Batch:
        """What its job brought; it has none any more."""
        job, self.job = self.job, None
        return job.result() if job else Batch([])

    def add(self, page: WindowPage) -> None:
        self.waiting.append(page)
        self.spare.clear()
        self.found.add(page)

    def fail(self, error: Exception) -> None:
        """Ends this window in an error; what came of it before is released."""
        self.error = error
        self.waiting.extendleft(reversed(self.spare))
