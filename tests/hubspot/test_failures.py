"""The error that an answer without data is raised as: HubSpot's words, and the cure."""

import re

import pytest

from pipeline.errors import BadAnswer, Forbidden, Refused, Unauthorized, Unavailable
from tests.hubspot.clients import QUERY, client_of, error_of, gone, served
from tests.hubspot.wire import Wire, http


@pytest.mark.parametrize("status, kind, message, cure", [
    ("400", Refused, "Invalid input", "event_types"),
    ("401", Unauthorized, "Authentication credentials not found", "api_token"),
    ("403", Forbidden, "Insufficient scopes", "grant one of the scopes event-detail-read, web-analytics-api-access"),
    ("404", Refused, "Resource not found", "api_version"),
    ("530", Unauthorized, "", "api_token"),  # a malformed token, says the gateway
])  # fmt: skip
def test_a_lasting_failure_is_raised_at_once_with_hubspots_words_and_the_cure(status, kind, message, cure, clock):
    with served(fault=lambda asked: status) as sim:
        raised, text = error_of(sim, clock)
    assert raised is kind and clock.waits == [] and len(sim.requests) == 1
    assert f"HubSpot answered {status}: {message}" in text and cure in text
    assert re.search(r"correlationId [0-9a-f]{8}-[0-9a-f-]{27}", text) or not message


@pytest.mark.parametrize("body, explained", [
    (b"", False), (b"<html>Forbidden", False), (b"Forbidden", False), (b"[1]", False), ({}, False), ({"message": ""}, False),
    ({"message": "No."}, True), ({"errors": [{"message": "No."}]}, True), ({"category": "MISSING_SCOPES"}, True),
    ({"correlationId": "b2e5"}, True),
], ids=str)  # fmt: skip
def test_an_error_tells_whether_it_is_in_hubspots_own_words(body, explained, clock):
    with Wire(http(body, 403)) as wire, client_of(wire) as client, pytest.raises(Refused) as raised:
        client.page(QUERY, clock)
    assert raised.value.explained is explained


# What a body says


def needs(*names, key="requiredGranularScopes", message="One or more of the following scopes are required."):
    return {"message": message, "context": {key: list(names)}}


NOT_ALL = "This app hasn't been granted all required scopes to make this call."
ANY = "for reading events (business-intelligence, where HubSpot offers it)"
SCOPES = {  # what to grant, by what HubSpot says; tests/hubspot/test_shapes.py has more of live answers
    "in brackets": ("This oauth-token (a) does not have proper permissions! (requires all of [content, social])",
                    "the scopes content, social"),
    "one in quotes": ("Do you have access to the 'business-intelligence' scope?", "the scope business-intelligence"),
    "one in backquotes": ("You need the scope `tickets` for this.", "the scope tickets"),
    "two in quotes": ("You need the 'aa.read' and 'bb.read' scopes", "the scopes aa.read, bb.read"),
    "with a lead": ("You are missing the following scopes: [aa.read, bb.read]", "the scopes aa.read, bb.read"),
    "brackets and quotes": ('Insufficient scopes, requires one of: ["aa", "bb"]', "one of the scopes aa, bb"),
    "details in brackets": ("Do you have access to the 'aa' scope? Missing auth details: [aa, bb].",
                            "one of the scopes aa, bb"),
    "one that may not be offered": ("Insufficient scopes, requires one of: [event-detail-read]",
        "the scope event-detail-read (or business-intelligence, if HubSpot does not offer it)"),
    "two lists": ("requires all of: [aa,bb], any of the permissions: [cc,dd]", "the scopes aa, bb and one of the scopes cc, dd"),
    "no scopes": ("This account requires [array] values", f"the scopes {ANY}"),
    "no names": ("No.", f"the scopes {ANY}"),
    "required": (needs("bb", "aa", key="requiredScopes", message="no"), "the scopes aa, bb"),
    "missing": (needs("bb", "aa", key="missingScopes", message="no"), "the scopes aa, bb"),
    "here and in an error": ({"message": "no", "context": {"requiredScopes": "cc"}, "errors": [needs("aa"), None, "x"]},
                             "the scopes aa, cc"),
    "two errors": ({"message": NOT_ALL, "errors": [needs("aa"), needs("bb")]}, "the scopes aa, bb"),
    "two choices": ({"message": NOT_ALL, "errors": [needs("aa", "bb"), needs("cc", "dd")]},
                    "one of the scopes aa, bb and one of the scopes cc, dd"),
    "an error like its body": (needs("aa", "bb", message=NOT_ALL) | {"errors": [needs("aa", "bb")]},
                               "one of the scopes aa, bb"),
    "missing in an error": ({"message": NOT_ALL, "errors": [needs("bb", "aa", key="missingScopes")]}, "the scopes aa, bb"),
    "one that is missing anyway": (needs("aa", key="missingScopes", message="Scopes: one of [aa, bb]"), "the scope aa"),
    "a context that has less": (needs("aa", message="Insufficient scopes, requires one of: [aa,bb]"),
                                "one of the scopes aa, bb"),
    "a context that has more": (needs("aa", "bb", message="You need the 'aa' scope."), "the scopes aa, bb"),
    "words in another error": ({"message": "Insufficient scopes", "errors": [{"message": "requires one of: [aa, bb]"}]},
                               "one of the scopes aa, bb"),
}  # fmt: skip


