"""Values that stay one column: lists as JSON text, numbers as text that the SDK's inference keeps
exact, and in the single layout all properties as JSON.
"""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import orjson
from toolz import curry

from pipeline.hubspot.events_api import PROPERTIES
from pipeline.names.destination import destination_name
from pipeline.stages.events import Event
from pipeline.stages.flatten import Row


def serialize_lists(rows: Iterable[Row], spell: Callable[[str, Any], Any] | None = None) -> Iterator[Row]:
    """Turns lists, and any objects that flatten has left, into JSON text; with `spell`, each number
    into `spell(column, number)`.

    >>> next(serialize_lists([{"id": "a", "n": 1, "tags": ["x", {"y": None}]}]))
    {'id': 'a', 'n': 1, 'tags': '["x",{"y":null}]'}
    """
    by_kind: dict[type, Callable[[str, Any], Any]] = dict.fromkeys(NESTED, _as_json)
    by_kind |= {} if spell is None else dict.fromkeys((int, float), spell)
    kinds = frozenset(by_kind)
    for row in rows:
        if not kinds.isdisjoint(map(type, row.values())):
            row = {name: by_kind.get(type(row[name]), _as_is)(name, row[name]) for name in row}
        yield row


NESTED = frozenset((list, dict))


def _as_json(column: str, value: Any) -> str:
    return json_text(value)


def _as_is(column: str, value: Any) -> Any:
    return value


WHOLE_IN_DOUBLE = 2**53  # beyond it, a 64-bit float skips whole numbers


@curry
def spell_number(declared: Mapping[str, str], column: str, number: int | float) -> Any:
    """Spells a number so that it stays exact at the destination, whatever else its column holds.
    `declared` are the types of declared columns, by the destination's names.

    The SDK infers a type from the text of an undeclared column: a 64-bit integer from digits, a
    64-bit float from digits with a point, text from everything else; and it widens in that order.
    (A float given as a number would become one of 32 bits.) So what a 64-bit float cannot hold is
    spelled with an exponent and without a point, which makes the column one of text. A column
    declared as text takes each number as it is. None for what is no number (NaN).

    >>> spell = spell_number({"object_id": "STRING"})
    >>> spell("n", 5), spell("n", 1e-7), spell("n", 2**53 + 1), spell("objectId", 2**53 + 1)
    ('5', '1.0e-7', '9007199254740993e0', '9007199254740993')
    """
    kind = declared.get(destination_name(column))
    if kind not in (None, "STRING") or not abs(number) < float("inf"):
        return number if kind else None
    text = json_text(number)
    if kind:
        return text
    if isinstance(number, int):
        is_safe = abs(number) <= WHOLE_IN_DOUBLE or not -(2**63) <= number < 2**63
        return text if is_safe else f"{text}e0"
    digits, e, exponent = text.partition("e")
    if 0 < abs(number) < sys.float_info.min:  # would become 0
        whole, _, fraction = digits.partition(".")
        return f"{whole}{fraction}e{int(exponent) - len(fraction)}"
    return f"{digits}{'' if '.' in digits else '.0'}{e}{exponent}"


def json_text(value: Any) -> str:
    """The JSON text of any value that JSON can hold."""
    return json_bytes(value).decode()


def json_bytes(value: Any) -> bytes:
    """The JSON text of a value, in UTF-8."""
    try:
        return orjson.dumps(value)
    # nested deeper than orjson writes, an integer beyond 64 bits, half a character
    except orjson.JSONEncodeError:
        return "".join(_json_pieces(value)).encode()


def _json_pieces(value: Any) -> Iterator[str]:
    """The JSON text of a value however deep, piece by piece; json.dumps would run out of stack."""
    waiting = [("", value)]  # texts to write as they are, each before a value (or none)
    while waiting:
        text, value = waiting.pop()
        yield text
        if isinstance(value, dict):
            items = [(f"{json.dumps(str(key))}:", inner) for key, inner in value.items()]
        elif isinstance(value, list):
            items = [("", inner) for inner in value]
        else:
            yield "" if value is _NOTHING else json.dumps(value)
            continue
        waiting.append(("}" if isinstance(value, dict) else "]", _NOTHING))
        waiting += [("," * (number > 0) + name, inner) for number, (name, inner) in reversed(list(enumerate(items)))]
        yield "{" if isinstance(value, dict) else "["


_NOTHING = object()


class JsonObject(dict[str, Any]):
    """An object that stays one value where flatten would make columns of it."""


class JsonList(list[Any]):
    """A list that does, where serialize_lists would make text of it."""


@curry
def properties_as_json(enabled: bool, events: Iterable[Event]) -> Iterator[Event]:
    """If `enabled`, each event with its properties as one JSON value; what is nested too deep in
    them becomes text.

    >>> from pipeline.stages.flatten import flatten
    >>> event = {"id": "a", "occurredAt": "2026-05-21", "properties": {"hs_url": "/", "id": "7"}}
    >>> next(flatten(properties_as_json(True)([event])))
    {'id': 'a', 'occurredAt': '2026-05-21', 'properties': {'hs_url': '/', 'id': '7'}, 'occurred': '2026-05-21'}
    """
    return map(_with_json_properties, events) if enabled else iter(events)


def _with_json_properties(event: Event) -> Event:
    properties = event.get(PROPERTIES)
    if type(properties) is dict:
        return event | {PROPERTIES: JsonObject({name: _shallow(value) for name, value in properties.items()})}
    if type(properties) is list:
        return event | {PROPERTIES: JsonList(map(_shallow, properties))}
    return event


def _shallow(value: Any) -> Any:
    if type(value) in (dict, list):
        try:
            orjson.dumps(value)
        except orjson.JSONEncodeError:
            return json_text(value)
    return value
