"""A range of time read by several workers at once, its pages released window by window; it owns the watermark.

The law: **the order of HubSpot's answers decides what a sync costs, never what it delivers.** A range is cut into windows, and
the watermark moves only over windows that were walked to an end that can be believed. All planning is in the consumer's thread:
workers walk and plan nothing, so there are no locks.
"""
import math
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from pipeline.errors import BadAnswer, ConnectorError
from pipeline.moments import to_text
from pipeline.reading.plan import PARSED_AHEAD, Brought, Place, Plan
from pipeline.reading.window import Astray, Fetch, Part, Window, another_size, crowd, moment_of, next_second, walk, whole_second

Span = tuple[int, "int | None"]  # half-open, ms UTC; None: up to now and beyond

MOST_REPEATS = 5  # walks through one second, which cannot be cut
LOST = 32  # requests of walks that led nowhere: so many, eight more for each worker, and four for each page of a whole window


def bring(walking: Iterator[Part], most: int) -> Brought:
    """Up to `most` pages of a walk. Runs in a worker."""
    parts: list[Part] = []
    try:
        parts += islice(walking, most)
    except (ConnectorError, Astray) as error:
        return Brought(parts, error)
    return Brought(parts)


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

    _line: list[Place] = field(default_factory=list, init=False)  # the range as windows, in the order of time
    _frontier: float = field(default=0, init=False)  # ms: every window before it is whole, and handed on
    _latest: int = field(default=0, init=False)  # the latest moment handed on that is not of the future, ms
    _crowd: int = field(default=0, init=False)  # events in its second
    _hollow: bool = field(default=False, init=False)
    _lost: int = field(default=0, init=False)  # requests of walks that led nowhere, through windows that are not whole yet
    _kept: int = field(default=0, init=False)  # pages of whole windows
    _workers: int = field(default=1, init=False)
    _started: float = field(default=0.0, init=False)  # monotonic seconds
    _stop: threading.Event = field(default_factory=threading.Event, init=False)

    def __enter__(self) -> "Reader":
        self._started, self._workers, self._plan = time.monotonic(), self.concurrency, Plan(self.now, self.concurrency)
        self._pool = ThreadPoolExecutor(self.concurrency, thread_name_prefix="hubspot")
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def pages(self, span: Span) -> Iterator[dict[str, Any]]:
        """The pages of a span as {"results": [event, …]}: window by window in the order of time, within one as HubSpot has them.
        Raises what `fetch` raises, where the page would have come, and BadAnswer where no walk comes to an end."""
        self._line = [Place(Window(*span))]
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
                self._plan.pass_by(head)
                self._frontier = math.inf if head.window.end is None else head.window.end
            else:
                self._wait()
            self._move()

    def _is_released(self, place: Place) -> bool:
        """Whether pages go out as they come. Where answers do not ascend, a window that is not whole may still be cut anew, and
        its rows would go out twice for nothing."""
        return self._plan.ascending or place.whole or place.error is not None or not self._plan.is_divisible(place.window)

    def _events(self, part: Part) -> list[Any]:
        strays = [event for event in part.strays if (moment_of(event) or 0) >= self.floor]
        self.strays += len(strays)
        return part.events + strays if strays else part.events

    # -- the watermark

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
        if self._crowd > self._plan.full:
            latest = max(latest, min(next_second(latest), self.now()))
        self.position = max(self.position, int(min(self._frontier, latest)))

    # -- the line: what jobs brought, and which are started next

    def _wait(self) -> None:
        since = time.monotonic()
        wait([place.job for place in self._line if place.job], return_when=FIRST_COMPLETED)
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
        return pages * self._plan.size < PARSED_AHEAD * min(1.0, share)

    def _start(self, position: int) -> None:
        """Starts a job on a place in the line; the walk begins there if it has not, through as much as one walk can read."""
        place = self._line[position]
        if place.walk is None:
            rest = self._plan.cut(self._line, position)
            if rest is not None:
                self._line.insert(position + 1, rest)
            place.walk = walk(self.fetch, place.window, self._stop, place.before, place.limit)
        place.job_pages = self._plan.job_pages(place, is_head=position == 0)
        place.job = self._pool.submit(bring, place.walk, place.job_pages)

    def _take_up(self, place: Place) -> None:
        """Takes up what a job brought: the window is whole, its walk goes on, or it is cut anew."""
        parts, error = place.finish()
        for part in parts:
            self._plan.learn(part)
            place.take(part)
        self._say(place, parts)
        if isinstance(error, Astray):
            self._lose(place, error)
        elif error is not None:
            place.fail(error)
        elif not parts[-1].more:
            place.whole = True
            self._kept += place.pages
            self._lost -= place.lost  # a proof, not a loss
            self._plan.count(place)
        elif self._plan.is_too_full(place):
            self._replace(place, *self._plan.recut(place))

    def _say(self, place: Place, parts: list[Part]) -> None:
        """Warns, once, of answers that cost more requests, or that are hard to believe."""
        if self._plan.ascending and not place.ascending:
            self._plan.ascending = False
            self.warn("HubSpot's answers are not in the order of time: nothing is lost, but the sync takes more requests.")
        if not self._hollow and any(part.more and not part.full for part in parts):
            self._hollow = True
            self.warn("HubSpot answered with an empty page, twice, although another named it or it names a next one.")

    def _lose(self, place: Place, astray: Astray) -> None:
        """What to do about a walk that led nowhere: an end that was not plain is proved by a second walk; a window is cut
        smaller; a second is walked again, with nothing else under way, since cursors may live for a few requests only."""
        lost = place.asked + 2  # what cannot be believed was asked for twice
        self._lost += lost
        limit = another_size(place.limit or self._plan.full, self._plan.full)
        again = Place(place.window, place.density, place.guess, astray, limit, place.repeats + 1, place.lost + lost)
        if self._lost > LOST + 8 * self.concurrency + 4 * self._kept:
            place.fail(_no_end(place.window, astray))
        elif astray.ended and not (place.before and place.before.ended):
            self._replace(place, again)
        elif self._plan.is_divisible(place.window):
            self._plan.most = max(1, self._plan.most // 2)
            self._replace(place, *self._plan.recut(place, smaller=True))
        elif place.repeats < MOST_REPEATS:
            self._workers = 1
            self._replace(place, again)
        else:
            place.fail(_no_end(place.window, astray))

    def _replace(self, place: Place, *others: Place) -> None:
        others[0].spare = place.parts
        position = self._line.index(place)
        self._line[position : position + 1] = others


def _no_end(window: Window, astray: Astray) -> BadAnswer:
    """What a sync ends with where no walk through a window comes to an end that can be believed."""
    end = "on" if window.end is None else f"to {to_text(window.end)}"
    said = f" It said: {astray.cause}" if astray.cause else ""
    return BadAnswer(
        f"HubSpot's answers from {to_text(window.start)} {end} come to no end that can be believed: {astray}{said} What arrived "
        "is saved. Start the sync again; if it ends here again, try another page_size, and show this to HubSpot's support."
    )
