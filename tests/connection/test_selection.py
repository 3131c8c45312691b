"""Which event types a sync reads, in which order, and what becomes of those that the account does not know."""

import re
from contextlib import suppress

import pytest

from pipeline import ConnectorError, read_settings, sync
from pipeline.errors import SettingsError
from pipeline.tables.schema import declare_tables
from pipeline.timestamps import to_ms
from simulator import generated
from tests.accounts import sized
from tests.support import START, Delivered, Destination, configuration, sync_into
from tests.support import truth as ids_of

VISITS, SIGNUP, LOGIN, META = "e_visited_page", "pe1_signup", "pe2_login", "e_form_metadata"


def account(behaviour=None, **sizes):
    """A simulated account with that many events of each type."""
    return sized(sizes, **(behaviour or {}))


def asked(sim, begin=0):
    """The event types of the requests for events, in order, once for several requests in a row."""
    types = [request.query["eventType"][0] for request in sim.requests[begin:] if "eventType" in request.query]
    return [name for place, name in enumerate(types) if place == 0 or types[place - 1] != name]


def truth(sim, name):
    return ids_of(sim.histories[name])


@pytest.mark.parametrize("text, types", [
    ("*", {VISITS, SIGNUP, LOGIN, META}), ("pe*", {SIGNUP, LOGIN}), ("*, !e_*_metadata", {VISITS, SIGNUP, LOGIN}),
    (f"{VISITS}, pe*_signup, , {VISITS}", {VISITS, SIGNUP}), ("pe?_*, !pe2*", {SIGNUP}),
    (f"*,!{VISITS},!{META}", {SIGNUP, LOGIN}),
])  # fmt: skip
def test_patterns_and_exclusions_select_among_the_types_of_the_account(text, types):
    """A list with a type without a name, too."""
    with account({"extra_event_types": ("",)}, **{VISITS: 5, SIGNUP: 6, LOGIN: 7, META: 8}) as sim:
        delivered = sync_into(Delivered(), sim, event_types=text)
        declared = {table["table"] for table in declare_tables(configuration(sim, event_types=text))}
        assert declared == {*types, "rejected_event", "sync_run", "audited_range", "event_property"}
        assert set(delivered.rows) == {*types, "sync_run"} and set(delivered.state["event_types"]) == types
        assert all(delivered.ids(name) == truth(sim, name) for name in types)
    assert not delivered.warnings


@pytest.mark.parametrize("text", ["*, !*", f"{VISITS}, !{VISITS}", f"{VISITS}, !e_*"])
def test_a_selection_of_nothing_is_reported(text):
    delivered = Delivered()
    with account(**{VISITS: 5}) as sim, suppress(ConnectorError):
        sync_into(delivered, sim, event_types=text)
    assert not delivered.ids() and "event_types" in "".join([*delivered.warnings, delivered.run["error"] or ""])


# At each sync


def test_a_new_type_joins_by_itself_and_is_read_from_the_start_date():
    with account(**{VISITS: 20, SIGNUP: 30}) as sim:
        delivered = sync_into(Delivered(), sim, event_types="*")
        sim.histories[LOGIN] = generated(40, event_type=LOGIN)
        begin = len(sim.requests)
        sync_into(delivered, sim, event_types="*")
        # never finished, so first
        assert delivered.ids(LOGIN) == truth(sim, LOGIN) and asked(sim, begin)[0] == LOGIN
        (first,) = [request for request in sim.requests[begin:] if request.query.get("eventType") == [LOGIN]]
    assert to_ms(first.query["occurredAfter"][0]) <= to_ms(START)
    assert not delivered.warnings


def test_a_type_that_appears_after_schema_joins_with_the_next_sync():
    delivered = Delivered()
    with account(**{VISITS: 20, SIGNUP: 30}) as sim:
        selected = read_settings(configuration(sim, event_types="*"))
        sync(selected, {}, delivered.sink(), declared={VISITS, "rejected_event", "sync_run"})
        assert set(delivered.rows) == {VISITS, "sync_run"} and any(SIGNUP in warning for warning in delivered.warnings)
        sync(selected, delivered.state, delivered.sink(), declared={VISITS, SIGNUP, "rejected_event", "sync_run"})
        assert delivered.ids(SIGNUP) == truth(sim, SIGNUP)


