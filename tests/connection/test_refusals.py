"""Event types that a pattern selects and HubSpot refuses: one warning, and one request a day."""

import hashlib
import json
import uuid

import pytest

from pipeline import ConnectorError, read_settings
from pipeline.connection.refusals import MAX_CAUSES, OTHER_CAUSES, Refusals
from pipeline.errors import Refused
from pipeline.timestamps import DAY, MINUTE, local_now
from simulator import Behaviour, Simulator, generated
from tests.support import Delivered, Destination, configuration, sync_into, truth

NOW = local_now()
TYPES = [f"e_t{n}" for n in range(10)]
REFUSED = TYPES[3:]
READ = TYPES[:3]


@pytest.fixture
def account():
    scopes = {name: ["events.read"] if n % 2 else ["signups.read"] for n, name in enumerate(REFUSED)}
    histories = {name: generated(20, event_type=name) for name in TYPES}
    with Simulator(histories, Behaviour(forbidden=scopes, clock=lambda: NOW)) as sim:
        yield sim


def asked(sim):
    """The event types that HubSpot was asked for since the last call."""
    names = {request.query["eventType"][0] for request in sim.requests if "eventType" in request.query}
    sim.requests.clear()
    return names


def test_they_are_one_warning_by_cause_with_the_cure(account):
    delivered = sync_into(Delivered(), account, event_types="*")
    (warning,) = delivered.warnings
    assert warning.startswith("7 event types cannot be read with this token:") and all(
        name in warning for name in REFUSED
    )
    assert warning.count("grant the scope events.read") == warning.count("grant the scope signups.read") == 1
    assert warning.count("correlationId") == 2
    assert all(delivered.ids(name) == truth(account.histories[name]) for name in READ)


def test_they_are_asked_for_again_a_day_later_and_joined_when_hubspot_relents(account):
    delivered = sync_into(Delivered(), account, event_types="*")
    assert asked(account) == set(TYPES)
    for later in (0, DAY - 31 * MINUTE):
        account.behaviour.clock = lambda later=later: NOW + later
        delivered.warnings.clear()
        sync_into(delivered, account, event_types="*")
        assert asked(account) == set(READ) and delivered.warnings[0].startswith("7 event types cannot be read")
    account.behaviour.forbidden = REFUSED[:2]
    account.behaviour.clock = lambda: NOW + DAY + MINUTE
    delivered.warnings.clear()
    sync_into(delivered, account, event_types="*")
    assert asked(account) == set(TYPES) and delivered.warnings[0].startswith("2 event types cannot be read")
    assert all(delivered.ids(name) == truth(account.histories[name]) for name in TYPES if name not in REFUSED[:2])


@pytest.mark.parametrize("change", [{"api_token": "another"}, {"page_size": "50"}, {"event_types": "e_*"}], ids=str)
def test_a_change_of_token_or_configuration_asks_for_all_again(account, change):
    keys = {"event_types": "*"}
    delivered = sync_into(Delivered(), account, **keys)
    asked(account)
    sync_into(delivered, account, **keys | change)
    assert asked(account) == set(TYPES)
    sync_into(delivered, account, **keys | change)
    assert asked(account) == set(READ)


def test_the_state_keeps_nothing_of_the_token(account):
    token = "service-key-0123456789abcdef"
    delivered = sync_into(Delivered(), account, event_types="*", api_token=token)
    text = json.dumps(delivered.state)
    assert "refused" in delivered.state and token[:8] not in text
    for digest in (hashlib.md5, hashlib.sha1, hashlib.sha256):
        assert digest(token.encode()).hexdigest()[:8] not in text


def test_a_type_named_in_full_is_asked_for_at_each_sync_and_warned_of_by_itself(account):
    keys = {"event_types": f"*, {REFUSED[0]}"}
    delivered = sync_into(Delivered(), account, **keys)
    asked(account)
    delivered.warnings.clear()
    sync_into(delivered, account, **keys)
    assert asked(account) == {*READ, REFUSED[0]}
    assert sorted(warning[:18] for warning in delivered.warnings) == [
        "6 event types cann",
        f"{REFUSED[0]} is not synced",
    ]


def test_a_new_type_that_is_refused_joins_the_others(account):
    delivered = sync_into(Delivered(), account, event_types="*")
    account.histories["e_new"], account.behaviour.forbidden = (
        generated(5, event_type="e_new"),
        {"e_new": ["events.read"]},
    )
    asked(account)
    for expected in ({*READ, "e_new"}, set(READ)):
        delivered.warnings.clear()
        sync_into(delivered, account, event_types="*")
        assert asked(account) == expected
        assert delivered.warnings[0].startswith("8 event types") and "e_new" in delivered.warnings[0]


def test_a_type_that_could_be_read_keeps_its_cursor_and_resumes_from_it(account):
    account.behaviour.forbidden = ()
    delivered = sync_into(Delivered(), account, event_types="*")
    cursor = delivered.state["event_types"][TYPES[9]]["occurred"]
    account.behaviour.forbidden = [TYPES[9]]
    sync_into(delivered, account, event_types="*")
    assert f"Earlier syncs could read {TYPES[9]}" in delivered.warnings[-1]
    assert delivered.state["event_types"][TYPES[9]]["occurred"] == cursor


