"""What the simulator refuses, and in which words: the unknown in them can be had either way."""

import json
from uuid import UUID

import pytest

from simulator import Simulator
from simulator.errors import CODE_FIELDS, STORAGE
from simulator.instants import milliseconds
from tests.simulator.client import DATED, TYPE, V3, get, ids, served, small, truth, walk

NEWER = "Insufficient scopes, requires one of: [{}]"
OLDER = (
    "Your app doesn't the have scopes needed to make this call. Do you have access to the "
    "'business-intelligence' scope?  "
    "Missing auth details: {}"
)


@pytest.mark.parametrize("scopes, named", [
    ([TYPE], "event-detail-read,web-analytics-api-access"), ({TYPE: ["a.read", "b"]}, "a.read,b"), ({TYPE: "a"}, "a"),
])  # fmt: skip
def test_a_403_names_the_scopes_in_its_message_unless_asked_for_a_context(session, scopes, named):
    with served(forbidden=scopes) as sim:
        for where, text in {"message": NEWER, "older_message": OLDER}.items():
            sim.behaviour.missing_scopes = where
            error = get(session, sim).json()
            assert error["message"] == text.format(named)
            assert "context" not in error
            assert "errors" not in error
        sim.behaviour.missing_scopes = "context"
        assert get(session, sim).json()["context"]["requiredScopes"] == named.split(",")


@pytest.mark.parametrize(
    "where, says", {"message": "Insufficient", "older_message": "doesn't", "context": "hasn't"}.items()
)
def test_the_fault_403_speaks_likewise(session, where, says):
    with served(faults={1: "403"}, missing_scopes=where) as sim:
        assert says in get(session, sim).json()["message"]


@pytest.mark.parametrize("field", CODE_FIELDS)
def test_a_type_that_is_stored_elsewhere_cannot_be_read_and_any_field_may_say_so(session, field):
    with Simulator({TYPE: small(), "e_other": small()}) as sim:
        sim.behaviour.stored_elsewhere, sim.behaviour.storage_code = [TYPE], field
        refused = get(session, sim)
        assert refused.status_code == 400 and refused.text.count(STORAGE) == 1
        name, _, inner = field.partition(".")
        holder = refused.json()[name]
        assert STORAGE in json.dumps(holder[0][inner] if inner else holder)
        assert get(session, sim, eventType="e_other").status_code == 200
        assert STORAGE in get(session, sim, eventType=None, objectType="CONTACT").text


@pytest.mark.parametrize("kind", ["400", "401", "403", "404", "405", "423", "429", "429:daily", "477", "500"])
def test_an_error_of_the_api_has_the_fields_that_its_document_requires(session, kind):
    with served(faults={1: kind}) as sim:
        error = get(session, sim).json()
    assert UUID(error["correlationId"]) and all(isinstance(error[name], str) for name in ("message", "category"))


def test_a_request_line_that_is_too_long_is_refused_by_the_proxy_and_the_connection_goes_on(session):
    with served() as sim:
        answers = [get(session, sim, properties="x" * length) for length in (16_000, 17_000, 70_000, 200_000, 5)]
        assert [answer.status_code for answer in answers] == [200, 414, 414, 414, 200]
        assert answers[1].headers["Content-Type"] == "text/html"
        sim.behaviour.max_request_line = len(f"GET {V3}?eventType={TYPE} HTTP/1.1")
        assert [get(session, sim).status_code, get(session, sim, limit=1).status_code] == [200, 414]
    with served(faults={1: "414"}) as sim:
        assert get(session, sim).status_code == 414


@pytest.mark.parametrize("path", [V3, DATED, V3 + "/event-types"])
def test_only_reading_is_allowed(session, path):
    with served() as sim:
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            answer = session.request(method, sim.url + path)
            assert answer.status_code == 405 and answer.headers["Allow"] == "GET, HEAD"
        head, whole = (session.request(method, f"{sim.url}{path}?eventType={TYPE}") for method in ("HEAD", "GET"))
        assert head.status_code == 200
        assert head.content == b""
        assert head.headers["Content-Length"] == str(len(whole.content))


@pytest.mark.parametrize("spelling, spelled", {"text": None, "int": int, "float": float, "digits": str}.items())
def test_occurred_at_may_be_a_number_or_its_digits(session, spelling, spelled):
    with served(history=small(9, malformed_every=3), occurred_at=spelling) as sim:
        sent = walk(session, sim)
    for original, event in zip(truth(small(9, malformed_every=3)), sent, strict=True):
        ms = milliseconds(original.get("occurredAt")) if isinstance(original, dict) else None
        expected = original if ms is None or spelled is None else original | {"occurredAt": spelled(ms)}
        assert event == expected and repr(event) == repr(expected)  # 1 is not 1.0


ASCENDING, DESCENDING = ("occurredAt", "ASCENDING"), ("-occurredAt", "DESCENDING")


@pytest.mark.parametrize("sort", [*ASCENDING, *DESCENDING])
def test_a_sort_that_is_obeyed_or_ignored(session, sort):
    expected = truth(small())
    with served(sort="obeyed") as sim:
        assert walk(session, sim, sort=sort) == (expected[::-1] if sort in DESCENDING else expected)
        sim.behaviour.sort = "ignored"
        assert walk(session, sim, sort=sort) == expected
        sim.behaviour.order = "descending"
        assert walk(session, sim, sort=sort) == expected[::-1]
        sim.behaviour.sort = "obeyed"
        assert (walk(session, sim, sort=sort) == expected) == (sort in ASCENDING)


def test_a_sort_that_is_refused(session):
    with served(sort="refused") as sim:
        assert walk(session, sim) == truth(small())
        answer = get(session, sim, sort="occurredAt")
        assert answer.status_code == 400 and answer.json()["context"] == {"parameter": ["sort"]}


SPELLINGS = {"singular": ("contact", "CONTACT"), "plural": ("contacts", "Contacts")}


def test_object_types_in_the_plural_and_in_the_singular(session):
    with served() as sim:
        for names in SPELLINGS.values():
            assert all(ids(walk(session, sim, objectType=name)) == ids(truth(small())) for name in names)
        assert walk(session, sim, objectType="companies") == walk(session, sim, objectType="company") == []
        assert len(walk(session, sim, eventType=None, objectType="contacts")) == 250


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_one_spelling_of_object_types_can_be_refused(session, spelling):
    with served(object_types=spelling) as sim:
        for accepted, names in SPELLINGS.items():
            expected = 200 if accepted == spelling else 400
            assert [get(session, sim, objectType=name).status_code for name in names] == [expected] * 2
        assert get(session, sim, objectType="companies").status_code == (200 if spelling == "plural" else 400)
