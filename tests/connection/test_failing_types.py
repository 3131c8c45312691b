"""A type at which HubSpot fails holds up no other, and loses nothing."""

import itertools
import threading
from collections import Counter

import pytest

from pipeline.errors import Unavailable
from pipeline.hubspot import client
from simulator import Simulator, generated, listed
from tests.accounts import sized
from tests.support import BASE, START, TYPE, Delivered, event, sync_into

NAMES = [f"pe1_{number}" for number in range(7)]
FIRST, SECOND, *OTHERS = NAMES
LAST = NAMES[-1]


@pytest.fixture
def at_once(monkeypatch):
    """Attempts follow each other at once."""
    monkeypatch.setattr(client, "delays", lambda: itertools.repeat(0.0))


def of(asked):
    """The event type that is asked for, None if HubSpot is asked for something else."""
    return asked.query.get("eventType", [None])[0]


def sizes(delivered, names=NAMES):
    return {len(delivered.ids(name)) for name in names}


@pytest.fixture
def sim():
    with sized(dict.fromkeys(NAMES, 10)) as sim:
        yield sim


def test_types_at_which_hubspot_fails_wait_behind_the_others_and_none_is_lost(sim, at_once):
    """Six of seven fail until the last one, whose turn is the seventh, was answered."""
    answered = []

    def fault(asked):
        answered.extend([asked] * (of(asked) == LAST))
        return "503" if of(asked) and not answered else None

    sim.behaviour.fault = fault
    delivered = sync_into(Delivered(), sim, event_types=",".join(NAMES), concurrency="2")
    assert sizes(delivered) == {10} and not [said for said in delivered.warnings if "not synced" in said]
    assert delivered.run["outcome"] == "complete" and delivered.run["events"] == 10 * len(NAMES)


def test_types_at_which_hubspot_fails_for_good_share_one_outage(sim, at_once):
    """The first of them is tried through a whole outage, each other one five times a chance."""
    keys = {"event_types": ",".join(NAMES), "concurrency": "1", "max_outage_minutes": "0.01"}
    sim.behaviour.fault = lambda asked: None if of(asked) in (None, LAST) else "503"
    delivered = sync_into(Delivered(), sim, **keys)
    attempts = Counter(of(asked) for asked in sim.requests if asked.fault)
    assert sum(number > 10 for number in attempts.values()) == 1
    assert len(delivered.ids(LAST)) == 10
    assert sum("is not synced" in said for said in delivered.warnings) == len(NAMES) - 1
    sim.behaviour.fault = None
    assert sizes(sync_into(delivered, sim, **keys)) == {10}


def test_what_a_type_delivered_and_rejected_before_it_yielded_is_counted_once(at_once):
    malformed = event(START, 999) | {"id": ""}
    history = listed([malformed, *(event(BASE + n * 60_000, n) for n in range(1, 300))])
    with Simulator({TYPE: history, FIRST: generated(10, event_type=FIRST)}) as sim:
        other = []

        def fault(asked):
            other.extend([asked] * (of(asked) == FIRST))
            return "503" if asked.number > 3 and of(asked) and len(other) < 2 else None

        sim.behaviour.fault = fault
        keys = {"event_types": f"{TYPE},{FIRST}", "page_size": "50", "concurrency": "1"}
        delivered = sync_into(Delivered(), sim, **keys)
    assert len(delivered.ids()) == 299 and len(delivered.ids(FIRST)) == 10
    run = delivered.run
    assert run["rejected"] >= 1 and run["events"] == len(delivered.upserts) - run["rejected"]


def test_a_type_that_fails_holds_up_no_other_where_types_are_not_listed_either(sim, at_once):
    sim.behaviour.fault = lambda asked: "503" if of(asked) in (None, FIRST) else None
    delivered = Delivered()
    with pytest.raises(Unavailable):
        sync_into(delivered, sim, event_types=",".join(NAMES), max_outage_minutes="0.01")
    assert sizes(delivered, NAMES[1:]) == {10}


def test_a_type_that_gave_up_ahead_of_its_turn_is_asked_in_its_turn(sim, at_once):
    """The last of three fails five times while the second is read: then it is healthy."""
    failed, has_failed = [], threading.Event()

    def fault(asked):
        if of(asked) == SECOND:
            has_failed.wait(10)
        if of(asked) != LAST or len(failed) >= 5:
            return None
        failed.append(asked)
        if len(failed) == 5:
            has_failed.set()
        return "503"

    sim.behaviour.fault = fault
    delivered = sync_into(Delivered(), sim, event_types=f"{FIRST},{SECOND},{LAST}")
    assert len(delivered.ids(LAST)) == 10 and len(failed) == 5


def test_a_type_that_is_refused_ahead_of_its_turn_is_not_asked_again(sim):
    refused = threading.Semaphore(0)

    def fault(asked):
        if of(asked) == SECOND:
            assert all(refused.acquire(timeout=10) for _ in OTHERS[:3])
        if of(asked) in OTHERS:
            refused.release()
            return "403"
        return None

    sim.behaviour.fault = fault
    sync_into(Delivered(), sim, event_types="pe1_*")
    assert set(Counter(map(of, filter(of, sim.requests))).values()) == {1}
