"""A type at which HubSpot fails holds up no other, and loses nothing."""

import itertools
import threading
from collections import Counter

import pytest

from pipeline.errors import Unavailable
from pipeline.hubspot import client
from simulator import Simulator, generated, listed
from tests.support import BASE, START, TYPE, Delivered, event, sync_into


@pytest.fixture(name="at_once")
def no_delays(monkeypatch):
    """Attempts follow each other at once."""
    monkeypatch.setattr(client, "delays", lambda: itertools.repeat(0.0))


NAMES = [f"pe1_{number}" for number in range(7)]


def each_of(names):
    """A HubSpot with ten events of each of these types."""
    return Simulator({name: generated(10, event_type=name) for name in names})


def test_types_at_which_hubspot_fails_wait_behind_the_others_and_none_is_lost(at_once):
    """Six of seven fail until the last one, whose turn is the seventh, was answered."""
    keys = {"event_types": ",".join(NAMES), "concurrency": "2"}
    with each_of(NAMES) as sim:
        answered = []

        def fault(asked):
            if asked.query.get("eventType") == [NAMES[-1]]:
                answered.append(asked.number)
            return "503" if not answered and "eventType" in asked.query else None

        sim.behaviour.fault = fault
        delivered = sync_into(Delivered(), sim, **keys)
        assert {name: len(delivered.ids(name)) for name in NAMES} == dict.fromkeys(NAMES, 10)
        assert not [said for said in delivered.warnings if "not synced" in said]
        row = next(iter(delivered.rows["sync_run"].values()))
        assert row["outcome"] == "complete" and row["events"] == 10 * len(NAMES)


def test_types_at_which_hubspot_fails_for_good_share_one_outage(at_once):
    """The first of them is tried through a whole outage, each other one five times a chance."""
    keys = {"event_types": ",".join(NAMES), "concurrency": "1", "max_outage_minutes": "0.01"}
    with each_of(NAMES) as sim:
        healthy = [NAMES[-1]]
        sim.behaviour.fault = lambda asked: None if asked.query.get("eventType", healthy) == healthy else "503"
        delivered = sync_into(Delivered(), sim, **keys)
        asked = Counter(asked.query["eventType"][0] for asked in sim.requests if asked.fault)
        assert sum(number > 10 for number in asked.values()) == 1
        assert len(delivered.ids(NAMES[-1])) == 10
        assert sum("is not synced" in said for said in delivered.warnings) == len(NAMES) - 1
        sim.behaviour.fault = None
        sync_into(delivered, sim, **keys)
        assert all(len(delivered.ids(name)) == 10 for name in NAMES)


def test_what_a_type_delivered_and_rejected_before_it_yielded_is_counted_once(at_once):
    malformed = event(START, 999) | {"id": ""}
    history = listed([malformed, *(event(BASE + n * 60_000, n) for n in range(1, 300))])
    with Simulator({TYPE: history, NAMES[0]: generated(10, event_type=NAMES[0])}) as sim:
        other = []

        def fault(asked):
            other.extend([1] * (asked.query.get("eventType") == [NAMES[0]]))
            return "503" if asked.number > 3 and "eventType" in asked.query and len(other) < 2 else None

        sim.behaviour.fault = fault
        keys = {"event_types": f"{TYPE},{NAMES[0]}", "page_size": "50", "concurrency": "1"}
        delivered = sync_into(Delivered(), sim, **keys)
        assert len(delivered.ids()) == 299 and len(delivered.ids(NAMES[0])) == 10
        row = next(iter(delivered.rows["sync_run"].values()))
        assert row["rejected"] >= 1 and row["events"] == len(delivered.upserts) - row["rejected"]


def test_a_type_that_fails_holds_up_no_other_where_types_are_not_listed_either(at_once):
    keys = {"event_types": ",".join(NAMES), "max_outage_minutes": "0.01"}
    with each_of(NAMES) as sim:
        sim.behaviour.fault = lambda asked: "503" if asked.query.get("eventType", NAMES[:1]) == NAMES[:1] else None
        delivered = Delivered()
        with pytest.raises(Unavailable):
            sync_into(delivered, sim, **keys)
        assert all(len(delivered.ids(name)) == 10 for name in NAMES[1:])


def test_a_type_that_gave_up_ahead_of_its_turn_is_asked_in_its_turn(at_once):
    """The last of three fails five times while the second is read: then it is healthy."""
    first, second, last = NAMES[:3]
    with each_of([first, second, last]) as sim:
        failed, has_failed = [], threading.Event()

        def fault(asked):
            if asked.query.get("eventType") == [second]:
                has_failed.wait(10)
            if asked.query.get("eventType") != [last] or len(failed) >= 5:
                return None
            failed.append(asked.number)
            if len(failed) == 5:
                has_failed.set()
            return "503"

        sim.behaviour.fault = fault
        delivered = sync_into(Delivered(), sim, event_types=f"{first},{second},{last}")
        assert len(delivered.ids(last)) == 10 and len(failed) == 5


def test_a_type_that_is_refused_ahead_of_its_turn_is_not_asked_again():
    first, second, *others = NAMES
    with each_of(NAMES) as sim:
        refused = threading.Semaphore(0)

        def fault(asked):
            if asked.query.get("eventType") == [second]:
                assert all(refused.acquire(timeout=10) for _ in others[:3])
            if asked.query.get("eventType", [first])[0] in others:
                refused.release()
                return "403"
            return None

        sim.behaviour.fault = fault
        sync_into(Delivered(), sim, event_types="pe1_*")
        asked = Counter(each.query["eventType"][0] for each in sim.requests if "eventType" in each.query)
    assert set(asked.values()) == {1}
