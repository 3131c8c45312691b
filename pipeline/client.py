"""One HTTP session to HubSpot: token, time-outs, retries, errors. It knows no windows and no rows.

What HubSpot answers and what to do about it: https://developers.hubspot.com/docs/api-reference/error-handling
"""
import math
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

import backoff
import orjson
import requests
from requests.packages.urllib3.exceptions import HTTPError as TransportError  # what reading a body raises

from pipeline.blot import blotter
from pipeline.clock import Clock
from pipeline.errors import BadAnswer, HubSpotError, QuotaSpent, Refused, Stopped, Unauthorized, Unavailable
from pipeline.interruptible import InterruptibleAdapter, interrupted_by
from pipeline.moments import to_text
from pipeline.quota import Quota
from pipeline.repair import repair
from pipeline.settings import is_loopback

TIMEOUTS = (10.0, 30.0)  # seconds to connect, and between two pieces of an answer
ANSWER_SECONDS = 60.0  # a whole answer, from connecting on: one that drips never runs into the time-out between two pieces
STOP_SECONDS = 1.0  # what an answer under way may still take when the sync is stopped
ANSWER_BYTES = 256 * 1024 * 1024  # far above any page; what is larger is no answer to our question
PIECE = 256 * 1024  # bytes read at once: fewer cost calls, more leave the processor's cache before they are put together
LONGEST_WAIT = 1e9  # seconds; a header that says more says the same
MOST_DOUBTFUL = 8  # attempts at a question whose answers cannot be followed
LONGEST_DELAY = 30.0  # seconds between two attempts, when HubSpot does not say

_STOPPED = "The sync was stopped while it waited for HubSpot."

Query = Mapping[str, "str | int | tuple[str, ...]"]


class Page(NamedTuple):
    """One answer to a question for events: the events, the next page's cursor (decoded; None: the last page), its bytes.
    `unclear`: its paging cannot be read, so it may not be the last page."""

    results: list[Any]
    after: str | None
    size: int
    unclear: bool = False


class _Passing(Exception):
    """This attempt failed, the next may not. `wait`: the seconds HubSpot asks for, if it does; `limit`: it is the rate limit,
    so no worker need ask before."""

    def __init__(self, what: str, wait: float | None = None, limit: bool = False):
        super().__init__(what)
        self.wait = wait
        self.limit = limit


class _Doubtful(_Passing):
    """An answer 200 that cannot be what HubSpot meant: asked for again, but not for as long as an outage may last."""


