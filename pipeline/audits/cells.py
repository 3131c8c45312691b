"""Cells: stretches of time between borders of the calendar, what was delivered of each, and when it
is looked at next.

Days are whole numbers since 1970, UTC.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from enum import IntEnum
from itertools import dropwhile
from typing import NamedTuple

from pipeline.fingerprints import EMPTY, MODULUS, MOST_BUCKETS, Sum
from pipeline.timestamps import DAY, MINUTE

HOUR = 60 * MINUTE
# ms; each holds a whole number of those before it
WIDTHS = (15 * MINUTE, HOUR, DAY // 4, DAY, 8 * DAY)
BANDS = (8, 32)  # the ages in days from which on a cell is one width and two widths longer
# Buckets kept of a cell; MOST_BUCKETS of one that is old and full: its rows are billed again. Many
# are folded into few by their numbers.
BUCKETS, FULL = 8, 2_048
SPARSE = 2  # widths by which the cell of a sparse type is longer
CROWD = 32  # events in a cell on average: fewer are sparse
FEW = 64  # events: a cell of fewer needs no buckets once it is looked at
SETTLING = 6 * HOUR  # at least between two looks at the same time


class Kind(IntEnum):
    """What is known of a cell. Numbers are saved."""

    UNREAD = 0  # not delivered yet: the gap that a start date moved earlier has left
    UNCOUNTED = 1  # delivered by a version, or in a time, that counted nothing
    LOST = 2  # delivered, but what was counted is lost: it is delivered again
    SILENT = 3  # empty, although events follow: it is read again at the end of the sync
    DELIVERED = 4  # read once; its second look is due on a day
    FELL = 5  # a look found fewer events: it is looked at again on a later day
    LOOKED = 6  # looked at twice; looked at again on a day
    DONE = 7  # past its last look


COUNTED = (Kind.SILENT, Kind.DELIVERED, Kind.FELL, Kind.LOOKED)
SETTLED = (Kind.LOOKED, Kind.DONE)


class Cell(NamedTuple):
    """A half-open range of time, ms UTC. `sum` is of the events delivered of it, `buckets` (none:
    not kept) are sums of those whose ids fall into each, modulo 2**32. `due` is a day.
    """

    begin: int
    end: int
    kind: Kind
    due: int = 0
    sum: Sum = EMPTY
    buckets: tuple[int, ...] = ()

    @property
    def is_empty(self) -> bool:
        return self.kind in COUNTED and self.sum == EMPTY


def second_look_day(later: int) -> int:
    """The day of the second look at what is read now (the later clock, ms): the first midnight at
    least six hours later.

    >>> second_look_day(18 * HOUR), second_look_day(18 * HOUR + 1)
    (1, 2)
    """
    return -((later + SETTLING) // -DAY)


def next_look_day(end: int, today: int) -> int:
    """The day when the age of a cell with this end (ms) has doubled since `today`.

    >>> next_look_day(DAY, 1), next_look_day(DAY, 2), next_look_day(DAY, 4)
    (2, 4, 8)
    """
    return today + max(1, today - (end - 1) // DAY)


def is_due(cell: Cell, today: int) -> bool:
    """Whether a cell is to be looked at, by the earlier clock's day."""
    if cell.kind in (Kind.DELIVERED, Kind.FELL, Kind.LOOKED):
        return cell.due <= today
    return cell.kind in (Kind.UNCOUNTED, Kind.LOST, Kind.SILENT)


def complete_until(cells: Iterable[Cell], end: int, today: int) -> int:
    """The beginning (ms) of the first cell that is due or was not looked at twice, else `end`.

    >>> complete_until([Cell(0, 5, Kind.LOOKED, 3), Cell(5, 9, Kind.DELIVERED, 3)], 9, 2)
    5
    """
    return next((cell.begin for cell in cells if cell.kind not in SETTLED or is_due(cell, today)), end)


def clip(cells: Iterable[Cell], begin: int, end: int) -> list[Cell]:
    """The cells between two moments (ms). A sum cannot be cut, so what was counted of a cell that
    crosses one is lost.

    >>> [(each.begin, each.end, each.kind.name) for each in clip([Cell(0, 5, Kind.LOOKED, 3, Sum(2, 7))], 3, 9)]
    [(3, 5, 'LOST')]
    """
    return [_cut(cell, begin, end) for cell in cells if cell.begin < end and begin < cell.end]


def splice(cells: Sequence[Cell], new: Sequence[Cell]) -> list[Cell]:
    """Contiguous cells with others in the place of what they cover."""
    if not new:
        return list(cells)
    begin, end = new[0].begin, new[-1].end
    before, after = clip(cells, 0, begin), clip(cells, end, 2**62)
    return [*before, *new, *after]


