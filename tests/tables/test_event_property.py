"""The dictionary of events: the table event_property, the types that HubSpot's definitions give to
columns, and what either costs.
"""

import json
from decimal import Decimal

import pytest

from pipeline.hubspot import retry
from pipeline.hubspot.definitions_api import SCOPE
from pipeline.hubspot.properties import OWN
from pipeline.tables.schema import declare_tables
from pipeline.timestamps import DAY, MINUTE, to_ms
from simulator import Behaviour, Simulator, generated, listed
from simulator.definitions import defined, property_of
from tests.accounts import OTHER, event
from tests.sdk import kinds, rows, run
from tests.support import END, TYPE, Delivered, configuration, sync_into

PLANS = [{"label": "Free", "value": "free", "hidden": False}, {"label": "Team", "value": "team", "hidden": True}]
SIGNUP = defined(
    OTHER, "Signed up",
    property_of("plan", "enumeration", options=PLANS, description="What was chosen"),
    property_of("version"), property_of("seats", "number"), property_of("due", "datetime"),
    property_of("ssn", dataSensitivity="highly_sensitive", archived=True),
)  # fmt: skip
NOW = to_ms(END)


def account(*events, definitions=(SIGNUP,), **behaviour):
    histories = {TYPE: generated(20), OTHER: listed(events or [signup(0)])}
    return Simulator(histories, Behaviour(definitions=definitions, **behaviour))


def signup(n, **properties):
    return event(n, OTHER, **properties)


def typed(*events):
    return account(*(signup(n, **properties) for n, properties in enumerate(events)))


def synced(project, sim, columns, **keys):
    """These columns of the rows of OTHER, by id, after a sync through the SDK."""
    run(project, configuration(sim, event_types=OTHER, **keys))
    return [row for _, *row in sorted(rows(project, f"id, {columns}", "pe_1_signup"))]


def asked(sim):
    """The requests for definitions."""
    return [request for request in sim.requests if "event-definitions" in request.path]


# The table


def test_the_dictionary_has_what_hubspot_says_of_custom_events(project):
    with account() as sim:
        run(project, configuration(sim, event_types=OTHER))
    columns = "label, description, type, options::VARCHAR, sensitivity, archived"
    held = rows(project, f"event_type, name, {columns}", "event_property")
    found = {name: rest for event_type, name, *rest in held if event_type == OTHER}
    assert found.keys() == {"plan", "version", "seats", "due", "ssn"}
    label, description, kind, options, sensitivity, archived = found["plan"]
    assert (label, description, kind) == ("Plan", "What was chosen", "enumeration")
    assert json.loads(options) == PLANS and sensitivity == "non_sensitive" and archived is False
    assert found["version"][3] is None and found["ssn"][4:] == ["highly_sensitive", True]


@pytest.mark.parametrize("layout", ["per_event_type", "single"])
def test_it_has_hubspots_own_events_whatever_the_token_may_read(layout):
    with account(definitions=False) as sim:
        delivered = sync_into(Delivered(), sim, event_types="*", table_layout=layout)
    held = {event_type: [] for event_type, _ in delivered.dictionary}
    for event_type, name in delivered.dictionary:
        held[event_type].append(name)
    assert held.keys() == OWN.keys() and len(held[TYPE]) > 45
    assert {"hs_referrer", "hs_city", "hs_vendor", "hs_company_id"} <= set(held[TYPE])
    assert all(row["label"] and row["description"] for row in delivered.dictionary.values())


def test_the_list_names_every_property_that_hubspots_own_events_are_known_to_have():
    for event_type, definition in OWN.items():
        sent = generated(50, event_type=event_type).event(3)["properties"]
        assert set(sent) <= {each.name for each in definition.properties}


def test_a_refusal_is_one_line_with_the_scope_and_no_warning_also_of_an_account_without_definitions():
    with account(definitions=()) as sim:
        sim.behaviour.clock, delivered = (lambda: NOW + len(delivered.states) * DAY), Delivered()
        for is_listed in (True, False, False):
            sim.behaviour.definitions = () if is_listed else False
            sync_into(delivered, sim, event_types="*")
    (line,) = [line for line in delivered.log if "event_property" in line]
    assert SCOPE in line and "403" in line and "correlationId" in line
    assert not [warning for warning in delivered.warnings if "clock" not in warning]


