"""Which events differ between what was delivered and what is there now, told by sums alone.

If two sets differ by one event, the difference of their sums is its fingerprint: no list of ids is
kept (set reconciliation; Minsky, Trachtenberg and Zippel 2003). Sums by bucket tell a handful.
"""

from collections.abc import Iterable, Sequence

from pipeline.audits.cells import Cell
from pipeline.audits.count import Found
from pipeline.fingerprints import MODULUS


def to_write(cell: Cell, found: Found, is_fall: bool) -> set[int]:
    """The fingerprints of the events to deliver of a cell that differs: those that are new; all of
    a bucket that no one or two events explain; all of the cell if the sums do not add up. If it
    fell, all of each bucket that differs.

    Two events are believed only where the whole sum proves everything: many pairs make a sum of 32
    bits, and few events a whole one.
    """
    buckets, before, modulus = _sums(cell, found)
    differing = [
        (prints, (sum(prints) - old) % modulus)
        for prints, old in zip(buckets, before, strict=True)
        if (sum(prints) - old) % modulus
    ]
    if is_fall:
        return set().union(*(prints for prints, _ in differing))
    told = [
        _one(prints, delta, modulus) or _two(prints, delta, modulus) for prints, delta in differing
    ]
    if all(told):
        new = [number for each in told for number in each]
        is_proved = (sum(new) - found.sum.total + cell.sum.total) % MODULUS == 0
        if is_proved and len(new) == found.sum.events - cell.sum.events:
            return set(new)
        return set().union(*found.prints)
    return set().union(*(_one(prints, delta, modulus) or prints for prints, delta in differing))


def _sums(cell: Cell, found: Found) -> tuple[Sequence[Sequence[int]], Sequence[int], int]:
    """The fingerprints found by bucket, the sums kept of each, and their modulus: a cell of few
    events has only its whole sum.
    """
    if cell.buckets:
        return found.prints, cell.buckets, 2**32
    if not cell.sum.events:
        return found.prints, [0] * len(found.prints), MODULUS
    return [[number for prints in found.prints for number in prints]], [cell.sum.total], MODULUS


def _one(prints: Iterable[int], delta: int, modulus: int) -> list[int]:
    return next(([number] for number in prints if number % modulus == delta), [])


def _two(prints: Iterable[int], delta: int, modulus: int) -> list[int]:
    before: dict[int, int] = {}
    for number in prints:
        other = before.get((delta - number) % modulus)
        if other is not None:
            return [other, number]
        before[number % modulus] = number
    return []
