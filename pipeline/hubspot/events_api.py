"""The Events API as HubSpot spells it: paths, parameters, the fields of an event, the paging of an
answer.

They are spelled here and nowhere else, so a second endpoint is one more file like this.
https://developers.hubspot.com/docs/api-reference/latest/events/retrieve-events/get-events
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from pipeline.timestamps import to_ms, to_text

ID, EVENT_TYPE, OCCURRED_AT, PROPERTIES = "id", "eventType", "occurredAt", "properties"
OBJECT_ID, OBJECT_TYPE = "objectId", "objectType"
FIELDS = (ID, EVENT_TYPE, OCCURRED_AT, OBJECT_ID, OBJECT_TYPE)  # of every event, beside properties

EVENTS, TYPES = "results", "eventTypes"  # the lists in answers
LIMIT, CURSOR = "limit", "after"

Bounds = tuple[int, "int | None"]  # ms UTC; None: no upper bound
Query = Mapping[str, "str | int | tuple[str, ...]"]


def events_path(version: str) -> str:
    """The path at which a version of the API lists events.

    >>> events_path("2026-03"), events_path("v3")
    ('/events/event-occurrences/2026-03', '/events/v3/events')
    """
    return "/events/v3/events" if version == "v3" else f"/events/event-occurrences/{version}"


def event_types_path(version: str) -> str:
    """The path at which it lists the event types of the account."""
    return f"{events_path(version)}/event-types"


def query(
    event_type: str,
    limit: int,
    object_type: str = "",
    object_id: str = "",
    properties: tuple[str, ...] = (),
    property_filters: tuple[tuple[str, str], ...] = (),
) -> Query:
    """The parameters that select events, whatever the time range; empty ones are omitted.

    >>> query("e_visited_page", 100, property_filters=(("hs_city", "portland"),))
    {'eventType': 'e_visited_page', 'limit': 100, 'property.hs_city': 'portland'}
    """
    wanted: dict[str, str | int | tuple[str, ...]] = {
        EVENT_TYPE: event_type,
        LIMIT: limit,
        OBJECT_TYPE: object_type,
        OBJECT_ID: object_id,
        PROPERTIES: properties,
        **{f"property.{name}": value for name, value in property_filters},
    }
    return {name: value for name, value in wanted.items() if value}


def within(bounds: Bounds) -> Query:
    """The parameters of a time range. It is undocumented whether the bounds are inclusive, or
    compared to the millisecond.

    >>> within((999, 3000))
    {'occurredAfter': '1970-01-01T00:00:00.999Z', 'occurredBefore': '1970-01-01T00:00:03.000Z'}
    """
    after, before = bounds
    upper = {} if before is None else {"occurredBefore": to_text(before)}
    return {"occurredAfter": to_text(after), **upper}


def occurred_ms(event: Any) -> int | None:
    """When an event occurred, ms; None if that cannot be read. Live answers hold ISO 8601 text; an
    older example of HubSpot's holds milliseconds, as a number or as digits.

    >>> occurred_ms({"occurredAt": "1970-01-01T00:00:01Z"}), occurred_ms({"occurredAt": 1571160013253}), occurred_ms(7)
    (1000, 1571160013253, None)
    """
    try:
        return to_ms(event[OCCURRED_AT])
    except (TypeError, KeyError, ValueError, AttributeError):
        return _epoch_ms(event.get(OCCURRED_AT)) if isinstance(event, dict) else None


def occurred_text(occurred: Any) -> Any:
    """An occurredAt as ISO 8601 text; unchanged if it is that already, or cannot be read.

    >>> occurred_text(1571160013253), occurred_text("2026-05-21T01:36:04Z"), occurred_text(None)
    ('2019-10-15T17:20:13.253Z', '2026-05-21T01:36:04Z', None)
    """
    ms = _epoch_ms(occurred)
    return occurred if ms is None else to_text(ms)


def _epoch_ms(value: Any) -> int | None:
    """Milliseconds since 1970 from a number or its digits; None before 1973: a smaller number is no
    such date.
    """
    if isinstance(value, str):
        return int(value) if re.fullmatch(r"[0-9]{12,14}", value) else None
    return int(value) if type(value) in (int, float) and 10**11 <= value < 10**14 else None


def next_cursor(answer: Mapping[str, Any]) -> tuple[str | None, bool]:
    """The cursor of the next page (None: this is the last), and whether the paging is clear: a last
    page has no `paging`, or one without `next`.

    HubSpot percent-encodes the cursor. Sent back undecoded, it would be encoded twice and answered
    with an empty page; a raw cursor is base64, so decoding once is right for both.

    >>> next_cursor({"paging": {"next": {"after": "MTc0Mw%3D%3D"}}}), next_cursor({}), next_cursor({"paging": {"next": {}}})
    (('MTc0Mw==', True), (None, True), (None, False))
    """
    here: Any = answer
    for name in ("paging", "next"):
        here = here.get(name)
        if here is None:
            return None, True
        if not isinstance(here, Mapping):
            return None, False
    cursor = here.get(CURSOR)
    # no usable cursor: the "next" link may carry it
    if type(cursor) not in (str, int) or cursor == "":
        in_link = re.search(rf"[?&]{CURSOR}=([^&#]+)", str(here.get("link")))
        cursor = in_link and in_link[1]
    return (None, False) if cursor is None else (unquote(str(cursor)), True)