class _Bearer(requests.auth.AuthBase):
    """The token on each request. Given as auth=, since a .netrc entry would replace a header of the session."""

    def __init__(self, token: str):
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class Client:
    """HubSpot's Events API. Safe for several threads; use it as a context manager.

    `max_outage` is how long (ms) it goes on without any good answer, `connections` how many requests run at once, `reserve`
    the share (0 to 1) of the rate limit left to others; `log` is told in a sentence when HubSpot stops answering.
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
    ):
        self._blot = blotter(token)
        events = "/events/v3/events" if version == "v3" else f"/events/event-occurrences/{version}"
        self._events_url = base_url + events
        self._max_outage = max_outage / 1000
        self._log = log
        self.quota = Quota(reserve)
        self._auth = _Bearer(token)
        self._session = requests.Session()
        # A proxy named in the environment sees nothing through TLS, but it would see a token sent to loopback.
        self._session.trust_env = not is_loopback(urlsplit(base_url).hostname or "")
        self._session.headers.update({"Accept": "application/json", "User-Agent": "fivetran-hubspot-events"})
        self._adapter = InterruptibleAdapter(pool_connections=1, pool_maxsize=connections)
        self._session.mount(base_url, self._adapter)
        self._never = threading.Event()
        self._lock = threading.Lock()
        self.clock = Clock()
        self._outage_since: float | None = None
        self._failures = 0  # since then
        self._counts = {"requests": 0, "retries": 0, "rate_limited": 0, "replaced": 0, "seconds_waiting_for_http": 0.0}

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        pools = self._adapter.poolmanager.pools
        for key in pools.keys():  # noqa: SIM118 (it cannot be iterated over)
            pools[key].close()  # closing the session would only forget them
        self._session.close()

    def now(self) -> int:
        """Now by HubSpot's clock as its last answer told it (ms UTC); by this machine's before any answer."""
        return self.clock.now()

    def counts(self) -> dict[str, float]:
        """What it has counted so far: requests, retries, 429s, replaced values, and the seconds all workers together waited."""
        with self._lock:
            return {**self._counts, "seconds_waiting_for_quota": self.quota.waited}

    def _count(self, **more: float) -> None:
        with self._lock:
            for name, number in more.items():
                self._counts[name] += number

    def page(self, query: Query, stop: threading.Event | None = None) -> Page:
        """One page of events. `query` is HubSpot's own (eventType, occurredAfter, limit, after …).

        Raises Unauthorized, Refused, Unavailable, BadAnswer; Stopped as soon as `stop` is set.
        """
        answer, size = self._ask(self._events_url, query, "results", stop or self._never)
        after, clear = _next_cursor(answer)
        return Page(answer["results"], after, size, not clear)

    def event_types(self, stop: threading.Event | None = None) -> list[str]:
        """The names of every event type the account knows. Raises as page does."""
        answer, _ = self._ask(f"{self._events_url}/event-types", {}, "eventTypes", stop or self._never)
        return [name for name in answer["eventTypes"] if isinstance(name, str)]

    def answers(self) -> bool:
        """Whether HubSpot answers anything at all, asked once an outage has used up its time."""
        try:
            self.event_types()
        except (Unavailable, BadAnswer):
            return False
        except HubSpotError:
            pass
        return True

    def _ask(self, url: str, query: Query, wanted: str, stop: threading.Event) -> tuple[dict[str, Any], int]:
        """The answer as JSON with a list under `wanted`, and its bytes; tried again while that may help."""
        asked_at = time.monotonic()
        for attempt, delay in enumerate(_delays(), start=1):
            if stop.is_set():
                break
            try:
                body = self._attempt(url, query, stop)
                answer, replaced = _json_with(body, wanted)
            except _Passing as passing:
                self._pause(passing, attempt, asked_at, delay, stop)
            else:
                self._answered()
                self._count(replaced=replaced)
                return answer, len(body)
        raise Stopped(_STOPPED)

    def _answered(self) -> None:
        with self._lock:
            self._outage_since, self._failures = None, 0

    def _pause(self, passing: _Passing, attempt: int, asked_at: float, delay: float, stop: threading.Event) -> None:
        """Waits before the next attempt, or gives up: no good answer for too long, to this request or to any."""
        now = time.monotonic()
        with self._lock:
            self._outage_since = self._outage_since or now
            self._failures += 1
            failures = max(attempt, self._failures)
            elapsed = now - min(self._outage_since, asked_at)
        wait = max(passing.wait or 0.0, min(delay, 1.0) if passing.wait is not None else delay)
        if isinstance(passing, _Doubtful) and attempt >= MOST_DOUBTFUL:
            raise BadAnswer(
                f"HubSpot's answers cannot be followed (attempts: {attempt}), the last: {passing} What arrived is saved. Start "
                "the sync again; if it ends here again, show this to HubSpot's support."
            )
        if elapsed + wait > self._max_outage:
            raise self._unavailable(passing, elapsed, failures)
        self._count(retries=1)
        if attempt == 5:
            self._log(f"HubSpot has not answered {attempt} attempts, the last: {passing} Trying on.")
        if passing.limit:
            self.quota.pause(max(wait, 1.0))
        else:
            stop.wait(wait)

    def _unavailable(self, passing: _Passing, elapsed: float, attempts: int) -> Unavailable:
        since = to_text(self.now() - int(elapsed * 1000))
        again = "Start the sync again later, or raise max_outage_minutes"
        if not self.clock.is_told():  # never any answer
            again = "Check api_base_url and the network on the way there, or start the sync again later"
        if passing.wait is not None:
            again = f"Start the sync again after {to_text(self.now() + int(passing.wait * 1000))}"
        return Unavailable(
            f"HubSpot gave no good answer since {since} (attempts: {attempts}), the last: {passing} What arrived is saved. "
            f"{again}: it goes on from there."
        )

    def _attempt(self, url: str, query: Query, stop: threading.Event) -> bytearray:
        """The body of one good answer; anything else is raised."""
        self.quota.take(stop)
        if stop.is_set():
            raise Stopped(_STOPPED)
        sent = time.monotonic()
        try:
            with (
                interrupted_by(partial(_check_time, sent, stop)),
                self._session.get(
                    url, params=dict(query), auth=self._auth, timeout=TIMEOUTS, allow_redirects=False, stream=True
                ) as response,
            ):
                self.clock.hear(response.headers.get("Date"))
                self.quota.note(response.headers)
                self._count(rate_limited=response.status_code == 429)
                body = _read_body(response)
        except (requests.RequestException, TransportError, OSError) as error:
            raise _Passing(self._safe(f"{type(error).__name__} ({error}).")) from None
        finally:
            self._count(requests=1, seconds_waiting_for_http=time.monotonic() - sent)
        if response.status_code == 200:
            return body
        failure = self._failure(response, body)
        if not isinstance(failure, _Passing):
            self._answered()
        raise failure

    def _failure(self, response: requests.Response, body: bytearray) -> Exception:
        """What an answer other than 200 is raised as."""
        status, said = response.status_code, _error_body(body, self._blot)
        text = _what_hubspot_said(status, said)
        wait = _retry_after(response.headers.get("Retry-After"), self.now())
        if status in (401, 530):
            return Unauthorized(
                f"{text} Cure: put a valid access token of your HubSpot private app into api_token; this one is wrong, expired, "
                "revoked or cut off."
            )
        if status == 429 and said.get("policyName") == "DAILY":
            return QuotaSpent(
                f"{text} The account's daily quota of requests is spent; what arrived is saved. Start the sync again after "
                "midnight of the account's time zone, and sync less often or with a larger page_size."
            )
        if status == 423 and wait is None:
            wait = 2.0
        if status < 300 or status in (408, 423, 429, 477) or status >= 500:
            return _Passing(text, wait, limit=status == 429)
        location = self._safe(response.headers.get("Location") or "")
        return Refused(f"{text} Cure: {_cure(status, said, location)}")

    def _safe(self, text: str) -> str:
        return self._blot(text)[:500]


def _delays() -> Iterator[float]:
    """Seconds to wait before each further attempt: exponential, and jittered so that workers do not come back as one."""
    growing = backoff.expo(base=2, factor=0.5, max_value=LONGEST_DELAY)
    next(growing)  # backoff's generators yield once before their first value
    for most in growing:
        yield backoff.full_jitter(most)


def _check_time(sent: float, stop: threading.Event) -> None:
    """Raises if the answer to what was sent then (monotonic seconds) may not go on arriving. One that comes at once is read,
    though the sync is stopped, so that it is counted."""
    took = time.monotonic() - sent
    if took > STOP_SECONDS and stop.is_set():
        raise Stopped(_STOPPED)
    if took > ANSWER_SECONDS:
        raise _Passing(f"the answer was still arriving after {ANSWER_SECONDS:.0f} s.")


def _read_body(response: requests.Response) -> bytearray:
    """The whole body; requests would hide one that is cut short."""
    body = bytearray()
    while piece := response.raw.read1(PIECE, decode_content=True):
        body += piece
        if len(body) > ANSWER_BYTES:
            raise BadAnswer(f"HubSpot's answer is larger than {ANSWER_BYTES} bytes. Cure: lower page_size.")
    return body


def _json_with(body: bytes | bytearray, wanted: str) -> tuple[dict[str, Any], int]:
    """The answer's JSON, and how many values had to be replaced to read it. What is not an object with a list under `wanted`
    came from something in between, and passes."""
    try:
        answer, replaced = orjson.loads(body), 0
    except orjson.JSONDecodeError as error:
        mended, replaced = repair(body)
        try:
            answer = orjson.loads(mended)
        except orjson.JSONDecodeError:
            raise _Passing(f"an answer 200 that is no JSON ({len(body)} bytes: {error}).") from None
    if not isinstance(answer, dict) or not isinstance(answer.get(wanted), list):
        raise _Doubtful(f"an answer 200 without a list of {wanted} ({len(body)} bytes).")
    return answer, replaced


def _next_cursor(answer: Mapping[str, Any]) -> tuple[str | None, bool]:
    """The cursor of the next page, None where there is none, and whether the answer says so plainly: the last page has no
    `paging`, or none with a `next`. HubSpot writes the cursor percent-encoded already: sent as it is, it would be encoded twice,
    and that gives an empty page. A raw cursor is base64, so decoding once is right for both.

    >>> _next_cursor({"paging": {"next": {"after": "MTc0Mw%3D%3D"}}}), _next_cursor({}), _next_cursor({"paging": {"next": {}}})
    (('MTc0Mw==', True), (None, True), (None, False))
    """
    here: Any = answer
    for name in ("paging", "next"):
        here = here.get(name)
        if here is None:
            return None, True
        if not isinstance(here, Mapping):
            return None, False
    after = here.get("after")
    if type(after) not in (str, int) or after == "":  # the link, the same request with the cursor in it, may still name one
        named = re.search(r"[?&]after=([^&#]+)", str(here.get("link")))
        after = named and named[1]
    return (None, False) if after is None else (unquote(str(after)), True)


def _retry_after(text: str | None, now: int) -> float | None:
    """Seconds to wait as the header says, as a number or as a date; None where it says nothing readable.

    >>> _retry_after("1.5", 0), _retry_after("Thu, 01 Jan 1970 00:01:00 GMT", 20_000), _retry_after("soon", 0)
    (1.5, 40.0, None)
    """
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - now / 1000
        except (TypeError, ValueError, IndexError, OverflowError):
            return None
    return min(max(0.0, seconds), LONGEST_WAIT) if math.isfinite(seconds) else None


def _error_body(body: bytes | bytearray, blot: Callable[[str], str]) -> dict[str, Any]:
    """HubSpot's error object; each of its fields is optional, and so is the object. The token is blotted out before anything is
    cut to length, lest a part of it is left; written anew, JSON escapes no character that may stand as it is."""
    try:
        said = orjson.loads(blot(orjson.dumps(orjson.loads(body)).decode()))
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return {}
    return said if isinstance(said, dict) else {}


def _what_hubspot_said(status: int, said: Mapping[str, Any]) -> str:
    message = str(said.get("message") or "no message")[:500]
    correlation = said.get("correlationId")
    return f"HubSpot answered {status}: {message}" + (f" (correlationId {correlation})." if correlation else ".")


def _cure(status: int, said: Mapping[str, Any], location: str) -> str:
    """What a person changes so that HubSpot serves the request."""
    message = str(said.get("message") or "").lower()
    if status == 403:
        scopes = sorted(set(_scopes(said)))
        grant = f"grant the scopes {', '.join(scopes)}" if scopes else "grant the scopes for events and behavioral events"
        return (
            f"{grant} to the private app whose token is api_token, or, where the account's plan lacks the feature (Enterprise "
            "tiers have it), take the event type out of event_types."
        )
    if status == 404:
        return "check api_base_url and api_version (2026-03 is the default)."
    if 300 <= status < 400:
        return f"check api_base_url: it redirects to {location[:200]}, and the token is sent to no other host."
    if "limit" in message:
        return "lower page_size."
    return "check event_types (a name the account knows?), initial_sync_start_date and api_version."


def _scopes(said: Mapping[str, Any]) -> Iterator[str]:
    """The scopes an error names, wherever it does: in its context or in that of one of its errors."""
    errors = said.get("errors")
    for holder in [said, *(errors if isinstance(errors, list) else [])]:
        context = holder.get("context") if isinstance(holder, Mapping) else None
        if not isinstance(context, Mapping):
            continue
        for name in ("missingScopes", "requiredScopes", "requiredGranularScopes"):
            scopes = context.get(name)
            yield from (str(scope) for scope in (scopes if isinstance(scopes, list) else [scopes] if scopes else []))

