"""Stretches of time behind the watermark, each with the number and the fingerprint of the events
delivered of it.

A stretch is audited (read again, and compared) when it has reached an age of 1, 2, 4, 8, … days.
Ages are counted to the last midnight (UTC), so that everything due falls due once a day.
"""

import base64
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from hashlib import blake2b
from itertools import dropwhile
from typing import Any, NamedTuple

from pipeline.hubspot.events_api import ID, OBJECT_ID
from pipeline.timestamps import DAY

CELL = DAY // 4  # ms: no stretch is begun in one cell and ended in another, unless it is merged
MODULUS = 2**64
# fingerprints remembered while events are counted, so that what the API repeats counts once
RECENT = 20_000
# the age of a stretch that was delivered before fingerprints were kept: its first audit adopts what
# it counts
ADOPTED = 0

_EMPTY = blake2b(digest_size=8)
_AGES = {ADOPTED, *(2**n for n in range(20))}
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


class Stretch(NamedTuple):
    """A range of time, half-open, ms UTC; the number of events delivered of it, the sum of their
    fingerprints (modulo 2**64), and the age in days at which it is audited next.
    """

    begin: int
    end: int
    events: int
    total: int
    age: int

    @property
    def is_counted(self) -> bool:
        """Whether what was delivered of it was counted."""
        return self.age != ADOPTED

    @property
    def is_unsettled(self) -> bool:
        """Whether it holds an impossible sum, so that its next audit delivers it again."""
        return self.events == 0 and self.total != 0

    def holds_the_same_as(self, other: "Stretch") -> bool:
        return (self.events, self.total) == (other.events, other.total)


def uncounted(begin: int, end: int) -> Stretch:
    """A range of time of which nobody knows how many events were delivered."""
    return Stretch(begin, end, 0, 0, ADOPTED)


def unsettled(begin: int, end: int) -> Stretch:
    """A range of time that was delivered, but is to be delivered again as soon as it may be, since
    its sum is lost.
    """
    return Stretch(begin, end, 0, 1, 1)


def split(stretch: Stretch, at: int) -> tuple[Stretch, Stretch]:
    """A stretch as two. Its sum cannot be split, so what was counted is unsettled."""
    part = unsettled if stretch.is_counted else uncounted
    return part(stretch.begin, at), part(at, stretch.end)


def fingerprint(event: Any) -> int:
    """A number for an event, by its id and its object: a merge of two contacts changes the object.

    The numbers of a stretch are added up, so their order does not matter, and two equal ones do not
    cancel each other.
    """
    digest = _EMPTY.copy()  # cheaper than a new one
    digest.update(f"{event.get(ID)}\n{event.get(OBJECT_ID)}".encode("utf-8", "replace"))
    return int.from_bytes(digest.digest(), "big")


def midnight(now: int) -> int:
    """The last midnight, ms UTC."""
    return now - now % DAY


def next_age(end: int, now: int) -> int:
    """The age in days, a power of two, at which a stretch with this end that is read `now` (ms) is
    audited next.

    >>> next_age(0, 3 * DAY), next_age(0, 4 * DAY)
    (4, 8)
    """
    age = 1
    while end + age * DAY <= now:
        age *= 2
    return age


def last_age(audit_days: int) -> int:
    """The last age, in days, at which a stretch is audited: a power of two. 0: it is not audited.

    >>> last_age(256), last_age(30), last_age(0)
    (256, 16, 0)
    """
    return 1 << audit_days.bit_length() - 1 if audit_days else 0


def is_due(stretch: Stretch, now: int) -> bool:
    """Whether a stretch is to be audited today.

    >>> is_due(Stretch(0, CELL, 5, 7, age=1), 2 * DAY - 1), is_due(Stretch(0, CELL, 5, 7, age=1), 2 * DAY)
    (False, True)
    """
    return not stretch.is_counted or stretch.end + stretch.age * DAY <= midnight(now)


def still_audited(stretches: Sequence[Stretch], audit_days: int) -> list[Stretch]:
    """The stretches without the first ones if they are not audited any more."""
    return list(dropwhile(lambda stretch: stretch.age > audit_days, stretches))


def complete_until(stretches: Iterable[Stretch], end: int, now: int) -> int:
    """The end (ms) of the time before which no audit is due: the beginning of the first stretch
    that is due, else `end`, that of what is delivered.

    >>> complete_until([Stretch(0, 5, 1, 1, 2), Stretch(5, 9, 1, 1, 1)], 9, 2 * DAY)
    5
    """
    return next((stretch.begin for stretch in stretches if is_due(stretch, now)), end)


