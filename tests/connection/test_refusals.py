"""Event types that a pattern selects and HubSpot refuses: one warning, and one request a day."""

import hashlib
import json
import uuid

import pytest

from pipeline import ConnectorError, read_settings
from pipeline.connection.refusals import MAX_CAUSES, OTHER_CAUSES, Refusals
from pipeline.errors import Refused
from pipeline.timestamps import DAY, MINUTE, local_now
from simulator import generated
from tests.accounts import sized
from tests.support import Delivered, Destination, sync_into, truth

NOW = local_now()
TYPES = [f"e_t{n}" for n in range(10)]
READ, REFUSED = TYPES[:3], TYPES[3:]


@pytest.fixture
def account():
    scopes = {name: ["events.read"] if n % 2 else ["signups.read"] for n, name in enumerate(REFUSED)}
    with sized(dict.fromkeys(TYPES, 20), forbidden=scopes, clock=lambda: NOW) as sim:
        yield sim


def one_more(delivered, sim, state=None, **keys):
    """The event types that one more sync asks HubSpot for. Its warnings are those of `delivered`."""
    sim.requests.clear()
    delivered.warnings.clear()
    try:
        sync_into(delivered, sim, state, **({"event_types": "*"} | keys))
    finally:
        asked = {request.query["eventType"][0] for request in sim.requests if "eventType" in request.query}
    return asked


def has_all(delivered, sim, names=TYPES):
    return all(delivered.ids(name) == truth(sim.histories[name]) for name in names)


def pass_time(sim, ms):
    sim.behaviour.clock = lambda: NOW + ms


def refuse(sim, name, status):
    sim.behaviour.fault = lambda request: status if request.query.get("eventType") == [name] else None


@pytest.fixture
def known(account):
    """A connection that could read all types."""
    scopes, account.behaviour.forbidden = account.behaviour.forbidden, ()
    delivered = sync_into(Delivered(), account, event_types="*")
    account.behaviour.forbidden = scopes
    return delivered


def test_they_are_one_warning_by_cause_with_the_cure(account):
    delivered = sync_into(Delivered(), account, event_types="*")
    (warning,) = delivered.warnings
    assert warning.startswith("7 event types cannot be read with this token:")
    assert all(name in warning for name in REFUSED)
    assert warning.count("grant the scope events.read") == warning.count("grant the scope signups.read") == 1
    assert warning.count("correlationId") == 2
    assert has_all(delivered, account, READ)


def test_they_are_asked_for_again_a_day_later_and_joined_when_hubspot_relents(account):
    """A daily sync may begin a little earlier each day."""
    delivered = Delivered()
    assert one_more(delivered, account) == set(TYPES)
    for later in (0, DAY - 31 * MINUTE):
        pass_time(account, later)
        assert one_more(delivered, account) == set(READ) and delivered.warnings[0].startswith("7 event types cannot be")
    pass_time(account, DAY - 29 * MINUTE)
    assert one_more(delivered, account) == set(TYPES)
    pass_time(account, 2 * DAY - 60 * MINUTE)
    account.behaviour.forbidden = REFUSED[:2]
    assert one_more(delivered, account) == set(READ)
    pass_time(account, 2 * DAY)
    assert one_more(delivered, account) == set(TYPES) and delivered.warnings[0].startswith("2 event types cannot be")
    assert has_all(delivered, account, [*READ, *REFUSED[2:]])


@pytest.mark.parametrize("change", [{"api_token": "another"}, {"page_size": "50"}, {"event_types": "e_*"}], ids=str)
def test_a_change_of_token_or_configuration_asks_for_all_again(account, change):
    delivered = Delivered()
    one_more(delivered, account)
    assert one_more(delivered, account, **change) == set(TYPES)
    assert one_more(delivered, account, **change) == set(READ)


