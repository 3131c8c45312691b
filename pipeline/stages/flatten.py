"""From events to flat rows: one column per value."""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from pipeline.hubspot.events_api import OCCURRED_AT, PROPERTIES, occurred_text
from pipeline.names.columns import OCCURRED, column_names_if_different
from pipeline.names.shapes import by_shape
from pipeline.stages.events import Event

# Deeper objects become JSON text: no destination would take so long a name.
MAX_DEPTH = 32

Row = dict[str, Any]


def flatten(events: Iterable[Event]) -> Iterator[Row]:
    """Flattens each event into a row: its properties beside its own fields, the names of nested
    objects joined with "_", and `occurred`, which is occurredAt as HubSpot wrote it (as ISO 8601
    text if that is a number). No value is lost to a name (names/columns.py).

    >>> event = {"id": "a", "occurredAt": "2026-05-21T01:36:04Z", "properties": {"hs_url": "/", "id": "7", "geo": {"lat": 1}}}
    >>> next(flatten([event]))  # doctest: +NORMALIZE_WHITESPACE
    {'id': 'a', 'occurredAt': '2026-05-21T01:36:04Z', 'hs_url': '/', 'properties_id': '7',
    'geo_lat': 1, 'occurred': '2026-05-21T01:36:04Z'}
    """
    for event in events:
        row = event.copy()
        properties = row.pop(PROPERTIES) if type(row.get(PROPERTIES)) is dict else {}
        own, properties = leaves(row), leaves(properties)
        columns = _columns_of(own, properties)
        if columns is None:  # nothing is nested, and each name is its column's
            row.update(properties)
        else:
            row = dict(zip(columns, chain(own.values(), properties.values()), strict=True))
        occurred = row.get(OCCURRED_AT)
        if occurred is not None and (type(occurred) is not str or occurred.isdigit()):
            # text, or a column of timestamps would become one of numbers
            occurred = row[OCCURRED_AT] = occurred_text(occurred)
        row[OCCURRED] = occurred
        yield row


_columns_of = by_shape(column_names_if_different)


def leaves(fields: dict[str, Any]) -> dict[Any, Any]:
    """The values of nested objects by their paths; an empty object is a value. Returns `fields`
    itself if nothing is nested.
    """
    if _OBJECT.isdisjoint(map(type, fields.values())):
        return fields
    return dict(_walk(fields))


_OBJECT = frozenset((dict,))


def _walk(fields: dict[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[Any, Any]]:
    for name, value in fields.items():
        path = (*above, name)
        if type(value) is dict and value and len(path) < MAX_DEPTH:
            yield from _walk(value, path)
        else:
            yield (path if above else name), value
