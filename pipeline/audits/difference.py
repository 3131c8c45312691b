"""Tells which events differ between what was delivered and what is there now, by sums alone.

If two sets differ by one event, the difference of their sums is its fingerprint: no list of ids is
kept (set reconciliation; Minsky, Trachtenberg and Zippel 2003). Sums by bucket tell a handful.
"""

from collections.abc import Iterable, Sequence
from itertools import combinations
from math import comb

from pipeline.audits.cells import Cell
from pipeline.audits.count import Found
from pipeline.fingerprints import MODULUS

# Sums tried for a bucket: so few that one of them is right by chance once in a million times.
# Single events are tried in any case.
MOST_CHOICES = 4_000


def to_write(cell: Cell, found: Found, is_fall: bool) -> set[int]:
    """The fingerprints of the events to deliver of a cell that differs: those that are new; a whole
    bucket if a few events do not explain its difference; the whole cell if the sums do not add up.
    If the cell fell, each bucket that differs.
    """
    buckets, before, modulus = _sums(cell, found)
    differing = [
        (prints, (sum(prints) - old) % modulus)
        for prints, old in zip(buckets, before, strict=True)
        if (sum(prints) - old) % modulus
    ]
    if is_fall:
        return _union(prints for prints, _ in differing)
    told = [_few(prints, delta, modulus) for prints, delta in differing]
    pairs = [few or _two(*each, modulus) for few, each in zip(told, differing, strict=True)]
    if all(pairs):
        new = _union(pairs)
        is_proved = (sum(new) - found.sum.total + cell.sum.total) % MODULUS == 0
        if is_proved and len(new) == found.sum.events - cell.sum.events:
            return new
        return _union(found.prints)
    return _union(few or prints for few, (prints, _) in zip(told, differing, strict=True))


def _sums(cell: Cell, found: Found) -> tuple[Sequence[Sequence[int]], Sequence[int], int]:
    """The fingerprints found by bucket, the sum kept of each, and their modulus. A cell of few
    events is one bucket.
    """
    if number := len(cell.buckets):
        folded = [[one for prints in found.prints[place::number] for one in prints] for place in range(number)]
        return folded, cell.buckets, 2**32
    if not cell.sum.events:
        return found.prints, [0] * len(found.prints), MODULUS
    return [[number for prints in found.prints for number in prints]], [cell.sum.total], MODULUS


def _few(prints: Sequence[int], delta: int, modulus: int) -> Sequence[int]:
    """The fewest events that explain a difference, among so few choices that none fits by chance."""
    for number in range(1, len(prints) + 1):
        if comb(len(prints), number) > MOST_CHOICES and number > 1:
            break
        for some in combinations(prints, number):
            if sum(some) % modulus == delta:
                return some
    return ()


def _two(prints: Iterable[int], delta: int, modulus: int) -> Sequence[int]:
    """Two events that explain a difference. Many pairs may have a sum of 32 bits, so they are
    believed only if the sum of the whole cell proves them.
    """
    before: dict[int, int] = {}
    for number in prints:
        other = before.get((delta - number) % modulus)
        if other is not None:
            return other, number
        before[number % modulus] = number
    return ()


def _union(lists: Iterable[Iterable[int]]) -> set[int]:
    return set().union(*lists)
