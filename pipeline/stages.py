"""The stages of the pipeline. Each takes an iterator and gives one, lazily, and holds no more than it says.

Whatever does I/O (fetch, upsert, save) is handed in, so that each stage runs in a notebook with lists and print. Data comes
last and the rest is curried, so that stages compose: `toolz.pipe(pages, unwrap_results, flatten, dedupe_by_id(20_000))`.
"""
import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any

import orjson
from toolz import concat, curry

from pipeline.moments import to_ms
from pipeline.names import renamed

MOST_LEVELS = 32  # an object nested deeper than this becomes JSON text, for no destination takes the name it would get

Event = dict[str, Any]
Row = dict[str, Any]


@curry
def fetch_pages(fetch: Callable[[Any], Iterable[dict[str, Any]]], spans: Iterable[Any]) -> Iterator[dict[str, Any]]:
    """The pages of each span of time in turn: `fetch` gives the pages of one, in order.

    >>> list(fetch_pages(lambda span: [{"results": [n]} for n in range(*span)])([(0, 2), (5, 6)]))
    [{'results': [0]}, {'results': [1]}, {'results': [5]}]
    """
    return concat(map(fetch, spans))  # type: ignore[no-any-return]


def unwrap_results(pages: Iterable[dict[str, Any]]) -> Iterator[Event]:
    """The events of each page, `{"results": [event, …]}`, in order.

    >>> list(unwrap_results([{"results": [{"id": "a"}, {"id": "b"}]}, {"results": []}, {"results": [{"id": "c"}]}]))
    [{'id': 'a'}, {'id': 'b'}, {'id': 'c'}]
    """
    for page in pages:
        yield from page["results"]


@curry
def set_aside(reject: Callable[[Any, str], None], events: Iterable[Any]) -> Iterator[Event]:
    """The events that can be rows; `reject(event, reason)` gets each other one.

    >>> list(set_aside(lambda event, reason: print(reason, event))([{"id": "a"}, 7]))
    no occurredAt {'id': 'a'}
    not an object 7
    []
    """
    for event in events:
        reason = what_is_wrong(event)
        if reason is None:
            yield event
        else:
            reject(event, reason)


def what_is_wrong(event: Any) -> str | None:
    """Why an event cannot be a row, None if it can: it needs an id and a date to be kept once and in order.

    >>> what_is_wrong({"id": "a", "occurredAt": "yesterday"})
    'unreadable occurredAt'
    """
    if not isinstance(event, dict):
        return "not an object"
    if not isinstance(event.get("id"), (str, int)) or event["id"] == "":
        return "no id"
    occurred = event.get("occurredAt")
    if occurred is None or occurred == "":
        return "no occurredAt"
    try:
        return None if isinstance(occurred, str) and to_ms(occurred) is not None else "unreadable occurredAt"
    except ValueError:
        return "unreadable occurredAt"


@curry
def keep_type(event_type: str, reject: Callable[[Any, str], None], events: Iterable[Event]) -> Iterator[Event]:
    """The events of one type, those that do not say among them; `reject(event, reason)` gets each that says it is of another.

    >>> list(keep_type("e_a", lambda event, reason: print(reason))([{"id": "1"}, {"eventType": "e_b"}]))
    another event type than was asked for
    [{'id': '1', 'eventType': 'e_a'}]
    """
    for event in events:
        said = event.get("eventType")
        if said == event_type:
            yield event
        elif said is None:
            yield event | {"eventType": event_type}
        else:
            reject(event, "another event type than was asked for")


def flatten(events: Iterable[Event]) -> Iterator[Row]:
    """Each event as one flat row: its properties beside its own fields, deeper objects joined with "_", and `occurred`,
    which is occurredAt as HubSpot wrote it. No value is lost to a name (pipeline/names.py).

    >>> event = {"id": "a", "occurredAt": "2026-05-21T01:36:04Z", "properties": {"hs_url": "/", "id": "7", "geo": {"lat": 1}}}
    >>> next(flatten([event]))  # doctest: +NORMALIZE_WHITESPACE
    {'id': 'a', 'occurredAt': '2026-05-21T01:36:04Z', 'hs_url': '/', 'properties_id': '7', 'geo_lat': 1,
     'occurred': '2026-05-21T01:36:04Z'}
    """
    shape = columns = None
    for event in events:
        row = event.copy()
        properties = row.pop("properties") if type(row.get("properties")) is dict else {}
        own, properties = leaves(row), leaves(properties)
        if shape != (shape := (tuple(own), tuple(properties))):  # most events have the shape of the one before
            columns = renamed(*shape)
        if columns is None:  # nothing is nested, and each name is its column's
            row.update(properties)
        else:
            row = dict(zip(columns, chain(own.values(), properties.values()), strict=True))
        row["occurred"] = row.get("occurredAt")
        yield row