def test_the_state_keeps_nothing_of_the_token(account):
    token = "service-key-0123456789abcdef"
    delivered = sync_into(Delivered(), account, event_types="*", api_token=token)
    text = json.dumps(delivered.state)
    assert "refused" in delivered.state and token[:8] not in text
    for digest in (hashlib.md5, hashlib.sha1, hashlib.sha256):
        assert digest(token.encode()).hexdigest()[:8] not in text


def test_a_type_named_in_full_is_asked_for_at_each_sync_and_warned_of_by_itself(account):
    delivered, keys = Delivered(), {"event_types": f"*, {REFUSED[0]}"}
    one_more(delivered, account, **keys)
    assert one_more(delivered, account, **keys) == {*READ, REFUSED[0]}
    one, others = sorted(delivered.warnings, reverse=True)
    assert one.startswith(f"{REFUSED[0]} is not synced") and others.startswith("6 event types cannot be read")


def test_a_type_that_could_be_read_keeps_its_cursor_and_lags_since_then(account, known):
    cursor = known.state["event_types"][TYPES[9]]["occurred"]
    account.behaviour.forbidden = [TYPES[9]]
    for hours in (1, 2):
        pass_time(account, hours * 60 * MINUTE)
        assert (TYPES[9] in one_more(known, account)) == (hours == 1)
        assert any(f"Earlier syncs could read {TYPES[9]}" in text for text in known.warnings)
        refused = known.run["event_types"][TYPES[9]]
        assert refused["outcome"] == "refused" and refused["error"].startswith("HubSpot answered 403")
        assert refused["cursor_after"] == known.state["event_types"][TYPES[9]]["occurred"] == cursor
        assert known.run["lag_seconds"] == refused["lag_seconds"] == pytest.approx(hours * 3600, abs=60)


def test_while_none_can_be_read_each_sync_asks_for_all_and_fails(account):
    """Someone is granting scopes meanwhile."""
    account.behaviour.forbidden = {name: ["events.read"] for name in TYPES}
    delivered, keys = Delivered(), {"event_types": f"{TYPES[0]}, *"}
    for _ in range(2):
        with pytest.raises(ConnectorError) as error:
            one_more(delivered, account, **keys)
        assert f"- {TYPES[0]}: " in str(error.value) and "9 event types cannot be read" in str(error.value)
        assert str(error.value).count("grant the scope events.read") == 2, "for the one that is named, and once"
    account.behaviour.forbidden = ()
    assert one_more(delivered, account, **keys) == set(TYPES) and has_all(delivered, account)


def test_a_killed_sync_does_not_ask_again_for_what_was_refused(account):
    """Types that were never read come first, so the refusals are known when a sync is killed at the last of its rows."""
    destination, keys = Destination(), {"event_types": ",".join([*READ[:2], "e_t*"]), "checkpoint_interval": "10"}
    sync_into(destination, account, **keys)
    killed = next(state for state in destination.states if "refused" in state)
    named = {name for names in killed["refused"]["causes"].values() for name in names}
    assert named and one_more(Delivered(), account, killed, **keys) == set(TYPES) - named


BROKEN = [5, [], {"asked_at": 5}, {"asked_at": "x", "causes": {"a": 5}}, {"causes": []}]


@pytest.mark.parametrize("saved", BROKEN, ids=str)
def test_a_broken_memory_of_refusals_is_forgotten(account, saved):
    delivered = sync_into(Delivered(), account, event_types="*")
    assert one_more(delivered, account, delivered.state | {"refused": saved}) == set(TYPES)


def test_a_refusal_that_passes_at_once_keeps_no_type_that_could_be_read_before_out_of_the_sync(account, known):
    account.behaviour.forbidden = ()
    number = account.requests[-1].number
    account.behaviour.fault = lambda request: "403" if number + 3 <= request.number < number + 8 else None
    one_more(known, account)
    assert [each["outcome"] for each in known.run["event_types"].values()] == ["complete"] * 10
    assert "refused" not in known.state and not known.warnings


