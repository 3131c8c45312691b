"""Reads a range of time with several workers, and releases its pages window by window; owns the
watermark.

The law: **the order of HubSpot's answers decides what a sync costs, never what it delivers.** A
range is cut into windows, and the watermark moves only over whole ones (whole.py). All planning is
in the consumer's thread: workers walk and plan nothing, so there are no locks.
"""

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, ThreadPoolExecutor, wait
from functools import cache
from itertools import islice
from typing import Any

from pipeline.errors import BadAnswer, ConnectorError, Unavailable
from pipeline.fingerprints import Sum
from pipeline.hubspot.events_api import occurred_ms
from pipeline.reading.cutting import READ_AHEAD, Plan
from pipeline.reading.task import Batch, Task
from pipeline.reading.walk import Walk
from pipeline.reading.whole import Inconclusive, another_size
from pipeline.reading.window import Fetch, Window, WindowPage, answer_of, floor_to_second, next_second, out_of_turn
from pipeline.timestamps import MINUTE, Span, to_text

MAX_WALKS = 5  # beyond the first, through one second, which cannot be cut
MAX_ANEW = 32  # walks begun anew, plus 8 for each worker, plus 4 for each whole window with events
UNCLEAR = "HubSpot's pages ended without saying so clearly."


def fetch_batch(pages: Iterator[WindowPage], max_pages: int) -> Batch:
    """Takes up to `max_pages` pages of a walk. Runs in a worker."""
    batch: list[WindowPage] = []
    try:
        for page in islice(pages, max_pages):
            batch.append(page)  # one by one, so that the pages before an error are kept
    except (ConnectorError, Inconclusive) as error:
        return Batch(batch, error)
    return Batch(batch)


