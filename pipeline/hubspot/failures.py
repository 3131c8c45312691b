"""Errors from responses without data: the exception for each, with HubSpot's own words and the
cure.

https://developers.hubspot.com/docs/api-reference/error-handling
"""

import math
import re
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any

import orjson
import requests

from pipeline.errors import Forbidden, QuotaSpent, Refused, Unauthorized
from pipeline.hubspot.error_body import ErrorBody, read_error_body
from pipeline.hubspot.events_api import TYPES
from pipeline.hubspot.scopes import Scopes

MAX_WAIT = 1e9  # seconds; longer waits are cut to this
MAX_UNUSABLE = 8  # attempts at a request whose answers cannot be used
MAX_EMPTY = 3  # at the list of event types, if it is empty


class Transient(Exception):
    """This attempt failed; the next may not.

    `wait` is how many seconds HubSpot asks to wait, if it does. `rate_limited`: every worker must
    wait.
    """

    def __init__(self, what: str, wait: float | None = None, rate_limited: bool = False):
        super().__init__(what)
        self.wait = wait
        self.rate_limited = rate_limited


class Unusable(Transient):
    """A 200 response that HubSpot cannot have meant: retried, but in `attempts` attempts at most."""

    def __init__(self, what: str, attempts: int | None = None):
        super().__init__(what)
        self.attempts = attempts or MAX_UNUSABLE


def failure(response: requests.Response, body: bytearray, now: int, redact: Callable[[str], str]) -> Exception:
    """The error for a response other than 200; `now` is HubSpot's clock (ms), `redact` removes the
    token from a text.
    """
    status, said = response.status_code, read_error_body(body, redact)
    text = _what_hubspot_said(status, said)
    wait = retry_after(response.headers.get("Retry-After"), now)
    if status in (401, 530):  # 530: seen from the proxy in front of the API, for a malformed token
        return Unauthorized(
            f"{text} Cure: put a valid access token, of a HubSpot service key or private app, into "
            "api_token; this one is wrong, expired, revoked or cut off."
        )
    if status == 429 and said.policy == "DAILY":
        return QuotaSpent(
            f"{text} The account's daily quota of requests is spent. Cure: wait until after "
            "midnight in the account's time zone, and sync less often or with a larger page_size."
        )
    if status == 423 and wait is None:
        wait = 2.0
    if status < 300 or status in (408, 423, 429, 477) or status >= 500:
        return Transient(text, wait, rate_limited=status == 429)
    cure = _cure(status, said, redact(response.headers.get("Location") or "").partition("?")[0])
    kind = Forbidden if status == 403 else Refused
    return kind(f"{text} Cure: {cure}", said.explained)


def check_whole(status: int, answer: Any, wanted: str, redact: Callable[[str], str]) -> None:
    """Raises Transient for an answer that says of itself that it is not whole, whatever it holds
    under `wanted`, and Unusable for one without a list there, or with an empty list of event types,
    since every account has some.
    """
    fields = answer if isinstance(answer, dict) else {}
    said = {name: fields[name] for name in _SAID if name in fields}
    number, named = (_number(said.get(name)) for name in ("numErrors", "status"))
    is_error = str(said.get("status")).strip().lower() == "error" or named >= 400
    if said.get("errors") or number > 0 or is_error:
        # of those fields alone: codes are looked for everywhere, and no record may be quoted
        text = _what_hubspot_said(status, read_error_body(_json(said), redact))
        raise Transient(f"an answer that is not whole: {text}")
    if not isinstance(fields.get(wanted), list):
        raise Unusable(f"a {status} response without a list of {wanted}.")
    if wanted == TYPES and not fields[TYPES]:
        raise Unusable("a list of event types that is empty, which no account's is.", MAX_EMPTY)


