"""The setup tests: each passes, or fails with what to change, and none ever shows a secret."""

import pytest

import connector
from pipeline.connection import setup_tests as module
from tests.accounts import OTHER, sized
from tests.sdk import failures
from tests.support import TYPE

NAMES = [f"e_t{n}" for n in range(32)]


def account(**behaviour):
    return sized({TYPE: 20, OTHER: 20}, **behaviour)


def many(number=32, **behaviour):
    return sized(dict.fromkeys(NAMES[:number], 3), **behaviour)


def unlisted(request):
    return "403" if request.path.endswith("event-types") else None


@pytest.mark.parametrize("given", [
    {}, {"event_types": "*"}, {"event_types": f"{TYPE}, pe*, !x*"}, {"hash_columns": "a", "hash_salt": "pepper and salt"},
    {"property_filters": "hs_city=são paulo", "object_type": "CONTACT"}, {"api_version": "v3"},
    {"table_layout": "single", "string_columns": "hs_*"},
    {"event_types": f"{TYPE}, x*"},  # of an unmatched pattern, the sync warns: tomorrow it may match
], ids=str)  # fmt: skip
def test_a_valid_configuration_passes_every_test(given):
    with account() as sim:
        assert failures(sim, **given) == {}
        assert len(sim.requests) < 10


