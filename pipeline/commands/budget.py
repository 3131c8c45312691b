"""The requests that a preview may make."""

from threading import Event, Lock

from pipeline.errors import ConnectorError
from pipeline.hubspot.rate_limit import RateLimit


class Spent(ConnectorError):
    """No request is left."""


class Budget(RateLimit):
    """A rate limit that grants `most` requests in all, repeated ones included, and no more than a
    hundredth of what is left of the day's. Beyond that it raises Spent.
    """

    def __init__(self, reserve: float, most: int):
        super().__init__(reserve)
        self.most, self.made, self._granting = most, 0, Lock()

    def left(self) -> int:
        left, daily = self._daily
        return (min(self.most, (left + self.made) // 100) if daily else self.most) - self.made

    def acquire(self, stop: Event) -> None:
        with self._granting:
            if self.left() < 1:
                raise Spent("No request is left for the preview.")
            self.made += 1
        super().acquire(stop)

    def headers(self) -> dict[str, float] | None:
        """What HubSpot's headers say: `requests` in `seconds`, `daily` and what is left of it; and
        how many `per_second` this connection may make. None: nothing.
        """
        said: dict[str, float] = {}
        if self._most:
            per_second = self._most * self._share / self._interval
            said |= {"requests": self._most, "seconds": self._interval, "per_second": per_second}
        left, daily = self._daily
        return said | ({"daily": daily, "left": left} if daily else {}) or None