def test_if_none_can_be_read_each_sync_asks_for_all_and_fails(account):
    account.behaviour.forbidden = {name: ["events.read"] for name in TYPES}
    delivered = Delivered()
    for _ in range(2):
        with pytest.raises(ConnectorError) as error:
            sync_into(delivered, account, event_types="*")
        assert asked(account) == set(TYPES)
        assert (
            "10 event types cannot be read" in str(error.value)
            and str(error.value).count("grant the scope events.read") == 1
        )


def test_a_killed_sync_does_not_ask_again_for_what_was_refused(account):
    """Types that were never read come first, so the refusals are known when a sync is killed at the
    last of its rows.
    """
    account.behaviour.forbidden = REFUSED
    destination = Destination()
    keys = {"event_types": ",".join([*READ[:2], "e_t*"]), "checkpoint_interval": "10"}
    sync_into(destination, account, **keys)
    states = [state for state in destination.states if "refused" in state]
    asked(account)
    sync_into(Delivered(), account, states[0], **keys)
    named = {name for names in states[0]["refused"]["causes"].values() for name in names}
    assert named and asked(account) == set(TYPES) - named


@pytest.mark.parametrize(
    "saved", [5, [], {"asked_at": 5}, {"asked_at": "x", "causes": {"a": 5}}, {"causes": []}], ids=str
)
def test_a_broken_memory_of_refusals_is_forgotten(account, saved):
    delivered = sync_into(Delivered(), account, event_types="*")
    state = delivered.state | {"refused": saved}
    asked(account)
    sync_into(delivered, account, state, event_types="*")
    assert asked(account) == set(TYPES)


def test_two_hundred_types_of_which_150_are_refused():
    names = [f"pe1_t{n}" for n in range(200)]
    histories = {name: generated(3, event_type=name) for name in names}
    with Simulator(histories, Behaviour(forbidden=names[50:])) as sim:
        delivered = sync_into(Delivered(), sim, event_types="*")
        assert (
            len(delivered.warnings) == 1
            and "150 event types" in delivered.warnings[0]
            and len(delivered.warnings[0]) < 2000
        )
        assert len(json.dumps(delivered.state)) < 30_000
        sim.requests.clear()
        sync_into(delivered, sim, event_types="*")
        assert len(sim.requests) <= 60 and "150 event types" in delivered.warnings[1]
        assert all(delivered.ids(name) == truth(sim.histories[name]) for name in names[:50])
        assert configuration(sim)["api_token"] not in json.dumps(delivered.state)


def test_a_daily_sync_that_begins_a_little_earlier_each_day_asks_each_day(account):
    delivered = Delivered()
    for day in range(3):
        account.behaviour.clock = lambda day=day: NOW + day * (DAY - 5 * MINUTE)
        sync_into(delivered, account, event_types="*")
        assert asked(account) == set(TYPES)


def test_a_refusal_that_passes_at_once_keeps_no_type_that_could_be_read_before_out_of_the_sync(account):
    account.behaviour.forbidden = ()
    delivered = sync_into(Delivered(), account, event_types="*")
    number = account.requests[-1].number
    account.behaviour.fault = lambda request: "403" if number + 3 <= request.number < number + 8 else None
    sync_into(delivered, account, event_types="*")
    row = list(delivered.rows["sync_run"].values())[-1]
    assert {each["outcome"] for each in row["event_types"].values()} == {"complete"} and len(row["event_types"]) == 10
    assert "refused" not in delivered.state and not delivered.warnings


def test_a_type_that_is_not_asked_for_lags_if_it_could_be_read_before(account):
    account.behaviour.forbidden = ()
    delivered = sync_into(Delivered(), account, event_types="*")
    account.behaviour.forbidden = [TYPES[9]]
    for hours in (1, 2):
        account.behaviour.clock = lambda hours=hours: NOW + hours * 60 * MINUTE
        sync_into(delivered, account, event_types="*")
        row = list(delivered.rows["sync_run"].values())[-1]
        refused = row["event_types"][TYPES[9]]
        assert refused["outcome"] == "refused" and refused["error"].startswith("HubSpot answered 403")
        assert refused["cursor_after"] == delivered.state["event_types"][TYPES[9]]["occurred"]
        assert row["lag_seconds"] == refused["lag_seconds"] == pytest.approx(hours * 3600, abs=60), (
            "since it was last read"
        )


def test_once_a_sync_has_read_nothing_the_next_asks_for_all(account):
    """Someone is granting scopes meanwhile."""
    account.behaviour.forbidden = TYPES
    keys = {"event_types": f"{TYPES[0]}, *"}
    with pytest.raises(ConnectorError):
        sync_into(delivered := Delivered(), account, **keys)
    account.behaviour.forbidden = ()
    sync_into(delivered, account, **keys)
    assert all(delivered.ids(name) == truth(account.histories[name]) for name in TYPES)