def test_it_is_read_once_a_day_and_written_only_if_it_has_changed():
    clock = [NOW]
    with account(clock=lambda: clock[0]) as sim:
        delivered = sync_into(Delivered(), sim, event_types="*")
        assert len(asked(sim)) == 1 and delivered.dictionary
        delivered.dictionary.clear()
        for later, requests in ((MINUTE, 1), (DAY, 2), (2 * DAY, 3)):
            clock[0] = NOW + later
            sync_into(delivered, sim, event_types="*")
            assert len(asked(sim)) == requests and not delivered.dictionary
        clock[0] = NOW + 3 * DAY
        sim.behaviour.definitions = [SIGNUP | {"properties": [property_of("plan")]}]
        sync_into(delivered, sim, event_types="*")
    assert delivered.dictionary[OTHER, "plan"]["type"] == "string"


@pytest.mark.parametrize("failing", ["500", "html", "404", "429:daily"])
def test_an_answer_that_does_not_come_costs_a_sync_nothing(failing, monkeypatch):
    monkeypatch.setattr(retry, "MAX_DELAY", 0.001)
    with account() as sim:
        sim.behaviour.fault = lambda request: failing if "event-definitions" in request.path else None
        delivered = sync_into(Delivered(), sim, event_types="*")
        assert len(delivered.ids(TYPE)) == 20 and len(delivered.ids(OTHER)) == 1
        assert any("definitions of custom events are not read" in line for line in delivered.log)
        assert len(asked(sim)) <= 3 and not delivered.warnings
        assert (TYPE, "hs_url") in delivered.dictionary
        sim.behaviour.fault = None
        sync_into(delivered, sim, event_types="*")
    assert (OTHER, "plan") in delivered.dictionary


@pytest.mark.parametrize("keys, named", [
    ({}, True), ({"drop_columns": "ss?"}, False), ({"hash_columns": "ssn", "hash_salt": "x"}, False),
    ({"drop_columns": "plan"}, True),
], ids=str)  # fmt: skip
def test_what_is_sensitive_and_not_protected_is_named_once(keys, named):
    with account(signup(0, ssn="1", plan="free")) as sim:
        delivered = sync_into(Delivered(), sim, event_types=OTHER, **keys)
        found = [warning for warning in delivered.warnings if "sensitive" in warning]
        assert len(found) == named and all(f"ssn of {OTHER}" in warning for warning in found)
        said = len(delivered.warnings)
        sync_into(delivered, sim, event_types=OTHER, **keys)
    assert not [warning for warning in delivered.warnings[said:] if "sensitive" in warning]


@pytest.mark.parametrize("definitions", [
    [7, {}, {"fullyQualifiedName": 7}, SIGNUP | {"properties": None}, SIGNUP | {"labels": "x"}],
    [SIGNUP | {"properties": [None, {}, {"name": "a", "type": 7, "options": {}, "archived": "no"}]}],
], ids=str)  # fmt: skip
def test_definitions_of_another_shape_are_read_as_far_as_they_can_be(definitions):
    with account(definitions=False) as sim:
        sim.behaviour.definitions = [each if isinstance(each, dict) else {"properties": [each]} for each in definitions]
        delivered = sync_into(Delivered(), sim, event_types=OTHER)
    assert (TYPE, "hs_url") in delivered.dictionary


# What it costs


@pytest.mark.parametrize("event_types, definitions, most", [(OTHER, (), 2), (OTHER, False, 1), (TYPE, (), 0)])
def test_a_first_sync_of_custom_types_takes_as_many_requests_more(project, event_types, definitions, most):
    with account(definitions=definitions) as sim:
        run(project, configuration(sim, event_types=event_types))
    assert len(asked(sim)) <= most and len(sim.requests) - len(asked(sim)) == 1


# Types


def test_what_hubspot_calls_text_stays_text_and_numbers_and_moments_become_such(project):
    values = {"plan": "T", "version": "1.10", "seats": "1.10", "due": "2026-05-21T01:36:04.329Z"}
    with typed(values, {"seats": "9007199254740993", "due": "1779327364329"}) as sim:
        first, second = synced(project, sim, "plan, version, seats, epoch_ms(due)")
    assert first == ["T", "1.10", Decimal("1.10"), 1779327364329]
    assert second == [None, None, 9007199254740993, 1779327364329]
    found = kinds(project, "pe_1_signup")
    assert (found["plan"], found["version"]) == ("VARCHAR", "VARCHAR")
    assert found["seats"].startswith("DECIMAL") and found["due"] == "TIMESTAMP WITH TIME ZONE"


ODD = ["", "n/a", "1e3", "-7", "0012", "3.14159265358979323846", "9" * 25, 12, 1.5, True, None]


