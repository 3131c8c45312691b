"""The rate limit: so many requests in any ten seconds, so many a day, counted for all who use the same app."""

from collections import deque
from dataclasses import dataclass, field
from threading import Lock

from simulator.instants import DAY_MS

PREFIX = "X-HubSpot-RateLimit-"


@dataclass
class Drawn:
    """One request drawn from the quota: refused under `policy` ("" if it may pass), for `wait_ms`; the headers."""

    policy: str = ""
    wait_ms: int = 0
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Quota:
    """What has been drawn: the times of the requests in the rolling window, and the count of the day (UTC)."""

    recent: deque[int] = field(default_factory=deque)
    day: int = 0
    today: int = 0
    lock: Lock = field(default_factory=Lock)

    def draw(
        self, now: int, rolling: tuple[int, int] | None, daily: int | None, others_per_second: float = 0.0
    ) -> Drawn:
        """Count one request at now (ms) against rolling (requests, interval in ms) and daily; refused ones are free."""
        with self.lock:
            drawn = Drawn()
            self._forget(now, rolling[1] if rolling else 0)
            most, interval = rolling or (0, 0)
            others = min(most, int(others_per_second * interval / 1000))
            if daily is not None and self.today >= daily:
                drawn.policy, drawn.wait_ms = "DAILY", DAY_MS - now % DAY_MS
            elif rolling and len(self.recent) + others >= most:
                drawn.policy, drawn.wait_ms = "TEN_SECONDLY_ROLLING", self._until_free(now, interval)
            else:
                self.today += 1
                self.recent.append(now)
            if rolling:
                left = max(0, most - others - len(self.recent))
                drawn.headers |= {"Max": str(most), "Remaining": str(left), "Interval-Milliseconds": str(interval)}
            if daily is not None:
                drawn.headers |= {"Daily": str(daily), "Daily-Remaining": str(daily - self.today)}
            drawn.headers = {PREFIX + name: value for name, value in drawn.headers.items()}
            return drawn

    def _forget(self, now: int, interval: int) -> None:
        """Drop what has left the window; a new day begins at 0."""
        while self.recent and self.recent[0] <= now - interval:
            self.recent.popleft()
        if now // DAY_MS != self.day:
            self.day, self.today = now // DAY_MS, 0

    def _until_free(self, now: int, interval: int) -> int:
        """Milliseconds until the oldest request leaves the window."""
        return self.recent[0] + interval - now if self.recent else 1000
