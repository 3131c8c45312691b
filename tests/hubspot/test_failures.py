"""The error that an answer without data is raised as: HubSpot's words, and the cure."""

import re

import pytest

from pipeline.errors import BadAnswer, Forbidden, QuotaSpent, Refused, Unauthorized, Unavailable
from tests.hubspot.clients import QUERY, client_of, error_of, served
from tests.hubspot.wire import Wire, http


@pytest.mark.parametrize(
    "status, kind, message, cure",
    [
        ("400", Refused, "Invalid input", "event_types"),
        ("401", Unauthorized, "Authentication credentials not found", "api_token"),
        (
            "403",
            Forbidden,
            "Insufficient scopes",
            "grant one of the scopes event-detail-read, web-analytics-api-access",
        ),
        ("404", Refused, "Resource not found", "api_version"),
    ],
)
def test_a_lasting_failure_is_raised_at_once_with_hubspots_words_and_the_cure(status, kind, message, cure, clock):
    with served(fault=lambda asked: status) as sim:
        raised, text = error_of(sim, clock)
    assert raised is kind and clock.waits == [] and len(sim.requests) == 1
    assert f"HubSpot answered {status}: {message}" in text and cure in text
    assert re.search(r"correlationId [0-9a-f]{8}-[0-9a-f-]{27}", text)


def test_a_malformed_token_is_unauthorized_even_if_a_gateway_says_so(clock):
    with served(fault=lambda asked: "530") as sim:
        raised, text = error_of(sim, clock)
    assert raised is Unauthorized and "530" in text and "api_token" in text and len(sim.requests) == 1


@pytest.mark.parametrize("name", ["requiredScopes", "requiredGranularScopes", "missingScopes"])
def test_missing_scopes_are_listed_wherever_hubspot_names_them(name, clock):
    errors = [{"context": {name: ["scope-a", "scope-b"]}}, None, "x"]
    body = {"message": "no", "errors": errors, "context": {name: "scope-c"}}
    with Wire(http(body, 403)) as wire:
        raised, text = error_of(wire, clock)
    assert raised is Forbidden and "scope-a, scope-b, scope-c" in text and "api_token" in text


