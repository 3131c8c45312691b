"""The definitions of an account's custom events, as HubSpot lists them."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from simulator.account import Account
from simulator.behaviour import Request
from simulator.errors import Answer, forbidden, invalid
from simulator.history import History

# the official specifications spell them so
PATH = re.compile(r"/events/(?:v3|2026-03|custom/2025-09|custom/2026-09)/event-definitions/?")
SCOPE = "behavioral_events.event_definitions.read_write"
TYPES = {
    "minutes_attended": "number", "seats": "number", "hs_screen_height": "number", "hs_screen_width": "number",
    "plan": "enumeration", "stayed_to_the_end": "enumeration",
}  # fmt: skip
MAX_LIMIT, DEFAULT_LIMIT = 100, 20
LOOKED_AT = 20  # events whose properties are defined


def definitions(account: Account, request: Request) -> Answer:
    """A page of definitions, or a 403 if the token lacks the scope."""
    behaviour, query = account.behaviour, request.query
    if behaviour.definitions is False:
        return forbidden({SCOPE: (SCOPE,)}, SCOPE)
    found = list(_made(account) if behaviour.definitions is True else behaviour.definitions)
    limit, after = _whole(query, "limit", DEFAULT_LIMIT), _whole(query, "after", 0)
    if not 1 <= limit <= MAX_LIMIT:
        raise invalid(f"limit must be from 1 to {MAX_LIMIT}", "limit")
    page = found[after : after + limit]
    if query.get("includeProperties") != ["true"]:
        page = [{**each, "properties": []} for each in page]
    body: dict[str, Any] = {"total": len(found), "results": page}
    if after + limit < len(found):
        body["paging"] = {"next": {"after": str(after + limit)}}
    return Answer(200, orjson.dumps(body))


def defined(event_type: str, label: str, *properties: Mapping[str, Any]) -> dict[str, Any]:
    """The definition of an event type, with the fields that HubSpot always sends."""
    return {
        "id": event_type, "objectTypeId": "6-1", "name": event_type.partition("_")[2],
        "fullyQualifiedName": event_type, "labels": {"singular": label, "plural": f"{label}s"},
        "archived": False, "associations": [], "primaryObject": "CONTACT", "properties": list(properties),
    }  # fmt: skip


def property_of(name: str, kind: str = "string", **more: Any) -> dict[str, Any]:
    """The definition of a property; `more` adds to its fields, or replaces what is there."""
    label = name.removeprefix("hs_").replace("_", " ").capitalize()
    fields = {
        "name": name, "label": label, "description": f"{label} of the event", "type": kind,
        "fieldType": {"number": "number", "enumeration": "select", "datetime": "date"}.get(kind, "text"),
        "groupName": "event", "options": [], "archived": False, "dataSensitivity": "non_sensitive",
    }  # fmt: skip
    return fields | more


def _made(account: Account) -> Iterator[dict[str, Any]]:
    """A definition for each custom event type, with the properties that its first events have."""
    for event_type, history in account.histories.items():
        if not event_type.startswith("e_"):
            label = event_type.partition("_")[2].replace("_", " ").capitalize()
            held = _held(history)
            yield defined(event_type, label, *(_property(name, held[name]) for name in held))


def _held(history: History) -> dict[str, list[str]]:
    """The properties of the first events, with their values."""
    held: dict[str, list[str]] = {}
    for i in range(min(len(history), LOOKED_AT)):
        event = history.event(i)
        properties = event.get("properties") if isinstance(event, dict) else None
        for name, value in properties.items() if isinstance(properties, dict) else ():
            held.setdefault(name, []).append(str(value))
    return held


def _property(name: str, values: list[str]) -> dict[str, Any]:
    kind = TYPES.get(name, "string")
    options = [
        {"label": value.capitalize(), "value": value, "hidden": False, "displayOrder": order}
        for order, value in enumerate(sorted(set(values)))
    ]
    return property_of(name, kind, options=options if kind == "enumeration" else [])


def _whole(query: Mapping[str, list[str]], name: str, default: int) -> int:
    text = query.get(name, [str(default)])[0]
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise invalid(f"{name} must be a whole number, not {text!r}", name)
    return int(text)
