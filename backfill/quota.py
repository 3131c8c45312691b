"""One rate limit for all workers, since an account's limit does not grow with the machines that use
it.

It lives in Dask's scheduler, which grants every request of every worker and receives the headers of
HubSpot's answers. With a rate limit of its own, a worker learns of the others only from headers
that are a request old: at twelve workers and 30 requests a second, a fifth was refused. With a
share for each, workers take each other for other integrations, which halved their throughput. A
semaphore bounds concurrency, not requests in ten seconds; and a Dask actor dies with its worker.
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
    """The rate limit of one account, for all its backfills, as long as the scheduler runs."""

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
    """The rate limit of a client on any worker: it asks the scheduler."""

    def __init__(self, dask: Dask, settings: Settings):
        super().__init__()
        account = f"{settings.api_base_url} {settings.api_token}".encode()
        self._dask, self._name = dask, f"hubspot_quota_{hashlib.sha256(account).hexdigest()[:16]}"
        dask.register_plugin(RateLimitPlugin(self._name, settings.quota_reserve / 100))

    def try_acquire(self) -> float:
        return float(self._call("try_acquire"))

    def update(self, headers: Mapping[str, str]) -> None:
        self._call("update", headers=dict(headers))

    def hold_for(self, seconds: float) -> None:
        self._call("hold_for", seconds=seconds)

    def _call(self, handler: str, **given: Any) -> Any:
        return self._dask.sync(getattr(self._dask.scheduler, f"{self._name}_{handler}"), **given)
