"""A range of time read by several workers at once, its pages released window by window; it owns the
watermark.

The law: **the order of HubSpot's answers decides what a sync costs, never what it delivers.** A
range is cut into windows, and the watermark moves only over windows that were walked to a confirmed
end. All planning is in the consumer's thread: workers walk and plan nothing, so there are no locks.
"""

import math
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from itertools import islice
from typing import Any

from pipeline.errors import BadAnswer, ConnectorError
from pipeline.hubspot.events_api import EVENTS, occurred_ms
from pipeline.reading.cutting import READ_AHEAD, Plan
from pipeline.reading.ends import Inconclusive, another_size
from pipeline.reading.silence import confirming, may_pass, unconfirmed
from pipeline.reading.task import Batch, FailedWalks, Task
from pipeline.reading.walk import walk
from pipeline.reading.window import Fetch, Window, WindowPage, crowd, floor_to_second, next_second
from pipeline.timestamps import Span, to_text

MAX_WALKS = 5  # beyond the first, through one second, which cannot be cut
# requests of inconclusive walks allowed: this, plus 8 per worker, plus 4 per page of whole windows
MAX_WASTED = 32


def fetch_batch(walking: Iterator[WindowPage], most: int) -> Batch:
    """Up to `most` pages of a walk. Runs in a worker."""
    pages: list[WindowPage] = []
    try:
        for page in islice(walking, most):
            pages.append(page)  # one by one, so that the pages before an error are kept
    except (ConnectorError, Inconclusive) as error:
        return Batch(pages, error)
    return Batch(pages)


