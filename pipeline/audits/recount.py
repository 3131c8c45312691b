"""Counts the events of given stretches anew."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from pipeline.audits.stretches import MODULUS, RECENT, Stretch, fingerprint
from pipeline.hubspot.events_api import occurred_ms
from pipeline.recent import Recent


class Recount:
    """Counts what is visible now of contiguous stretches.

    >>> recount = Recount([Stretch(0, 1000, 5, 5, 1), Stretch(1000, 2000, 5, 5, 1)])
    >>> recount.add({"id": "a", "occurredAt": "1970-01-01T00:00:01Z"})
    1
    >>> [stretch.events for stretch in recount.stretches()]
    [0, 1]
    """

    def __init__(self, stretches: Sequence[Stretch]):
        self._stretches = stretches
        self._begins, self._end = [stretch.begin for stretch in stretches], stretches[-1].end
        self._events, self._totals = [0] * len(stretches), [0] * len(stretches)
        self._recent = Recent(RECENT)

    def add(self, event: Any) -> int | None:
        """Adds an event, unless it lies outside or was added a short while ago. Returns the place
        of its stretch, None if it lies outside.
        """
        ms = occurred_ms(event)
        if ms is None or not self._begins[0] <= ms < self._end:
            return None
        number, place = fingerprint(event), bisect_right(self._begins, ms) - 1
        if self._recent.add(number):
            self._events[place] += 1
            self._totals[place] = (self._totals[place] + number) % MODULUS
        return place

    def holds_all_of(self, place: int, counted: Stretch) -> bool:
        """Whether all the events of an earlier count of the stretch at a place were added, and no
        others.
        """
        return 0 < counted.events == self._events[place] and counted.total == self._totals[place]

    def stretches(self) -> list[Stretch]:
        """The same stretches with what was counted."""
        counted = zip(self._stretches, self._events, self._totals, strict=True)
        return [stretch._replace(events=events, total=total) for stretch, events, total in counted]
