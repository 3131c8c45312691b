"""Answers of the shape that the live API has given to others are read whole.

The bodies in shapes/ have the fields, their order, the escapes, the empty values and the cursors
of answers that other connectors publish: cursors with none, one and two `=`, of HubSpot's types and
of custom ones, with the last `|` and without. Their values are invented. Errors have the words of
live ones.
"""

import json
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from pipeline.errors import Unauthorized
from tests.hubspot.wire import Wire, http
from tests.support import Delivered, sync_into

FOLDER = Path(__file__).parent / "shapes"
TYPES = json.loads((FOLDER / "event-types.json").read_text("utf-8"))["eventTypes"]
PAGES = {name: [path.read_bytes() for path in sorted(FOLDER.glob(f"{name}.*.json"))] for name in TYPES}
READABLE = {name: [json.loads(page) for page in pages] for name, pages in PAGES.items() if pages}
REFUSED = [name for name in TYPES if name not in READABLE]
SCOPES = {  # that the message names, by what HubSpot said
    "403-requires-one-of": "one of the scopes event-detail-read, web-analytics-api-access",
    "403-missing-auth-details": (
        "one of the scopes business-intelligence, event-detail-read, web-analytics-api-access"
    ),
    "403-granular-scopes": "the scope custom-object-read",
    "403-all-required-scopes": "the scopes crm.objects.contacts.read, crm.objects.deals.read",
    "403-not-for-public-use": "the scopes for reading events",
}


def cursors(pages):
    """The cursors at which these pages are, each decoded once."""
    return [None, *(unquote(page["paging"]["next"]["after"]) for page in pages[:-1])]


def replaying(refusals=("403-granular-scopes",)):
    """A server that gives these answers; event types without pages are refused, in turn as these
    files say.
    """

    def answer(head):
        address = urlsplit(head.split(" ")[1])
        if address.path.endswith("/event-types"):
            return http((FOLDER / "event-types.json").read_bytes())
        asked = parse_qs(address.query)
        (name,) = asked["eventType"]
        if name in REFUSED:
            file = refusals[REFUSED.index(name) % len(refusals)]
            return http((FOLDER / f"{file}.json").read_bytes(), int(file[:3]))
        at, cursor = cursors(READABLE[name]), asked.get("after", [None])[0]
        return http(PAGES[name][at.index(cursor)]) if cursor in at else http({"message": "no such cursor"}, 400)

    return Wire(answer)


def expected(event):
    own = {name: event[name] for name in ("id", "eventType", "objectId", "objectType")}
    return event["properties"] | own | {"occurred": event["occurredAt"]}


def assert_read_whole(delivered, names):
    for name in names:
        events = [event for page in READABLE[name] for event in page["results"]]
        assert delivered.ids(name) == {event["id"] for event in events}
        assert all(expected(event).items() <= delivered.rows[name][event["id"]].items() for event in events)


def asked_at(wire, name):
    """The cursors that were asked at, None for the first page."""
    queries = [parse_qs(urlsplit(head.split(" ")[1]).query) for head in wire.heads]
    return {query.get("after", [None])[0] for query in queries if query.get("eventType") == [name]}


@pytest.mark.parametrize("version", ["2026-03", "v3"])
@pytest.mark.parametrize("name", READABLE)
def test_every_event_and_property_is_delivered_and_each_cursor_sent_back_decoded_once(name, version):
    with replaying() as wire:
        delivered = sync_into(Delivered(), wire, event_types=name, api_version=version)
    assert_read_whole(delivered, [name])
    assert asked_at(wire, name) == set(cursors(READABLE[name])) and not delivered.warnings


@pytest.mark.parametrize("file", SCOPES)
def test_a_refusal_is_a_warning_that_names_its_scopes_and_the_other_types_are_read(file):
    with replaying([file]) as wire:
        delivered = sync_into(Delivered(), wire, event_types=f"{REFUSED[0]}, {', '.join(READABLE)}")
    (warning,) = delivered.warnings
    said = json.loads((FOLDER / f"{file}.json").read_bytes())
    assert REFUSED[0] in warning and f"grant {SCOPES[file]}" in warning and said["correlationId"] in warning
    assert_read_whole(delivered, READABLE)


def test_of_all_types_the_readable_ones_are_read_and_the_refused_ones_are_one_warning():
    with replaying(list(SCOPES)) as wire:
        delivered = sync_into(Delivered(), wire, event_types="*")
    (warning,) = delivered.warnings
    assert f"{len(REFUSED)} event types" in warning and all(f"grant {scopes}" in warning for scopes in SCOPES.values())
    assert_read_whole(delivered, READABLE)


def test_a_401_ends_the_sync_with_hubspots_words():
    with (
        Wire(http((FOLDER / "401.json").read_bytes(), 401)) as wire,
        pytest.raises(Unauthorized, match="credentials not found"),
    ):
        sync_into(Delivered(), wire)
