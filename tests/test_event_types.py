"""Which event types a sync is about, in what order, and what becomes of those that the account does not know."""
from fnmatch import fnmatchcase

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import ConnectorError, read_settings, sync
from pipeline.errors import SettingsError
from pipeline.event_types import choose, is_pattern, needs_list
from pipeline.moments import to_ms
from pipeline.tables import declare
from simulator import Behaviour, Simulator, generated, listed
from tests.support import START, Delivered, configuration, sync_into
from tests.test_sync import Destination

VISITS, SIGNUP, LOGIN, META = "e_visited_page", "pe1_signup", "pe2_login", "e_form_metadata"


def account(behaviour=None, **sizes):
    """A simulated account with so many events of each type."""
    return Simulator({name: generated(size, event_type=name) for name, size in sizes.items()}, Behaviour(**(behaviour or {})))


def asked(sim, begin=0):
    """The event types that events were asked of, in order, once for requests in a row."""
    types = [request.query["eventType"][0] for request in sim.requests[begin:] if "eventType" in request.query]
    return [name for place, name in enumerate(types) if place == 0 or types[place - 1] != name]


def truth(sim, name):
    history = sim.histories[name]
    return {history.event(i)["id"] for i in range(len(history))}


# What is chosen

NAMES = st.sampled_from(["e_a", "e_b", "e_a_metadata", "pe1_a", "pe2_a", "ae1_b"])
PATTERNS = st.sampled_from(["*", "e_*", "pe?_a", "*_metadata", "x*", "e_x"])
ITEMS = st.lists(st.builds(str.__add__, st.sampled_from(["", "", "!"]), NAMES | PATTERNS), unique=True)


@settings(max_examples=150)
@given(ITEMS, st.lists(NAMES, unique=True))
def test_what_is_chosen_is_the_set_that_the_items_define(items, known):
    patterns = [item for item in items if item[0] != "!" and is_pattern(item)]
    plain = {item for item in items if item[0] != "!" and not is_pattern(item)}
    excluded = {name for name in {*known, *plain} for item in items if item[0] == "!" and fnmatchcase(name, item[1:])}
    matched = {name for name in known for pattern in patterns if fnmatchcase(name, pattern)}
    chosen = choose(items, known)
    assert set(chosen.names) == (matched | plain & set(known)) - excluded
    assert set(chosen.unknown) == plain - set(known) - excluded
    assert set(chosen.idle) == {each for each in patterns if not any(fnmatchcase(name, each) for name in known)}
    assert all(len(set(part)) == len(part) for part in chosen)
    assert set(choose(items).names) == plain - excluded and not choose(items).unknown and not choose(items).idle
    assert needs_list(items) == bool(patterns)


@pytest.mark.parametrize("text, types", [
    ("*", {VISITS, SIGNUP, LOGIN, META}), ("pe*", {SIGNUP, LOGIN}), ("*, !e_*_metadata", {VISITS, SIGNUP, LOGIN}),
    (f"{VISITS}, pe*_signup, , {VISITS}", {VISITS, SIGNUP}), ("pe?_*, !pe2*", {SIGNUP}),
    (f"*,!{VISITS},!{META}", {SIGNUP, LOGIN}),
])  # fmt: skip
def test_patterns_and_exclusions_choose_among_the_account_s_own_types(text, types):
    with account(**{VISITS: 5, SIGNUP: 6, LOGIN: 7, META: 8}) as sim:
        delivered = sync_into(Delivered(), sim, event_types=text)
        declared = {table["table"] for table in declare(configuration(sim, event_types=text))}
        assert declared == {*types, "rejected_event", "sync_run"}
        assert set(delivered.rows) == {*types, "sync_run"} and set(delivered.state["event_types"]) == types
        assert all(delivered.ids(name) == truth(sim, name) for name in types)
    assert not delivered.warnings


@pytest.mark.parametrize("text", [
    "e visited, page", "e_a b_c", "!e_a", "!e_a, !pe*", "! e_a, *", "!!e_a, *", "!", "e_a;e_b", "e_[ab]", "é*", "e_a/../b",
    "*&limit=1", "e_a, e_b!",
])  # fmt: skip
def test_what_is_no_list_of_event_types_is_refused_by_its_key(text):
    with pytest.raises(SettingsError, match="event_types: given") as error:
        read_settings(configuration(Simulator({}), event_types=text))
    assert str(error.value).count("\n- ") == 1


@pytest.mark.parametrize("text", [",", " , ,", ";"])
def test_empty_items_alone_are_told_as_what_they_are(text):
    with pytest.raises(SettingsError, match="event_types") as error:
        read_settings(configuration(Simulator({}), event_types=text))
    assert "exclusions alone" not in str(error.value)


@pytest.mark.parametrize("text", ["*, !*", f"{VISITS}, !{VISITS}", f"{VISITS}, !e_*"])
def test_a_choice_of_nothing_does_not_pass_in_silence(text):
    delivered = Delivered()
    with account(**{VISITS: 5}) as sim:
        try:
            sync_into(delivered, sim, event_types=text)
        except ConnectorError as error:
            delivered.warnings.append(str(error))
    assert any("event_types" in warning for warning in delivered.warnings)


