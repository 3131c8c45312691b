"""What audits cost: the rows billed in a month, by a model that uses the audits' own difference, and
the size of the state. Run: python -m bench.audits
"""

import random
from collections.abc import Sequence
from math import log

from pipeline.audits.cells import MOST_BUCKETS as BUCKETS
from pipeline.audits.cells import Cell, Kind, merge, width
from pipeline.audits.count import Found
from pipeline.audits.difference import to_write
from pipeline.audits.text import encode
from pipeline.fingerprints import EMPTY, Sum
from pipeline.timestamps import DAY

AUDIT_DAYS, LONGEST, HOURS = 256, 180, 24
NOW = 20_000 * DAY
AGES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


def share_late(before: float, after: float) -> float:
    """The share of late events whose delay lies between two ages (days), if its logarithm is spread
    evenly from an hour to 180 days.
    """
    low, high = (min(max(age, 1 / HOURS), LONGEST) for age in (before, after))
    return log(high / low) / log(LONGEST * HOURS)


def rows_of_look(dice: random.Random, per_day: int, late: float, age: int) -> tuple[int, int]:
    """The rows that one day's look at an age writes: those that are late, and the others."""
    new = others = 0
    end = NOW - age * DAY + 1  # or it would be of the next band already
    length = width(end, NOW, AUDIT_DAYS)
    events = per_day * length // DAY
    kept = merge([_cell(dice, end - length, length, events)], NOW, AUDIT_DAYS)[0]
    for _ in range(DAY // length):
        expected = events * late * share_late(age / 2 if age > 1 else 1 / HOURS, age)
        number = sum(dice.random() < expected / 1000 for _ in range(1000))
        if number:
            written = _written(dice, kept, events, number)
            new, others = new + number, others + written - number
    return new, others


def _written(dice: random.Random, kept: Cell, events: int, number: int) -> int:
    prints: list[list[int]] = [[] for _ in range(BUCKETS)]
    for _ in range(events):
        prints[dice.randrange(BUCKETS)].append(dice.getrandbits(64))
    before = Found(prints)
    size = len(kept.buckets)
    folded = tuple(sum(before.buckets[n::size]) % 2**32 for n in range(size)) if size else ()
    cell = kept._replace(sum=before.sum, buckets=folded)
    for _ in range(number):
        prints[dice.randrange(BUCKETS)].append(dice.getrandbits(64))
    return len(to_write(cell, Found(prints), is_fall=False))


def _cell(dice: random.Random, begin: int, length: int, events: int) -> Cell:
    buckets = tuple(dice.getrandbits(32) for _ in range(BUCKETS)) if events else ()
    total = Sum(events, dice.getrandbits(64)) if events else EMPTY
    day = (begin + length - 1) // DAY
    due = day + next(age for age in AGES if day + age >= NOW // DAY)
    return Cell(begin, begin + length, Kind.LOOKED, due, total, buckets)


def billed(dice: random.Random, per_day: int, late: float) -> float:
    """The rows billed in a month, for each event of it. A row that was written in the same month
    already is not billed again; what is younger than 15 days is, half of the time, of this month.
    """
    again = sum(rows_of_look(dice, per_day, late, age)[1] * min(1.0, age / 30) for age in AGES)
    return 1 + again / per_day


def size(per_day: int) -> int:
    """The characters of the cells of one event type in the state."""
    dice, cells, at = random.Random(1), list[Cell](), NOW - AUDIT_DAYS * DAY  # noqa: S311
    while at < NOW:
        length = width(at, NOW, AUDIT_DAYS)
        mean = per_day * length / DAY
        cells.append(_cell(dice, at, length, max(0, round(dice.gauss(mean, mean**0.5)))))
        at += length
    return len(encode(merge(cells, NOW, AUDIT_DAYS)))


def main(volumes: Sequence[int] = (10_000, 1_000_000)) -> None:
    dice = random.Random(1)  # noqa: S311
    for per_day in volumes:
        shares = {late: billed(dice, per_day, late) for late in (0.0001, 0.001, 0.01)}
        said = ", ".join(f"{late:.2%} late: {share:.2f}" for late, share in shares.items())
        print(f"{per_day:,} events a day, rows billed for each event of a month: {said}")
    for per_day in (100, *volumes):
        print(f"{per_day:,} events a day: {size(per_day):,} characters of state")


if __name__ == "__main__":
    main()
