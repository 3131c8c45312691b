"""The two clocks of a sync: HubSpot's, from the Date header of its answers, and this machine's.
Either may be wrong.
"""

import time
from email.utils import parsedate_to_datetime

from pipeline.timestamps import local_now


class Clock:
    """Tells the time by either clock, ms UTC.

    Lateness goes by the earlier clock, so that a wrong one costs re-reading and never an event; the
    future begins after the later one, so that it does not hold the cursor back. Neither can jump:
    both run on a monotonic clock from when they were read.
    """

    def __init__(self) -> None:
        # Each clock less the monotonic one, ms.
        self._local_offset = local_now() - _monotonic()
        self._first_offset: int | None = None  # HubSpot's, by its first answer
        self._last_offset: int | None = None  # HubSpot's, by its last answer

    def update(self, date: str | None) -> None:
        """Reads the Date header of an answer; ignores one that cannot be read."""
        try:
            read = int(parsedate_to_datetime(date or "").timestamp() * 1000)
        except (TypeError, ValueError, IndexError, OverflowError):
            return
        self._last_offset = read - _monotonic()
        self._first_offset = self._last_offset if self._first_offset is None else self._first_offset

    def is_known(self) -> bool:
        """Whether an answer of HubSpot has set its clock."""
        return self._last_offset is not None

    def now(self) -> int:
        """HubSpot's clock by its last answer; this machine's before any answer."""
        return _monotonic() + (self._local_offset if self._last_offset is None else self._last_offset)

    def earlier(self, at: float | None = None) -> int:
        """The earlier clock at a moment (monotonic seconds; None: now). For a given moment, the
        result is stable once HubSpot has answered, because only its first answer counts.
        """
        moment = _monotonic() if at is None else int(at * 1000)
        hubspot = self._local_offset if self._first_offset is None else self._first_offset
        return moment + min(self._local_offset, hubspot)

    def later(self) -> int:
        """The later clock, now (ms)."""
        return max(_monotonic() + self._local_offset, self.now())

    def difference(self) -> int:
        """How far HubSpot's clock is ahead of this machine's, ms; negative: behind."""
        return self.now() - _monotonic() - self._local_offset


def _monotonic() -> int:
    return int(time.monotonic() * 1000)