def _json(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:  # nested too deep, or a number beyond 64 bits
        return b"{}"


_SAID = (
    "status", "message", "category", "subCategory", "correlationId", "numErrors", "errors", "context",
)  # fmt: skip


def _number(value: Any) -> float:
    """A number, or one in a text; 0 for anything else."""
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return 0.0


def retry_after(text: str | None, now: int) -> float | None:
    """The seconds to wait that a Retry-After header asks for, as a number or as a date; None if it
    cannot be read.

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


def _what_hubspot_said(status: int, said: ErrorBody) -> str:
    details = [*said.codes, *([f"correlationId {said.correlation_id}"] if said.correlation_id else [])]
    text = f"HubSpot answered {status}: {said.message or 'no message'}"
    return f"{text} ({', '.join(details)})." if details else text if text.endswith((".", "?", "!")) else f"{text}."


def _cure(status: int, said: ErrorBody, location: str) -> str:
    """The change that makes HubSpot serve the request, as an imperative."""
    text = " ".join([said.message, *said.subjects, *(code.replace("_", " ") for code in said.codes)])
    if re.search("storage[ _]location", text, re.IGNORECASE):
        return f"{_EXCLUDE}: HubSpot does not serve it where this account's data is stored."
    if status == 403:
        return (
            f"grant {_all_named(said.scopes)} to the service key or private app whose access token "
            "is api_token (it takes two minutes to work), or, where the account's plan lacks the "
            f"feature (Enterprise tiers have it), {_EXCLUDE}."
        )
    if status in _CURES:
        return _CURES[status]
    if 300 <= status < 400:
        return f"check api_base_url: it redirects to {location[:200]}, and the token is sent to no other host."
    return next((cure for pattern, cure in _CURES_BY_TEXT.items() if re.search(pattern, text, re.IGNORECASE)), _CHECK)


def _all_named(scopes: tuple[Scopes, ...]) -> str:
    """All scopes to grant, as the object of a sentence."""
    if not scopes:
        return f"the scopes for reading events ({_GRANTED_BY_OTHERS}, where HubSpot offers it)"
    return " and ".join(map(_named, scopes))


def _named(scopes: Scopes) -> str:
    """Scopes to grant, as the object of a sentence.

    >>> _named(Scopes(("a",))), _named(Scopes(("a", "b"))), _named(Scopes(("a", "b"), one_suffices=True))
    ('the scope a', 'the scopes a, b', 'one of the scopes a, b')
    """
    names = ", ".join(scopes.names)
    # Live answers name event-detail-read, which HubSpot does not offer everywhere: docs/access.md
    them = "it" if len(scopes.names) == 1 else "them"
    other = (
        f" (or {_GRANTED_BY_OTHERS}, if HubSpot does not offer {them})" if "event-detail-read" in scopes.names else ""
    )
    other = "" if _GRANTED_BY_OTHERS in scopes.names else other
    if len(scopes.names) > 1:
        return f"one of the scopes {names}{other}" if scopes.one_suffices else f"the scopes {names}{other}"
    return f"the scope {names}{other}"


# whether a name or a pattern selects it
_EXCLUDE = "exclude the event type (add its name to event_types, with ! before it)"
_GRANTED_BY_OTHERS = "business-intelligence"
_CURES = {
    304: (
        "have the proxy in front of HubSpot, or the host in api_base_url, cache nothing: it says "
        "that nothing has changed."
    ),
    404: "check api_base_url and api_version and, if HubSpot names one, the event type.",
    405: "check api_base_url: only HubSpot's Events API, or a stand-in for it, can be read.",
    **dict.fromkeys((413, 414, 431), "shorten properties and property_filters: they make the request too long."),
}
# the first that fits: a complaint about a limit or a property may name the event type, too
_CURES_BY_TEXT = {
    r"(?<!time )(?<!rate )\blimit\b|\bpage[ _]?size\b": "lower page_size.",
    r"\bproperty\b|\bproperties\b": "check properties and property_filters.",
    r"\bevent ?types?\b": "check event_types: does the account know the name?",
    r"\bobject ?(type|id)\b": "check object_type and object_id.",
}
_CHECK = "check event_types (does the account know the name?), initial_sync_start_date and api_version."