def test_a_value_that_does_not_fit_its_type_ends_no_sync_and_is_not_lost(project):
    odd = [{"seats": value, "due": value, "version": value} for value in ODD]
    with typed(*odd, {"seats": ["a"], "due": {"at": 1}}) as sim:
        found = synced(project, sim, "occurred, seats, due, misfits::VARCHAR")
    assert len(found) == len(ODD) + 1
    for (_, seats, due, misfits), value in zip(sorted(found), ODD, strict=False):
        kept = json.loads(misfits or "{}")
        assert due is None and (value in ("", None) or str(kept["due"]) == str(value))
        if seats is None:
            assert value in ("", None) or str(kept["seats"]) == str(value)
        else:
            assert seats == Decimal(str(value)) and "seats" not in kept


def test_a_column_that_is_text_or_number_already_keeps_every_value(project):
    """Earlier versions inferred its type."""
    before = {"version": "7", "seats": "9007199254740993", "due": "1779327364329"}
    with typed(before) as sim:
        sim.behaviour.definitions = False
        synced(project, sim, "version")
        assert kinds(project, "pe_1_signup")["seats"] == "BIGINT"
        sim.behaviour.definitions = [SIGNUP]
        late = [signup(0, **before), signup(1, version="1.10", seats="0.5", due="1779327364330")]
        sim.histories[OTHER] = listed(late)
        first, second = synced(project, sim, "version, seats::DECIMAL(38,18), due::VARCHAR")
    assert first[:2] == ["7", 9007199254740993] and second[:2] == ["1.10", Decimal("0.5")]
    assert "1779327364329" in first[2] or first[2].startswith("2026-05-21")


def test_the_columns_of_the_configuration_come_before_the_types(project):
    given = {
        "rename_columns": "seats=places, code=number, objectId=contact", "hash_columns": "due", "hash_salt": "x",
        "drop_columns": "plan", "string_columns": "code",
    }  # fmt: skip
    with typed({"seats": "2", "due": "2026-05-21", "plan": "free", "code": "1.10", "number": "007"}) as sim:
        assert synced(project, sim, "number, contact", **given) == [["1.10", "007"]]
    found = kinds(project, "pe_1_signup")
    assert found["places"].startswith("DECIMAL") and found["due"] == "VARCHAR"
    assert not {"plan", "seats", "code", "object_id"} & found.keys()


def test_a_property_whose_name_is_taken_has_its_own_type_and_two_of_one_name_are_text_if_theirs_differ(project):
    numbers = [property_of(name, "number") for name in ("id", "aB")]
    definition = defined(OTHER, "Signed up", property_of("occurred"), property_of("a_b"), *numbers)
    with account(signup(0, id="7", occurred="1.10", aB="7"), signup(1, a_b="007"), definitions=[definition]) as sim:
        found = synced(project, sim, "properties_id, properties_occurred, a_b")
    assert found == [[7, "1.10", "7"], [None, None, "007"]]


def test_an_id_is_text_whatever_its_definition_says():
    definition = defined(OTHER, "Signed up", property_of("hs_company_id", "number"))
    for definitions in ([definition], [definition | {"properties": []}]):
        with account(signup(0, hs_company_id="0071"), definitions=definitions) as sim:
            (table, *_) = declare_tables(configuration(sim, event_types=OTHER))
        assert table["columns"]["hs_company_id"] == "STRING"


# Patterns in string_columns, which earlier versions took


def test_a_pattern_ends_the_first_sync_before_a_text_becomes_a_number(project):
    odd = event(0, zip="1.10", zip_4="T", hs_page_id="7")
    with Simulator({TYPE: listed([odd])}) as sim:
        with pytest.raises(BaseException, match="Cure: write zip, zip_4 instead"):
            run(project, configuration(sim, string_columns="z?p*, hs_*"))
        run(project, configuration(sim, string_columns="zip, zip_4"))
    assert rows(project, "zip, zip_4, hs_page_id") == [("1.10", "T", "7")]


def test_a_pattern_of_known_columns_or_of_an_older_connection_is_a_warning_and_its_columns_stay_text(project, capsys):
    first = event(0, zip="1.10", hs_is_amp="T", hs_page_id="7")
    with Simulator({TYPE: listed([first])}) as sim:
        run(project, configuration(sim, string_columns="zip, hs_*"))
        assert "string_columns: hs_* " in capsys.readouterr().out
        sim.histories[TYPE] = listed([first, event(1, zip="2.20")])
        run(project, configuration(sim, string_columns="z?p"))
    assert "Cure: write zip instead" in capsys.readouterr().out
    assert sorted(rows(project, "zip, hs_is_amp, hs_page_id")) == [("1.10", "T", "7"), ("2.20", None, None)]
