"""The tables as schema() declares them, and what it does if HubSpot does not answer."""

import re

import pytest

import connector
from pipeline import ConnectorError, read_settings, sync
from pipeline.config.keys import KEYS
from pipeline.names.destination import destination_name
from pipeline.tables.schema import declare_tables
from simulator import Simulator, generated, listed
from simulator.bodies import OWN
from tests.accounts import OTHER, both, event, served
from tests.sdk import rows, run
from tests.support import TYPE, Delivered, configuration


def tables_of(**given):
    """The tables that schema() declares if nobody answers, by name."""
    nowhere = configuration(Simulator({}), max_outage_minutes="0.0001", string_columns="hs_form_id")
    return {table["table"]: table for table in connector.schema(nowhere | given)}


def test_every_table_is_declared_with_its_key_and_no_column_needlessly():
    declared = tables_of(event_types=f"{TYPE}, {OTHER}")
    assert set(declared) == {TYPE, OTHER, "rejected_event", "audited_range", "sync_run"}
    of_ranges = declared.pop("audited_range")
    assert of_ranges["primary_key"] == ["event_type", "range_start", "range_end", "audited_at"]
    assert all(table["primary_key"] == ["id"] for table in declared.values())
    columns = ["id", "eventType", "occurred", "objectId", "objectType", "hs_form_id"]
    assert declared[TYPE]["columns"] == dict.fromkeys(columns, "STRING")
    assert set(tables_of(sync_metrics="false")) == {TYPE, "rejected_event", "audited_range"}


def test_ids_that_look_like_numbers_are_text_by_default():
    """Those of a live page visit among them."""
    with served(
        event(hs_hash_id="0396065", hs_leviathan_linked_vids="221021723238", hs_page_id="00701")
    ) as sim:
        tables = declare_tables(configuration(sim, event_types=f"{TYPE}, {OTHER}"))
    declared = {table["table"]: table["columns"] for table in tables}
    for name in ("hs_hash_id", "hs_leviathan_linked_vids", "hs_page_id"):
        assert declared[TYPE][name] == "STRING"
    assert "hs_page_id" in declared[OTHER] and "hs_hash_id" not in declared[OTHER]


@pytest.mark.parametrize("event_type", OWN)
def test_what_holds_long_digits_in_an_event_of_hubspots_own_is_text_unless_it_is_a_moment(
    event_type,
):
    history = generated(300, event_type=event_type)
    held = {
        name
        for n in range(300)
        for name, value in history.event(n)["properties"].items()
        if re.fullmatch(r"\d{6,}", value)
    }
    declared = tables_of(event_types=event_type, string_columns="")[event_type]["columns"]
    assert {name for name in held if not name.endswith("_timestamp")} <= set(declared)


def test_a_name_added_to_the_default_takes_nothing_away():
    default = KEYS["string_columns"].default
    declared = tables_of(string_columns=f"{default}, my_code")[TYPE]["columns"]
    assert {"my_code", "hs_hash_id", "hs_page_id"} <= set(declared)


def test_they_are_text_in_the_warehouse(project):
    values = {
        "hs_hash_id": "0396065",
        "hs_leviathan_linked_vids": "221021723238",
        "hs_browser_version_major": "17.40",
    }
    with served(event(**values)) as sim:
        run(project, configuration(sim))
    assert rows(project, ", ".join(values)) == [tuple(values.values())]


def test_the_single_layout_is_one_table_with_properties_as_one_json_column():
    declared = tables_of(table_layout="single", event_types="*")
    assert set(declared) == {"event", "rejected_event", "audited_range", "sync_run"}
    assert (
        declared["event"]["primary_key"] == ["id", "eventType"]
        and declared["event"]["columns"]["properties"] == "JSON"
    )


@pytest.mark.parametrize(
    "broken", [{"page_size": "0"}, {"api_token": ""}, {}, {"event_types": "e a"}], ids=str
)
def test_schema_never_fails_and_leaves_errors_to_update(broken):
    given = {} if not broken else configuration(Simulator({})) | broken
    assert [table["table"] for table in connector.schema(given)] == [
        "rejected_event",
        "audited_range",
    ]


@pytest.mark.parametrize("behaviour", [
    {"token": "another"}, {"fault": lambda request: "403"}, {"fault": lambda request: "reset"},
])  # fmt: skip
def test_if_hubspot_does_not_answer_schema_declares_what_needs_no_answer(behaviour):
    with served(event(), **behaviour) as sim:
        soon = configuration(sim, event_types=f"{TYPE}, pe*", max_outage_minutes="0.001")
        declared = declare_tables(soon | {"string_columns": "hs_*, hs_x"})
    assert [table["table"] for table in declared] == [
        TYPE,
        "rejected_event",
        "audited_range",
        "sync_run",
    ]
    assert "hs_x" in declared[0]["columns"]


def test_a_forbidden_type_costs_the_others_no_string_column():
    with both((5, 5)) as sim:
        sim.behaviour.forbidden = [OTHER]
        tables = declare_tables(configuration(sim, event_types="*", string_columns="hs_*"))
    declared = {table["table"]: table["columns"] for table in tables}
    assert (
        "hs_page_id" in declared[TYPE] and OTHER in declared and "hs_page_id" not in declared[OTHER]
    )


