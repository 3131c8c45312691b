"""The two clocks of a sync: HubSpot's, as the Date header of its answers tells it, and this machine's. Either may be wrong."""
import time
from email.utils import parsedate_to_datetime

from pipeline.moments import local_now


class Clock:
    """Now, by either clock, ms UTC. What is about lateness goes by the earlier one, so that a wrong clock costs reading again and
    never an event; what is dated in the future, by the later one, so that it does not hold the cursor back."""

    def __init__(self) -> None:
        self._here = local_now() - _elapsed()  # both kept as what a steady clock is behind them, so that neither can jump
        self._first: int | None = None
        self._last: int | None = None

    def hear(self, date: str | None) -> None:
        """Takes up the Date header of an answer, if it can be read."""
        try:
            told = int(parsedate_to_datetime(date or "").timestamp() * 1000)
        except (TypeError, ValueError, IndexError, OverflowError):
            return
        self._last = told - _elapsed()
        self._first = self._last if self._first is None else self._first

    def is_told(self) -> bool:
        """Whether HubSpot has told its time."""
        return self._last is not None

    def now(self) -> int:
        """HubSpot's, as its last answer told it; this machine's before any answer."""
        return _elapsed() + (self._here if self._last is None else self._last)

    def earlier(self, at: float | None = None) -> int:
        """The earlier clock at a moment (monotonic seconds; None: now): always the same for it, once HubSpot has told."""
        moment = _elapsed() if at is None else int(at * 1000)
        return moment + (self._here if self._first is None else min(self._here, self._first))

    def later(self) -> int:
        return max(_elapsed() + self._here, self.now())

    def apart(self) -> int:
        """How far HubSpot's clock is ahead of this machine's, ms; negative: behind."""
        return self.now() - _elapsed() - self._here


def _elapsed() -> int:
    return int(time.monotonic() * 1000)