@pytest.mark.parametrize("others", [VISITS, f"{VISITS},pe*", "*"], ids=["names", "patterns", "all"])
def test_an_unknown_name_is_an_error_with_the_nearest_names_once_the_others_are_synced(others):
    delivered = Delivered()
    with account(**{VISITS: 50, SIGNUP: 5}) as sim:
        with pytest.raises(SettingsError, match="event_types") as error:
            sync_into(delivered, sim, event_types=f"e_visited_pag,{others},e_clicked")
        assert delivered.ids() == truth(sim, VISITS)
    message = str(error.value)
    assert "'e_visited_pag'" in message and "'e_clicked'" in message and VISITS in message.partition("nearest")[2]
    assert VISITS in delivered.state["event_types"] and not {"e_visited_pag", "e_clicked"} & set(
        delivered.state["event_types"]
    )


class Unlisted(dict):
    """Histories of which only the first is listed; a query finds them all."""

    def __iter__(self):
        return iter([VISITS])


def test_a_name_that_is_not_listed_and_has_no_events_is_unknown_too():
    """The API may answer with an empty page for an unknown type."""
    with account(**{VISITS: 5, "e_ghost": 0}) as sim, pytest.raises(SettingsError, match="e_ghost"):
        sim.histories = Unlisted(sim.histories)
        sync_into(Delivered(), sim, event_types=f"{VISITS},e_ghost")


@pytest.mark.parametrize(
    "text", [f"{VISITS},{SIGNUP}", f"{VISITS},{SIGNUP},x*", SIGNUP], ids=["names", "patterns", "alone"]
)
def test_a_type_that_hubspot_no_longer_knows_is_a_warning_and_keeps_its_rows_and_cursor(text):
    with account(**{VISITS: 20, SIGNUP: 30}) as sim:
        delivered = sync_into(Delivered(), sim, event_types=text)
        before = delivered.state["event_types"][SIGNUP]
        del sim.histories[SIGNUP]
        delivered.warnings.clear()
        sync_into(delivered, sim, event_types=text)
    assert sum(SIGNUP in warning for warning in delivered.warnings) == 1
    assert delivered.state["event_types"][SIGNUP] == before and len(delivered.ids(SIGNUP)) == 30


def test_neither_a_mistake_nor_a_type_that_is_gone_hides_the_failure_of_another_type():
    with account(**{VISITS: 5, SIGNUP: 5}) as sim:
        delivered = sync_into(Delivered(), sim, event_types=f"{VISITS},{SIGNUP}")
        del sim.histories[SIGNUP]
        sim.behaviour.forbidden = {VISITS: ["scope-x"]}
        with pytest.raises(ConnectorError, match="scope-x"):
            sync_into(delivered, sim, event_types=f"{VISITS},{SIGNUP}")
        with pytest.raises(ConnectorError, match="(?s)scope-x.*e_typo"):
            sync_into(Delivered(), sim, event_types="e_typo, e_visited*")


def test_a_refused_list_of_event_types_is_an_error():
    with account(**{VISITS: 5}) as sim, pytest.raises(ConnectorError, match="403"):
        sim.behaviour.fault = lambda request: "403" if request.path.endswith("event-types") else None
        sync_into(Delivered(), sim, event_types="*")


def test_a_list_that_fails_is_asked_for_once_a_sync():
    """Beside each type that is refused, HubSpot is asked whether it knows the type."""
    sizes = {f"e_t{n}": 5 for n in range(6)}
    with account({"forbidden": list(sizes)[1:]}, **sizes) as sim:
        sim.behaviour.fault = lambda request: "500" if request.path.endswith("event-types") else None
        sync_into(Delivered(), sim, event_types=",".join(sizes), max_outage_minutes="0.00002")
        assert sum(request.path.endswith("event-types") for request in sim.requests) == 1


# One after another


def read(delivered):
    """The event types in the order in which they were delivered, by the log."""
    found = (re.match(r"(\S+): (resuming|reading)", line) for line in delivered.log)
    return [line[1] for line in found if line]