# At each sync


def test_a_new_type_joins_by_itself_from_the_start_date_on():
    with account(**{VISITS: 20, SIGNUP: 30}) as sim:
        delivered = sync_into(Delivered(), sim, event_types="*")
        sim.histories[LOGIN] = generated(40, event_type=LOGIN)
        begin = len(sim.requests)
        sync_into(delivered, sim, event_types="*")
        assert delivered.ids(LOGIN) == truth(sim, LOGIN) and asked(sim, begin)[0] == LOGIN  # never finished: first
        (first,) = [request for request in sim.requests[begin:] if request.query.get("eventType") == [LOGIN]]
    assert to_ms(first.query["occurredAfter"][0]) <= to_ms(START)
    assert not delivered.warnings


def test_a_type_that_appears_behind_schema_joins_with_the_next_sync():
    delivered = Delivered()
    with account(**{VISITS: 20, SIGNUP: 30}) as sim:
        chosen = read_settings(configuration(sim, event_types="*"))
        sync(chosen, {}, delivered.sink(), declared={VISITS, "rejected_event", "sync_run"})
        assert set(delivered.rows) == {VISITS, "sync_run"} and any(SIGNUP in warning for warning in delivered.warnings)
        sync(chosen, delivered.state, delivered.sink(), declared={VISITS, SIGNUP, "rejected_event", "sync_run"})
        assert delivered.ids(SIGNUP) == truth(sim, SIGNUP)


def test_a_pattern_that_matches_nothing_is_a_warning_and_names_it():
    with account(**{VISITS: 5}) as sim:
        delivered = sync_into(Delivered(), sim, event_types="e_*, pe*_sinup")
    assert len(delivered.ids(VISITS)) == 5
    assert ["pe*_sinup" in warning and "event_types" in warning for warning in delivered.warnings] == [True]


@pytest.mark.parametrize("others", [VISITS, f"{VISITS},pe*", "*"], ids=["names", "patterns", "all"])
def test_an_unknown_name_fails_with_the_nearest_ones_once_the_others_are_synced(others):
    delivered = Delivered()
    with account(**{VISITS: 50, SIGNUP: 5}) as sim:
        with pytest.raises(SettingsError, match="event_types") as error:
            sync_into(delivered, sim, event_types=f"e_visited_pag,{others},e_clicked")
        assert delivered.ids() == truth(sim, VISITS)
    said = str(error.value)
    assert "'e_visited_pag'" in said and "'e_clicked'" in said and VISITS in said.partition("nearest")[2]
    assert VISITS in delivered.state["event_types"] and not {"e_visited_pag", "e_clicked"} & set(delivered.state["event_types"])


class Unlisted(dict):
    """Histories of which only the first is listed; a query finds them all."""

    def __iter__(self):
        return iter([VISITS])


def test_a_name_that_is_listed_nowhere_and_has_no_events_is_unknown_too():
    """The API may answer an unknown type with an empty page."""
    with account(**{VISITS: 5, "e_ghost": 0}) as sim, pytest.raises(SettingsError, match="e_ghost"):
        sim.histories = Unlisted(sim.histories)
        sync_into(Delivered(), sim, event_types=f"{VISITS},e_ghost")


@pytest.mark.parametrize("text", [f"{VISITS},{SIGNUP}", f"{VISITS},{SIGNUP},x*"], ids=["names", "patterns"])
def test_a_type_that_hubspot_knows_no_longer_is_a_warning_and_keeps_its_cursor(text):
    with account(**{VISITS: 20, SIGNUP: 30}) as sim:
        delivered = sync_into(Delivered(), sim, event_types=text)
        before = delivered.state["event_types"][SIGNUP]
        del sim.histories[SIGNUP]
        delivered.warnings.clear()
        sync_into(delivered, sim, event_types=text)
    assert sum(SIGNUP in warning for warning in delivered.warnings) == 1
    assert delivered.state["event_types"][SIGNUP]["occurred"] == before["occurred"]


def test_no_failure_is_hidden_by_a_mistake_beside_it():
    delivered = Delivered()
    with account({"forbidden": {VISITS: ["scope-x"]}}, **{VISITS: 5}) as sim, pytest.raises(ConnectorError) as error:
        sync_into(delivered, sim, event_types="e_typo, e_visited*")
    assert "scope-x" in "\n".join([str(error.value), *delivered.warnings]) and "e_typo" in str(error.value)


def test_a_sync_that_synced_nothing_is_no_success():
    with account(**{VISITS: 5, SIGNUP: 5}) as sim:
        delivered = sync_into(Delivered(), sim, event_types=f"{VISITS},{SIGNUP}")
        del sim.histories[SIGNUP]
        sim.behaviour.forbidden = {VISITS: ["scope-x"]}
        with pytest.raises(ConnectorError, match="scope-x"):
            sync_into(delivered, sim, event_types=f"{VISITS},{SIGNUP}")


