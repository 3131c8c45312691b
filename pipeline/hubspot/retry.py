"""How often and how long an attempt is repeated: delays, and the outage that all workers of a client share."""
import threading
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import backoff

from pipeline.errors import BadAnswer, Unavailable
from pipeline.hubspot.clock import Clock
from pipeline.hubspot.failures import Transient, Unusable
from pipeline.timestamps import to_text

LONGEST_DELAY = 30.0  # seconds between two attempts, unless HubSpot asks for more
MOST_UNUSABLE = 8  # attempts at a request whose answers cannot be used
SAYS_SO_AT = 5  # the attempt that is logged


def delays() -> Iterator[float]:
    """Seconds to wait before each further attempt: exponential, and jittered so that workers do not come back as one."""
    growing = backoff.expo(base=2, factor=0.5, max_value=LONGEST_DELAY)
    next(growing)  # backoff's generators yield once before their first value
    for most in growing:
        yield backoff.full_jitter(most)


class Attempt(NamedTuple):
    """One attempt at a request: the how manyeth, when the first one began (monotonic seconds), the delay (seconds) before the
    next."""

    number: int
    asked_at: float
    delay: float


class Outage:
    """How long HubSpot has given no good answer, to any worker. Safe for several threads.

    After `longest` ms it is given up. `log` gets a sentence when an outage has lasted for a few attempts.
    """

    def __init__(self, longest: int, clock: Clock, log: Callable[[str], None]):
        self._longest, self._clock, self._log = longest / 1000, clock, log
        self._lock = threading.Lock()
        self._since: float | None = None  # monotonic seconds
        self._failures = 0  # since then

    def end(self) -> None:
        """HubSpot has answered."""
        with self._lock:
            self._since, self._failures = None, 0

    def wait_after(self, transient: Transient, attempt: Attempt) -> float:
        """The seconds to wait before the next attempt.

        Raises Unavailable when there was no good answer for too long, to this request or to any, and BadAnswer when the answers
        to this one remain unusable.
        """
        now = time.monotonic()
        with self._lock:
            self._since = self._since or now
            self._failures += 1
            failures = max(attempt.number, self._failures)
            elapsed = now - min(self._since, attempt.asked_at)
        asked = transient.wait
        wait = attempt.delay if asked is None else max(asked, min(attempt.delay, 1.0))
        if isinstance(transient, Unusable) and attempt.number >= MOST_UNUSABLE:
            raise BadAnswer(
                f"HubSpot's answers cannot be used (attempts: {attempt.number}), the last: {transient} What arrived is saved. "
                "Start the sync again; if it ends here again, show this to HubSpot's support."
            )
        if elapsed + wait > self._longest:
            raise self._unavailable(transient, elapsed, failures)
        if attempt.number == SAYS_SO_AT:
            self._log(f"HubSpot has not answered {attempt.number} attempts, the last: {transient} Trying on.")
        return wait

    def _unavailable(self, transient: Transient, elapsed: float, failures: int) -> Unavailable:
        now = self._clock.now()
        cure = "Start the sync again later, or raise max_outage_minutes"
        if not self._clock.is_known():  # there never was an answer
            cure = "Check api_base_url and the network on the way there, or start the sync again later"
        if transient.wait is not None:
            cure = f"Start the sync again after {to_text(now + int(transient.wait * 1000))}"
        return Unavailable(
            f"HubSpot gave no good answer since {to_text(now - int(elapsed * 1000))} (attempts: {failures}), the last: "
            f"{transient} What arrived is saved. {cure}: it resumes from there."
        )
