"""The rate limit: requests per rolling interval and per day, shared by everyone who uses the same
app.
"""

from collections import deque
from dataclasses import dataclass, field
from threading import Lock

from simulator.instants import DAY_MS

PREFIX = "X-HubSpot-RateLimit-"


@dataclass
class Decision:
    """Whether a request is within the limit (no `policy`) or which one it exceeds, for how long,
    and the headers that say so.
    """

    policy: str = ""
    wait_ms: int = 0
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class RateLimit:
    """Counts the requests of the rolling interval and of the day (UTC). Safe for several
    threads.
    """

    recent: deque[int] = field(default_factory=deque)  # times of the requests in the interval, ms
    day: int = 0
    today: int = 0
    lock: Lock = field(default_factory=Lock)

    def decide(
        self, now: int, rolling: tuple[int, int] | None, daily: int | None, others_per_second: float = 0.0
    ) -> Decision:
        """Counts a request at `now` (ms) against `rolling` (requests, interval in ms) and `daily`,
        unless it exceeds them.
        """
        with self.lock:
            decision = Decision()
            self._expire(now, rolling[1] if rolling else 0)
            most, interval = rolling or (0, 0)
            others = min(most, int(others_per_second * interval / 1000))
            if daily is not None and self.today >= daily:
                decision.policy, decision.wait_ms = "DAILY", DAY_MS - now % DAY_MS
            elif rolling and len(self.recent) + others >= most:
                decision.policy, decision.wait_ms = ("TEN_SECONDLY_ROLLING", self._until_free(now, interval))
            else:
                self.today += 1
                self.recent.append(now)
            headers: dict[str, int] = {}
            if rolling:
                left = max(0, most - others - len(self.recent))
                headers |= {"Max": most, "Remaining": left, "Interval-Milliseconds": interval}
            if daily is not None:
                headers |= {"Daily": daily, "Daily-Remaining": daily - self.today}
            decision.headers = {PREFIX + name: str(value) for name, value in headers.items()}
            return decision

    def _expire(self, now: int, interval: int) -> None:
        """Drops the requests that have left the interval; starts from 0 on a new day."""
        while self.recent and self.recent[0] <= now - interval:
            self.recent.popleft()
        if now // DAY_MS != self.day:
            self.day, self.today = now // DAY_MS, 0

    def _until_free(self, now: int, interval: int) -> int:
        """Milliseconds until the oldest request leaves the interval."""
        return self.recent[0] + interval - now if self.recent else 1000