class Reader:
    """Reads a range of time with `concurrency` workers. A context manager: leaving it, in whatever
    way, ends the workers. Used from one thread, for one range.

    `fetch(request, stop)` returns one page and raises when `stop` is set; `now` is the later of the
    clocks (ms): what is dated after it does not move the watermark; out-of-range events before
    `floor` (ms) are dropped; `warn` gets a sentence for a person.
    """

    def __init__(
        self,
        fetch: Fetch,
        now: Callable[[], int],
        concurrency: int = 1,
        floor: int = 0,
        warn: Callable[[str], None] = lambda sentence: None,
    ):
        self.fetch, self.now, self.concurrency, self.floor, self.warn = (
            fetch,
            now,
            concurrency,
            floor,
            warn,
        )
        # the watermark, ms: everything before it is delivered; a resume starts here
        self.position = 0
        self.out_of_range = 0  # events that were released although nobody asked for their time
        self.waited = 0.0  # seconds the consumer waited for a page

        self._queue: list[Task] = []  # the rest of the range as windows, in order
        self._plan = Plan(now, concurrency)
        self._frontier: float = 0  # ms: every window before it is whole, and released
        self._latest = 0  # the latest moment released that is not in the future, ms
        self._crowd = 0  # events in its second
        self._empty_page = False  # whether one was warned of
        self._expects_silence = False  # whether empty windows are believed at once
        self._false_silence = False  # whether one was warned of
        # requests of inconclusive walks, through windows that are not whole yet, and of false
        # silences
        self._wasted = 0
        self._kept = 0  # pages of whole windows
        self._workers = concurrency
        self._pool = ThreadPoolExecutor(
            concurrency, thread_name_prefix="hubspot"
        )  # starts no thread before the first job
        self._started = 0.0  # monotonic seconds
        self._stop = threading.Event()

    def __enter__(self) -> "Reader":
        self._started = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def pages(self, span: Span, known_events: int | None = None) -> Iterator[dict[str, Any]]:
        """The pages of a time range, as HubSpot sent them: window by window in order, within one as
        HubSpot lists them.

        `known_events` is how many the range held when it was last read: if they fill few pages, it
        is read uncut. Raises what `fetch` raises, where the page would have come, and BadAnswer if
        no walk comes to an end.
        """
        self._queue = [Task(Window(*span), known_events=known_events)]
        self._expects_silence = known_events == 0
        self.position = self._latest = span[0]
        self._frontier = span[0]
        while self._queue:
            self._schedule()
            head = self._queue[0]
            if head.pending_pages and self._is_releasable(head):
                page = head.pending_pages.popleft()
                self._schedule()  # so that workers read on while this page is emitted
                yield self._release(page)
                # Only now: the consumer has come back, so every row of this page has been emitted.
                self._note_latest(page)
            elif head.error is not None:
                raise head.error
            elif head.whole and self._is_settled(head):
                self._queue.pop(0)
                self._plan.release(head)
                self._frontier = math.inf if head.window.end is None else head.window.end
            else:
                self._wait()
            self._advance()

    def _is_releasable(self, task: Task) -> bool:
        """Whether pages are released as they come. If answers are out of order, a window that is
        not whole may still be cut anew, and its rows would be emitted twice for nothing.
        """
        return (
            self._plan.ascending
            or task.whole
            or task.error is not None
            or not self._plan.is_divisible(task.window)
        )

    def _is_settled(self, task: Task) -> bool:
        """Whether the whole window at the head of the queue is believed to hold what its walk
        brought.
        """
        return self._expects_silence or not task.is_empty() or may_pass(self._queue)

    def _release(self, page: WindowPage) -> dict[str, Any]:
        extra = [event for event in page.out_of_range if (occurred_ms(event) or 0) >= self.floor]
        self.out_of_range += len(extra)
        return page.answer | {EVENTS: page.events + extra} if extra else page.answer

    # -- the watermark

    def _note_latest(self, page: WindowPage) -> None:
        """Notes the latest moment that has been released, the future excepted."""
        last, crowded, now = page.latest, page.crowd, self.now()
        if last is not None and last > now:
            past = sorted(
                moment
                for moment in map(occurred_ms, page.events)
                if moment is not None and moment <= now
            )
            last, crowded = (past[-1] if past else None), crowd(past)
        if last is not None and floor_to_second(last) >= floor_to_second(self._latest):
            self._crowd = crowded + (
                self._crowd if floor_to_second(last) == floor_to_second(self._latest) else 0
            )
            self._latest = max(self._latest, last)

    def _advance(self) -> None:
        """Advances the watermark to the end of the whole windows, but no further than events are
        known: what becomes visible beyond is still to come. A second that fills pages is passed, or
        each sync would read them again until something follows.
        """
        latest = self._latest
        if self._crowd > self._plan.max_page_events:
            latest = max(latest, min(next_second(latest), self.now()))
        self.position = max(self.position, int(min(self._frontier, latest)))

    # -- the queue: what jobs brought, and which are started next

    def _wait(self) -> None:
        since = time.monotonic()
        wait([task.job for task in self._queue if task.job], return_when=FIRST_COMPLETED)
        self.waited += time.monotonic() - since

    def _schedule(self) -> None:
        """Collects the jobs that are done, then starts more from the head of the queue on until all
        workers are busy: a head that takes long keeps nobody else waiting.
        """
        self._plan.tick()
        for task in list(self._queue):
            if task.job is not None and task.job.done():
                self._collect(task)
        while not self._expects_silence and (run := unconfirmed(self._queue)):
            self._queue[run] = [confirming(self._queue[run])]
        running, position = sum(task.job is not None for task in self._queue), 0
        while (
            position < len(self._queue)
            and running < self._workers
            and (self._is_next(position) or self._has_room())
        ):
            if self._queue[position].is_ready():
                self._start(position)
                running += 1
            position += 1

    def _is_next(self, position: int) -> bool:
        """Whether the consumer waits for a window in the queue: all before it are whole, and hold
        nothing to release.
        """
        before = self._queue[:position]
        return all(task.whole and (task.is_empty() or not task.pending_pages) for task in before)

    def _has_room(self) -> bool:
        """Whether memory allows one more job besides those under way and done: a third of it for a
        consumer that never waits, all of it for one that has waited a quarter of its time.
        """
        waiting = sum(page.byte_count for task in self._queue for page in task.pending_pages)
        to_come = (
            sum(task.job_pages for task in self._queue if task.job) * self._plan.max_page_bytes
        )
        # so that the first answer, which all wait for, does not decide it
        elapsed = time.monotonic() - self._started + 3
        share = 1 / 3 + 3 * self.waited / elapsed
        return waiting + to_come < READ_AHEAD * min(1.0, share)

    def _start(self, position: int) -> None:
        """Starts a job on a window in the queue. Its walk begins if it has not, through as much as
        one walk can read.
        """
        task = self._queue[position]
        if task.walk is None:
            rest = self._plan.cut(self._queue, position)
            if rest is not None:
                self._queue.insert(position + 1, rest)
            failed = task.failed_walks
            earlier, limit = (failed.last, failed.limit) if failed else (None, None)
            task.walk = walk(
                self.fetch, task.window, self._stop, earlier, limit, self._plan.largest_page
            )
        task.job_pages = self._plan.job_pages(task, is_head=self._is_next(position))
        task.job = self._pool.submit(fetch_batch, task.walk, task.job_pages)

    def _collect(self, task: Task) -> None:
        """Takes what a job brought: the window is whole, its walk continues, or it is cut anew."""
        pages, error = task.finish_job()
        for page in pages:
            self._plan.add(page)
            task.add(page)
        self._warn_of(task, pages)
        if task.confirms and task.findings.event_count:
            error = self._contradict(task) or error
        if isinstance(error, Inconclusive):
            self._try_again(task, error)
        elif error is not None:
            task.fail(error)
        elif not pages[-1].more:
            self._complete(task)
        elif self._plan.is_too_full(task):
            self._replace(task, *self._plan.recut(task))

    def _contradict(self, task: Task) -> BadAnswer | None:
        """Notes that a window holds events although its first walk found none. An error if that
        happens again and again.
        """
        task.confirms = False
        self._wasted += 2
        if not self._false_silence:
            self._false_silence = True
            self.warn(
                "HubSpot said that there were no events in a time range, and then that there "
                "were. "
                "They are delivered."
            )
        said = Inconclusive(
            "HubSpot said that there were no events, and then that there were.",
            task.findings.event_count,
        )
        return _no_end(task.window, said) if self._is_hopeless() else None

    def _is_hopeless(self) -> bool:
        """Whether so many requests were wasted that no walk is begun anew any more."""
        return self._wasted > MAX_WASTED + 8 * self.concurrency + 4 * self._kept

    def _complete(self, task: Task) -> None:
        found, failed = task.findings, task.failed_walks
        task.whole = True
        self._kept += min(
            found.new_pages, found.event_count
        )  # a page without an event allows no more requests
        # confirming walks are no waste; for empty windows a third still counts, so that endless
        # ones end the sync
        if failed:
            self._wasted -= failed.requests if found.event_count else failed.requests * 2 // 3
            task.confirms = True
        self._plan.note_density(task)

    def _warn_of(self, task: Task, pages: list[WindowPage]) -> None:
        """Warns, once, of answers that cost more requests, or that are hard to believe."""
        if self._plan.ascending and not task.findings.ascending:
            self._plan.ascending = False
            self.warn(
                "HubSpot's answers are out of order: nothing is lost, but the sync takes more "
                "requests."
            )
        if not self._empty_page and any(page.more and not page.event_count for page in pages):
            self._empty_page = True
            self.warn(
                "HubSpot answered with an empty page, twice, although another page named it or "
                "it "
                "names a next one."
            )

    def _try_again(self, task: Task, inconclusive: Inconclusive) -> None:
        """Replaces a window after an inconclusive walk. An unclear end is checked by walking again
        with another page size; a divisible window is cut smaller; a one-second window is walked
        again with nothing else running, since cursors may expire after a few requests.
        """
        requests = task.findings.pages + 2  # what is doubtful was asked for twice
        self._wasted += requests
        before, events_per_page = task.failed_walks, self._plan.max_page_events
        limit = another_size(before.limit if before else events_per_page, events_per_page)
        walks, spent = (before.walks + 1, before.requests + requests) if before else (1, requests)
        again = Task(
            task.window,
            task.density,
            task.expected_density,
            FailedWalks(inconclusive, walks, spent, limit),
        )
        if self._is_hopeless():
            task.fail(_no_end(task.window, inconclusive))
        elif inconclusive.ended and not (before and before.last.ended):
            self._replace(task, again)
        elif self._plan.is_divisible(task.window):
            self._plan.max_pages = max(1, self._plan.max_pages // 2)
            self._replace(task, *self._plan.recut(task, smaller=True))
        elif walks <= MAX_WALKS:
            self._workers = 1
            self._replace(task, again)
        else:
            task.fail(_no_end(task.window, inconclusive))

    def _replace(self, task: Task, *others: Task) -> None:
        others[0].inherited_pages = task.pending_pages
        position = self._queue.index(task)
        self._queue[position : position + 1] = others


def _no_end(window: Window, inconclusive: Inconclusive) -> BadAnswer:
    """The error if no walk through a window comes to a confirmed end."""
    end = "on" if window.end is None else f"to {to_text(window.end)}"
    said = (
        f" It said: {str(inconclusive.cause).partition(' Cure: ')[0]}" if inconclusive.cause else ""
    )
    return BadAnswer(
        f"HubSpot's pages from {to_text(window.start)} {end} never came to a confirmed end: "
        f"{inconclusive}{said} "
        "Cure: start the sync again; if it fails here again, try another page_size, and send this "
        "message to HubSpot Support."
    )
