"""What a query asks for: its history, limit, time range and filters. Each raises Refused if
the query is invalid.
"""

import json
import re
from collections.abc import Callable
from functools import partial
from typing import Any

from simulator.account import Account
from simulator.behaviour import Behaviour
from simulator.errors import Refused, error, forbidden, invalid
from simulator.history import History
from simulator.instants import milliseconds
from simulator.lateness import delay_of
from simulator.pages import select

Query = dict[str, list[str]]


def history_of(account: Account, query: Query) -> History:
    """The history of the event type."""
    event_type, behaviour = query.get("eventType", [""])[0], account.behaviour
    if not event_type:
        raise Refused(error(400, message="Must specify an eventType"))
    if query.get("objectId") and not query.get("objectType"):
        raise invalid("objectId requires an objectType", "objectId")
    if event_type in behaviour.forbidden:
        raise Refused(forbidden(behaviour.forbidden, event_type))
    if event_type not in account.histories:
        raise invalid(f"Unknown event type: {event_type}", "eventType")
    return account.histories[event_type]


def limit_of(query: Query, behaviour: Behaviour) -> int:
    """The most results that the page may have."""
    text = query.get("limit", [str(behaviour.default_limit)])[0]
    limit = int(text) if re.fullmatch(r"\d{1,9}", text) else 0
    if limit < 1:
        raise invalid(f"limit must be a positive integer, not {text!r}", "limit")
    if limit > behaviour.max_limit and behaviour.limit_policy == "error":
        raise invalid(f"Invalid limit {limit}: limit must be less than or equal to {behaviour.max_limit}", "limit")
    return min(limit, behaviour.max_limit)


def window_of(account: Account, history: History, query: Query) -> range:
    """The events in the time range, as indices of the history."""
    behaviour = account.behaviour
    grain = 1000 if behaviour.resolution == "second" else 1
    after, before = _bound(query, "occurredAfter"), _bound(query, "occurredBefore")
    after, before = (None if behaviour.after_ignored else after, None if behaviour.before_ignored else before)
    if after is not None and not behaviour.after_inclusive:
        after += grain
    if before is not None and behaviour.before_inclusive:
        before += grain
    if behaviour.hide_future:
        before = min(account.now() + 1, before if before is not None else account.now() + 1)
    return select(history, after, before, grain)


def _bound(query: Query, name: str) -> int | None:
    """A bound of the time range, ms UTC; None if it is omitted."""
    if name not in query:
        return None
    ms = milliseconds(query[name][0])
    if ms is None:
        raise invalid(f"{name} is not an ISO 8601 date-time: {query[name][0]!r}", name)
    return ms


def filter_of(account: Account, history: History, query: Query) -> Callable[[int], bool] | None:
    """Whether an event, by index, is visible and passes the query's filters; None if all events are
    and do.
    """
    late, now = delay_of(account.behaviour.late, query.get("eventType", [""])[0]), account.now()
    matches = _event_filters(query)
    if late is None and not matches:
        return None

    def wanted(i: int) -> bool:
        occurred = history.time(i)
        if late and i >= history.undated and occurred + late(i, occurred) > now:
            return False
        return not matches or all(match(json.loads(history.body(i))) for match in matches)

    return wanted


def _event_filters(query: Query) -> list[Callable[[Any], bool]]:
    """The query's filters of parsed events, other than by type and time."""
    filters: list[Callable[[Any], bool]] = []
    for name, values in query.items():
        if name == "objectType":
            filters.append(partial(_has_type, set(map(singular, values))))
        elif name == "objectId":
            filters.append(partial(_has_object, set(values)))
        elif name.startswith("property."):
            filters.append(partial(_has_property, name.partition(".")[2], set(values)))
        elif name.startswith("objectProperty."):
            raise invalid("The simulator does not support filters by object property", name)
    return filters


def singular(object_type: str) -> str:
    """An object type in lower case and in the singular.

    >>> singular("CONTACT"), singular("contacts"), singular("companies")
    ('contact', 'contact', 'company')
    """
    name = object_type.lower()
    return name[:-3] + "y" if name.endswith("ies") else name.removesuffix("s")


def _has_type(names: set[str], event: Any) -> bool:
    """Whether the event's object is of one of these types."""
    return isinstance(event, dict) and singular(str(event.get("objectType"))) in names


def _has_object(ids: set[str], event: Any) -> bool:
    """Whether the event is of one of these objects."""
    return isinstance(event, dict) and str(event.get("objectId")) in ids


def _has_property(name: str, values: set[str], event: Any) -> bool:
    """Whether a property of the event is one of the values."""
    properties = event.get("properties") if isinstance(event, dict) else None
    return isinstance(properties, dict) and properties.get(name) in values