def _cut(cell: Cell, begin: int, end: int) -> Cell:
    if begin <= cell.begin and cell.end <= end:
        return cell
    part = cell._replace(begin=max(begin, cell.begin), end=min(end, cell.end))
    is_lost = cell.kind in COUNTED and not cell.is_empty
    return Cell(part.begin, part.end, Kind.LOST) if is_lost else part


def width(end: int, now: int, audit_days: int, coarser: int = 0) -> int:
    """The length (ms) of the calendar's cell that ends then; once past its last look, a day at
    least.

    >>> [width(0, age * DAY, 256) // MINUTE for age in (7, 8, 32, 257)]
    [15, 60, 360, 1440]
    """
    chosen = WIDTHS[min(_band(end, now) + coarser, len(WIDTHS) - 1)]
    return max(chosen, DAY) if (now - end) // DAY > audit_days else chosen


def merge(cells: Sequence[Cell], now: int, audit_days: int, coarser: int = 0) -> list[Cell]:
    """Joins cells that the calendar, `coarser` widths longer than usual, has as one by now: empty
    neighbors; those within one cell; and, if it holds few events, those within one cell of a sparse
    type. What is past its last look is left out.
    """
    cells = _joined(
        [_forgotten(cell, now, audit_days) for cell in cells],
        lambda first, second: (
            first.sum == second.sum == EMPTY or _share(first, second, width(second.end, now, audit_days, coarser))
        ),
    )
    events = Counter[tuple[int, int]]()

    def wide(cell: Cell) -> int:
        return width(cell.end, now, audit_days, coarser + SPARSE)

    for cell in cells:
        events[wide(cell), (cell.end - 1) // wide(cell)] += cell.sum.events

    def are_sparse(first: Cell, second: Cell) -> bool:
        long = wide(second)
        most = CROWD * long // width(second.end, now, now, coarser)
        return _share(first, second, long) and events[long, (second.end - 1) // long] < most

    merged = [_folded(cell, now) for cell in _joined(cells, are_sparse)]
    # The last stays, for it says how far the counting has come.
    return list(dropwhile(lambda cell: cell.kind == Kind.DONE, merged)) or merged[-1:]


def _share(first: Cell, second: Cell, length: int) -> bool:
    return first.begin // length == (second.end - 1) // length


def _joined(cells: Iterable[Cell], belong: Callable[[Cell, Cell], bool]) -> list[Cell]:
    joined: list[Cell] = []
    for cell in cells:
        if joined and _may_join(joined[-1], cell) and belong(joined[-1], cell):
            cell = _sum(joined.pop(), cell)
        joined.append(cell)
    return joined


def _may_join(first: Cell, second: Cell) -> bool:
    """Whether both were looked at, or wait for the same look."""
    if first.kind != second.kind or first.kind in (Kind.FELL, Kind.UNREAD):
        return False
    return first.kind in SETTLED or first.due == second.due


def _sum(first: Cell, second: Cell) -> Cell:
    total = Sum(first.sum.events + second.sum.events, (first.sum.total + second.sum.total) % MODULUS)
    buckets: tuple[int, ...] = ()
    if first.buckets and second.buckets:
        number = min(len(first.buckets), len(second.buckets))
        buckets = tuple(
            (sum(first.buckets[place::number]) + sum(second.buckets[place::number])) % 2**32 for place in range(number)
        )
    elif first.sum == EMPTY or second.sum == EMPTY:
        buckets = first.buckets or second.buckets
    return Cell(first.begin, second.end, first.kind, min(first.due, second.due), total, buckets)


def _folded(cell: Cell, now: int) -> Cell:
    """A cell with as many buckets as are kept of it. A part of a cell may still join others."""
    if cell.sum.events < FEW and cell.end - cell.begin >= width(cell.end, now, now):
        return cell._replace(buckets=())
    is_old = _band(cell.end, now) == len(BANDS)
    kept = MOST_BUCKETS if is_old and cell.sum.events >= FULL else BUCKETS
    if len(cell.buckets) <= kept:
        return cell
    folded = tuple(sum(cell.buckets[place::kept]) % 2**32 for place in range(kept))
    return cell._replace(buckets=folded)


def _band(end: int, now: int) -> int:
    return sum((now - end) // DAY >= band for band in BANDS)


def _forgotten(cell: Cell, now: int, audit_days: int) -> Cell:
    """A cell without what no later look needs."""
    if cell.kind == Kind.LOOKED and cell.due - (cell.end - 1) // DAY > audit_days:
        return Cell(cell.begin, cell.end, Kind.DONE)
    if now - cell.end > audit_days * DAY:
        return cell._replace(buckets=())
    return cell