def test_a_refused_type_does_not_keep_the_table_of_another(account):
    account.histories = {name: generated(5, event_type=name) for name in ("e_form_v2", "e_form_v_2", "e_x")}
    account.behaviour.forbidden = ["e_form_v2"]
    delivered = Delivered()
    for _ in range(2):
        sync_into(delivered, account, event_types="*")
    assert delivered.ids("e_form_v_2") == truth(account.histories["e_form_v_2"])


def test_one_cause_is_one_group_though_the_answers_differ_in_numbers_and_come_one_by_one(account):
    account.behaviour.forbidden = ()
    delivered = Delivered()
    for n in range(1, 9):
        context = {"missingScopes": ["events.read"], "eventTypeId": "6-1553000"}
        account.behaviour.forbidden = {name: context | {"eventTypeId": f"6-15530{name[3:]}"} for name in TYPES[:n]}
        delivered.warnings.clear()
        sync_into(delivered, account, event_types="*")
    (warning,) = delivered.warnings
    assert warning.count("HubSpot answered 403") == 1 and warning.startswith("8 event types")


def test_the_warning_has_a_place_beside_many_types_that_are_named():
    names = [f"e_t{n}" for n in range(30)]
    with Simulator({name: generated(2, event_type=name) for name in names}, Behaviour(forbidden=names[1:])) as sim:
        delivered = sync_into(Delivered(), sim, event_types=",".join([*names[:13], "*"]))
    assert len(delivered.warnings) == 10 and any("17 event types cannot be read" in text for text in delivered.warnings)


def test_if_hubspot_refuses_its_list_the_types_that_are_named_are_synced(account):
    account.behaviour.forbidden = ()
    account.behaviour.fault = lambda request: "403" if request.path.endswith("event-types") else None
    delivered = sync_into(Delivered(), account, event_types=f"{TYPES[0]}, pe*")
    assert delivered.ids(TYPES[0]) == truth(account.histories[TYPES[0]])
    assert any("does not list its event types" in text for text in delivered.warnings)


def test_a_refusal_that_is_not_in_hubspots_words_is_asked_for_again_at_the_next_sync(account):
    account.behaviour.fault = lambda request: "414" if request.query.get("eventType") == [TYPES[0]] else None
    delivered = sync_into(Delivered(), account, event_types="*")
    assert "8 event types could not be read" in delivered.warnings[0]
    account.behaviour.fault = None
    asked(account)
    sync_into(delivered, account, event_types="*")
    assert asked(account) == set(READ) and delivered.ids(TYPES[0]) == truth(account.histories[TYPES[0]])


def test_the_warning_says_when_they_are_asked_for_again_and_how_to_have_it_at_once(account):
    account.behaviour.forbidden = REFUSED[:1]
    delivered = sync_into(Delivered(), account, event_types="*")
    assert delivered.warnings[0].startswith("1 event type cannot be read with this token:")
    assert delivered.warnings[0].endswith("once a day. To have it asked at the next sync, name it in event_types.")
    account.behaviour.forbidden, account.behaviour.clock = (), lambda: NOW + MINUTE
    sync_into(delivered, account, event_types=f"*, {REFUSED[0]}")
    assert delivered.ids(REFUSED[0]) == truth(account.histories[REFUSED[0]])
    account.behaviour.fault = lambda request: "414" if request.query.get("eventType") == [TYPES[0]] else None
    sync_into(delivered, account, event_types="*")
    assert delivered.warnings[-1].endswith("\nIt is asked for again at the next sync.")


@pytest.mark.parametrize("status, said", [("400", "could not be read"), ("403", "cannot be read with this token")])
def test_the_warning_blames_the_token_only_for_what_another_one_may_read(account, status, said):
    account.behaviour.forbidden = ()
    account.behaviour.fault = lambda request: status if request.query.get("eventType") == [TYPES[0]] else None
    assert sync_into(Delivered(), account, event_types="*").warnings[0].startswith(f"1 event type {said}:")


def refusals(causes):
    """The refusals of types by number, each with its cause."""
    held = Refusals(read_settings({"api_token": "t", "initial_sync_start_date": "2026-01-01", "event_types": "*"}))
    for n, cause in enumerate(causes):
        held.add(f"pe1_t{n}", Refused(f"HubSpot answered 403: {cause} (correlationId {uuid.uuid4()})."))
    return held


def test_of_many_causes_the_most_frequent_are_told_apart_and_the_others_come_last():
    rare = [f"the {name} cause" for name in ("b", "c", "d", "e", "f", "g", "h", "i")]
    lines = refusals([*rare, *["a frequent cause"] * 3, *rare[-2:]]).warning().splitlines()[1:]
    assert "a frequent cause" in lines[0] and "the h cause" in lines[1] and "the i cause" in lines[2]
    assert len(lines) == MAX_CAUSES + 1 and OTHER_CAUSES in lines[-1] and "pe1_t2, pe1_t3, pe1_t4, pe1_t5" in lines[-1]


def test_answers_that_differ_in_a_uuid_have_one_cause():
    assert len(refusals([f"trace {uuid.uuid4()} of a pipeline" for _ in range(6)]).warning().splitlines()) == 2
