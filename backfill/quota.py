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
        self.name, self._reserve = name, reserve

    def start(self, scheduler: Scheduler) -> None:
        limit = RateLimit(self._reserve)
        scheduler.handlers |= {
            f"{self.name}_try_acquire": limit.try_acquire,
            f"{self.name}_update": lambda headers: limit.update(CaseInsensitiveDict(headers)),
            f"{self.name}_hold_for": limit.hold_for,
        }


class SharedRateLimit(RateLimit):
    """A client's rate limit on any worker, which asks the scheduler."""

    def __init__(self, dask: Dask, settings: Settings):
        super().__init__()
        account = f"{settings.api_base_url} {settings.api_token}".encode()
        self._dask, self._name = dask, f"hubspot_quota_{hashlib.sha256(account).hexdigest()[:16]}"
        dask.register_plugin(RateLimitPlugin(self._name, settings.quota_reserve / 100))

    def try_acquire(self) -> float:
        return float(self._call("try_acquire"))

    def update(self, headers: Mapping[str, str]) -> None:
        limits = {k: v for k, v in headers.items() if k.lower().startswith("x-hubspot-ratelimit-")}
        if limits:
            self._call("update", headers=limits)

    def hold_for(self, seconds: float) -> None:
        self._call("hold_for", seconds=seconds)

    def _call(self, handler: str, **given: Any) -> Any:
        return self._dask.sync(getattr(self._dask.scheduler, f"{self._name}_{handler}"), **given)
