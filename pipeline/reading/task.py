"""One window in a reader's queue: the walk through it, the pages that wait to be released, and what
pages have shown.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple

from pipeline.fingerprints import EMPTY, MODULUS, Sum
from pipeline.hubspot.events_api import occurred_ms
from pipeline.reading.walk import Walk
from pipeline.reading.window import Places, Window, WindowPage, id_of, out_of_turn
from pipeline.recent import RECENT_IDS

BURST = 4  # times as dense as usual


class Batch(NamedTuple):
    """The pages that one job brought, and the error that ended it."""

    pages: list[WindowPage]
    error: Exception | None = None


@dataclass
class Findings:
    """What the pages of a walk have shown so far. Moments are ms, densities events per ms."""

    pages: int = 0
    new_pages: int = 0  # those that brought something new
    event_count: int = 0
    held: Sum = EMPTY  # what another walk is compared with
    earliest: int | None = None
    median: int | None = None  # of the last page
    latest: int | None = None
    fullest: int = 0  # its largest page, in events
    is_full: bool = True  # whether each page holds as many as were asked for
    last_density: float = 0.0  # of the last page
    ascending: bool = True

    def add(self, page: WindowPage) -> None:
        self.pages, self.new_pages = self.pages + 1, self.new_pages + page.is_new
        self.event_count += len(page.events)
        events, total = page.held
        self.held = Sum(self.held.events + events, (self.held.total + total) % MODULUS)
        self.fullest = max(self.fullest, len(page.places))
        self.is_full &= page.is_full
        if page.earliest is not None and page.latest is not None:
            self.ascending &= page.ascending and (self.latest is None or page.earliest >= self.latest)
            self.earliest = page.earliest if self.earliest is None else min(self.earliest, page.earliest)
            self.median = page.median
            self.latest = page.latest if self.latest is None else max(self.latest, page.latest)
            if 2 * len(page.events) > self.fullest:  # a few events say nothing
                self.last_density = (len(page.events) - 1) / max(1, page.latest - page.earliest)

    def density_ahead(self, expected: float) -> float:
        """The probable density of events after the last page: the higher of `expected` and that
        read so far, since a page may be an hour of the day or of the night; in a burst, that of the
        last page alone.
        """
        read = self.event_count / max(1, (self.latest or 0) - (self.earliest or 0)) if self.last_density else 0.0
        usual = max(read, expected)
        return self.last_density if self.last_density > BURST * usual else usual


@dataclass(eq=False)
class Task:
    """A window to read, by one walk at a time.

    `density` is in events per ms: counted once the window is whole, until then estimated from its
    parent window, or None. `expected_density` is what its walk was planned with; `known_events` how
    many it held when it was last read to an end, perhaps by an earlier sync.

    Of earlier walks of this sync: `known` are the events that they read of the window, `unreleased`
    those of them that wait to be released, `held_before` is what the last one held (None: it came
    to no end), `walks` how many there were, `limit` the events per page for the next.
    """

    window: Window
    density: float | None = None
    expected_density: float = 0.0
    known_events: int | None = None
    known: Places = field(default_factory=dict)
    unreleased: list[Any] = field(default_factory=list)
    unreleased_bytes: int = 0
    held_before: Sum | None = None
    walks: int = 0
    limit: int | None = None
    findings: Findings = field(default_factory=Findings)
    pending: deque[WindowPage] = field(default_factory=deque)  # to be released
    walk: Walk | None = None
    pages: Iterator[WindowPage] = iter(())  # the rest of its walk
    job: "Future[Batch] | None" = None
    job_pages: int = 0
    whole: bool = False
    error: Exception | None = None

    def is_ready(self) -> bool:
        """Whether a job may be started on it."""
        return self.job is None and not self.whole and self.error is None

    def is_empty(self) -> bool:
        """Whether the window is whole and holds no event."""
        return self.whole and not self.findings.event_count

    def waiting_bytes(self) -> int:
        """The bytes in memory of what waits to be released."""
        return self.unreleased_bytes + sum(page.byte_count for page in self.pending)

    def finish_job(self) -> Batch:
        """Ends its job. Returns what that brought."""
        job, self.job = self.job, None
        return job.result() if job else Batch([])

    def add(self, page: WindowPage) -> None:
        self.pending.append(page)
        self.findings.add(page)

    def holds_the_same(self) -> bool:
        """Whether this walk, and the one before it, hold the same."""
        return self.findings.held == self.held_before

    def complete(self) -> None:
        """Makes the window whole. What earlier walks read and this one did not is released, too."""
        self.whole = True
        self._release_rest()

    def fail(self, error: Exception) -> None:
        """Ends the window in an error. What was read of it is released."""
        self.error = error
        self._release_rest()

    def _release_rest(self) -> None:
        """Releases what earlier walks read and this one did not."""
        seen = self.walk.seen() if self.unreleased and self.walk else {}
        events = [event for event in self.unreleased if id_of(event) not in seen]
        self.unreleased, self.unreleased_bytes = [], 0
        if events:
            self.pending.append(out_of_turn(events))

    def hand_down(self, heirs: "Sequence[Task]") -> None:
        """Gives what was read of the window to those that take its place: nothing of it is lost,
        and none of them comes to a plain end without its part.
        """
        seen = self.known | (self.walk.seen() if self.walk else {})
        waiting = [(event, occurred_ms(event)) for event in self._waiting()]
        size = self.waiting_bytes() / max(1, len(waiting))
        for heir in heirs:
            own = ((key, ms) for key, ms in seen.items() if ms is not None)
            own = (each for each in own if heir.window.contains(each[1]))
            heir.known = dict(islice(own, RECENT_IDS))
            heir.unreleased = [event for event, ms in waiting if heir is _owner(heirs, ms)]
            heir.unreleased_bytes = int(size * len(heir.unreleased))

    def _waiting(self) -> list[Any]:
        """What was read and waits to be released."""
        pages = [event for page in self.pending for event in [*page.events, *page.outside]]
        return [*self.unreleased, *pages]


def _owner(heirs: Sequence[Task], ms: int | None) -> Task:
    """The heir in whose window a moment lies; the first one, if it lies in none."""
    owners = (heir for heir in heirs if ms is not None and heir.window.contains(ms))
    return next(owners, heirs[0])
