"""The ledger of one event type: while a sync delivers events, it counts those behind the watermark,
stretch by stretch.
"""

from collections.abc import Callable
from typing import Any

from pipeline.audits.stretches import (
    CELL,
    MODULUS,
    RECENT,
    Stretch,
    fingerprint,
    merge,
    next_age,
    unsettled,
)
from pipeline.hubspot.events_api import PROPERTIES, occurred_ms
from pipeline.recent import Recent


class Ledger:
    """The stretches of one event type, continued from those of earlier syncs (`stretches`,
    contiguous).

    `begin` is where this sync begins to read; what it skips after them is delivered again one day.
    `read_again_from` returns where the next sync will begin, at the latest: what occurred later
    need not be counted. `fine` events fill a stretch, `most` stretches are kept, and what occurred
    before `oldest` is never audited. Times are ms UTC.
    """

    def __init__(
        self,
        stretches: list[Stretch],
        begin: int,
        now: int,
        fine: int,
        most: int,
        oldest: int,
        read_again_from: Callable[[], int] | None = None,
    ):
        self._now, self._fine, self._most = now, max(1, fine), most
        self._read_again_from, self._before = (
            read_again_from,
            0,
        )  # 0: not known before the first event
        self.end = stretches[-1].end if stretches else max(begin, oldest)
        skipped = [unsettled(self.end, begin)] if self.end < begin else []
        self._earlier = [*stretches, *skipped]
        self.end = self._earlier_end = max(self.end, begin)
        self._closed = self._earlier.copy()
        self._begin, self._count, self._total = self.end, 0, 0  # the stretch that is still open
        self._pending: dict[
            int, tuple[int, int]
        ] = {}  # number and sum of events not yet behind the watermark, by ms
        self._recent = Recent(RECENT)
        self.small_property: str | None = None  # one with a short value, to ask for in an audit

    def add(self, event: Any) -> None:
        """Adds an event that is delivered, unless its time was counted by an earlier sync, or is
        read again by the next.
        """
        ms = occurred_ms(event)
        if not self._before:
            self._before = self._read_again_from() if self._read_again_from else 2**62
            self.small_property = _small_property(event)
        if ms is None or not self.end <= ms < self._before:
            return
        number = fingerprint(event)
        if not self._recent.add(number):
            return
        count, total = self._pending.get(ms, (0, 0))
        self._pending[ms] = count + 1, (total + number) % MODULUS

    def close(self, end: int) -> None:
        """Closes the stretches up to `end`: everything before it is delivered, and was added."""
        if end <= self.end:
            return
        for ms in sorted(ms for ms in self._pending if ms < end):
            self._move_to(ms)
            if self._count >= self._fine:
                self._cut(ms)
            count, total = self._pending.pop(ms)
            self._count, self._total = self._count + count, (self._total + total) % MODULUS
        self._move_to(end)
        if len(self._closed) > self._most * 5 // 4:
            self._closed = merge(self._closed, self._now, self._fine, self._most)

    def until(self, end: int) -> list[Stretch]:
        """The stretches up to `end`, from which the next sync reads: those of earlier syncs if this
        one has not come further.
        """
        if end <= self._earlier_end:
            return self._earlier
        self.close(end)
        open_ = [self._stretch(self.end)] if self.end > self._begin else []
        return merge([*self._closed, *open_], self._now, self._fine, self._most)

    def _move_to(self, end: int) -> None:
        """Moves the end of what is counted; cuts at each border of cells on the way."""
        while (border := (self._begin // CELL + 1) * CELL) <= end:
            self._cut(border)
        self.end = max(self.end, end)

    def _cut(self, at: int) -> None:
        if at > self._begin:
            self._closed.append(self._stretch(at))
            self._begin, self._count, self._total = at, 0, 0

    def _stretch(self, end: int) -> Stretch:
        return Stretch(self._begin, end, self._count, self._total, next_age(end, self._now))


def _small_property(event: Any) -> str | None:
    """The property of an event with the shortest value, None if it has none."""
    properties = event.get(PROPERTIES)
    if not isinstance(properties, dict) or not properties:
        return None
    return min(map(str, properties), key=lambda name: len(str(properties[name])))