def test_a_refused_type_does_not_keep_the_table_of_another(account):
    account.histories = {name: generated(5, event_type=name) for name in ("e_form_v2", "e_form_v_2", "e_x")}
    account.behaviour.forbidden = ["e_form_v2"]
    delivered = Delivered()
    for _ in range(2):
        one_more(delivered, account)
    assert has_all(delivered, account, ["e_form_v_2"])


def test_one_cause_is_one_group_though_the_answers_differ_in_numbers_and_come_one_by_one(account):
    delivered = Delivered()
    for n in range(1, 9):
        said = {"missingScopes": ["events.read"], "eventTypeId": f"6-15530{n}"}
        account.behaviour.forbidden = dict.fromkeys(TYPES[:n], said)
        assert TYPES[n - 1] in one_more(delivered, account)
    (warning,) = delivered.warnings
    assert warning.count("HubSpot answered 403") == 1 and warning.startswith("8 event types")


def test_if_hubspot_refuses_its_list_the_types_that_are_named_are_synced(account):
    account.behaviour.fault = lambda request: "403" if request.path.endswith("event-types") else None
    delivered = sync_into(Delivered(), account, event_types=f"{TYPES[0]}, pe*")
    assert has_all(delivered, account, TYPES[:1])
    assert any("does not list its event types" in text for text in delivered.warnings)


def test_a_refusal_that_is_not_in_hubspots_words_is_asked_for_again_at_the_next_sync(account):
    delivered = Delivered()
    refuse(account, TYPES[0], "414")
    one_more(delivered, account)
    assert "8 event types could not be read" in delivered.warnings[0]
    account.behaviour.fault = None
    assert one_more(delivered, account) == set(READ) and has_all(delivered, account, READ)


def test_the_warning_says_when_they_are_asked_for_again_and_how_to_have_it_at_once(account):
    delivered, account.behaviour.forbidden = Delivered(), REFUSED[:1]
    one_more(delivered, account)
    assert delivered.warnings[0].endswith("once a day. To have it asked at the next sync, name it in event_types.")
    account.behaviour.forbidden = ()
    one_more(delivered, account, event_types=f"*, {REFUSED[0]}")
    assert has_all(delivered, account, REFUSED[:1])
    refuse(account, TYPES[0], "414")
    one_more(delivered, account)
    assert delivered.warnings[-1].endswith("\nIt is asked for again at the next sync.")


@pytest.mark.parametrize("status, said", [("400", "could not be read"), ("403", "cannot be read with this token")])
def test_the_warning_blames_the_token_only_for_what_another_one_may_read(account, status, said):
    account.behaviour.forbidden = ()
    refuse(account, TYPES[0], status)
    assert sync_into(Delivered(), account, event_types="*").warnings[0].startswith(f"1 event type {said}:")


def warning_of(causes):
    """The lines of the warning about types by number, each with its cause."""
    held = Refusals(read_settings({"api_token": "t", "initial_sync_start_date": "2026-01-01", "event_types": "*"}))
    for n, cause in enumerate(causes):
        held.add(f"pe1_t{n}", Refused(f"HubSpot answered 403: {cause} (correlationId {uuid.uuid4()})."))
    return held.warning().splitlines()[1:]


def test_of_many_causes_the_most_frequent_are_told_apart_and_the_others_come_last():
    rare = [f"the {name} cause" for name in ("b", "c", "d", "e", "f", "g", "h", "i")]
    lines = warning_of([*rare, *["a frequent cause"] * 3, *rare[-2:]])
    assert "a frequent cause" in lines[0] and "the h cause" in lines[1] and "the i cause" in lines[2]
    assert len(lines) == MAX_CAUSES + 1 and OTHER_CAUSES in lines[-1] and "pe1_t2, pe1_t3, pe1_t4, pe1_t5" in lines[-1]


def test_of_many_types_with_one_cause_ten_are_named():
    (line,) = warning_of([f"trace {uuid.uuid4()} of a pipeline" for _ in range(150)])
    assert "pe1_t8, pe1_t9 and 140 others: " in line, "a uuid makes no other cause"
