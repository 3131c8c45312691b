"""The tables as schema() declares them, and what it does if HubSpot does not answer."""

import re

import pytest

import connector
from pipeline import ConnectorError, read_settings, sync
from pipeline.hubspot.properties import IDS
from pipeline.names.destination import destination_name
from pipeline.tables.schema import declare_tables
from simulator import Simulator, generated
from simulator.bodies import OWN
from tests.accounts import OTHER, both, event, served
from tests.support import TYPE, Delivered, configuration


def tables_of(**given):
    """The tables that schema() declares if nobody answers, by name."""
    nowhere = configuration(Simulator({}), max_outage_minutes="0.0001")
    return {table["table"]: table for table in connector.schema(nowhere | given)}


def test_every_table_is_declared_with_its_key_and_no_column_needlessly():
    declared = tables_of(event_types=f"{TYPE}, {OTHER}")
    assert set(declared) == {TYPE, OTHER, "event_property", "rejected_event", "audited_range", "sync_run"}
    of_ranges = declared.pop("audited_range")
    assert of_ranges["primary_key"] == ["event_type", "range_start", "range_end", "audited_at"]
    assert declared["event_property"].pop("primary_key") == ["event_type", "name"]
    assert all(table.get("primary_key", ["id"]) == ["id"] for table in declared.values())
    columns = ["id", "eventType", "occurred", "objectId", "objectType", *IDS]
    assert declared[OTHER]["columns"] == dict.fromkeys(columns, "STRING")


@pytest.mark.parametrize("event_type", OWN)
def test_what_holds_long_digits_in_an_event_of_hubspots_own_is_text_unless_it_is_a_moment(event_type):
    history = generated(300, event_type=event_type)
    sent = [pair for n in range(300) for pair in history.event(n)["properties"].items()]
    held = {name for name, value in sent if re.fullmatch(r"\d{6,}", value)}
    declared = tables_of(event_types=event_type, string_columns="")[event_type]["columns"]
    assert {name for name in held if not name.endswith("_timestamp")} <= set(declared)


@pytest.mark.parametrize("keys, declared", [
    ({"properties": "hs_url, hs_page_id"}, ["id", "eventType", "occurred", "objectId", "objectType", "hs_page_id", "hs_url"]),
    ({"drop_columns": "objectId, hs_*"}, ["id", "eventType", "occurred", "objectType"]),
], ids=str)  # fmt: skip
def test_only_columns_that_are_asked_for_and_not_dropped_are_declared(keys, declared):
    assert list(tables_of(**keys)[TYPE]["columns"]) == declared


@pytest.mark.parametrize("broken", [{"page_size": "0"}, {"api_token": ""}, {}, {"event_types": "e a"}], ids=str)
def test_schema_never_fails_and_leaves_errors_to_update(broken):
    given = {} if not broken else configuration(Simulator({})) | broken
    assert [table["table"] for table in connector.schema(given)] == ["rejected_event", "audited_range"]


@pytest.mark.parametrize("behaviour", [
    {"token": "another"}, {"fault": lambda request: "403"}, {"fault": lambda request: "reset"},
])  # fmt: skip
def test_if_hubspot_does_not_answer_schema_declares_what_needs_no_answer(behaviour):
    with served(event(), **behaviour) as sim:
        soon = configuration(sim, event_types=f"{TYPE}, pe*", max_outage_minutes="0.001")
        declared = declare_tables(soon | {"string_columns": "hs_x"})
    tables = [table["table"] for table in declared]
    assert tables == [TYPE, "event_property", "rejected_event", "audited_range", "sync_run"]
    assert "hs_x" in declared[0]["columns"]


def test_a_sync_after_a_schema_that_had_no_answer_does_not_succeed_in_silence():
    with both((20, 5)) as sim:
        given = configuration(sim, event_types="*", max_outage_minutes="0.001")
        sim.behaviour.fault = lambda request: "500"
        declared = {table["table"] for table in connector.schema(given)}
        sim.behaviour.fault = None
        with pytest.raises(ConnectorError, match="Start the sync again"):
            sync(read_settings(given), {}, Delivered().sink(), declared)


@pytest.mark.parametrize("given", [
    {"string_columns": "hs_ip, hsIp, HS_IP"}, {"string_columns": "object_id, eventType, occurred"},
    {"string_columns": "hs_url", "rename_columns": "hs_url=link"},
], ids=str)  # fmt: skip
def test_no_column_is_declared_twice(given):
    names = [destination_name(name) for name in tables_of(**given)[TYPE]["columns"]]
    assert len(set(names)) == len(names)
