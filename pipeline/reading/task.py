"""One window in a reader's queue: the walk through it, the pages that wait to be released, and what
they have shown.
"""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import NamedTuple

from pipeline.reading.ends import Inconclusive
from pipeline.reading.window import Window, WindowPage

BURST = 4  # times as dense as usual


class Batch(NamedTuple):
    """The pages that one job brought, and the error that it met after them."""

    pages: list[WindowPage]
    error: Exception | None = None


class FailedWalks(NamedTuple):
    """The inconclusive walks through a window: the last of them, how many there were, and their
    requests; `limit` is the number of events per page for the next.
    """

    last: Inconclusive
    walks: int
    requests: int
    limit: int


@dataclass
class Findings:
    """What the pages of a window have shown so far. Moments are ms, densities events per ms."""

    pages: int = 0
    new_pages: int = 0  # those that brought something new
    event_count: int = 0
    earliest: int | None = None
    median: int | None = None  # of the last page
    latest: int | None = None
    fullest: int = 0  # its largest page, in events
    last_density: float = 0.0  # of the last page
    ascending: bool = True

    def add(self, page: WindowPage) -> None:
        self.pages, self.new_pages = self.pages + 1, self.new_pages + page.new
        self.event_count += len(page.events)
        self.fullest = max(self.fullest, page.event_count)
        if page.earliest is not None and page.latest is not None:
            self.ascending &= page.ascending and (
                self.latest is None or page.earliest >= self.latest
            )
            self.earliest = (
                page.earliest if self.earliest is None else min(self.earliest, page.earliest)
            )
            self.median = page.median
            self.latest = page.latest if self.latest is None else max(self.latest, page.latest)
            if 2 * len(page.events) > self.fullest:  # a few events say nothing
                self.last_density = (len(page.events) - 1) / max(1, page.latest - page.earliest)

    def density_ahead(self, expected: float) -> float:
        """The probable density of events after the last page: as `expected` and read so far, since
        one page may be an hour by day or by night; like the last page alone if that is a burst.
        """
        read = (
            self.event_count / max(1, (self.latest or 0) - (self.earliest or 0))
            if self.last_density
            else 0.0
        )
        usual = max(read, expected)
        return self.last_density if self.last_density > BURST * usual else usual


@dataclass(eq=False)
class Task:
    """A window to read, by one walk at a time.

    `density`: events per ms. Counted once the window is whole; until then estimated from its parent
    window, or None. `expected_density` is what its walk was planned with. `confirms`: its window
    was walked before. `known_events`: how many it held when it was last read, by an earlier sync.
    """

    window: Window
    density: float | None = None
    expected_density: float = 0.0
    failed_walks: FailedWalks | None = None  # through the same window
    confirms: bool = False
    known_events: int | None = None
    findings: Findings = field(default_factory=Findings)
    pending_pages: deque[WindowPage] = field(default_factory=deque)  # to be released
    inherited_pages: deque[WindowPage] = field(
        default_factory=deque
    )  # its parent's, if it fails before it has its own
    walk: Iterator[WindowPage] | None = None
    job: "Future[Batch] | None" = None
    job_pages: int = 0
    whole: bool = False
    error: Exception | None = None

    def is_ready(self) -> bool:
        """Whether a job may be started on it."""
        return self.job is None and not self.whole and self.error is None

    def is_empty(self) -> bool:
        """Whether the window holds no event, as far as is known."""
        return (self.whole or self.confirms) and not self.findings.event_count

    def finish_job(self) -> Batch:
        """Takes what its job brought; it has none any more."""
        job, self.job = self.job, None
        return job.result() if job else Batch([])

    def add(self, page: WindowPage) -> None:
        self.pending_pages.append(page)
        self.inherited_pages.clear()
        self.findings.add(page)

    def fail(self, error: Exception) -> None:
        """Ends this window in an error; what came of it before is released."""
        self.error = error
        self.pending_pages.extendleft(reversed(self.inherited_pages))
