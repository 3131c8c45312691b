"""The two clocks of a sync: HubSpot's, from the Date header of its answers, and this machine's. Either may be wrong."""
import time
from email.utils import parsedate_to_datetime

from pipeline.timestamps import local_now


class Clock:
    """Now, by either clock, ms UTC.

    Lateness goes by the earlier clock, so that a wrong one costs re-reading and never an event; the future begins after the
    later one, so that it does not hold the cursor back. Neither can jump: both run on a monotonic clock from when they were read.
    """

    def __init__(self) -> None:
        self._local = local_now() - _monotonic()
        self._first: int | None = None  # HubSpot's, by its first answer
        self._last: int | None = None  # and by its last

    def update(self, date: str | None) -> None:
        """Reads the Date header of an answer; ignores one that cannot be read."""
        try:
            read = int(parsedate_to_datetime(date or "").timestamp() * 1000)
        except (TypeError, ValueError, IndexError, OverflowError):
            return
        self._last = read - _monotonic()
        self._first = self._last if self._first is None else self._first

    def is_known(self) -> bool:
        """Whether an answer of HubSpot has set its clock."""
        return self._last is not None

    def now(self) -> int:
        """HubSpot's clock by its last answer; this machine's before any answer."""
        return _monotonic() + (self._local if self._last is None else self._last)

    def earlier(self, at: float | None = None) -> int:
        """The earlier clock at a moment (monotonic seconds; None: now). Once HubSpot has answered, it does not change for a
        moment: its first answer counts."""
        moment = _monotonic() if at is None else int(at * 1000)
        return moment + (self._local if self._first is None else min(self._local, self._first))

    def later(self) -> int:
        return max(_monotonic() + self._local, self.now())

    def difference(self) -> int:
        """How far HubSpot's clock is ahead of this machine's, ms; negative: behind."""
        return self.now() - _monotonic() - self._local


def _monotonic() -> int:
    return int(time.monotonic() * 1000)
