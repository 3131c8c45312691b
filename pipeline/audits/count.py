"""Counts events: what is delivered behind the watermark, cell by cell, and what given cells hold
now.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from math import inf
from typing import Any

from pipeline.audits.cells import Cell, Kind
from pipeline.fingerprints import MODULUS, Sum, bucket_of, fingerprint
from pipeline.fingerprints import MOST_BUCKETS as BUCKETS
from pipeline.hubspot.events_api import occurred_ms
from pipeline.timestamps import SECOND

ROOM = 10_000  # events that are pending before those that are repeated are looked for


class Count:
    """Counts what is delivered from `begin` (ms) on, while the watermark moves.

    `width(end)` is the calendar's length (ms) of a cell that ends then, `born(end)` the kind and
    the due day of a cell when it is closed. A gap that would hold `page` events, were it as dense
    as the rest, is silence; up to `silent_until` (ms), silence was looked at twice, on two days.
    What occurs from `before()` on is read again by the next sync and not counted yet; it is called
    once, after HubSpot's first answer, which sets the clock.
    """

    def __init__(
        self,
        begin: int,
        width: Callable[[int], int],
        born: Callable[[int], tuple[Kind, int]],
        page: int = 2**62,
        silent_until: int = 0,
        before: Callable[[], int] = lambda: 2**62,
    ):
        self.end = begin  # what occurred before it is counted
        self._begin, self._width, self._born, self._page = begin, width, born, page
        self._silent_until, self._ask_before, self._before = silent_until, before, 0
        # What occurred from `end` on: a number for each event, which sorts by moment and fingerprint.
        self._pending: list[int] = []
        self._room = ROOM
        self._seen, self._latest = 0, begin
        self._longest = 0.0  # ms of a gap that is no silence
        self._closed: list[Cell] = []
        self._open, self._last = begin, begin - 1  # the open cell's begin, and its last event
        self._border = self._next_border(begin)
        self._events, self._total, self._buckets = 0, 0, [0] * BUCKETS

    def add(self, event: Any) -> None:
        """Counts an event that is delivered, unless its time was counted before."""
        ms = occurred_ms(event)
        self._before = self._before or self._ask_before()
        if ms is None or not self.end <= ms < self._before:
            return
        self._pending.append(ms << 64 | fingerprint(event))
        self._seen += 1
        if ms > self._latest:
            self._latest = ms
        if len(self._pending) > self._room:
            once = sorted(set(self._pending))
            self._seen -= len(self._pending) - len(once)
            self._pending = once
            self._room = max(ROOM, 2 * len(self._pending))

    def close(self, end: int) -> None:
        """Closes the cells up to `end` (ms): all before it is delivered, and was added."""
        if end <= self.end:
            return
        self._pending.sort()  # fast, since it is nearly in order
        reached = bisect_left(self._pending, end << 64)
        once = dict.fromkeys(self._pending[:reached])  # a walk may have repeated some
        self._seen -= reached - len(once)
        self._longest = self._longest_gap()
        for event in once:
            ms, number = event >> 64, event & MODULUS - 1
            if ms >= self._border or ms - self._last > self._longest or self._last <= self._begin:
                self._reach(ms)
            self._events += 1
            self._total += number
            self._buckets[bucket_of(number)] += number
            self._last = ms
        del self._pending[:reached]
        self.end = end

    def cells(self) -> list[Cell]:
        """The cells from the beginning up to the end. The watermark enters a gap only once an event
        that follows it was delivered.
        """
        cells, end, self._longest = self._closed.copy(), self.end, self._longest_gap()
        rest = self._cell(end)
        for at, kind in [*self._gap(end), (min(end, self._border), None), (end, None)]:
            if at > rest.begin:
                cells.append(rest._replace(end=at, kind=rest.kind if kind is None else kind))
                rest = Cell(at, end, rest.kind, rest.due)
        return cells

    def _reach(self, ms: int) -> None:
        """Moves on to the next event."""
        for at, kind in self._gap(ms):
            self._cut(at, kind)
        self._cross(ms)

    def _gap(self, ms: int) -> Iterator[tuple[int, Kind | None]]:
        """Yields where to cut between the last event and a moment, and of which kind the cell
        before is: looked at, if syncs found nothing there on two days; else perhaps silent.
        """
        quiet = max(self._open, self._last + 1)
        if self._last <= self._begin and self._begin + 1 < self._silent_until:
            quiet = min(ms, self._silent_until)
            yield quiet, Kind.LOOKED
        if ms - quiet > self._longest:
            yield quiet, None
            yield ms, Kind.SILENT

    def _longest_gap(self) -> float:
        """The longest gap (ms) that is taken for chance: one that would hold less than a page of
        events, were it as dense as the rest.
        """
        if self._seen < self._page:
            return inf
        longest = (self._latest - self._begin) * self._page / (self._seen + self._page)
        return max(SECOND, longest)  # a request asks for whole seconds

    def _cross(self, ms: int) -> None:
        """Cuts at the border of the open cell, if that was crossed; the cells between are one."""
        if ms >= self._border:
            self._cut(self._border)
            length = self._width(ms)
            self._cut(max(self._open, ms - ms % length))

    def _cut(self, at: int, kind: Kind | None = None) -> None:
        if at > self._open:
            cell = self._cell(at)
            self._closed.append(cell if kind is None else cell._replace(kind=kind))
            self._open, self._events, self._total, self._buckets = at, 0, 0, [0] * BUCKETS
        self._border = self._next_border(self._open)

    def _next_border(self, begin: int) -> int:
        length = self._width(begin)
        return begin - begin % length + length

    def _cell(self, end: int) -> Cell:
        kind, due = self._born(end)
        if not self._events:
            return Cell(self._open, end, kind, due)
        buckets = tuple([total & 0xFFFF_FFFF for total in self._buckets])
        total = Sum(self._events, self._total % MODULUS)
        return Cell(self._open, end, kind, due, total, buckets)


class Recount:
    """Counts what given contiguous cells hold now, and remembers the fingerprints."""

    def __init__(self, cells: Sequence[Cell]):
        self._cells = cells
        self._begins, self._end = [cell.begin for cell in cells], cells[-1].end
        self._found = [array("Q") for _ in cells]

    def add(self, event: Any) -> None:
        """Counts an event, unless it lies outside."""
        ms = occurred_ms(event)
        if ms is not None and self._begins[0] <= ms < self._end:
            self._found[bisect_right(self._begins, ms) - 1].append(fingerprint(event))

    def found(self) -> list["Found"]:
        """What each cell holds."""
        return [Found(prints) for prints in self._found]


class Found:
    """The events that a cell holds now, each once: `prints` are their fingerprints by bucket."""

    def __init__(self, prints: Iterable[int]):
        self.prints: list[list[int]] = [[] for _ in range(BUCKETS)]
        for number in sorted(set(prints)):
            self.prints[bucket_of(number)].append(number)
        sums = [sum(bucket) for bucket in self.prints]
        self.sum = Sum(sum(map(len, self.prints)), sum(sums) % MODULUS)
        self.buckets = tuple(total % 2**32 for total in sums) if self.sum.events else ()
