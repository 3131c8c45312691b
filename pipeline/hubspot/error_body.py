"""What HubSpot says in the body of an error: its words, the codes that say more, and the scopes it asks for.

https://developers.hubspot.com/docs/api-reference/error-handling
"""
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from itertools import chain, islice
from typing import Any, NamedTuple

import orjson

MAX_MESSAGE = 500  # characters quoted
MAX_CODES, MAX_VALUES = 5, 1000  # codes shown; values of a body that are searched for them
MAX_SCOPES, MAX_SCOPE = 20, 80  # scopes shown, and characters of one

# Categories that only repeat the status.
_PLAIN = {"VALIDATION_ERROR", "MISSING_SCOPES", "INVALID_AUTHENTICATION", "OBJECT_NOT_FOUND", "RATE_LIMIT", "RATE_LIMITS"}
_CODE = re.compile(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b", re.ASCII)

# Live messages name scopes in these ways: "requires one of: [a,b]", "the 'a' scope", "Missing auth details: a,b".
_NAME = r"[a-z][\w.-]*\w"
_LEAD = r"(?:requires?|one of|any of|all of|scopes?)\b[^\[\]]*"
_LISTED = re.compile(rf"({_LEAD})\[(\s*{_NAME}(?:[,\s]+{_NAME})*)\s*\]", re.ASCII | re.IGNORECASE)
_QUOTED = re.compile(rf"((?:['\"`]{_NAME}['\"`],?\s+(?:(?:and|or)\s+)?)+)scopes?\b|\bscopes? ['\"`]({_NAME})['\"`]", re.ASCII)
_DETAILS = re.compile(rf"Missing auth details:\s*\[?({_NAME}(?:,\s*{_NAME})*)", re.ASCII)
_ABOUT_SCOPES = re.compile(r"scope|permission", re.IGNORECASE)
_ONE_SUFFICES = re.compile(r"(?:one|one or more|any) of", re.IGNORECASE)


class Scopes(NamedTuple):
    """Scopes that HubSpot asks for together, and whether one of them suffices."""

    names: tuple[str, ...]
    one_suffices: bool = False


class ErrorBody(NamedTuple):
    """An error in HubSpot's words; whatever it leaves out is empty. `explained`: it is JSON with a message, as HubSpot's are."""

    message: str = ""
    codes: tuple[str, ...] = ()
    correlation_id: str = ""
    policy: str = ""
    scopes: tuple[Scopes, ...] = ()
    explained: bool = False


def read_error_body(body: bytes | bytearray, redact: Callable[[str], str]) -> ErrorBody:
    """The error in a body, each of whose fields is optional, without the token, which `redact` removes. Plain text is a message,
    HTML is nothing.

    The token is redacted before the text is truncated, so that no part of it survives, and after JSON is parsed and
    re-serialized, which removes needless escapes.

    >>> read_error_body(b'{"message": "No.", "subCategory": "READS_NOT_ALLOWED", "category": "VALIDATION_ERROR"}', str)[:2]
    ('No.', ('READS_NOT_ALLOWED',))
    """
    said: Any = None
    with suppress(orjson.JSONDecodeError, orjson.JSONEncodeError):
        said = orjson.loads(redact(orjson.dumps(orjson.loads(body)).decode()))
    is_object = isinstance(said, dict)
    if not is_object:
        text = redact(body.decode("utf-8-sig", "replace")).strip()
        said = {} if text.startswith("<") else {"message": text}
    message = " ".join(dict.fromkeys(_messages(said)))[:MAX_MESSAGE]
    correlation_id, policy = (str(said.get(name) or "")[:60] for name in ("correlationId", "policyName"))
    return ErrorBody(message, _codes(said, message), correlation_id, policy, _scopes(said), is_object and bool(message))


def _holders(said: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yields the error, then those in its list of errors."""
    errors = said.get("errors")
    yield said
    for error in errors if isinstance(errors, list) else []:
        if isinstance(error, (Mapping, str)):
            yield {"message": error} if isinstance(error, str) else error


def _message(holder: Mapping[str, Any]) -> str:
    """What an error says; an error of another service behind HubSpot's gateway may say it in another field."""
    texts = (holder.get(name) for name in ("message", "error", "detail"))
    return next((text.strip() for text in texts if isinstance(text, str)), "")


def _messages(said: Mapping[str, Any]) -> Iterator[str]:
    yield from filter(None, map(_message, _holders(said)))


def _codes(said: Any, message: str) -> tuple[str, ...]:
    """The codes that say more than the message. Which field holds one is not documented, so each is searched."""
    found = chain.from_iterable(map(_CODE.findall, islice(_texts(said), MAX_VALUES)))
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


def _scopes(said: Mapping[str, Any]) -> tuple[Scopes, ...]:
    """The scopes that an error names in contexts, and those that its messages name besides."""
    in_contexts: dict[str, None] = {}
    text = " ".join(_messages(said))
    for holder in _holders(said):
        context = holder.get("context")
        for key in ("missingScopes", "requiredScopes", "requiredGranularScopes"):
            listed = context.get(key) if isinstance(context, Mapping) else None
            names = [str(name)[:MAX_SCOPE] for name in (listed if isinstance(listed, list) else [listed] if listed else [])]
            in_contexts |= dict.fromkeys(names[:MAX_SCOPES])
    of_contexts = [Scopes(tuple(sorted(in_contexts)), bool(_ONE_SUFFICES.search(text)))] if in_contexts else []
    return (*of_contexts, *(scopes for scopes in scopes_in(text) if not in_contexts.keys() >= set(scopes.names)))


def scopes_in(message: str) -> list[Scopes]:
    """The scopes that a message names.

    >>> scopes_in("Insufficient scopes, requires one of: [event-detail-read,web-analytics-api-access]")
    [Scopes(names=('event-detail-read', 'web-analytics-api-access'), one_suffices=True)]
    >>> scopes_in("Do you have access to the 'business-intelligence' scope?  Missing auth details: content,social")
    [Scopes(names=('business-intelligence', 'content', 'social'), one_suffices=True)]
    """
    if not _ABOUT_SCOPES.search(message):
        return []
    in_quotes = [single or _without_words(several) for several, single in _QUOTED.findall(message)]
    quoted = [name for names in in_quotes for name in names.split()]
    details = [name for names in _DETAILS.findall(message) for name in re.split(r",\s*", names)]
    found = [Scopes(tuple(sorted({*quoted, *details})), bool(details))] if quoted or details else []
    for lead, names in _LISTED.findall(message):
        found.append(Scopes(tuple(sorted(set(re.split(r"[,\s]+", names.strip())))), bool(_ONE_SUFFICES.search(lead))))
    return list(dict.fromkeys(found))


def _without_words(quoted: str) -> str:
    """The names in a list of quoted names."""
    return " ".join(re.findall(rf"['\"`]({_NAME})['\"`]", quoted))
