"""Decides where a range of time is cut into windows, by the order and density of the events read so
far. Everything here is an estimate: a wrong one costs requests, never events.

Windows are large enough that their last pages, half empty, cost little, and small enough that a
kill repeats little.
"""

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pipeline.reading.task import Task
from pipeline.reading.window import Window, WindowPage, floor_to_second, next_second
from pipeline.timestamps import SECOND

UNCUT = 6  # a range of this many pages or fewer is read uncut
CERTAIN = 24  # the same, while only its first page is known
MAX_PAGES = 4  # of a window, as planned
MAX_PAGES_ALONE = 6  # the same with one worker
# pages of a window that turns out fuller: walking on costs no page twice, but a kill repeats all
MAX_WALK_PAGES = 12
# the factor by which an empty window is widened, and a full one narrowed, without a better estimate
GROWTH = 8
ALIKE = 2  # densities within this factor are averaged
# bytes in memory of the pages that jobs have brought or will bring, and of the one being emitted
READ_AHEAD = 64 << 20
SMALL_PAGE = READ_AHEAD // 4  # bytes of the pages that are asked for once one was larger than that


@dataclass
class Plan:
    """The pages and the density of events so far, and the cuts that follow from them. `now` is as
    for a Reader.
    """

    now: Callable[[], int]
    concurrency: int
    ascending: bool = True  # whether every answer was in order, so far
    largest_page: int = 0  # in events; 0: none was read yet
    largest_bytes: int = 1
    # events per page, once one of `too_large` was; it grows again while pages are small. None: as
    # configured
    limit: int | None = None
    too_large: int = 0
    horizon: int = 0  # ms: now, or the latest moment of any page; it never moves back
    # of the windows last released
    densities: deque[float] = field(default_factory=lambda: deque(maxlen=3))
    silent: bool = False  # whether the last of them was empty
    # of a window, as planned; fewer once page cursors have failed
    max_pages: int = field(init=False)

    def __post_init__(self) -> None:
        self.max_pages = MAX_PAGES if self.concurrency > 1 else MAX_PAGES_ALONE

    @property
    def page_events(self) -> int:
        """What a full page holds, as far as is known."""
        return max(1, self.largest_page)

    def tick(self) -> None:
        """Moves the horizon with the clock."""
        self.horizon = max(self.horizon, self.now())

    def add(self, task: Task, pages: Sequence[WindowPage]) -> None:
        """Learns from more pages of a window."""
        for page in pages:
            self.largest_page = max(self.largest_page, len(page.places))
            self.largest_bytes = max(self.largest_bytes, page.byte_count)
            if page.byte_count > READ_AHEAD and len(page.places) > 1:
                self.too_large = max(self.too_large, len(page.places))
                self.limit = max(1, len(page.places) * SMALL_PAGE // page.byte_count)
                self.largest_page, self.largest_bytes = self.limit, SMALL_PAGE
            elif self.limit and len(page.places) >= self.limit and 2 * page.byte_count < SMALL_PAGE:
                self.largest_page = min(2 * self.limit, self.too_large)
                self.limit = self.largest_page if self.largest_page < self.too_large else None
            self.horizon = max(self.horizon, (page.latest or 0) + 1)
        self.ascending &= task.findings.ascending

    def distrust(self) -> None:
        """Plans shorter walks: page cursors have failed."""
        self.max_pages = max(1, self.max_pages // 2)

    def known_end(self, window: Window) -> int:
        """The end of a window's events, as far as is known: the horizon, unless the window ends
        before.
        """
        return self.horizon if window.end is None else min(window.end, max(self.horizon, window.start))

    def is_divisible(self, window: Window) -> bool:
        """Whether a window holds a whole second to cut at: it is undocumented whether bounds are
        finer than that.
        """
        return next_second(window.start) < self.known_end(window)

    def note_density(self, task: Task) -> None:
        """Notes the density of a whole window. If it is empty and answers are in no order, no
        single page shows where events continue: the next window is wider, until one is not empty.
        """
        task.density = task.findings.event_count / max(1, self.known_end(task.window) - task.window.start)
        if not task.findings.event_count and not self.ascending:
            task.density = task.expected_density / GROWTH

    def pages_to_come(self, task: Task) -> float:
        """An estimate of the pages that a walk has still to bring."""
        found = task.findings
        if task.known_events is not None:
            return max(1.0, (task.known_events - found.event_count) / self.page_events)
        if found.earliest is None or found.latest is None:
            return 1
        start, end = task.window.start, self.known_end(task.window)
        unread = end - found.latest if found.ascending else max(0, found.earliest - start) + max(0, end - found.latest)
        if not found.ascending and unread < (end - start) * (1 - 1 / GROWTH):
            # what was read lies all over the window: it may hold any number more
            return 2 * found.new_pages
        return max(1.0, unread * found.density_ahead(task.expected_density) / self.page_events)

    def is_too_full(self, task: Task) -> bool:
        """Whether cutting a window anew costs less than walking on through it. Not while its pages
        hold only events of its neighbors: its pieces would have the same pages.
        """
        found = task.findings
        if found.earliest is None or found.latest is None or not self.is_divisible(task.window):
            return False
        if self.limit and task.walk and task.walk.limit is None:
            return True  # its pages are too large
        limit = MAX_WALK_PAGES if task.expected_density or task.walks else UNCUT
        if found.pages == 1 and limit == UNCUT:
            if not found.is_full or found.latest - found.earliest < SECOND:
                # HubSpot may grant fewer events than are known, or a burst may be all there is.
                return False
            limit = CERTAIN
        return found.new_pages + self.pages_to_come(task) > limit

    def recut(self, task: Task, smaller: bool = False) -> tuple[Task, Task]:
        """Splits a window in two. Cuts after what was read, if answers are in order (if `smaller`,
        within the first page); else before it, if it is one cluster; else at its median, if more
        events came than expected; else by the densest estimate.
        """
        found = task.findings
        start, end, pages = task.window.start, self.known_end(task.window), max(1, found.new_pages)
        first, last = (
            (start, start) if found.earliest is None or found.latest is None else (found.earliest, found.latest)
        )
        piece = rest = None
        if found.ascending and last > start:
            at = first + (last - first) // (pages + 1) if smaller else last
            piece, rest = (found.event_count / (last - start), found.density_ahead(task.expected_density))
        elif (last - first) * GROWTH < end - start and first > next_second(start) and not smaller:
            # A second into the cluster, or its window would hold exactly a page, which is no plain
            # end.
            at, rest = min(next_second(first), last), found.density_ahead(task.expected_density)
            piece = task.expected_density or rest
        elif task.expected_density and found.median is not None and not smaller:
            at = found.median
        else:
            piece = max(GROWTH * pages * self.page_events / (end - start), max(self.densities, default=0))
            at = start + int(self.page_events / piece)
        cut = min(max(floor_to_second(at), next_second(start)), floor_to_second(end - 1))
        return Task(Window(start, cut), piece), Task(Window(cut, task.window.end), rest)

    def cut(self, queue: Sequence[Task], position: int, density: float) -> Window:
        """The part of the window at a position in the queue that one walk will probably read whole,
        at this density. Where no events are known, that is all of it: its first page shows where
        they continue, and how densely.
        """
        task = queue[position]
        window = task.window
        start, end = window.start, self.known_end(window)
        range_end = self.known_end(queue[-1].window)
        pages = density * (range_end - start) / self.page_events
        share = int(pages / (2 * self.concurrency))  # so that all workers have some
        most = min(self.max_pages, max(2, share))
        if task.walks or density * (end - start) / self.page_events <= most:
            return window
        # A little less: a page with a few events costs as much as a full one.
        aim = most - 0.1 - math.sqrt(most / self.page_events) / 2
        at = next_second(start + max(0, int(aim * self.page_events / density) - SECOND // 2))
        return Window(start, at) if at < end else window

    def density_at(self, queue: Sequence[Task], position: int) -> float:
        """The density of events at a position in the queue, as far as that window or those before
        it show: the nearest known, averaged with others like it. After an empty window, each one
        not yet read is taken to be sparser than the one before.
        """
        if (known := queue[position].density) is not None:
            return known
        before = [task for task in queue[:position] if task.density is not None]
        nearest, *others = [*(task.density or 0.0 for task in reversed(before)), *reversed(self.densities)] or [0.0]
        after_silence = before[-1].is_empty() if before else self.silent
        if after_silence:
            unread = position - (queue.index(before[-1]) + 1 if before else 0)
            return float(nearest / GROWTH**unread)
        alike = [density for density in others[:2] if nearest / ALIKE < density < nearest * ALIKE]
        return sum(alike, nearest) / (1 + len(alike))

    def release(self, task: Task) -> None:
        """Remembers the density of a window that is released."""
        self.densities.append(task.density or 0.0)
        self.silent = task.is_empty()

    def job_pages(self, task: Task, is_head: bool) -> int:
        """The pages that one job brings: all that are expected, as far as memory allows; only one
        if the consumer waits for it, or if it is the first, which shows how full the window is.
        """
        if is_head or not task.findings.pages:
            return 1
        # the last third waits to be released
        allowed = READ_AHEAD * 2 // 3 // (self.largest_bytes * (self.concurrency + 1))
        return max(1, min(math.ceil(self.pages_to_come(task)), MAX_WALK_PAGES, allowed))