def leaves(fields: dict[str, Any]) -> dict[Any, Any]:
    """The values of nested objects by their paths; an empty object is a value. What nests nothing is returned as it is."""
    if _OBJECT.isdisjoint(map(type, fields.values())):
        return fields
    return dict(_walk(fields))


_OBJECT = frozenset((dict,))


def _walk(fields: dict[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[Any, Any]]:
    for name, value in fields.items():
        path = (*above, name)
        if type(value) is dict and value and len(path) < MOST_LEVELS:
            yield from _walk(value, path)
        else:
            yield (path if above else name), value


def serialize_lists(rows: Iterable[Row]) -> Iterator[Row]:
    """Each row with its lists (and what objects flatten has left) as JSON text.

    >>> next(serialize_lists([{"id": "a", "tags": ["x", {"y": None}]}]))
    {'id': 'a', 'tags': '["x",{"y":null}]'}
    """
    for row in rows:
        if not NESTED.isdisjoint(map(type, row.values())):
            row = {name: json_text(value) if type(value) in NESTED else value for name, value in row.items()}
        yield row


NESTED = frozenset((list, dict))


def json_text(value: Any) -> str:
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError:  # nested deeper than orjson writes, an integer beyond 64 bits, half a character
        return "".join(_json_pieces(value))


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
        waiting += [("," * (place > 0) + name, inner) for place, (name, inner) in reversed(list(enumerate(items)))]
        yield "{" if isinstance(value, dict) else "["


_NOTHING = object()


@curry
def dedupe_by_id(window: int, rows: Iterable[Row]) -> Iterator[Row]:
    """The rows whose id is not among the last `window` ids; a row without one passes. Memory: `window` ids.

    >>> [row["id"] for row in dedupe_by_id(2)([{"id": "a"}, {"id": "b"}, {"id": "a"}, {"id": "c"}, {"id": "a"}])]
    ['a', 'b', 'c', 'a']
    """
    order: deque[Any] = deque()
    recent: set[Any] = set()
    for row in rows:
        key = row.get("id")
        if key in recent:
            continue
        if key is not None and window > 0:
            if len(order) >= window:
                recent.discard(order.popleft())
            order.append(key)
            recent.add(key)
        yield row


@curry
def emit_upserts(upsert: Callable[[Row], Any], rows: Iterable[Row]) -> Iterator[Row]:
    """The rows, each after `upsert(row)` has taken it.

    >>> list(emit_upserts(print)([{"id": "a"}]))
    {'id': 'a'}
    [{'id': 'a'}]
    """
    for row in rows:
        upsert(row)
        yield row


@curry
def checkpoint_every(n: int, save: Callable[[str], Any], rows: Iterable[Row]) -> Iterator[Row]:
    """The rows; after every `n` of them, and at the end (also when the rows end in an error), `save(occurred)` gets the
    last-occurred cursor: the latest `occurred` that has passed. It never moves back.

    >>> rows = [{"occurred": f"2026-05-21T01:36:0{second}Z"} for second in (1, 3, 2)]
    >>> len(list(checkpoint_every(2, print)(rows)))
    2026-05-21T01:36:03Z
    2026-05-21T01:36:03Z
    3
    """
    unsaved, cursor, latest = 0, None, float("-inf")
    try:
        for row in rows:
            occurred = row.get("occurred")
            if occurred is not None and (moment := to_ms(occurred)) >= latest:
                cursor, latest = occurred, moment
            unsaved += 1
            if unsaved >= n and cursor is not None:
                unsaved = 0  # first, or a save that fails would be tried again on the way out
                save(cursor)
            yield row
    finally:
        if unsaved and cursor is not None:
            save(cursor)
