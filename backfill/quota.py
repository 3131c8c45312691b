"""One quota for all workers: the account's limit does not grow with the machines that ask.

The one Quota lives in Dask's scheduler: each request of each worker is granted there, and what HubSpot's answers say of the limit
goes back there. What is simpler does less. A Quota in each worker sees the others only in headers that are a request old: twelve
of them at a limit of 30 a second had a fifth of their requests refused. A share of the limit for each: it takes the others for
strangers and leaves the limit to them, which halved what they got together. A semaphore bounds how many ask at once, not in ten
seconds. A Dask actor lives, and dies, with one of the workers.
"""
import hashlib
import threading
from collections.abc import Mapping
from typing import Any

from dask.distributed import Client as Dask
from dask.distributed import Scheduler, SchedulerPlugin
from requests.structures import CaseInsensitiveDict

from pipeline import Settings
from pipeline.quota import Quota


class Grants(SchedulerPlugin):
    """The Quota of one account in the scheduler, for as long as that runs: whatever reads the account there shares it."""

    idempotent = True  # it stays if it is there already

    def __init__(self, name: str, reserve: float):
        self.name = name
        self._reserve = reserve

    def start(self, scheduler: Scheduler) -> None:
        self._quota = Quota(self._reserve)
        scheduler.handlers.update({f"{self.name}_{ask.__name__}": ask for ask in (self.take, self.note, self.pause)})

    def take(self) -> float:
        """0 if one more request may go, which is then counted, or after how many seconds to ask again: nothing waits here."""
        waiting = _Waiting()
        self._quota.take(waiting)
        return waiting.seconds

    def note(self, headers: Mapping[str, str]) -> None:
        self._quota.note(CaseInsensitiveDict(headers))

    def pause(self, seconds: float) -> None:
        self._quota.pause(seconds)


class _Waiting:
    """In the place of the event that stops whoever waits for a Quota: it stops them at once, and keeps how long they would."""

    seconds = 0.0

    def is_set(self) -> bool:
        return self.seconds > 0

    def wait(self, seconds: float) -> None:
        self.seconds = seconds


class Granted:
    """What a HubSpot client has in the place of its Quota, wherever it runs: it asks the scheduler. For any thread."""

    def __init__(self, dask: Dask, settings: Settings):
        account = hashlib.sha256(f"{settings.api_base_url} {settings.api_token}".encode()).hexdigest()
        self._dask, self._name = dask, f"hubspot_quota_{account[:16]}"
        dask.register_plugin(Grants(self._name, settings.quota_reserve / 100))

    def take(self, stop: threading.Event) -> None:
        """Waits until one more request may go; returns at once when `stop` is set."""
        while not stop.is_set() and (seconds := self._ask("take")):
            stop.wait(seconds)

    def note(self, headers: Mapping[str, str]) -> None:
        limits = {name: value for name, value in headers.items() if name.lower().startswith("x-hubspot-ratelimit-")}
        if limits:
            self._ask("note", headers=limits)

    def pause(self, seconds: float) -> None:
        self._ask("pause", seconds=seconds)

    def _ask(self, what: str, **arguments: Any) -> Any:
        return self._dask.sync(getattr(self._dask.scheduler, f"{self._name}_{what}"), **arguments)
