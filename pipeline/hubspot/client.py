"""A client of HubSpot's Events API: one HTTP session, one good answer at a time. It knows nothing
of windows or rows.
"""

import re
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from http.cookiejar import DefaultCookiePolicy
from typing import Any, NamedTuple

import orjson
import requests

# by way of requests: were urllib3 imported, the SDK would ask to pin it
from requests.packages.urllib3.exceptions import HTTPError as TransportError

from pipeline.errors import BadAnswer, HubSpotError, Stopped, Unavailable
from pipeline.hubspot.address import host_and_port, is_loopback
from pipeline.hubspot.clock import Clock
from pipeline.hubspot.definitions_api import DEFINITIONS, MAX_PAGES, QUERY, definitions_path, read_definitions
from pipeline.hubspot.events_api import CURSOR, EVENTS, LIMIT, TYPES, Query, event_types_path, events_path, next_cursor
from pipeline.hubspot.failures import Transient, check_whole, failure
from pipeline.hubspot.page_repair import may_be_rounded, repair
from pipeline.hubspot.properties import Definition
from pipeline.hubspot.rate_limit import RateLimit
from pipeline.hubspot.redact import one_line, redactor
from pipeline.hubspot.retry import Attempt, Outage, delays, wait_after
from pipeline.hubspot.transport import InterruptibleAdapter, interrupted_by

TIMEOUTS = (10.0, 30.0)  # seconds to connect, and between two pieces of an answer
# for a whole answer, connecting included: a slow trickle never hits the timeout between two pieces
ANSWER_SECONDS = 60.0
STOP_SECONDS = 1.0  # a request older than this is abandoned once the sync is stopped
# read by all workers at once, unpacked: far above 16 of the largest pages
ANSWER_BYTES = 256 * 1024 * 1024
# read at once: smaller chunks cost calls, larger ones leave the cache before they are joined
CHUNK_BYTES = 256 * 1024

OBJECT_BYTES = 64  # of a value in memory, with its place in an object or a list
SAMPLED = 13  # of so many bytes, one is looked at: a prime, since events repeat

_STOPPED = "The sync was stopped while it waited for HubSpot."


def never() -> bool:
    """Yields to no other request."""
    return False


class Page(NamedTuple):
    """One page of events.

    `answer` is HubSpot's JSON, `cursor` the next page's (decoded; None: this is the last), `size`
    the bytes of the answer, `objects` about how many values are in it. `unclear`: the paging cannot
    be read, so this may not be the last page. `full`: it holds as many events as were asked for.
    """

    answer: dict[str, Any]
    cursor: str | None
    size: int
    unclear: bool = False
    full: bool = False
    objects: int = 0

    @property
    def events(self) -> list[Any]:
        events: list[Any] = self.answer[EVENTS]
        return events

    @property
    def memory(self) -> int:
        """The bytes that it takes in memory, about."""
        return self.size + OBJECT_BYTES * self.objects