@pytest.mark.parametrize(
    "body",
    [
        b"", b"<html>", b"[]", b"5", {}, {"message": None}, {"message": {}, "errors": 5, "context": [1]},
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("status", [400, 401, 403, 404, 530])
def test_an_error_may_have_any_body_or_none(body, status, clock):
    with Wire(http(body, status)) as wire:
        raised, text = error_of(wire, clock)
    assert raised in (Refused, Forbidden, Unauthorized) and str(status) in text and "Cure:" in text


@pytest.mark.parametrize("body, explained", [
    (b"", False), (b"<html>Forbidden", False), (b"Forbidden", False), (b"[1]", False), ({}, False), ({"message": ""}, False),
    ({"message": "No."}, True), ({"errors": [{"message": "No."}]}, True), ({"category": "MISSING_SCOPES"}, True),
    ({"correlationId": "b2e5"}, True),
], ids=str)  # fmt: skip
def test_an_error_tells_whether_it_is_in_hubspots_own_words(body, explained, clock):
    with Wire(http(body, 403)) as wire, client_of(wire) as client, pytest.raises(Refused) as raised:
        client.page(QUERY, clock)
    assert raised.value.explained is explained


def test_the_cure_for_a_limit_too_high_is_page_size(clock):
    with served(max_limit=1000) as sim:
        raised, text = error_of(sim, clock, {**QUERY, "limit": 1001})
    assert raised is Refused and "page_size" in text and "1000" in text


def test_the_cure_for_an_unknown_event_type_is_event_types(clock):
    with served() as sim:
        raised, text = error_of(sim, clock, {"eventType": "e_unknown"})
    assert raised is Refused and "e_unknown" in text and "event_types" in text


def test_a_spent_daily_quota_is_raised_at_once_and_says_when_to_come_back(clock):
    with served(fault=lambda asked: "429:daily") as sim:
        raised, text = error_of(sim, clock)
    assert raised is QuotaSpent and "daily" in text and "midnight" in text and len(sim.requests) == 1


# What a body says


LIVE = {  # as live answers word it
    "Insufficient scopes, requires one of: [event-detail-read,web-analytics-api-access]":
        ("grant one of the scopes event-detail-read, web-analytics-api-access (or "
        "business-intelligence"),
    "Your app doesn't the have scopes needed to make this call. Do you have access to the "
    "'business-intelligence' scope?  "
    "Missing auth details: event-detail-read,web-analytics-api-access":
        ("grant one of the scopes business-intelligence, event-detail-read, "
        "web-analytics-api-access to"),
    "This oauth-token (a) does not have proper permissions! (requires all of [content, social])":
        "grant the scopes content, social to",
    "Do you have access to the 'business-intelligence' scope?": ("grant the scope "
        "business-intelligence to"),
    "You need the scope `tickets` for this.": "grant the scope tickets to",
    "No.": "grant the scopes for reading events",
    "Insufficient scopes, requires one of: [event-detail-read]":
        ("grant the scope event-detail-read (or business-intelligence, if HubSpot does not offer "
        "it) to"),
}  # fmt: skip


@pytest.mark.parametrize("message", LIVE)
def test_scopes_are_read_out_of_the_message(message, clock):
    with Wire(http({"message": message, "category": "MISSING_SCOPES"}, 403)) as wire:
        raised, text = error_of(wire, clock)
    assert raised is Forbidden and LIVE[message] in text and "MISSING_SCOPES" not in text


CODE = "EVENT_TYPE_READS_NOT_ALLOWED_DUE_TO_STORAGE_LOCATIONS"
BODIES = {
    "message": {"message": CODE},
    "category": {"message": "No.", "category": CODE},
    "sub-category": {"message": "No.", "subCategory": CODE},
    "prefixed": {"message": "No.", "subCategory": f"Events.{CODE}"},
    "errors": {"message": "No.", "errors": [{"code": CODE}]},
    "an error's message": {"message": "No.", "errors": [{"message": CODE}]},
    "context": {"message": "No.", "context": {"reason": [CODE]}},
    "a key": {"message": "No.", "context": {CODE: ["e_a"]}},
    "alone": {"error": CODE},
    "deep": {"errors": [{"a": [[{"b": {"c": CODE}}]]}]},
}


@pytest.mark.parametrize("place", BODIES)
def test_a_code_that_says_more_is_shown_wherever_the_body_holds_it(place, clock):
    with Wire(http(BODIES[place] | {"correlationId": "b2e5"}, 400)) as wire:
        raised, text = error_of(wire, clock)
    assert raised is Refused and text.count(CODE) == 1 and "correlationId b2e5" in text
    assert "Cure: exclude the event type (add its name to event_types, with ! before it)" in text


def test_what_the_errors_of_an_error_say_is_quoted_too(clock):
    body = {
        "message": "Invalid input",
        "category": "VALIDATION_ERROR",
        "errors": [{"message": "hs_citi is no property"}],
    }
    with Wire(http(body, 400)) as wire:
        _, text = error_of(wire, clock)
    assert (
        "HubSpot answered 400: Invalid input hs_citi is no property. Cure: check properties and property_filters."
    ) in text


@pytest.mark.parametrize(
    "body", [b"", b"<html><h1>414 Request-URI Too Large</h1></html>", {"message": "URI too long"}], ids=str
)
def test_the_cure_for_a_request_too_long_is_fewer_properties_and_filters(body, clock):
    with Wire(http(body, 414)) as wire:
        raised, text = error_of(wire, clock)
    assert raised is Refused and "Cure: shorten properties and property_filters" in text


MORE = {
    "requires all of: [aa,bb], any of the permissions: [cc,dd]": (
        "grant the scopes aa, bb and one of the scopes cc, dd to"
    ),
    "You need the 'aa.read' and 'bb.read' scopes": "grant the scopes aa.read, bb.read to",
    "You are missing the following scopes: [aa.read, bb.read]": ("grant the scopes aa.read, bb.read to"),
    'Insufficient scopes, requires one of: ["aa", "bb"]': "grant one of the scopes aa, bb to",
    "Do you have access to the 'aa' scope? Missing auth details: [aa, bb].": ("grant one of the scopes aa, bb to"),
    "This account requires [array] values": "grant the scopes for reading events",
}


@pytest.mark.parametrize("message", MORE)
def test_scopes_are_read_out_of_other_wordings_too(message, clock):
    with Wire(http({"message": message}, 403)) as wire:
        _, text = error_of(wire, clock)
    assert MORE[message] in text


def needs(*names, key="requiredGranularScopes", message="One or more of the following scopes are required."):
    return {"message": message, "context": {key: list(names)}}


NOT_ALL = "This app hasn't been granted all required scopes to make this call."
DETAILED = {
    "two errors": ({"message": NOT_ALL, "errors": [needs("aa"), needs("bb")]}, ("grant the scopes "
        "aa, bb to")),
    "two choices": ({"message": NOT_ALL, "errors": [needs("aa", "bb"), needs("cc", "dd")]},
                    "grant one of the scopes aa, bb and one of the scopes cc, dd to"),
    "an error like its body": (needs("aa", "bb", message=NOT_ALL) | {"errors": [needs("aa", "bb")]},
                               "grant one of the scopes aa, bb to"),
    "missing ones": ({"message": NOT_ALL, "errors": [needs("bb", "aa", key="missingScopes")]}, "grant the scopes aa, bb to"),
    "one that is missing anyway": (needs("aa", key="missingScopes", message=("Scopes: one of [aa, "
        "bb]")), "grant the scope aa to"),
    "a context that has less": (needs("aa", message="Insufficient scopes, requires one of: [aa,bb]"),
                                "grant one of the scopes aa, bb to"),
    "a context that has more": (needs("aa", "bb", message="You need the 'aa' scope."), ("grant the "
        "scopes aa, bb to")),
    "words in another error": ({"message": "Insufficient scopes", "errors": [{"message": ("requires "
        "one of: [aa, bb]")}]},
                               "grant one of the scopes aa, bb to"),
}  # fmt: skip


@pytest.mark.parametrize("case", DETAILED)
def test_what_each_error_asks_for_is_to_be_granted_and_named_once(case, clock):
    body, cure = DETAILED[case]
    with Wire(http(body, 403)) as wire:
        _, text = error_of(wire, clock)
    assert cure in text


@pytest.mark.parametrize("fields, shown", [
    ({"category": "PERMISSION"}, "PERMISSION"), ({"subCategory": "InvalidEventTypeError"}, "InvalidEventTypeError"),
    ({"subCategory": f"EventsError.{CODE}"}, f"EventsError.{CODE}"), ({"errors": [{"code": "INVALID"}]}, "INVALID"),
    ({"category": "BAD_REQUEST", "subCategory": "Common.VALIDATION_ERROR"}, None), ({"errors": [{"code": 7}]}, None),
    ({"subCategory": "a sentence of several words"}, None),
], ids=str)  # fmt: skip
def test_a_category_or_a_code_is_shown_whole_if_it_says_more(fields, shown, clock):
    with Wire(http({"message": "No.", "category": "VALIDATION_ERROR"} | fields, 400)) as wire:
        _, text = error_of(wire, clock)
    assert text.startswith(
        f"HubSpot answered 400: No. ({shown}). Cure:" if shown else "HubSpot answered 400: No. Cure:"
    )


OTHER_SHAPES = {
    "a text": b"plain words", "a JSON text": b'"plain words"', "a list": b'["plain words"]',
    "another field": {"error": "plain words"}, "errors as texts": {"errors": ["plain words"]},
    "a byte order mark": b"\xef\xbb\xbfplain words",
}  # fmt: skip


@pytest.mark.parametrize("shape", OTHER_SHAPES)
def test_hubspot_is_quoted_whatever_the_shape_of_the_body(shape, clock):
    with Wire(http(OTHER_SHAPES[shape], 400)) as wire:
        _, text = error_of(wire, clock)
    assert "plain words" in text


@pytest.mark.parametrize("status", [400, 403, 404])
@pytest.mark.parametrize("reason", [f"{CODE}: [EU1]", "x" * 600 + f" {CODE}"], ids=len)
def test_the_storage_location_has_its_cure_whatever_the_status_and_the_words_around(status, reason, clock):
    with Wire(http({"message": "No.", "context": {"reason": [reason]}}, status)) as wire:
        _, text = error_of(wire, clock)
    assert CODE in text and "Cure: exclude the event type (add its name to event_types, with ! before it)" in text


@pytest.mark.parametrize("message, cure", [
    ("Must specify an eventType or objectType", "check event_types"), (("beyond the time limit of "
        "2 "
        "years"), "check event_types"),
    ("Invalid limit 1001", "lower page_size"), ("The requested page size is too large", "lower page_size"),
    ("limit: must be at most 250 for eventType e_a", "lower page_size"),
    ("Unknown event type pe1_limit_reached", "check event_types"),
    ("Unknown property hs_foo for event type e_a", "check properties and property_filters"),
    ("Event type reads not allowed due to storage locations", "exclude the event type"),
    ("Unable to infer object type from: CONTAKT", "check object_type"),
    ("objectId requires an objectType", "check object_type and object_id"),
])  # fmt: skip
def test_the_cure_of_a_400_follows_its_words(message, cure, clock):
    with Wire(http({"message": message}, 400)) as wire:
        _, text = error_of(wire, clock)
    assert f"Cure: {cure}" in text


@pytest.mark.parametrize("details", [
    {"errors": [{"message": "1000 exceeds maximum", "in": "limit"}]}, {"context": {"limit": ["1000"]}},
    {"errors": [{"context": {"parameter": ["limit"]}}]}, {"subCategory": "PAGE_SIZE_TOO_LARGE"},
], ids=str)  # fmt: skip
def test_the_cure_follows_the_details_of_a_400_too(details, clock):
    with Wire(http({"message": "Invalid request for this event type"} | details, 400)) as wire:
        _, text = error_of(wire, clock)
    assert "Cure: lower page_size." in text


def test_no_error_quotes_the_value_of_a_filter(clock):
    sim, query = served(), {**QUERY, "property.hs_email": "jane@example.com"}
    with sim:
        pass
    _, text = error_of(sim, clock, query, max_outage=1)
    assert "jane" not in text
    with served(
        fault=lambda asked: "redirect", redirect_to="http://127.0.0.1:1/?property.hs_email=jane"
    ) as redirecting:
        _, text = error_of(redirecting, clock, query)
    assert "jane" not in text and "127.0.0.1:1" in text


def test_an_error_is_no_longer_than_a_person_reads(clock):
    body = {"message": "x" * 9000, "correlationId": "y" * 9000, "context": {"missingScopes": ["z" * 900] * 900}}
    with Wire(http(body, 403)) as wire:
        _, text = error_of(wire, clock)
    assert len(text) < 3000


def test_the_cause_of_no_answer_at_all_speaks_of_no_sync(clock):
    sim = served()
    with sim:
        pass
    raised, text = error_of(sim, clock, max_outage=1)
    assert raised is Unavailable and "check api_base_url and the network connection" in text
    assert "saved" not in text and "sync" not in text


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


@pytest.mark.parametrize("status", [200, 207])
@pytest.mark.parametrize("fields", NOT_WHOLE, ids=str)
def test_an_answer_that_is_not_whole_by_its_own_word_is_asked_for_again(status, fields, clock):
    partial = http({"results": [EVENT], "correlationId": "c-1", **fields}, status)
    with Wire(partial, http({"results": [EVENT, EVENT]})) as wire, client_of(wire) as client:
        assert len(client.page(QUERY, clock).events) == 2 and client.counts()["retries"] == 1


@pytest.mark.parametrize("fields", NOT_WHOLE, ids=str)
def test_an_answer_that_has_nothing_but_its_errors_is_retried_like_an_outage(fields, clock):
    with Wire(*[http(fields)] * 20, http({"results": [EVENT]})) as wire, client_of(wire) as client:
        assert client.page(QUERY, clock).events == [EVENT]


@pytest.mark.parametrize("status", [200, 207])
@pytest.mark.parametrize("fields", WHOLE, ids=str)
def test_an_answer_that_reports_no_error_is_believed(status, fields, clock):
    with Wire(http({"results": [EVENT], **fields}, status)) as wire, client_of(wire) as client:
        assert client.page(QUERY, clock).events == [EVENT] and clock.waits == []


def test_an_answer_that_is_never_whole_ends_as_an_outage_does_and_quotes_no_event(clock):
    fields = {"errors": [{"message": "A shard did not answer.", "category": "SHARD_TIMEOUT"}]}
    body = {"results": [EVENT], "correlationId": "c-1", **fields}
    with Wire(http(body, Date="Mon, 01 Jan 2035 00:00:00 GMT")) as wire:
        raised, text = error_of(wire, clock)
    assert raised is Unavailable and "max_outage_minutes" in text and "VERY_SECRET" not in text
    assert "HubSpot answered 200: A shard did not answer. (SHARD_TIMEOUT, correlationId c-1)" in text
    assert 870 < clock.seconds - 1_000 <= 900


def test_an_empty_list_of_event_types_is_never_believed(clock):
    with Wire(http({"eventTypes": []})) as wire, client_of(wire) as client:
        with pytest.raises(BadAnswer, match="event types that is empty"):
            client.event_types(clock)
        assert len(wire.heads) == 3
    with Wire(http({"eventTypes": []}), http({"eventTypes": ["e_a"]})) as wire, client_of(wire) as client:
        assert client.event_types(clock) == ["e_a"]


def test_a_list_of_event_types_that_is_not_whole_is_not_believed(clock):
    partial = http({"eventTypes": ["e_a"], "numErrors": 1}, 207)
    with Wire(partial, http({"eventTypes": ["e_a", "e_b"]})) as wire, client_of(wire) as client:
        assert client.event_types(clock) == ["e_a", "e_b"]
