"""What HubSpot says in the body of an error: its words, the codes that say more, and the scopes it
asks for.

https://developers.hubspot.com/docs/api-reference/error-handling
"""

import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from http import HTTPStatus
from itertools import chain, islice
from typing import Any, NamedTuple

import orjson

from pipeline.hubspot.scopes import Error, Scopes, scopes_of

MAX_MESSAGE = 500  # characters quoted
MAX_CODES, MAX_VALUES = 5, 1000  # codes shown; values of a body that are searched for them

# Categories that only repeat the status.
_PLAIN = {
    "VALIDATION_ERROR",
    "MISSING_SCOPES",
    "INVALID_AUTHENTICATION",
    "OBJECT_NOT_FOUND",
    "RATE_LIMIT",
    "RATE_LIMITS",
}
_PLAIN |= {status.name for status in HTTPStatus}
_CODE_FIELDS = ("category", "subCategory", "code")
_WHOLE_CODE = re.compile(r"[A-Za-z][\w.-]{0,99}", re.ASCII)
_CODE = re.compile(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b", re.ASCII)


class ErrorBody(NamedTuple):
    """An error in HubSpot's words; whatever it leaves out is empty. `subjects` are the names that
    its details point at, such as parameters. `explained`: it is JSON with a message, a category or
    a correlationId, as HubSpot's own errors are.
    """

    message: str = ""
    codes: tuple[str, ...] = ()
    correlation_id: str = ""
    policy: str = ""
    scopes: tuple[Scopes, ...] = ()
    subjects: tuple[str, ...] = ()
    explained: bool = False


def read_error_body(body: bytes | bytearray, redact: Callable[[str], str]) -> ErrorBody:
    """Reads the error in a body, all of whose fields are optional. Plain text is a message, HTML is
    nothing. `redact` removes the token: before the text is truncated, so that no part of it
    survives, and after JSON is parsed and written anew, which removes needless escapes.

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
    explained = is_object and bool(message or correlation_id or said.get("category"))
    return ErrorBody(
        message, _codes(said, message), correlation_id, policy, scopes_of(_errors(said)), _subjects(said), explained
    )


def _holders(said: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yields the error itself, then those in its list of errors."""
    errors = said.get("errors")
    yield said
    for error in errors if isinstance(errors, list) else []:
        if isinstance(error, (Mapping, str)):
            yield {"message": error} if isinstance(error, str) else error


def _message(holder: Mapping[str, Any]) -> str:
    """What an error says; an error of another service behind HubSpot's gateway may say it in
    another field.
    """
    texts = (holder.get(name) for name in ("message", "error", "detail"))
    return next((text.strip() for text in texts if isinstance(text, str)), "")


def _messages(said: Mapping[str, Any]) -> Iterator[str]:
    yield from filter(None, map(_message, _holders(said)))


def _errors(said: Mapping[str, Any]) -> Iterator[Error]:
    """Yields the error, judged by all that is said, and those in its list, judged by their own
    messages.
    """
    for holder in _holders(said):
        words = " ".join(_messages(said)) if holder is said else _message(holder) or _message(said)
        yield Error(_message(holder), holder.get("context"), words)


def _subjects(said: Mapping[str, Any]) -> tuple[str, ...]:
    """What the errors point at: their places, and what their contexts hold."""
    places = ([holder.get("in"), holder.get("context")] for holder in _holders(said))
    return tuple(islice(_texts(list(places)), MAX_VALUES))


def _codes(said: Mapping[str, Any], message: str) -> tuple[str, ...]:
    """The codes that say more than the status and the message, in whichever field: which one holds
    them is not documented.
    """
    fields = [holder.get(name) for holder in _holders(said) for name in _CODE_FIELDS]
    whole = [code for code in fields if isinstance(code, str) and _WHOLE_CODE.fullmatch(code)]
    shown: list[str] = []
    for code in chain(whole, chain.from_iterable(map(_CODE.findall, islice(_texts(said), MAX_VALUES)))):
        last = code.rpartition(".")[2]
        if (
            last not in _PLAIN
            and last not in message
            and not any(code in other for other in shown)
            and len(shown) < MAX_CODES
        ):
            shown.append(code)
    return tuple(shown)


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