def outcome(sim, declared, **given):
    """What a sync after that schema() delivers, and its error (None: none)."""
    delivered = Delivered()
    try:
        sync(
            read_settings(configuration(sim, **given)),
            {},
            delivered.sink(),
            {table["table"] for table in declared},
        )
    except ConnectorError as error:
        return delivered, str(error)
    return delivered, None


def test_a_type_that_cannot_be_sampled_costs_the_others_neither_table_nor_sync():
    given = {"event_types": "*", "string_columns": "hs_*", "max_outage_minutes": "0.001"}
    with both((20, 5)) as sim:
        sim.behaviour.fault = lambda request: (
            "500" if request.query.get("eventType") == [OTHER] else None
        )
        declared = connector.schema(configuration(sim, **given))
        delivered, _ = outcome(sim, declared, **given)
    assert len(delivered.ids(TYPE)) == 20


def test_a_sync_after_a_schema_that_had_no_answer_does_not_succeed_in_silence():
    given = {"event_types": "*", "max_outage_minutes": "0.001"}
    with both((20, 5)) as sim:
        sim.behaviour.fault = lambda request: "500"
        declared = connector.schema(configuration(sim, **given))
        sim.behaviour.fault = None
        delivered, error = outcome(sim, declared, **given)
    assert error or len(delivered.ids(TYPE)) == 20


PATTERNS = {"string_columns": "z?p*, hs_version", "max_outage_minutes": "0.001"}
ODD_TEXT = {"zip": "00420", "zip_4": "1.10", "hs_version": "1.10"}


def run_whose_sample_fails(project, sim, capsys, **given):
    """What a run prints if its schema() gets no events to sample, though its update() then does."""
    failing = iter((True,))
    sim.behaviour.fault = lambda request: (
        "500" if "eventType" in request.query and next(failing, False) else None
    )
    run(
        project, configuration(sim, **PATTERNS | {"max_outage_minutes": "0.00002"} | given)
    )  # no second attempt
    assert any(request.fault == "500" for request in sim.requests)
    return capsys.readouterr().out


def test_patterns_that_could_not_be_compared_with_events_are_a_warning(project, capsys):
    with served(event(**ODD_TEXT)) as sim:
        printed = run_whose_sample_fails(project, sim, capsys)
        assert (
            "WARNING" in printed
            and f"string_columns: z?p* could not be compared with the events of {TYPE}" in printed
        )
        assert "500" in printed and "hs_version could" not in printed
        run(project, configuration(sim, **PATTERNS))
        assert "could not be compared" not in capsys.readouterr().out


def test_text_columns_stay_text_if_patterns_could_not_be_compared_with_events(project, capsys):
    with served(event(**ODD_TEXT)) as sim:
        run(project, configuration(sim, **PATTERNS))
        sim.histories[TYPE] = listed([event(n, **ODD_TEXT) for n in range(2)])
        assert "could not be compared" in run_whose_sample_fails(project, sim, capsys)
    assert rows(project, "zip, zip_4, hs_version") == [("00420", "1.10", "1.10")] * 2


@pytest.mark.parametrize("given", [{}, {"string_columns": "zip, zip_4"}], ids=str)
def test_without_patterns_there_is_nothing_to_compare_or_warn_of(given):
    sentences = []
    with served(event(**ODD_TEXT), fault=lambda request: "500") as sim:
        declare_tables(configuration(sim, max_outage_minutes="0.001", **given), sentences.append)
    assert sentences == []


def test_the_warning_names_every_type_that_could_not_be_sampled_but_not_those_refused():
    sentences = []
    with both((5, 5)) as sim:
        sim.histories["pe2_x"] = listed([event(0, "pe2_x")])
        sim.behaviour.fault = lambda request: {TYPE: "500", OTHER: "403"}.get(
            *request.query.get("eventType", [""])
        )
        declare_tables(configuration(sim, event_types="*", **PATTERNS), sentences.append)
        (sentence,) = sentences
        assert TYPE in sentence and OTHER not in sentence and "pe2_x" not in sentence
        sim.behaviour.fault = lambda request: "500"
        declare_tables(
            configuration(sim, event_types=f"{TYPE}, {OTHER}", **PATTERNS), sentences.append
        )
    assert TYPE in sentences[1] and OTHER in sentences[1]


@pytest.mark.parametrize("given", [
    {"string_columns": "hs_ip, hsIp, HS_IP"}, {"string_columns": "object_id, eventType, occurred"},
    {"string_columns": "hs_url, *url", "rename_columns": "hs_url=link"},
], ids=str)  # fmt: skip
def test_no_column_is_declared_twice(given):
    with served(event(hs_url="/", hsIp="1")) as sim:
        (table, *_) = declare_tables(configuration(sim, **given))
    names = [destination_name(name) for name in table["columns"]]
    assert len(set(names)) == len(names)


def test_a_dropped_column_is_not_declared():
    columns = tables_of(drop_columns="objectId, hs_form_id")[TYPE]["columns"]
    assert set(columns) == {"id", "eventType", "occurred", "objectType"}
