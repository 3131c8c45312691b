"""What HubSpot says in the body of an error: its words, the codes that say more, and the scopes it asks for.

https://developers.hubspot.com/docs/api-reference/error-handling
"""
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from itertools import chain, islice
from typing import Any, NamedTuple

import orjson

MAX_MESSAGE = 500  # characters quoted
MAX_CODES, MAX_VALUES = 5, 1000  # codes shown; values of a body that are searched for them

# Categories that only repeat the status.
_PLAIN = {"VALIDATION_ERROR", "MISSING_SCOPES", "INVALID_AUTHENTICATION", "OBJECT_NOT_FOUND", "RATE_LIMIT", "RATE_LIMITS"}
_CODE = re.compile(r"(?:\w+\.)*[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+", re.ASCII)

# Live messages name scopes in these ways: "requires one of: [a,b]", "the 'a' scope", "Missing auth details: a,b".
_NAME = r"[a-z][\w.-]*\w"
_LISTED = re.compile(rf"requires?(?P<all> all)?[^\[\]]{{0,40}}\[(?P<names>\s*{_NAME}(?:[,\s]+{_NAME})*)\s*\]", re.ASCII)
_QUOTED = re.compile(rf"['\"`]({_NAME})['\"`] scope|scope ['\"`]({_NAME})['\"`]", re.ASCII)
_DETAILS = re.compile(rf"Missing auth details:\s*\[?({_NAME}(?:,\s*{_NAME})*)", re.ASCII)
_ONE_SUFFICES = re.compile(r"one (?:or more )?of|any of|missing auth details", re.IGNORECASE)


class Scopes(NamedTuple):
    """The scopes that HubSpot asks for, and whether one of them suffices."""

    names: tuple[str, ...] = ()
    one_suffices: bool = False


class ErrorBody(NamedTuple):
    """An error in HubSpot's words; whatever it leaves out is empty."""

    message: str = ""
    codes: tuple[str, ...] = ()
    correlation_id: str = ""
    policy: str = ""
    scopes: Scopes = Scopes()


def read_error_body(body: bytes | bytearray, redact: Callable[[str], str]) -> ErrorBody:
    """The error in a body, each of whose fields is optional, without the token, which `redact` removes.

    The token is redacted before the text is truncated, so that no part of it survives, and after JSON is parsed and
    re-serialized, which removes needless escapes.

    >>> read_error_body(b'{"message": "No.", "subCategory": "READS_NOT_ALLOWED", "category": "VALIDATION_ERROR"}', str)[:2]
    ('No.', ('READS_NOT_ALLOWED',))
    """
    try:
        said = orjson.loads(redact(orjson.dumps(orjson.loads(body)).decode()))
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return ErrorBody()
    if not isinstance(said, dict):
        return ErrorBody()
    message = " ".join(dict.fromkeys(_messages(said)))[:MAX_MESSAGE]
    return ErrorBody(
        message, _codes(said, message), str(said.get("correlationId") or ""), str(said.get("policyName") or ""), _scopes(said)
    )


def _holders(said: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yields the error, then those in its list of errors."""
    errors = said.get("errors")
    yield said
    yield from (error for error in (errors if isinstance(errors, list) else []) if isinstance(error, Mapping))


def _messages(said: Mapping[str, Any]) -> Iterator[str]:
    yield from (message.strip() for holder in _holders(said) if isinstance(message := holder.get("message"), str))


def _codes(said: Any, message: str) -> tuple[str, ...]:
    """The codes that say more than the message. Which field holds one is not documented, so each is searched."""
    found = (text for text in islice(_texts(said), MAX_VALUES) if _CODE.fullmatch(text))
    return tuple(islice(dict.fromkeys(code for code in found if code not in _PLAIN and code not in message), MAX_CODES))


def _texts(value: Any) -> Iterator[str]:
    """Yields every text in a JSON value, keys included, the outermost first."""
    waiting = deque([value])
    while waiting:
        value = waiting.popleft()
        if isinstance(value, str):
            yield value
        elif isinstance(value, Mapping):
            waiting.extend(chain.from_iterable(value.items()))
        elif isinstance(value, list):
            waiting.extend(value)


def _scopes(said: Mapping[str, Any]) -> Scopes:
    """The scopes that an error names, in a context or in a message."""
    names: dict[str, None] = {}
    for holder in _holders(said):
        context = holder.get("context")
        for key in ("missingScopes", "requiredScopes", "requiredGranularScopes"):
            listed = context.get(key) if isinstance(context, Mapping) else None
            names |= dict.fromkeys(map(str, listed if isinstance(listed, list) else [listed] if listed else []))
    text = " ".join(_messages(said))
    names |= dict.fromkeys(scopes_in(text))
    return Scopes(tuple(sorted(names)), len(names) > 1 and bool(_ONE_SUFFICES.search(text)))


def scopes_in(message: str) -> list[str]:
    """The scopes that a message names.

    >>> scopes_in("Insufficient scopes, requires one of: [event-detail-read,web-analytics-api-access]")
    ['event-detail-read', 'web-analytics-api-access']
    >>> scopes_in("Do you have access to the 'business-intelligence' scope?  Missing auth details: content,social")
    ['business-intelligence', 'content', 'social']
    """
    found = [first or second for first, second in _QUOTED.findall(message)]
    for listed in [*(match["names"] for match in _LISTED.finditer(message)), *_DETAILS.findall(message)]:
        found += re.split(r"[,\s]+", listed.strip())
    return list(dict.fromkeys(found))
