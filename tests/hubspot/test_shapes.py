"""Answers of the shape that the live API has given to others are read whole.

The bodies in shapes/ have the fields, their order, the escapes, the empty values and the cursors of answers that
other connectors publish: cursors with none, one and two `=`, of HubSpot's types and of custom ones, with the last `|`
and without. Their values are invented. Errors have the words of live ones.
"""

import json
from itertools import cycle
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from tests.hubspot.wire import Wire, http
from tests.support import Delivered, sync_into

FOLDER = Path(__file__).parent / "shapes"
TYPES = json.loads((FOLDER / "event-types.json").read_text("utf-8"))["eventTypes"]
PAGES = {name: [path.read_bytes() for path in sorted(FOLDER.glob(f"{name}.*.json"))] for name in TYPES}
READABLE = {name: [json.loads(page) for page in pages] for name, pages in PAGES.items() if pages}
REFUSED = [name for name in TYPES if name not in READABLE]
SCOPES = {  # that the warning names, by what HubSpot said
    "403-requires-one-of": (
        "one of the scopes event-detail-read, web-analytics-api-access (or business-intelligence, if"
    ),
    "403-missing-auth-details": "one of the scopes business-intelligence, event-detail-read, web-analytics-api-access to",
    "403-granular-scopes": "the scope custom-object-read to",
    "403-all-required-scopes": "the scopes crm.objects.contacts.read, crm.objects.deals.read to",
    "403-not-for-public-use": "the scopes for reading events",
}


def cursors(pages):
    """The cursors at which these pages are, each decoded once."""
    return [None, *(unquote(page["paging"]["next"]["after"]) for page in pages[:-1])]


def replaying():
    """A server that gives these answers; event types without pages are refused, in turn as the files of SCOPES say."""
    refusals = dict(zip(REFUSED, cycle(SCOPES)))

    def answer(head):
        address = urlsplit(head.split(" ")[1])
        if address.path.endswith("/event-types"):
            return http((FOLDER / "event-types.json").read_bytes())
        asked = parse_qs(address.query)
        (name,) = asked["eventType"]
        if name in REFUSED:
            return http((FOLDER / f"{refusals[name]}.json").read_bytes(), 403)
        at, cursor = cursors(READABLE[name]), asked.get("after", [None])[0]
        return http(PAGES[name][at.index(cursor)]) if cursor in at else http({"message": "no such cursor"}, 400)

    return Wire(answer)


def expected(event):
    own = {name: event[name] for name in ("id", "eventType", "objectId", "objectType")}
    return event["properties"] | own | {"occurred": event["occurredAt"]}


def asked_at(wire, name):
    """The cursors that were asked at, None for the first page."""
    queries = [parse_qs(urlsplit(head.split(" ")[1]).query) for head in wire.heads]
    return {query.get("after", [None])[0] for query in queries if query.get("eventType") == [name]}


@pytest.fixture(scope="module")
def replayed():
    """What a sync of all types delivers, and the server that it asked."""
    with replaying() as wire:
        return sync_into(Delivered(), wire, event_types="*"), wire


@pytest.mark.parametrize("name", READABLE)
def test_every_event_and_property_is_delivered_and_each_cursor_sent_back_decoded_once(name, replayed):
    delivered, wire = replayed
    events = [event for page in READABLE[name] for event in page["results"]]
    assert delivered.ids(name) == {event["id"] for event in events}
    assert all(expected(event).items() <= delivered.rows[name][event["id"]].items() for event in events)
    assert asked_at(wire, name) == set(cursors(READABLE[name]))


def test_the_refused_types_are_one_warning_with_the_scopes_of_each_refusal(replayed):
    (warning,) = replayed[0].warnings
    assert f"{len(REFUSED)} event types" in warning and all(f"grant {scopes}" in warning for scopes in SCOPES.values())
    answers = [json.loads((FOLDER / f"{file}.json").read_bytes()) for file in SCOPES]
    assert all(answer["correlationId"] in warning for answer in answers)
