"""Values that stay one column: lists as JSON text, and in the single layout all properties as
JSON.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import orjson
from toolz import curry

from pipeline.hubspot.events_api import PROPERTIES
from pipeline.stages.events import Event
from pipeline.stages.flatten import Row


def serialize_lists(rows: Iterable[Row]) -> Iterator[Row]:
    """The rows, with their lists (and any objects that flatten has left) as JSON text.

    >>> next(serialize_lists([{"id": "a", "tags": ["x", {"y": None}]}]))
    {'id': 'a', 'tags': '["x",{"y":null}]'}
    """
    for row in rows:
        if not NESTED.isdisjoint(map(type, row.values())):
            row = {
                name: json_text(value) if type(value) in NESTED else value
                for name, value in row.items()
            }
        yield row


NESTED = frozenset((list, dict))


def json_text(value: Any) -> str:
    """The JSON text of any value that JSON can hold."""
    return json_bytes(value).decode()


def json_bytes(value: Any) -> bytes:
    """The same in UTF-8."""
    try:
        return orjson.dumps(value)
    except (
        orjson.JSONEncodeError
    ):  # nested deeper than orjson writes, an integer beyond 64 bits, half a character
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
        waiting += [
            ("," * (number > 0) + name, inner)
            for number, (name, inner) in reversed(list(enumerate(items)))
        ]
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
        return event | {
            PROPERTIES: JsonObject({name: _shallow(value) for name, value in properties.items()})
        }
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
