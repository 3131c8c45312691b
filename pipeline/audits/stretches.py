"""Stretches of time behind the watermark, each with the number and the fingerprint of the events delivered of it.

A stretch is audited (read again, and compared) when it has reached an age of 1, 2, 4, 8, … days. Ages are counted to the last
midnight (UTC), so that everything due falls due once a day.
"""
import base64
from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

from pipeline.hubspot.events_api import ID, OBJECT_ID
from pipeline.timestamps import DAY

CELL = DAY // 4  # ms: no stretch is begun in one cell and ended in another, unless it is merged
MODULUS = 2**64
ADOPTED = 0  # the age of a stretch that was delivered before fingerprints were kept: its first audit adopts what it counts

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


class Stretch(NamedTuple):
    """A range of time, half-open, ms UTC; the number of events delivered of it, the sum of their fingerprints (modulo 2**64), and
    the age in days at which it is audited next."""

    begin: int
    end: int
    count: int
    total: int
    age: int

    @property
    def is_known(self) -> bool:
        """Whether what was delivered of it was counted."""
        return self.age != ADOPTED

    def holds_the_same_as(self, other: "Stretch") -> bool:
        return (self.count, self.total) == (other.count, other.total)


def fingerprint(event: Any) -> int:
    """A number for an event, by its id and its object: a merge of two contacts changes the object.

    The numbers of a stretch are added up, so their order does not matter, and two equal ones do not cancel each other.
    """
    text = f"{event.get(ID)}\n{event.get(OBJECT_ID)}"
    return int.from_bytes(blake2b(text.encode("utf-8", "replace"), digest_size=8).digest(), "big")


def midnight(now: int) -> int:
    """The last midnight, ms UTC."""
    return now - now % DAY


def next_age(end: int, now: int) -> int:
    """The age in days, a power of two, at which a stretch with this end that is read `now` (ms) is audited next.

    >>> next_age(0, 3 * DAY), next_age(0, 4 * DAY)
    (4, 8)
    """
    age = 1
    while end + age * DAY <= now:
        age *= 2
    return age


def is_due(stretch: Stretch, now: int) -> bool:
    """Whether a stretch is to be audited today.

    >>> is_due(Stretch(0, CELL, 5, 7, age=1), 2 * DAY - 1), is_due(Stretch(0, CELL, 5, 7, age=1), 2 * DAY)
    (False, True)
    """
    return not stretch.is_known or stretch.end + stretch.age * DAY <= midnight(now)


def complete_until(stretches: Iterable[Stretch], end: int, now: int) -> int:
    """The end (ms) of the time before which no audit is due: the beginning of the first stretch that is due, else `end`, that of
    what is delivered.

    >>> complete_until([Stretch(0, 5, 1, 1, 2), Stretch(5, 9, 1, 1, 1)], 9, 2 * DAY)
    5
    """
    return next((stretch.begin for stretch in stretches if is_due(stretch, now)), end)


def merge(stretches: Sequence[Stretch], now: int, fine: int, most: int) -> list[Stretch]:
    """The stretches with neighbors merged: first those that are short for their age and together hold no more than `fine` events;
    then, until there are at most `most`, those that cost least. What comes late is likelier in a young stretch, and costs as
    many rows as its stretch has events."""
    merged = list(stretches)

    def is_small(first: Stretch, second: Stretch) -> bool:
        return _is_short(first, second, now, 8) and first.count + second.count <= fine

    merged = _merge_pairs(merged, is_small)
    while len(merged) > most:
        pairs = zip(merged, merged[1:], strict=False)
        costs = sorted(_cost(*pair, now) for pair in pairs if _is_short(*pair, now, 4))
        if not costs:
            break
        limit = costs[min(len(costs), len(merged) - most) - 1]
        merged = _merge_pairs(merged, lambda first, second: _is_short(first, second, now, 4) and _cost(first, second, now) <= limit)
    return merged


def _merge_pairs(stretches: Sequence[Stretch], may_merge: Callable[[Stretch, Stretch], bool]) -> list[Stretch]:
    """The stretches, each merged into the one before it if the two may be."""
    merged: list[Stretch] = []
    for stretch in stretches:
        if merged and may_merge(merged[-1], stretch):
            before = merged.pop()
            total = (before.total + stretch.total) % MODULUS
            stretch = Stretch(before.begin, stretch.end, before.count + stretch.count, total, stretch.age)
        merged.append(stretch)
    return merged


def _is_short(first: Stretch, second: Stretch, now: int, part: int) -> bool:
    """Whether two neighbors are audited next at the same age, and are together no longer than one cell or that part of their
    age."""
    if first.age != second.age or not first.is_known:
        return False
    same_cell = first.begin // CELL == (second.end - 1) // CELL
    return same_cell or (second.end - first.begin) * part <= now - second.end


def _cost(first: Stretch, second: Stretch, now: int) -> float:
    return float((first.count + second.count) ** 2 / max(CELL, now - second.end))


def encode(stretches: Sequence[Stretch]) -> str:
    """Contiguous stretches as text: where the first begins, then width, number, sum and age of each.

    >>> encode([Stretch(36, 72, 5, 7, 4)]), decode("10 10.5.AAAAAAAAAAc.2")
    ('10 10.5.AAAAAAAAAAc.2', [Stretch(begin=36, end=72, count=5, total=7, age=4)])
    """
    if not stretches:
        return ""
    return " ".join([_in_base_36(stretches[0].begin), *map(_encode_one, stretches)])


def decode(text: str) -> list[Stretch]:
    """The stretches of a text. Raises ValueError if it is not one."""
    stretches: list[Stretch] = []
    first, *others = text.split() or [""]
    begin = int(first, 36) if first else 0
    for other in others:
        width, count, total, age = other.split(".")
        end = begin + int(width, 36)
        number = int.from_bytes(base64.urlsafe_b64decode(total + "="), "big")
        stretches.append(Stretch(begin, end, int(count, 36), number, ADOPTED if age == "-" else 2 ** int(age, 36)))
        begin = end
    return stretches


def _encode_one(stretch: Stretch) -> str:
    total = base64.urlsafe_b64encode(stretch.total.to_bytes(8, "big")).decode()[:11]
    age = _in_base_36(stretch.age.bit_length() - 1) if stretch.is_known else "-"
    return f"{_in_base_36(stretch.end - stretch.begin)}.{_in_base_36(stretch.count)}.{total}.{age}"


def _in_base_36(number: int) -> str:
    digits = ""
    while number or not digits:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits
