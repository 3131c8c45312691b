"""The account's rate limit and daily quota, learned from the headers of HubSpot's answers and
shared by all workers.

The limit is rolling: every request of the last ten seconds counts, so that is what is counted here.
A token bucket would spend its burst and then its steady rate on top. Headers and limits:
https://developers.hubspot.com/docs/developer-tooling/platform/usage-guidelines
"""

import threading
import time
from collections import deque
from collections.abc import Mapping

MAX_INTERVAL = 60_000  # ms; a header with a longer one is ignored
MARGIN = 0.05  # seconds by which requests may arrive closer together than they were sent


class RateLimit:
    """Lets requests through as fast as the account allows, less a reserve (0 to 1) for its other
    integrations. Safe for several threads.
    """

    def __init__(self, reserve: float = 0.1):
        self._share = 1 - reserve
        self._lock = threading.Lock()
        # when each request of the last interval went, monotonic seconds
        self._sent: deque[float] = deque()
        # requests per interval for the whole account; None: not known yet
        self._limit: int | None = None
        self._interval = 10.0
        self._others = 0  # requests of other integrations in the interval before the last update
        self._updated = 0.0
        self._held_until = 0.0
        self._daily = (0, 0)  # requests left, and in all; (0, 0): not known
        self.waited = 0.0  # seconds, all workers together

    def acquire(self, stop: threading.Event) -> None:
        """Waits until one more request may go, and counts it. Returns at once when `stop` is set."""
        while not stop.is_set() and (delay := self.try_acquire()):
            stop.wait(delay)

    def try_acquire(self) -> float:
        """Counts one more request and returns 0, or the seconds after which to ask again."""
        with self._lock:
            delay = max(0.0, self._delay(time.monotonic()))
            if not delay:
                self._sent.append(time.monotonic())
            self.waited += delay
            return delay

    def update(self, headers: Mapping[str, str]) -> None:
        """Updates the limit from the headers of an answer; ignores implausible values."""
        limit = _number(headers.get("X-HubSpot-RateLimit-Max"), 1, 1_000_000)
        remaining = _number(headers.get("X-HubSpot-RateLimit-Remaining"), 0, limit or 0)
        interval = _number(headers.get("X-HubSpot-RateLimit-Interval-Milliseconds"), 100, MAX_INTERVAL)
        daily = _number(headers.get("X-HubSpot-RateLimit-Daily"), 1, 1_000_000_000)
        left = _number(headers.get("X-HubSpot-RateLimit-Daily-Remaining"), 0, daily or 0)
        self._daily = (0, 0) if daily is None or left is None else (left, daily)
        if limit is None:
            return
        with self._lock:
            self._limit = limit
            self._interval = (interval or 10_000) / 1000
            self._updated = time.monotonic()
            self._expire(self._updated)
            self._others = 0 if remaining is None else max(0, limit - remaining - len(self._sent))

    def daily_quota(self) -> int:
        """The account's requests a day, by the last answer; 0: not known."""
        return self._daily[1]

    def daily_quota_nearly_spent(self) -> bool:
        """Whether the last answer left less than a tenth of the day's requests."""
        left, daily = self._daily
        return left * 10 < daily

    def daily_quota_half_spent(self) -> bool:
        """Whether the last answer left less than half of the day's requests."""
        left, daily = self._daily
        return left * 2 < daily

    def hold_for(self, seconds: float) -> None:
        """Lets no request go for that many seconds, as a 429 asks for. Does not wait itself."""
        with self._lock:
            self._held_until = max(self._held_until, time.monotonic() + seconds)

    def _delay(self, now: float) -> float:
        """Seconds until one more request may go."""
        self._expire(now)
        if now < self._held_until:
            return self._held_until - now
        if self._limit is None:
            return 0.0
        # until then, requests of others may lie in the interval
        known_for = self._updated + self._interval - now
        allowed = max(1, int(self._limit * self._share) - (self._others if known_for > 0 else 0))
        if len(self._sent) < allowed:
            return 0.0
        until_sent_leave = self._sent[len(self._sent) - allowed] + self._interval + MARGIN - now
        return min(until_sent_leave, known_for) if known_for > 0 and self._others else until_sent_leave

    def _expire(self, now: float) -> None:
        while self._sent and self._sent[0] <= now - self._interval - MARGIN:
            self._sent.popleft()


def _number(text: str | None, low: int, high: int) -> int | None:
    """The whole number in a header; None if it is not one, or out of range.

    >>> _number("190", 1, 1000), _number("many", 1, 1000), _number("-3", 1, 1000)
    (190, None, None)
    """
    try:
        number = int(text or "")
    except ValueError:
        return None
    return number if low <= number <= high else None