@pytest.mark.parametrize("case", SCOPES)
def test_the_scopes_that_hubspot_asks_for_are_to_be_granted_wherever_it_names_them(case, answered):
    said, scopes = SCOPES[case]
    raised, text = answered({"message": said} if isinstance(said, str) else said, 403)
    assert raised is Forbidden and f"Cure: grant {scopes} to the service key" in text


CODE = "EVENT_TYPE_READS_NOT_ALLOWED_DUE_TO_STORAGE_LOCATIONS"
PLACES = {
    "message": {"message": CODE}, "category": {"category": CODE}, "sub-category": {"subCategory": CODE},
    "prefixed": {"subCategory": f"Events.{CODE}"}, "errors": {"errors": [{"code": CODE}]},
    "an error's message": {"errors": [{"message": CODE}]}, "context": {"context": {"reason": [f"{CODE}: [EU1]"]}},
    "far into a text": {"context": {"reason": ["x" * 600 + f" {CODE}"]}}, "a key": {"context": {CODE: ["e_a"]}},
    "another field": {"message": None, "error": CODE}, "deep": {"errors": [{"a": [[{"b": {"c": CODE}}]]}]},
}  # fmt: skip


@pytest.mark.parametrize("status", [400, 403, 404])
@pytest.mark.parametrize("place", PLACES)
def test_a_code_that_says_more_is_shown_once_with_its_cure_wherever_the_body_holds_it(place, status, answered):
    _, text = answered({"message": "No.", "correlationId": "b2e5"} | PLACES[place], status)
    assert text.count(CODE) == 1 and "correlationId b2e5" in text
    assert "Cure: exclude the event type (add its name to event_types, with ! before it)" in text


QUOTED = [
    (b"plain words", "plain words."), (b'"plain words"', '"plain words".'), (b'["plain words"]', '["plain words"].'),
    (b"\xef\xbb\xbfplain words", "plain words."), ({"error": "plain words"}, "plain words."),
    ({"errors": ["plain words"]}, "plain words."), (b"<html>Bad request", "no message."),
    ({"message": "Invalid input", "errors": [{"message": "of a city"}]}, "Invalid input of a city."),
    ({"message": "No.", "category": "PERMISSION"}, "No. (PERMISSION)."),
    ({"message": "No.", "category": "MISSING_SCOPES"}, "No."),
    ({"message": "No.", "subCategory": "InvalidEventTypeError"}, "No. (InvalidEventTypeError)."),
    ({"message": "No.", "subCategory": f"EventsError.{CODE}"}, f"No. (EventsError.{CODE})."),
    ({"message": "No.", "errors": [{"code": "INVALID"}]}, "No. (INVALID)."), ({"message": "No.", "errors": [{"code": 7}]}, "No."),
    ({"message": "No.", "category": "BAD_REQUEST", "subCategory": "Common.VALIDATION_ERROR"}, "No."),
    ({"message": "No.", "subCategory": "a sentence of several words"}, "No."),
]  # fmt: skip


@pytest.mark.parametrize("body, quote", QUOTED, ids=str)
def test_hubspot_is_quoted_whatever_the_shape_of_the_body_and_a_code_shown_whole_if_it_says_more(body, quote, answered):
    assert answered(body)[1].startswith(f"HubSpot answered 400: {quote} Cure:")


CURES = [
    ("Must specify an eventType or objectType", "check event_types"),
    ("beyond the time limit of 2 years", "check event_types"), ("Unknown event type pe1_limit_reached", "check event_types"),
    ("Invalid limit 1001", "lower page_size"), ("The requested page size is too large", "lower page_size"),
    ("limit: must be at most 250 for eventType e_a", "lower page_size"),
    ("Unknown property hs_foo for event type e_a", "check properties and property_filters"),
    ({"message": "Invalid input", "errors": [{"message": "hs_citi is no property"}]}, "check properties and property_filters"),
    ("Event type reads not allowed due to storage locations", "exclude the event type"),
    ("Unable to infer object type from: CONTAKT", "check object_type"),
    ("objectId requires an objectType", "check object_type and object_id"),
    *(({"message": "Invalid request for this event type"} | details, "lower page_size") for details in (
        {"errors": [{"message": "1000 exceeds maximum", "in": "limit"}]}, {"context": {"limit": ["1000"]}},
        {"errors": [{"context": {"parameter": ["limit"]}}]}, {"subCategory": "PAGE_SIZE_TOO_LARGE"},
    )),
]  # fmt: skip