def merge(stretches: Sequence[Stretch], now: int, fine: int, most: int) -> list[Stretch]:
    """The stretches with neighbors merged: first those that are short for their age and together
    hold no more than `fine` events; then, until there are at most `most`, those that cost least.
    What comes late is likelier in a young stretch, and costs as many rows as its stretch has
    events.
    """
    merged = _merge_pairs(stretches, partial(_is_small, now, fine))
    while len(merged) > most:
        pairs = zip(merged, merged[1:], strict=False)
        costs = sorted(_cost(now, *pair) for pair in pairs if _is_short(now, 4, *pair))
        if not costs:
            break
        merged = _merge_pairs(
            merged, partial(_is_cheap, now, costs[min(len(costs), len(merged) - most) - 1])
        )
    return merged


def _merge_pairs(
    stretches: Sequence[Stretch], may_merge: Callable[[Stretch, Stretch], bool]
) -> list[Stretch]:
    """The stretches, each merged into the one before it if the two may be."""
    merged: list[Stretch] = []
    for stretch in stretches:
        if merged and may_merge(merged[-1], stretch):
            before = merged.pop()
            total = (before.total + stretch.total) % MODULUS
            stretch = Stretch(
                before.begin, stretch.end, before.events + stretch.events, total, stretch.age
            )
        merged.append(stretch)
    return merged


def _is_small(now: int, fine: int, first: Stretch, second: Stretch) -> bool:
    return _is_short(now, 8, first, second) and first.events + second.events <= fine


def _is_cheap(now: int, most: float, first: Stretch, second: Stretch) -> bool:
    return _is_short(now, 4, first, second) and _cost(now, first, second) <= most


def _is_short(now: int, part: int, first: Stretch, second: Stretch) -> bool:
    """Whether two neighbors are audited next at the same age, and are together no longer than one
    cell or that part of their age.
    """
    if first.age != second.age or not first.is_counted or first.is_unsettled or second.is_unsettled:
        return False
    same_cell = first.begin // CELL == (second.end - 1) // CELL
    return same_cell or (second.end - first.begin) * part <= now - second.end


def _cost(now: int, first: Stretch, second: Stretch) -> float:
    return float((first.events + second.events) ** 2 / max(CELL, now - second.end))


def encode(stretches: Sequence[Stretch]) -> str:
    """Stretches in order as text: where the first begins, then width, number of events, sum and age
    of each. A gap between two becomes a stretch that was not counted.

    >>> encode([Stretch(36, 72, 5, 7, 4)]), decode("10 10.5.AAAAAAAAAAc.2")
    ('10 10.5.AAAAAAAAAAc.2', [Stretch(begin=36, end=72, events=5, total=7, age=4)])
    """
    words = [_in_base_36(stretches[0].begin)] if stretches else []
    end = stretches[0].begin if stretches else 0
    for stretch in stretches:
        if stretch.begin > end:
            words.append(_encode_one(uncounted(end, stretch.begin)))
        words.append(_encode_one(stretch))
        end = stretch.end
    return " ".join(words)


def decode(text: str) -> list[Stretch]:
    """The stretches of a text. Raises ValueError if it is not one."""
    stretches: list[Stretch] = []
    first, *others = text.split() or [""]
    begin = int(first, 36) if first else 0
    for other in others:
        width, events, total, age = other.split(".")
        end = begin + int(width, 36)
        number = base64.urlsafe_b64decode(total + "=")
        days = ADOPTED if age == "-" else 2 ** int(age, 36)
        if (
            len(number) != 8
            or begin < 0
            or end <= begin
            or int(events, 36) < 0
            or days not in _AGES
        ):
            raise ValueError(f"not a stretch: {other!r}")
        stretches.append(Stretch(begin, end, int(events, 36), int.from_bytes(number, "big"), days))
        begin = end
    return stretches


def _encode_one(stretch: Stretch) -> str:
    total = base64.urlsafe_b64encode(stretch.total.to_bytes(8, "big")).decode()[:11]
    age = _in_base_36(stretch.age.bit_length() - 1) if stretch.is_counted else "-"
    return f"{_in_base_36(stretch.end - stretch.begin)}.{_in_base_36(stretch.events)}.{total}.{age}"


def _in_base_36(number: int) -> str:
    digits = ""
    while number or not digits:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits
