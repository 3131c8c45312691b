"""The error that an answer without data is raised as: HubSpot's words, and the cure."""
import re

import pytest

from pipeline.errors import QuotaSpent, Refused, Unauthorized
from tests.hubspot.clients import QUERY, error_of, served
from tests.hubspot.wire import Wire, http


@pytest.mark.parametrize(
    "status, kind, message, cure",
    [
        ("400", Refused, "Invalid input", "event_types"),
        ("401", Unauthorized, "Authentication credentials not found", "api_token"),
        ("403", Refused, "This app hasn't been granted", "business-intelligence"),
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
    assert raised is Refused and "scope-a, scope-b, scope-c" in text and "api_token" in text


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"5", {}, {"message": None}, {"message": {}, "errors": 5, "context": [1]}], ids=str
)
@pytest.mark.parametrize("status", [400, 401, 403, 404, 530])
def test_an_error_may_have_any_body_or_none(body, status, clock):
    with Wire(http(body, status)) as wire:
        raised, text = error_of(wire, clock)
    assert raised in (Refused, Unauthorized) and str(status) in text and "Cure:" in text


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