def test_types_are_read_one_after_another_each_with_its_own_cursor():
    names = dict.fromkeys((VISITS, SIGNUP, LOGIN), 300)
    with account(**names) as sim:
        delivered = sync_into(Delivered(), sim, event_types="*", page_size="20", concurrency="8")
        assert set(asked(sim)) == set(names) and read(delivered) == list(names)
        newest = {name: sim.histories[name].event(299)["occurredAt"] for name in names}
    assert {name: saved["occurred"] for name, saved in delivered.state["event_types"].items()} == newest
    assert "under_way" not in delivered.state


def test_the_type_longest_not_finished_is_read_first():
    clock = to_ms("2026-06-01T00:00:00Z")
    with account({"clock": lambda: clock}, **{VISITS: 5, SIGNUP: 5, LOGIN: 5}) as sim:
        delivered = Delivered()
        for text in (LOGIN, VISITS, SIGNUP):
            sync_into(delivered, sim, event_types=text)
            clock += 60_000
        delivered.log.clear()
        sync_into(delivered, sim, event_types="*")
        assert read(delivered) == [LOGIN, VISITS, SIGNUP]


def test_an_interrupted_sync_resumes_with_the_type_that_was_under_way():
    with account(**{VISITS: 400, SIGNUP: 400, LOGIN: 400}) as sim:
        destination = Destination()
        keys = {"event_types": "*", "page_size": "20", "checkpoint_interval": "50"}
        assert not destination.sync(sim, fuse=600, **keys)
        under_way = destination.state["under_way"]
        assert under_way == read(destination)[-1] != read(destination)[0]
        destination.log.clear()
        assert destination.sync(sim, **keys)
        assert read(destination)[0] == under_way
        assert set(read(destination)) == {VISITS, SIGNUP, LOGIN}
        assert all(destination.ids(name) == truth(sim, name) for name in (VISITS, SIGNUP, LOGIN))


def test_a_sync_that_has_come_to_its_end_resumes_with_no_type_though_the_last_one_failed():
    with account({"forbidden": [SIGNUP]}, **{VISITS: 5, SIGNUP: 5}) as sim:
        delivered = sync_into(Delivered(), sim, event_types=f"{VISITS},{SIGNUP}")
        assert read(delivered) == [VISITS, SIGNUP] and "under_way" not in delivered.state


def test_syncs_that_are_killed_again_and_again_reach_every_type_in_the_end():
    keys = {"event_types": "*", "page_size": "20", "checkpoint_interval": "20", "lookback_minutes": "0"}
    with account(**dict.fromkeys((VISITS, SIGNUP, LOGIN, META), 200)) as sim:
        destination, syncs = Destination(), 1
        while not destination.sync(sim, fuse=80, **keys):
            syncs += 1
            assert syncs < 40
        assert all(destination.ids(name) == truth(sim, name) for name in sim.histories)
        assert len(destination.upserts) < 800 + syncs * 40


def test_two_hundred_types_mostly_empty_cost_a_request_each():
    names = [f"pe1_type_{n}" for n in range(200)]
    with account(**{name: 30 * (n < 10) for n, name in enumerate(names)}) as sim:
        delivered = sync_into(Delivered(), sim, event_types="*")
        assert len(sim.requests) <= 215
        assert sum(len(delivered.ids(name)) for name in names) == 300
        assert set(delivered.state["event_types"]) == set(names)
        assert len(delivered.states) < 30 and not delivered.warnings
        begin = len(sim.requests)
        sync_into(delivered, sim, event_types=",".join(names))
        assert len(sim.requests) - begin <= 215


@pytest.mark.parametrize("definitions, requests", [(False, 2), (True, 3)])
def test_the_tables_of_two_hundred_types_cost_a_request_and_their_definitions_one_a_hundred(definitions, requests):
    with account(**{f"pe1_type_{n}": 0 for n in range(200)}) as sim:
        sim.behaviour.definitions = definitions
        assert len(declare_tables(configuration(sim, event_types="*"))) == 204
        assert len(sim.requests) == requests