class Reader:
    """Reads a range of time with `concurrency` workers. A context manager: leaving it, in whatever
    way, ends the workers. Used from one thread, for one range.

    `fetch(request, stop)` returns one page and raises when `stop` is set; `now` is the later of the
    clocks (ms): what is dated after it does not move the watermark. `settled` returns the moment
    (ms) before which two walks are compared, since at the live end they never agree. Events outside
    the range and before `floor` (ms) are dropped; `warn` receives a message for the operator. The
    workers are those of `pool`, or its own.
    """

    def __init__(
        self,
        fetch: Fetch,
        now: Callable[[], int],
        concurrency: int = 1,
        floor: int = 0,
        warn: Callable[[str], None] = lambda sentence: None,
        settled: Callable[[], int] | None = None,
        pool: Executor | None = None,
    ):
        self.fetch, self.now, self.concurrency, self.floor = fetch, now, concurrency, floor
        self._warn = cache(warn)  # each sentence once
        self._settled = cache(settled or (lambda: now() - MINUTE))
        # the watermark, ms: everything before it is delivered; a resume starts here
        self.position = 0
        self.out_of_range = 0  # events that were released although nobody asked for their time
        self.waited = 0.0  # seconds the consumer waited for a page

        self._queue: list[Task] = []  # the rest of the range as windows, in order
        self._out_of_turn: deque[WindowPage] = deque()  # what there was no room to hold
        self._emitting = 0  # bytes of the page that the consumer has
        self._plan = Plan(now, concurrency)
        self._frontier: float = 0  # ms: every window before it is whole, and released
        self._latest = 0  # the latest moment released that is not in the future, ms
        self._crowd = 0  # events in its second
        self._anew = 0  # walks begun anew
        self._whole = 0  # windows
        self._workers = concurrency
        self._shared = pool
        # starts no thread before the first job
        self._pool = pool or ThreadPoolExecutor(concurrency, thread_name_prefix="hubspot")
        self._started = 0.0  # monotonic seconds
        self._stop = threading.Event()

    def __enter__(self) -> "Reader":
        self._started = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._shared is None:
            self._pool.shutdown(wait=True, cancel_futures=True)
        else:
            wait([task.job for task in self._queue if task.job and not task.job.cancel()])

    def open(self, span: Span, known_events: int | None = None) -> None:
        """Sends the first request for a time range (ms), so that `pages` need not wait for it.
        `known_events` is how many the range held when it was last read: if few, it is read uncut.
        """
        self._queue = [Task(Window(*span), known_events=known_events)]
        self.position = self._latest = span[0]
        self._frontier = span[0]
        self._schedule()

    def has_given_up(self) -> bool:
        """Whether the first request has found HubSpot unavailable, which `pages` would raise."""
        job = self._queue[0].job if self._queue else None
        return bool(job and job.done() and isinstance(job.result().error, Unavailable))

    def pages(self, span: Span, known_events: int | None = None) -> Iterator[dict[str, Any]]:
        """Yields the pages of a time range, as HubSpot sent them: window by window, and within a
        window as HubSpot lists them. A page with `counted` False is out of turn: read by a walk
        that does not count. `open` need not have been called.

        Raises what `fetch` raises, where the page would have come, and BadAnswer if no walk comes
        to an end.
        """
        if not self._queue:
            self.open(span, known_events)
        while self._queue:
            self._schedule()
            head = self._queue[0]
            if page := self._next_page(head):
                self._emitting = page.byte_count
                self._schedule()  # so that workers read on while this page is emitted
                yield self._release(page)
                self._emitting = 0
                # Only now: the consumer has come back, so every row of this page has been emitted.
                self._note_latest(page)
            elif head.error is not None:
                raise head.error
            elif head.whole:
                self._queue.pop(0)
                self._plan.release(head)
                self._frontier = math.inf if head.window.end is None else head.window.end
            else:
                self._wait()
            self._advance()

    def _next_page(self, head: Task) -> WindowPage | None:
        """The next page to release, if there is one. If answers are out of order, a window that is
        not whole may still be cut anew, and its rows would be emitted twice for nothing.
        """
        if self._out_of_turn:
            return self._out_of_turn.popleft()
        is_final = head.whole or head.error is not None or not self._plan.is_divisible(head.window)
        return head.pending.popleft() if head.pending and (self._plan.ascending or is_final) else None

    def _release(self, page: WindowPage) -> dict[str, Any]:
        if not page.is_counted:
            page.events = [each for each in page.events if self._is_wanted(each)]
        others = [each for each in page.outside if self._is_wanted(each)]
        self.out_of_range += len(others)
        return answer_of(page, others)

    def _is_wanted(self, event: Any) -> bool:
        moment = occurred_ms(event)
        return moment is None or moment >= self.floor

    def _note_latest(self, page: WindowPage) -> None:
        """Notes the latest moment released that is not in the future, and how many events share its
        second.
        """
        last, now = page.latest, self.now()
        if last is not None and last > now:
            moments = (ms for ms in map(occurred_ms, page.events) if ms is not None)
            last = max((ms for ms in moments if ms <= now), default=None)
        if last is not None and last >= floor_to_second(self._latest):
            begin = floor_to_second(last)
            crowd = sum(ms is not None and begin <= ms <= last for ms in page.places.values())
            self._crowd = crowd + (self._crowd if begin <= self._latest else 0)
            self._latest = max(self._latest, last)

    def _advance(self) -> None:
        """Moves the watermark over whole windows, but not past the latest event: more may become
        visible there. A second that fills pages is passed, or each sync would read and write them
        again until something follows.
        """
        latest = self._latest
        if self._crowd > self._plan.page_events:
            latest = max(latest, min(next_second(latest), self.now()))
        self.position = max(self.position, int(min(self._frontier, latest)))

    # -- the queue: what jobs brought, and which are started next

    def _wait(self) -> None:
        since = time.monotonic()
        wait([task.job for task in self._queue if task.job], return_when=FIRST_COMPLETED)
        self.waited += time.monotonic() - since

    def _schedule(self) -> None:
        """Collects the jobs that are done, then starts others, from the head of the queue on, until
        all workers are busy: a slow head keeps no other window waiting.
        """
        self._plan.tick()
        for task in list(self._queue):
            if task.job is not None and task.job.done():
                self._collect(task)
        running, position = sum(task.job is not None for task in self._queue), 0
        while (
            position < len(self._queue)
            and self._queue[position].error is None  # what follows an error is not released
            and running < self._workers
            and (self._has_room() or (self._emitting <= READ_AHEAD and self._is_next(position)))
        ):
            if self._queue[position].is_ready():
                self._start(position)
                running += 1
            position += 1

    def _is_next(self, position: int) -> bool:
        """Whether the consumer waits for a window in the queue: all before it are whole, and
        nothing of them is left to release.
        """
        return all(task.whole and not task.pending for task in self._queue[:position])

    def _has_room(self) -> bool:
        """Whether memory allows one more job: a consumer that never waits is granted a third of it,
        one that has waited a quarter of its time all of it.
        """
        to_come = sum(task.job_pages for task in self._queue if task.job)
        used = self._emitting + self._waiting_bytes() + to_come * self._plan.largest_bytes
        # three seconds more, so that waiting for the first answer does not decide it
        elapsed = time.monotonic() - self._started + 3
        return used < READ_AHEAD * min(1.0, 1 / 3 + 3 * self.waited / elapsed)

    def _waiting_bytes(self) -> int:
        return sum(task.waiting_bytes() for task in self._queue)

    def _start(self, position: int) -> None:
        """Starts a job on a window in the queue; if it has no walk yet, one begins, through as much
        of it as one walk can read.
        """
        task = self._queue[position]
        if task.walk is None:
            task = self._narrow(position)
            largest, limit = self._plan.largest_page, task.limit or self._plan.limit
            task.walk = Walk(task.window, limit, largest, task.known, self._settled)
            task.pages = task.walk.pages(self.fetch, self._stop)
        task.job_pages = self._plan.job_pages(task, is_head=self._is_next(position))
        task.job = self._pool.submit(fetch_batch, task.pages, task.job_pages)

    def _narrow(self, position: int) -> Task:
        """Cuts a window in the queue down to what one walk will probably read whole. Returns it."""
        task = self._queue[position]
        density = self._plan.density_at(self._queue, position)
        window = self._plan.cut(self._queue, position, density)
        if window != task.window:
            rest = Task(Window(window.end or window.start, task.window.end))
            self._replace(task, Task(window, task.density), rest)
        self._queue[position].expected_density = density
        return self._queue[position]

    def _collect(self, task: Task) -> None:
        """Takes what a job brought, and decides whether its window is whole, is walked on, is cut
        anew, or is walked again.
        """
        pages, error = task.finish_job()
        for page in pages:
            task.add(page)
        self._plan.add(task, pages)
        self._warn_of(pages)
        if isinstance(error, Inconclusive):
            self._walk_again(task, error)
        elif error is not None:
            task.fail(error)
        elif pages[-1].is_end:
            if pages[-1].is_plain or task.holds_the_same():
                self._complete(task)
            else:
                self._walk_again(task, Inconclusive(UNCLEAR), task.findings.held)
        elif self._plan.is_too_full(task):
            self._replace(task, *self._plan.recut(task))

    def _complete(self, task: Task) -> None:
        task.complete()
        self._whole += not task.is_empty()  # or endless silence would allow endless walks
        self._plan.note_density(task)

    def _warn_of(self, pages: list[WindowPage]) -> None:
        """Warns of answers that cost requests, or that are hard to believe."""
        if not self._plan.ascending:
            self._warn("HubSpot's answers are out of order: nothing is lost, but the sync takes more requests.")
        if any(not page.is_end and not page.places for page in pages):
            self._warn(
                "HubSpot answered with an empty page, twice, although another page led to it or it names a next one."
            )

    def _walk_again(self, task: Task, why: Inconclusive, held: Sum | None = None) -> None:
        """Replaces a window after a walk that proves nothing. If it came to an end, what it `held`
        is compared with another walk's, at another page size. Otherwise a divisible window is cut
        smaller, and one second is walked again with nothing else running, since page cursors may
        expire after a few requests.
        """
        self._anew += 1
        limit = another_size(task.limit or self._plan.page_events, self._plan.page_events)
        again = Task(
            task.window,
            task.density,
            task.expected_density,
            known_events=None if held is None else task.findings.event_count,
            held_before=held,
            walks=task.walks + 1,
            limit=limit,
        )
        if self._anew > MAX_ANEW + 8 * self.concurrency + 4 * self._whole:
            task.fail(_no_end(task.window, why))
        elif held is not None and task.held_before is None:
            self._replace(task, again)
        elif self._plan.is_divisible(task.window):
            self._plan.distrust()
            self._replace(task, *self._plan.recut(task, smaller=True))
        elif task.walks < MAX_WALKS:
            self._workers = 1
            self._replace(task, again)
        else:
            task.fail(_no_end(task.window, why))

    def _replace(self, task: Task, *heirs: Task) -> None:
        """Puts other windows in the place of one. They inherit what was read of it, as far as there
        is room; the rest is released at once.
        """
        task.hand_down(heirs)
        position = self._queue.index(task)
        self._queue[position : position + 1] = heirs
        for heir in heirs:
            if heir.unreleased and self._waiting_bytes() > READ_AHEAD:
                self._out_of_turn.append(out_of_turn(heir.unreleased))
                heir.unreleased, heir.unreleased_bytes = [], 0


def _no_end(window: Window, why: Inconclusive) -> BadAnswer:
    """The error for a window that no walk proves whole."""
    end = "on" if window.end is None else f"to {to_text(window.end)}"
    said = f" It said: {str(why.cause).partition(' Cure: ')[0]}" if why.cause else ""
    return BadAnswer(
        f"HubSpot's pages from {to_text(window.start)} {end} never came to a confirmed end: {why}"
        f"{said} Cure: start the sync again; if it fails here again, try another page_size, and "
        "send this message to HubSpot Support."
    )