def test_a_list_of_types_that_is_refused_names_what_is_missing():
    with account(**{VISITS: 5}) as sim, pytest.raises(ConnectorError, match="403"):
        sim.behaviour.fault = lambda request: "403" if request.path.endswith("event-types") else None
        sync_into(Delivered(), sim, event_types="*")


# One after another


def test_types_are_read_one_after_another_and_have_a_cursor_each():
    names = dict.fromkeys((VISITS, SIGNUP, LOGIN), 300)
    with account(**names) as sim:
        delivered = sync_into(Delivered(), sim, event_types="*", page_size="20", concurrency="8")
        assert sorted(asked(sim)) == sorted(names)
        newest = {name: sim.histories[name].event(299)["occurredAt"] for name in names}
    assert {name: saved["occurred"] for name, saved in delivered.state["event_types"].items()} == newest
    assert "under_way" not in delivered.state


def test_the_type_longest_not_finished_is_first():
    clock = to_ms("2026-06-01T00:00:00Z")
    with account({"clock": lambda: clock}, **{VISITS: 5, SIGNUP: 5, LOGIN: 5}) as sim:
        delivered = Delivered()
        for text in (LOGIN, VISITS, SIGNUP):
            sync_into(delivered, sim, event_types=text)
            clock += 60_000
        begin = len(sim.requests)
        sync_into(delivered, sim, event_types="*")
        assert asked(sim, begin) == [LOGIN, VISITS, SIGNUP]


def test_an_interrupted_sync_goes_on_with_the_type_that_was_under_way():
    with account(**{VISITS: 400, SIGNUP: 400, LOGIN: 400}) as sim:
        destination = Destination()
        keys = {"event_types": "*", "page_size": "20", "checkpoint_interval": "50"}
        assert not destination.sync(sim, fuse=600, **keys)
        under_way = destination.state["under_way"]
        assert under_way == asked(sim)[-1] and asked(sim)[0] != under_way
        begin = len(sim.requests)
        assert destination.sync(sim, **keys)
        assert asked(sim, begin)[0] == under_way and set(asked(sim, begin)) == {VISITS, SIGNUP, LOGIN}
        assert all(destination.ids(name) == truth(sim, name) for name in (VISITS, SIGNUP, LOGIN))


def test_syncs_that_are_always_killed_come_to_every_type_in_the_end():
    keys = {"event_types": "*", "page_size": "20", "checkpoint_interval": "20", "lookback_minutes": "0"}
    with account(**dict.fromkeys((VISITS, SIGNUP, LOGIN, META), 200)) as sim:
        destination, syncs = Destination(), 1
        while not destination.sync(sim, fuse=80, **keys):
            syncs += 1
            assert syncs < 40
        assert all(destination.ids(name) == truth(sim, name) for name in sim.histories)
        assert len(destination.upserts) < 800 + syncs * 40


def test_a_type_that_always_fails_does_not_keep_the_others_waiting():
    with account({"forbidden": [VISITS]}, **{VISITS: 5, SIGNUP: 60, LOGIN: 60}) as sim:
        delivered = Delivered()
        for _ in range(2):
            sync_into(delivered, sim, event_types="*")
        assert delivered.ids(SIGNUP) == truth(sim, SIGNUP) and delivered.ids(LOGIN) == truth(sim, LOGIN)
    assert [VISITS in warning for warning in delivered.warnings] == [True, True]  # one a sync


@pytest.mark.parametrize("text", ["*", "names"])
def test_two_hundred_types_most_of_them_empty_cost_a_request_each(text):
    names = [f"pe1_type_{n}" for n in range(200)]
    with account(**{name: 30 * (n < 10) for n, name in enumerate(names)}) as sim:
        delivered = sync_into(Delivered(), sim, event_types=text if text == "*" else ",".join(names))
        assert len(sim.requests) <= 215
        assert sum(len(delivered.ids(name)) for name in names) == 300 and set(delivered.state["event_types"]) == set(names)
        assert len(delivered.states) < 30 and not delivered.warnings
        begin = len(sim.requests)
        sync_into(delivered, sim, event_types=text if text == "*" else ",".join(names))
        assert len(sim.requests) - begin <= 215


def test_the_tables_of_two_hundred_types_cost_one_request():
    with account(**{f"pe1_type_{n}": 0 for n in range(200)}) as sim:
        assert len(declare(configuration(sim, event_types="*"))) == 202
        assert len(sim.requests) == 1


def test_an_event_of_a_type_that_is_wholly_in_the_future_of_its_list_is_not_lost():
    """A type without any event has no cursor: what it gets later is read from the start date on, late events too."""
    with account(**{VISITS: 5, SIGNUP: 0}) as sim:
        delivered = sync_into(Delivered(), sim, event_types="*")
        event = {"id": "x", "occurredAt": START, "eventType": SIGNUP, "objectId": "1", "objectType": "CONTACT", "properties": {}}
        sim.histories[SIGNUP] = listed([event])
        sync_into(delivered, sim, event_types="*")
    assert delivered.ids(SIGNUP) == {"x"}