class _Bearer(requests.auth.AuthBase):
    """Sends the token with each request. Passed as auth=, since a .netrc entry would replace a
    header of the session.
    """

    def __init__(self, token: str):
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class Client:
    """HubSpot's Events API. Safe for several threads; use it as a context manager.

    `max_outage` is how long (ms) it keeps trying without any good answer, `connections` how many
    requests run at once, `reserve` the share (0 to 1) of the rate limit left to others; `log`
    receives a message when HubSpot stops answering, and `outage_cure` says what to do if that
    lasts.
    """

    def __init__(
        self,
        token: str,
        base_url: str,
        version: str,
        max_outage: int = 900_000,
        connections: int = 1,
        reserve: float = 0.1,
        log: Callable[[str], None] = lambda sentence: None,
        outage_cure: str = "try again later, or raise max_outage_minutes",
    ):
        self._redact = redactor(token)
        self._events_url = base_url + events_path(version)
        self._event_types_url = base_url + event_types_path(version)
        self._definitions_url = base_url + definitions_path(version)
        self.clock = Clock()
        self.rate_limit = RateLimit(reserve)
        self._outage = Outage(max_outage, self.clock, log, outage_cure)
        self._auth = _Bearer(token)
        self._session = requests.Session()
        # A proxy named in the environment sees nothing through TLS, but it would see a token sent
        # to loopback.
        self._session.trust_env = not is_loopback(host_and_port(base_url)[0])
        # Cookies that are kept make each request longer, until the server refuses it.
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        self._session.headers.update({"Accept": "application/json", "User-Agent": "fivetran-hubspot-events"})
        self._adapter = InterruptibleAdapter(pool_connections=1, pool_maxsize=connections)
        self._session.mount(base_url, self._adapter)
        self._never = threading.Event()
        self._lock = threading.Lock()
        self._reading = 0  # bytes of the answers that are being read
        # These keys, and the one that counts() adds, are columns of sync_run.
        self._counts = {"requests": 0, "retries": 0, "rate_limited": 0, "replaced": 0, "seconds_waiting_for_http": 0.0}

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.disconnect()
        self._session.close()

    def disconnect(self) -> None:
        """Closes the connections: the next request opens one, perhaps to another of HubSpot's
        servers.
        """
        pools = self._adapter.poolmanager.pools
        for key in pools.keys():  # noqa: SIM118 (it cannot be iterated over)
            pools[key].close()  # closing the session would only forget them
        pools.clear()

    def page(self, query: Query, stop: threading.Event | None = None, yields: Callable[[], bool] = never) -> Page:
        """One page of events; `query` has HubSpot's own parameters
        (pipeline/hubspot/events_api.py).

        Raises Unauthorized, Refused, Unavailable, BadAnswer; Stopped as soon as `stop` is set.
        """
        answer, size, objects = self._ask(self._events_url, query, EVENTS, stop or self._never, yields=yields)
        cursor, is_clear = next_cursor(answer)
        full = len(answer[EVENTS]) == query.get(LIMIT)
        return Page(answer, cursor, size, not is_clear, full, objects)

    def event_types(self, stop: threading.Event | None = None) -> list[str]:
        """The names of all event types that the account knows, without control characters, which no
        name has. Raises as `page` does.
        """
        answer, *_ = self._ask(self._event_types_url, {}, TYPES, stop or self._never)
        return [one_line(name) for name in answer[TYPES] if isinstance(name, str) and name]

    def definitions(self, stop: threading.Event | None = None) -> dict[str, Definition]:
        """The definitions of the account's custom events, by event type. Raises as `page` does, but
        after fewer attempts: nothing depends on them.
        """
        found: dict[str, Definition] = {}
        cursors: list[str] = []
        while len(cursors) < MAX_PAGES:
            after = {CURSOR: cursors[-1]} if cursors else {}
            answer, *_ = self._ask(
                self._definitions_url, {**QUERY, **after}, DEFINITIONS, stop or self._never, max_attempts=3
            )
            found.update(read_definitions(answer))
            cursor, _ = next_cursor(answer)
            if cursor is None:
                return found
            if cursor in cursors:
                break
            cursors.append(cursor)
        raise BadAnswer("HubSpot's list of event definitions has no end.")

    def outage(self) -> HubSpotError | None:
        """Why HubSpot does not answer at all, for when it fails at one event type; None if it
        does.
        """
        try:
            self.event_types()
        except (Unavailable, BadAnswer) as error:
            return error
        except HubSpotError:
            pass
        return None

    def counts(self) -> dict[str, float]:
        """The counts so far: requests, retries, 429s, replaced values, and the seconds that all
        workers together waited.
        """
        with self._lock:
            return {**self._counts, "seconds_waiting_for_quota": self.rate_limit.waited}

    def _count(self, **more: float) -> None:
        with self._lock:
            for name, number in more.items():
                self._counts[name] += number

    def _ask(
        self,
        url: str,
        query: Query,
        wanted: str,
        stop: threading.Event,
        max_attempts: int | None = None,
        yields: Callable[[], bool] = never,
    ) -> tuple[dict[str, Any], int, int]:
        """The answer as JSON with a list under `wanted`, its size in bytes, and its objects. Retries while that
        may help, `max_attempts` times at most.
        """
        asked_at = time.monotonic()
        for number, delay in enumerate(delays(), start=1):
            if stop.is_set():
                break
            try:
                status, body = self._attempt(url, query, stop, is_retry=number > 1)
                answer, replaced = _parse(body)
                check_whole(status, answer, wanted, self._redact)
            except Transient as transient:
                if number == max_attempts:
                    raise Unavailable(str(transient)) from None
                self._pause(transient, Attempt(number, asked_at, delay, yields()), stop)
            else:
                self._outage.end()
                self._count(replaced=replaced)
                return answer, len(body), objects_in(body)
        raise Stopped(_STOPPED)

    def _pause(self, transient: Transient, attempt: Attempt, stop: threading.Event) -> None:
        """Waits before the next attempt, or after a 429 makes every worker wait. Raises Unavailable
        or BadAnswer if there will be no next attempt.
        """
        self._outage.record()
        self._outage.raise_if_hopeless(transient, attempt)
        self._outage.log_if_lasting(transient, attempt)
        self._count(retries=1)
        wait = wait_after(transient, attempt)
        if transient.rate_limited:
            self.rate_limit.hold_for(max(wait, 1.0))
        else:
            stop.wait(wait)

    def _attempt(self, url: str, query: Query, stop: threading.Event, is_retry: bool) -> tuple[int, bytearray]:
        """The status and the body of a response with data. Raises the error for any other. A retry
        ends its connection, which behind a load balancer may lead to the one node that fails.
        """
        self.rate_limit.acquire(stop)
        if stop.is_set():
            raise Stopped(_STOPPED)
        sent = time.monotonic()
        try:
            with (
                interrupted_by(partial(_check_time, sent, stop)),
                self._session.get(
                    url,
                    params=dict(query),
                    auth=self._auth,
                    headers={"Connection": "close"} if is_retry else None,
                    timeout=TIMEOUTS,
                    allow_redirects=False,
                    stream=True,
                ) as response,
            ):
                self.clock.update(response.headers.get("Date"))
                self.rate_limit.update(response.headers)
                self._count(rate_limited=response.status_code == 429)
                body = self._read_body(response)
        except (requests.RequestException, TransportError, OSError) as error:
            raise Transient(self._redact(f"{type(error).__name__} ({_without_query(str(error))}).")[:500]) from None
        finally:
            self._count(requests=1, seconds_waiting_for_http=time.monotonic() - sent)
        if response.status_code in (200, 207):
            return response.status_code, body
        failed = failure(response, body, self.clock.now(), self._redact)
        if not isinstance(failed, Transient):
            self._outage.end()
        raise failed

    def _read_body(self, response: requests.Response) -> bytearray:
        """The whole body; requests would not notice one that is cut short. A few kilobytes may
        unpack to gigabytes: ANSWER_BYTES bounds what all workers read at once.
        """
        body = bytearray()
        try:
            while piece := response.raw.read1(CHUNK_BYTES, decode_content=True):
                body += piece
                self._count_reading(len(piece))
            return body
        finally:
            self._count_reading(-len(body))

    def _count_reading(self, more: int) -> None:
        with self._lock:
            self._reading += more
            if more > 0 and self._reading > ANSWER_BYTES:
                raise BadAnswer(f"HubSpot's answers are larger than {ANSWER_BYTES} bytes. Cure: lower page_size.")