@pytest.mark.parametrize("said, cure", CURES, ids=str)
def test_the_cure_of_a_400_follows_its_words_and_its_details(said, cure, answered):
    assert f"Cure: {cure}" in answered({"message": said} if isinstance(said, str) else said)[1]


@pytest.mark.parametrize("status, body, cure", [
    (304, b"", "cache nothing"), (405, b"", "check api_base_url"), (414, b"", "shorten properties and property_filters"),
    (414, b"<html><h1>414 Request-URI Too Large</h1></html>", "shorten properties and property_filters"),
    (414, {"message": "URI too long"}, "shorten properties and property_filters"),
], ids=str)  # fmt: skip
def test_the_cure_of_another_status_follows_the_status(status, body, cure, answered):
    raised, text = answered(body, status)
    assert raised is Refused and cure in text.partition("Cure: ")[2]


def test_no_error_quotes_the_value_of_a_filter(clock):
    query = {**QUERY, "property.hs_email": "jane@example.com"}
    assert "jane" not in error_of(gone(), clock, query, max_outage=1)[1]
    location = "http://127.0.0.1:1/?property.hs_email=jane"
    with served(fault=lambda asked: "redirect", redirect_to=location) as redirecting:
        _, text = error_of(redirecting, clock, query)
    assert "jane" not in text and "127.0.0.1:1" in text


def test_an_error_is_no_longer_than_a_person_reads(answered):
    body = {"message": "x" * 9000, "correlationId": "y" * 9000, "context": {"missingScopes": ["z" * 900] * 900}}
    assert len(answered(body, 403)[1]) < 3000


def test_no_answer_at_all_is_blamed_on_the_address_and_the_network(clock):
    raised, text = error_of(gone(), clock)
    assert raised is Unavailable and "Connection" in text
    assert "check api_base_url and the network connection" in text and "saved" not in text and "sync" not in text


# Answers that say of themselves that they are not whole

EVENT = {"id": "a", "properties": {"hs_stage": "VERY_SECRET"}}
NOT_WHOLE = [
    {"errors": [{"message": "A shard did not answer."}]}, {"errors": {"message": "no list"}}, {"numErrors": 1},
    {"numErrors": "2"}, {"status": "error"}, {"status": "ERROR"}, {"status": 400}, {"status": 503.0}, {"status": "500"},
    {"errors": [2**70]}, {"status": "COMPLETE", "numErrors": 1, "errors": [None]},
]  # fmt: skip
WHOLE = [
    {"errors": []}, {"errors": None}, {"numErrors": 0}, {"numErrors": None}, {"status": "COMPLETE"}, {"status": 200},
]  # fmt: skip


@pytest.mark.parametrize("status, held", [(200, {}), (200, {"results": [EVENT]}), (207, {"results": [EVENT]})], ids=str)
@pytest.mark.parametrize("fields", NOT_WHOLE, ids=str)
def test_an_answer_that_is_not_whole_by_its_own_word_is_asked_for_again_as_in_an_outage(status, held, fields, clock):
    """More often than one that cannot be used."""
    partial = http({**held, "correlationId": "c-1", **fields}, status)
    with Wire(*[partial] * 20, http({"results": [EVENT, EVENT]})) as wire, client_of(wire) as client:
        assert client.page(QUERY, clock).events == [EVENT, EVENT] and client.counts()["retries"] == 20


@pytest.mark.parametrize("status", [200, 207])
@pytest.mark.parametrize("fields", WHOLE, ids=str)
def test_an_answer_that_reports_no_error_is_believed(status, fields, clock):
    with Wire(http({"results": [EVENT], **fields}, status)) as wire, client_of(wire) as client:
        assert client.page(QUERY, clock).events == [EVENT] and clock.waits == []


def test_an_answer_that_is_never_whole_ends_as_an_outage_does_and_quotes_no_event(answered):
    fields = {"errors": [{"message": "A shard did not answer.", "category": "SHARD_TIMEOUT"}]}
    body = {"results": [EVENT], "correlationId": "c-1", **fields}
    raised, text = answered(body, 200, {"Date": "Mon, 01 Jan 2035 00:00:00 GMT"})
    assert raised is Unavailable and "max_outage_minutes" in text and "VERY_SECRET" not in text
    assert "HubSpot answered 200: A shard did not answer. (SHARD_TIMEOUT, correlationId c-1)" in text


def test_a_list_of_event_types_that_is_empty_or_not_whole_is_never_believed(clock):
    empty, partial = http({"eventTypes": []}), http({"eventTypes": ["e_a"], "numErrors": 1}, 207)
    with Wire(empty) as wire, client_of(wire) as client:
        with pytest.raises(BadAnswer, match="event types that is empty"):
            client.event_types(clock)
        assert len(wire.heads) == 3
    with Wire(empty, partial, http({"eventTypes": ["e_a", "e_b"]})) as wire, client_of(wire) as client:
        assert client.event_types(clock) == ["e_a", "e_b"]
