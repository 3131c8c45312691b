"""Where a range of time is cut into windows. All of it is foresight, from the order and the density of the events read so far: if
it is wrong, a sync costs more requests, and nothing else.

Windows are large enough that their last pages, half empty, cost little, and small enough that a kill repeats little.
"""
import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pipeline.reading.task import Task
from pipeline.reading.window import Window, WindowPage, next_second, whole_second
from pipeline.timestamps import SECOND

FIRST_PAGES = 2  # of the whole range, before anything is decided: a sync of two pages costs two requests
UNCUT = 6  # pages of a range that is not worth cutting
MOST_PAGES = 4  # of a window, as planned: what a worker takes
MOST_ALONE = 6  # with one worker, which nobody waits for
LONGEST_WALK = 12  # pages of a window that turns out fuller: walking on costs no page twice, but a kill repeats them all
GROWTH = 8  # by how much an empty window is widened, and a full one narrowed, where nothing more is known
ALIKE = 2  # densities no further apart are averaged
READ_AHEAD = 20 << 20  # bytes of JSON that jobs have brought or are about to; as objects they take three times that


@dataclass
class Plan:
    """What is known of the pages and the density of events so far, and what follows for where to cut; `now` as for a Reader."""

    now: Callable[[], int]
    concurrency: int
    ascending: bool = True  # whether every answer was in order, so far
    page_events: int = 1  # the largest page, in events
    page_bytes: int = 1  # the same in bytes
    horizon: int = 0  # ms: now, or the latest moment of any page; it never moves back, whatever the clocks do
    densities: deque[float] = field(default_factory=lambda: deque(maxlen=3))  # of the windows last released
    silent: bool = False  # whether the last of them was empty
    most_pages: int = field(init=False)  # of a window, as planned; fewer once page cursors have failed

    def __post_init__(self) -> None:
        self.most_pages = MOST_PAGES if self.concurrency > 1 else MOST_ALONE

    def add(self, page: WindowPage) -> None:
        """Learns from one more page."""
        self.page_events, self.page_bytes = max(self.page_events, page.fullness), max(self.page_bytes, page.size)
        self.horizon = max(self.horizon, (page.last or 0) + 1)

    def end(self, window: Window) -> int:
        """Where a window's events end, as far as is known: now, unless it ends before."""
        self.horizon = max(self.horizon, self.now())
        return self.horizon if window.end is None else min(window.end, max(self.horizon, window.start))

    def is_divisible(self, window: Window) -> bool:
        """Whether a window holds a whole second to cut at: nobody knows whether bounds are finer than that."""
        return next_second(window.start) < self.end(window)

    def note_density(self, task: Task) -> None:
        """Notes the density of a whole window. If it is empty and answers come in any order, no single page shows where events
        continue: the next window is wider, until one is found that is not empty."""
        task.density = task.found.events / max(1, self.end(task.window) - task.window.start)
        if not task.found.events and not self.ascending:
            task.density = task.expected / GROWTH

    def pages_to_come(self, task: Task) -> float:
        """How many pages a walk has still to bring."""
        found = task.found
        if found.first is None or found.last is None:
            return 1
        start, end = task.window.start, self.end(task.window)
        unread = end - found.last if found.ascending else max(0, found.first - start) + max(0, end - found.last)
        if not found.ascending and unread < (end - start) * (1 - 1 / GROWTH):
            return 2 * found.pages  # what was read lies all over the window: it may hold any number more
        return max(1.0, unread * found.density_ahead(task.expected) / self.page_events)

    def is_too_full(self, task: Task) -> bool:
        """Whether it costs less to cut a window anew than to walk on through it. Not while its pages hold only events of its
        neighbours: its pieces would have the same pages."""
        longest = LONGEST_WALK if task.expected or task.earlier else UNCUT
        if task.found.first is None or not self.is_divisible(task.window):
            return False
        return task.found.pages + self.pages_to_come(task) > longest

    def recut(self, task: Task, smaller: bool = False) -> tuple[Task, Task]:
        """Two windows in place of one. If answers are in order, the cut is behind what was read (or, if it must be `smaller`,
        before the first page ends). If what was read lies together, it is before that. If the windows before foretold fewer
        events, it is in the middle of what was read. Otherwise nothing is known but that the window is too full."""
        found = task.found
        start, end, pages = task.window.start, self.end(task.window), max(1, found.pages)
        first, last = (start, start) if found.first is None or found.last is None else (found.first, found.last)
        piece = rest = None
        if found.ascending and last > start:
            at = first + (last - first) // (pages + 1) if smaller else last
            piece, rest = found.events / (last - start), found.density_ahead(task.expected)
        elif (last - first) * GROWTH < end - start and first > next_second(start) and not smaller:
            at, rest = first, found.density_ahead(task.expected)
            piece = task.expected or rest
        elif task.expected and found.middle is not None and not smaller:
            at = found.middle
        else:
            piece = max(GROWTH * pages * self.page_events / (end - start), max(self.densities, default=0))
            at = start + int(self.page_events / piece)
        cut = min(max(whole_second(at), next_second(start)), whole_second(end - 1))
        return Task(Window(start, cut), piece), Task(Window(cut, task.window.end), rest)

    def cut(self, queue: Sequence[Task], position: int) -> Task | None:
        """Narrows the window at a position in the queue to what one walk will probably read whole; returns the rest, None if
        there is none. Where no events are known, it stays whole: its first page shows where they continue, and how densely."""
        task = queue[position]
        window, task.expected = task.window, self.density_at(queue, position)
        start, end = window.start, self.end(window)
        range_end = self.end(queue[-1].window)
        pages = task.expected * (range_end - start) / self.page_events
        share = int(pages / (2 * self.concurrency))  # so that all workers have some
        most = min(self.most_pages, max(2, share))
        if task.earlier is not None or task.expected * (end - start) / self.page_events <= most:
            return None
        aim = most - 0.1 - math.sqrt(most / self.page_events) / 2  # a page that holds a few events costs as much as a full one
        at = next_second(start + max(0, int(aim * self.page_events / task.expected) - SECOND // 2))
        if at >= end:
            return None
        task.window = Window(start, at)
        return Task(Window(at, window.end))

    def density_at(self, queue: Sequence[Task], position: int) -> float:
        """How densely events lie at a position in the queue, as far as that window or those before it show: the nearest, averaged
        with others that are alike. After an empty window, each one not yet read is wider than the one before."""
        if (known := queue[position].density) is not None:
            return known
        before = [task for task in queue[:position] if task.density is not None]
        nearest, *others = [*(task.density or 0.0 for task in reversed(before)), *reversed(self.densities)] or [0.0]
        if before[-1].is_empty() if before else self.silent:
            unread = position - (queue.index(before[-1]) + 1 if before else 0)
            return float(nearest / GROWTH**unread)
        alike = [density for density in others[:2] if nearest / ALIKE < density < nearest * ALIKE]
        return sum(alike, nearest) / (1 + len(alike))

    def release(self, task: Task) -> None:
        """Remembers the density of a window that is released."""
        self.densities.append(task.density or 0.0)
        self.silent = task.is_empty()

    def job_pages(self, task: Task, is_head: bool) -> int:
        """The pages that one job brings: all that are expected, as far as memory allows. One if the consumer waits for it, and
        one at first, since that shows whether the window is as full as planned."""
        if self.page_bytes == 1:  # nothing was read yet
            return FIRST_PAGES
        if is_head or not task.found.asked:
            return 1
        allowed = READ_AHEAD * 2 // 3 // (self.page_bytes * (self.concurrency + 1))  # the last third waits to be released
        return max(1, min(math.ceil(self.pages_to_come(task)), LONGEST_WALK, allowed))