def objects_in(body: bytes | bytearray) -> int:
    """About how many values some JSON holds, by a sample of its bytes: to count in all of them would
    take a tenth of what it takes to parse them.

    >>> objects_in(b'{"results": [%s]}' % b", ".join([b"1234"] * 30_000)) // 10_000
    3
    """
    sample = body[::SAMPLED]
    return SAMPLED * sum(map(sample.count, (b",", b"[", b"{")))


def _without_query(text: str) -> str:
    """A text without the parameters of the URLs in it: a filter may name a person."""
    return re.sub(r"\?[^\s)'\"]*", "", text)


def _check_time(sent: float, stop: threading.Event) -> None:
    """Raises if a request sent at `sent` (monotonic seconds) is to be abandoned. An answer that
    comes at once is read even if the sync is stopped, so that it is counted.
    """
    took = time.monotonic() - sent
    if took > STOP_SECONDS and stop.is_set():
        raise Stopped(_STOPPED)
    if took > ANSWER_SECONDS:
        raise Transient(f"the answer was still arriving after {ANSWER_SECONDS:.0f} s.")


def _parse(body: bytes | bytearray) -> tuple[Any, int]:
    """The JSON of a body, and how many values had to be replaced to read it. A body that is not
    JSON is transient: a proxy's page, for example.
    """
    try:
        return _read_json(body)
    except (ValueError, RecursionError) as error:
        raise Transient(f"a 200 response that is not JSON ({len(body)} bytes: {error}).") from None


def _read_json(body: bytes | bytearray) -> tuple[Any, int]:
    """The JSON of a body as orjson reads it; repaired, if orjson refuses it or may round it."""
    if not may_be_rounded(body):
        with suppress(orjson.JSONDecodeError):
            return orjson.loads(body), 0
    return repair(body)
