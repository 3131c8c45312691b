"""Errors from responses without data: the exception for each, with HubSpot's own words and the cure.

https://developers.hubspot.com/docs/api-reference/error-handling
"""
import math
from collections.abc import Callable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import orjson
import requests

from pipeline.errors import QuotaSpent, Refused, Unauthorized

MAX_WAIT = 1e9  # seconds; longer waits are cut to this


class Transient(Exception):
    """This attempt failed; the next may not.

    `wait` is how many seconds HubSpot asks to wait, if it does. `rate_limited`: every worker must wait.
    """

    def __init__(self, what: str, wait: float | None = None, rate_limited: bool = False):
        super().__init__(what)
        self.wait = wait
        self.rate_limited = rate_limited


class Unusable(Transient):
    """A 200 response that HubSpot cannot have meant: retried, but fewer times than an outage is."""


def failure(response: requests.Response, body: bytearray, now: int, redact: Callable[[str], str]) -> Exception:
    """The error for a response other than 200; `now` is HubSpot's clock (ms), `redact` removes the token from a text."""
    status, said = response.status_code, _error_body(body, redact)
    text = _what_hubspot_said(status, said)
    wait = retry_after(response.headers.get("Retry-After"), now)
    if status in (401, 530):  # 530: seen from the proxy in front of the API, for a malformed token
        return Unauthorized(
            f"{text} Cure: put a valid access token of your HubSpot private app into api_token; this one is wrong, expired, "
            "revoked or cut off."
        )
    if status == 429 and said.get("policyName") == "DAILY":
        return QuotaSpent(
            f"{text} The account's daily quota of requests is spent; what arrived is saved. Start the sync again after "
            "midnight in the account's time zone, and sync less often or with a larger page_size."
        )
    if status == 423 and wait is None:
        wait = 2.0
    if status < 300 or status in (408, 423, 429, 477) or status >= 500:
        return Transient(text, wait, rate_limited=status == 429)
    location = redact(response.headers.get("Location") or "")
    return Refused(f"{text} Cure: {_cure(status, said, location)}")


def retry_after(text: str | None, now: int) -> float | None:
    """The seconds to wait that a Retry-After header asks for, as a number or as a date; None if it cannot be read.

    >>> retry_after("1.5", 0), retry_after("Thu, 01 Jan 1970 00:01:00 GMT", 20_000), retry_after("soon", 0)
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
    return min(max(0.0, seconds), MAX_WAIT) if math.isfinite(seconds) else None


def _error_body(body: bytes | bytearray, redact: Callable[[str], str]) -> dict[str, Any]:
    """HubSpot's error object, each of whose fields is optional; empty if there is none.

    The token is redacted before the text is truncated, so that no part of it survives, and after JSON is parsed and
    re-serialized, which removes needless escapes.
    """
    try:
        said = orjson.loads(redact(orjson.dumps(orjson.loads(body)).decode()))
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return {}
    return said if isinstance(said, dict) else {}


def _what_hubspot_said(status: int, said: Mapping[str, Any]) -> str:
    message = str(said.get("message") or "no message")[:500]
    correlation = said.get("correlationId")
    return f"HubSpot answered {status}: {message}" + (f" (correlationId {correlation})." if correlation else ".")


def _cure(status: int, said: Mapping[str, Any], location: str) -> str:
    """The change that makes HubSpot serve the request, as an imperative."""
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
    """Yields the scopes that an error names, in its own context or in that of one of its errors."""
    errors = said.get("errors")
    for holder in [said, *(errors if isinstance(errors, list) else [])]:
        context = holder.get("context") if isinstance(holder, Mapping) else None
        if not isinstance(context, Mapping):
            continue
        for name in ("missingScopes", "requiredScopes", "requiredGranularScopes"):
            scopes = context.get(name)
            yield from (str(scope) for scope in (scopes if isinstance(scopes, list) else [scopes] if scopes else []))
