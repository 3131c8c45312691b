"""Retries: the delays between attempts, and the outage that all workers of a client share."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import backoff

from pipeline.errors import BadAnswer, Unavailable
from pipeline.hubspot.clock import Clock
from pipeline.hubspot.failures import Transient, Unusable
from pipeline.timestamps import to_text

MAX_DELAY = 30.0  # seconds between two attempts, unless HubSpot asks for more
LASTING = 5  # attempts: then it is logged, and requests yield to others


def delays() -> Iterator[float]:
    """Yields the seconds to wait before each further attempt: exponential, and jittered so that
    workers do not retry in step.
    """
    growing = backoff.expo(base=2, factor=0.5, max_value=MAX_DELAY)
    next(growing)  # backoff's generators yield once before their first value
    for longest in growing:
        yield backoff.full_jitter(longest)


class Attempt(NamedTuple):
    """One attempt at a request: its number (from 1), when the first attempt began (monotonic
    seconds), the delay before the next one (seconds), and whether it yields to other requests.
    """

    number: int
    asked_at: float
    delay: float
    yields: bool = False

    def is_lasting(self, wait: float) -> bool:
        """Whether this has gone on for a while, or will: the next attempt is `wait` seconds away."""
        return self.number >= LASTING or wait > MAX_DELAY


def wait_after(transient: Transient, attempt: Attempt) -> float:
    """Seconds to wait before the next attempt: as long as HubSpot asks for, but never a busy loop."""
    return attempt.delay if transient.wait is None else max(transient.wait, min(attempt.delay, 1.0))


class Outage:
    """The time since HubSpot's last good answer to any worker. Safe for several threads.

    After `longest` ms of it, requests fail as Unavailable, with this `cure`. `log` receives a
    message once a request has failed a few times.
    """

    def __init__(self, longest: int, clock: Clock, log: Callable[[str], None], cure: str):
        self._longest, self._clock, self._log, self._cure = longest / 1000, clock, log, cure
        self._lock = threading.Lock()
        self._since: float | None = None  # monotonic seconds
        self._failures = 0  # since then

    def end(self) -> None:
        """Notes that HubSpot has answered."""
        with self._lock:
            self._since, self._failures = None, 0

    def record(self) -> None:
        """Counts a failed attempt."""
        with self._lock:
            self._since = self._since or time.monotonic()
            self._failures += 1

    def raise_if_hopeless(self, transient: Transient, attempt: Attempt) -> None:
        """Raises Unavailable after too long without a good answer to this request or any other
        (sooner if this one yields), and BadAnswer if the answers to it remain unusable.
        """
        now = time.monotonic()
        with self._lock:
            failures = max(attempt.number, self._failures)
            silent = now - (self._since or now)
            elapsed = max(silent, now - attempt.asked_at)
        if isinstance(transient, Unusable) and attempt.number >= transient.attempts:
            raise BadAnswer(
                f"HubSpot's answers cannot be used (attempts: {attempt.number}). Last error: "
                f"{transient} Cure: try again; if it fails again, send this message to HubSpot "
                "Support."
            )
        wait = wait_after(transient, attempt)
        yields = attempt.yields and not transient.rate_limited  # a 429 concerns all
        if (yields and attempt.is_lasting(wait)) or elapsed + wait > self._longest:
            is_whole = silent + wait > self._longest
            raise self._unavailable(transient, elapsed, failures, is_whole)

    def log_if_lasting(self, transient: Transient, attempt: Attempt) -> None:
        """Logs a request's attempt number LASTING, and no other."""
        if attempt.number == LASTING:
            self._log(f"HubSpot has failed {attempt.number} attempts in a row. Last error: {transient} Still retrying.")

    def _unavailable(self, transient: Transient, elapsed: float, failures: int, is_whole: bool) -> Unavailable:
        now = self._clock.now()
        cure = self._cure
        if not self._clock.is_known():  # there never was an answer
            cure = "check api_base_url and the network connection, or try again later"
        if transient.wait is not None:
            cure = f"try again after {to_text(now + int(transient.wait * 1000))}"
        return Unavailable(
            f"HubSpot has not responded successfully since {to_text(now - int(elapsed * 1000))} "
            f"(attempts: {failures}). Last error: {transient} Cure: {cure}.",
            is_whole,
        )
