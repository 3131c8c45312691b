"""One rate limit for all workers, since an account's limit does not grow with the machines that use
it.

It lives in Dask's scheduler: every request of every worker is granted there, and the headers of
HubSpot's answers are sent there. Simpler designs do less. With a rate limit in each worker, the
others show up only in headers that are a request old: twelve workers at a limit of 30 a second had
a fifth of their requests refused. With a share of the limit for each, workers take each other for
other integrations and leave the limit to them, which halved their throughput. A semaphore bounds
concurrency, not requests in ten seconds. A Dask actor dies with its worker.
"""

import hashlib
import threading
from collections.abc import Mapping
from typing import Any

from dask.distributed import Client as Dask
from dask.distributed import Scheduler, SchedulerPlugin
from requests.structures import CaseInsensitiveDict

from pipeline import Settings
from pipeline.hubspot.rate_limit import RateLimit


class RateLimitPlugin(SchedulerPlugin):
    """The rate limit of one account, in the scheduler for as long as it runs: every backfill of the
    account shares it.
    """

    idempotent = True  # registering it again keeps the one that is there

    def __init__(self, name: str, reserve: float):
        self.name = name
        self._reserve = reserve

    def start(self, scheduler: Scheduler) -> None:
        self._rate_limit = RateLimit(self._reserve)
        handlers = (self.acquire, self.update, self.hold_for)
        scheduler.handlers.update(
            {f"{self.name}_{handler.__name__}": handler for handler in handlers}
        )

    def acquire(self) -> float:
        """Grants one more request and returns 0, or the seconds after which to ask again. It does
        not wait: that would block the scheduler.
        """
        stop = _StopInsteadOfWaiting()
        self._rate_limit.acquire(stop)
        return stop.seconds

    def update(self, headers: Mapping[str, str]) -> None:
        self._rate_limit.update(CaseInsensitiveDict(headers))

    def hold_for(self, seconds: float) -> None:
        self._rate_limit.hold_for(seconds)


class _StopInsteadOfWaiting:
    """A stop event for RateLimit.acquire that is set as soon as it is waited for, and keeps for how
    long.
    """

    seconds = 0.0

    def is_set(self) -> bool:
        return self.seconds > 0

    def wait(self, seconds: float) -> None:
        self.seconds = seconds


class SharedRateLimit:
    """Takes the place of a client's RateLimit on any worker, and asks the scheduler. Safe for
    several threads.
    """

    def __init__(self, dask: Dask, settings: Settings):
        account = hashlib.sha256(
            f"{settings.api_base_url} {settings.api_token}".encode()
        ).hexdigest()
        self._dask, self._name = dask, f"hubspot_quota_{account[:16]}"
        dask.register_plugin(RateLimitPlugin(self._name, settings.quota_reserve / 100))

    def acquire(self, stop: threading.Event) -> None:
        """Waits until one more request may go; returns at once when `stop` is set."""
        while not stop.is_set() and (seconds := self._call("acquire")):
            stop.wait(seconds)

    def update(self, headers: Mapping[str, str]) -> None:
        limits = {
            name: value
            for name, value in headers.items()
            if name.lower().startswith("x-hubspot-ratelimit-")
        }
        if limits:
            self._call("update", headers=limits)

    def hold_for(self, seconds: float) -> None:
        self._call("hold_for", seconds=seconds)

    def _call(self, handler: str, **arguments: Any) -> Any:
        return self._dask.sync(
            getattr(self._dask.scheduler, f"{self._name}_{handler}"), **arguments
        )