BAD = {
    "a wrong token": ({"token": "another"}, {}, "token", ["401", "api_token"]),
    "a malformed token": ({"fault": lambda request: "530"}, {}, "token", ["530", "api_token"]),
    "a scope": ({"forbidden": {TYPE: ["events.read"], OTHER: ["signups.read"]}}, {"event_types": "*"}, "scopes",
                ["events.read", "signups.read", TYPE, OTHER]),
    "one scope of two named types": ({"forbidden": {OTHER: ["signups.read"]}}, {"event_types": f"{TYPE}, {OTHER}"}, "scopes",
                                     ["signups.read", OTHER, "2 event types"]),
    "a named type beside a pattern": ({"forbidden": {OTHER: ["signups.read"]}}, {"event_types": f"e_*, {OTHER}"}, "scopes",
                                      ["signups.read", OTHER]),
    "an unknown type": ({}, {"event_types": f"{TYPE},e_visited_pag"}, "event types", ["e_visited_pag", TYPE, "event_types"]),
    "two unknown types": ({}, {"event_types": "e_a, e_b"}, "event types", ["'e_a'", "'e_b'"]),
    "patterns alone that match nothing": ({}, {"event_types": "x*"}, "event types", ["event_types"]),
    "a refused page size": ({"max_limit": 100}, {"page_size": "101"}, "page size", ["lower page_size", "101"]),
    "a start date": ({}, {"initial_sync_start_date": "yesterday"}, "configuration", ["initial_sync_start_date", "yesterday"]),
    "no start date": ({}, {"initial_sync_start_date": ""}, "configuration", ["initial_sync_start_date", "missing"]),
    "no salt": ({}, {"hash_columns": "hs_ip"}, "configuration", ["hash_salt: missing"]),
    "a pattern": ({}, {"string_columns": "hs_*"}, "", ["string_columns", "hs_*"]),
    "an unknown key": ({}, {"page_sise": "10"}, "configuration", ["'page_sise'", "did you mean 'page_size'?"]),
    "a redirect": ({"fault": lambda request: "redirect"}, {}, "scopes", ["api_base_url"]),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_each_problem_fails_the_test_about_it_first_with_the_cure(case):
    """Fivetran stops at the first failure."""
    behaviour, given, about, named = BAD[case]
    with account(**behaviour) as sim:
        reported = failures(sim, **given)
    assert about in next(iter(reported))
    text = "\n".join(reported[label] for label in reported if about in label)
    assert all(name in text for name in named)


@pytest.mark.parametrize("refused", [1, 31])
def test_types_that_a_pattern_selects_may_be_refused_as_long_as_one_can_be_read(refused):
    with many(forbidden=NAMES[:refused]) as sim:
        assert failures(sim, event_types="*") == {}


def test_a_type_that_a_pattern_selects_may_fail_too():
    with many(5, fault=lambda request: "500" if request.query.get("eventType") == ["e_t3"] else None) as sim:
        assert failures(sim, event_types="*", max_outage_minutes="0.001") == {}


def test_a_named_type_needs_no_list_of_types():
    with account(fault=unlisted) as sim:
        assert failures(sim, event_types=TYPE) == {}
        assert any("event types" in label for label in failures(sim, event_types="*"))


def test_if_no_type_can_be_read_the_failure_says_what_was_tried_and_each_cause_once():
    scopes = {name: ["events.read"] if n % 2 else ["signups.read"] for n, name in enumerate(NAMES)}
    with many(forbidden=scopes) as sim:
        (text,) = [said for label, said in failures(sim, event_types="*").items() if "scopes" in label]
    assert "each of 32 event types" in text and "32 event types cannot be read with this token" in text
    assert all(text.count(f"grant the scope {scope}") == 1 for scope in ("events.read", "signups.read"))
    assert "e_t0, e_t2" in text and "and 6 others" in text


def test_if_hubspot_refuses_its_list_the_types_that_are_named_decide():
    with account(fault=unlisted) as sim:
        assert failures(sim, event_types=f"{TYPE}, pe*") == {}
        sim.behaviour.forbidden = {TYPE: ["events.read"]}
        (text,) = failures(sim, event_types=f"{TYPE}, pe*").values()
    assert "one event type (page_size 1000) and refused it:" in text and "events.read" in text


def test_the_failure_says_how_many_of_how_many_types_were_refused():
    with many(8, forbidden=NAMES[:2]) as sim:
        (text,) = failures(sim, event_types=f"{NAMES[0]}, e_*").values()
    assert text.startswith("HubSpot was asked for a page of each of 8 event types (page_size 1000) and refused 2:\n")


def test_no_failure_advises_a_key_that_setup_tests_do_not_go_by():
    with account(fault=lambda request: "500") as sim:
        texts = failures(sim, max_outage_minutes="0.001").values()
    assert texts and not any("max_outage_minutes" in text for text in texts)


def test_an_unreachable_address_fails_soon_and_says_so(monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 50)
    with account() as sim:
        pass
    reported = failures(sim)
    assert any("can be reached" in label for label in reported)
    text = next(iter(reported.values()))
    assert "HubSpot has not responded successfully" in text and "check api_base_url" in text
    assert not any(word in text.lower() for word in ("sync", "saved"))  # no sync is under way
    assert not any("configuration" in label for label in reported)


def test_the_first_test_tells_all_mistakes_and_unknown_keys_at_once_and_nothing_else_is_tried():
    wrong = {"page_size": "0", "rename_columns": "a", "hash_columns": "email", "page_sise": "10", "event_type": "e_a"}
    with account() as sim:
        reported = failures(sim, **wrong)
    first, *others = reported.values()
    assert next(iter(reported)) == "The configuration is right"
    assert all(f"- {key}:" in first for key in ("page_size", "rename_columns", "hash_salt"))
    assert all(f"did you mean '{key}'?" in first for key in ("page_size", "event_types"))
    assert set(others) == {module.NOT_TRIED} and not sim.requests


def test_the_page_size_is_tried_as_configured():
    with account(max_limit=100) as sim:
        assert failures(sim, page_size="100") == {}
        assert next(each.query["limit"] for each in sim.requests if "eventType" in each.query) == ["100"]


def test_columns_cannot_be_compared_if_hubspot_sends_no_events():
    with account(fault=lambda request: "500" if "eventType" in request.query else None) as sim:
        reported = failures(sim, drop_columns="hs_ipp", max_outage_minutes="0.001")
    assert any("columns" in label for label in reported)


@pytest.mark.parametrize("keys", [{}, {"api_token": None}, {"api_token": 5, "initial_sync_start_date": []}], ids=str)
def test_no_configuration_crashes_a_setup_test(keys):
    form = connector.configuration_form()
    names = [test.name for test in form.to_response().tests]
    assert all(form._get_test_function_by_name(name)(keys).failure for name in names)
