"""The definitions of an account's custom events as HubSpot spells them: their path, and what an
answer holds. HubSpot's own event types have none.

https://developers.hubspot.com/docs/api-reference/latest/events/define-events/get-event-definitions
and, for the paths, HubSpot's public collection of API specifications.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.hubspot.events_api import EVENTS, LIMIT, PROPERTIES, Query
from pipeline.hubspot.properties import Definition, Property
from pipeline.hubspot.redact import one_line

DEFINITIONS = EVENTS  # the list in an answer
SCOPE = "behavioral_events.event_definitions.read_write"  # no scope lets a token only read them
QUERY: Query = {"includeProperties": "true", LIMIT: 100}
MAX_PAGES = 100


def definitions_path(version: str) -> str:
    """The path at which a version of the API lists event definitions.

    >>> definitions_path("v3"), definitions_path("2026-03"), definitions_path("2026-09")
    ('/events/v3/event-definitions', '/events/2026-03/event-definitions', '/events/custom/2026-09/event-definitions')
    """
    group = "" if version in ("v3", "2026-03") else "custom/"
    return f"/events/{group}{version}/event-definitions"


def is_custom(event_type: str) -> bool:
    """Whether an event type may have a definition: HubSpot's own have none.

    >>> is_custom("pe123_signup"), is_custom("e_visited_page")
    (True, False)
    """
    return not event_type.startswith("e_")


def read_definitions(answer: Mapping[str, Any]) -> Iterator[tuple[str, Definition]]:
    """Yields the definitions in an answer with their event types; leaves out what cannot be read.

    >>> said = {"fullyQualifiedName": "pe1_a", "properties": [{"name": "seats", "type": "number"}]}
    >>> [(name, each.properties[0].type) for name, each in read_definitions({"results": [said, 7]})]
    [('pe1_a', 'number')]
    """
    for each in filter(_is_object, answer[DEFINITIONS]):
        name, labels, properties = map(each.get, ("fullyQualifiedName", "labels", PROPERTIES))
        label = one_line(_text(labels, "singular")) if _is_object(labels) else ""
        held = filter(_is_object, properties if isinstance(properties, list) else [])
        read = tuple(_property(one) for one in held if _text(one, "name"))
        if isinstance(name, str) and name:
            yield one_line(name), Definition(label, read)


def _property(said: Mapping[str, Any]) -> Property:
    options = said.get("options")
    return Property(
        _text(said, "name"),
        _text(said, "type"),
        _text(said, "label"),
        _text(said, "description"),
        tuple(options) if isinstance(options, list) else (),
        _text(said, "dataSensitivity") or None,
        said.get("archived") is True,
    )


def _is_object(value: Any) -> bool:
    return isinstance(value, Mapping)


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""
