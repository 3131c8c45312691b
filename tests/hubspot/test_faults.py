"""HubSpot at its worst: what a sync delivers, what it reports, and where the next one resumes."""

import os
import threading
from collections import Counter
from itertools import count
from types import SimpleNamespace

import pytest

from pipeline.errors import QuotaSpent, Unavailable
from pipeline.hubspot import client, rate_limit, retry
from pipeline.timestamps import to_ms
from simulator import Behaviour, Simulator, generated
from tests.hubspot.clients import TRANSIENT
from tests.support import TYPE, Delivered, sync_into, truth

EVENTS = int(os.environ.get("FAULT_EVENTS", "3000"))
CONTENT = (
    "repeat_cursor", "backward_cursor", "unordered", "duplicate", "foreign_type", "outside", "lone_surrogate", "deep", "huge_int",
)  # fmt: skip


@pytest.fixture(autouse=True)
def hurry(monkeypatch):
    """Waits return at once and only move a clock, which the client goes by."""
    seconds, lock, wait = [1000.0], threading.Lock(), threading.Event.wait

    def hurried(event, timeout=None):
        with lock:
            seconds[0] += timeout or 0
        return wait(event, None if timeout is None else min(timeout, 0.001))

    monkeypatch.setattr(threading.Event, "wait", hurried)
    for module in (client, rate_limit, retry):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: seconds[0]))


def served(*histories, **behaviour):
    return Simulator(dict(zip((TYPE, "pe1_b", "pe1_c"), histories, strict=False)), Behaviour(**behaviour))


def rows_of(history):
    for original in map(history.event, range(len(history))):
        yield (original["id"], {**original.pop("properties"), **original, "occurred": original["occurredAt"]})


# Some or all answers are broken


def test_a_backfill_is_exact_though_a_quarter_of_all_answers_is_broken():
    history = generated(EVENTS)
    kinds = (*TRANSIENT, *CONTENT)
    with served(history, fault_rate=0.25, fault_kinds=kinds, fault_seed=EVENTS, faults={20: "drip"}) as sim:
        delivered = sync_into(Delivered(), sim, page_size="15", concurrency="4")
        broken = {asked.fault for asked in sim.requests}
    assert len(broken) > len(kinds) / 2
    table = delivered.rows[TYPE]
    for key, row in rows_of(history):
        found = table.pop(key)
        assert {name: value for name, value in found.items() if not name.startswith("hs_simulated")} == row
    assert table and all(key.startswith("leviathan-outside-") for key in table)
    rejected = delivered.rows["rejected_event"].values()
    assert {row["reason"] for row in rejected} == {"another event type than was asked for"}
    assert all('"e_foreign"' in row["raw"] for row in rejected)
    for word in ("rejected", "out of order", "out of the time range"):
        assert any(word in warning for warning in delivered.warnings)
    assert len(delivered.upserts) < 1.01 * EVENTS


def test_cursors_that_always_lead_back_lose_nothing():
    history = generated(1_000)
    with served(history, fault_rate=1.0, fault_kinds=("backward_cursor",)) as sim:
        delivered = sync_into(Delivered(), sim, page_size="25")
        assert delivered.ids() == truth(history) and len(sim.requests) < 500


# Outages


@pytest.mark.parametrize("kind, error", [("503", Unavailable), ("429:daily", QuotaSpent)])
def test_an_outage_or_a_spent_quota_ends_the_sync_with_everything_saved_and_the_next_one_resumes(kind, error):
    history = generated(3_000)
    keys = {"page_size": "50", "event_types": f"{TYPE},pe1_b", "max_outage_minutes": "0.02"}
    with served(history, generated(100, event_type="pe1_b")) as sim:
        delivered = Delivered()
        sim.behaviour.fault = lambda asked: kind if asked.number > 20 else None
        with pytest.raises(error) as raised:
            sync_into(delivered, sim, concurrency="1", checkpoint_interval="100", **keys)
        attempts = sum(asked.fault is not None for asked in sim.requests)
        assert ("midnight" if error is QuotaSpent else f"attempts: {attempts}") in str(raised.value)
        assert error is Unavailable or attempts <= 2
        assert 15 * 50 < len(delivered.ids()) <= 20 * 50
        first_missing = min(history.time(i) for i in range(3_000) if history.event(i)["id"] not in delivered.ids())
        assert to_ms(delivered.state["event_types"][TYPE]["occurred"]) <= first_missing
        assert not any(asked.query.get("eventType") == ["pe1_b"] for asked in sim.requests), "one budget for all types"
        sim.behaviour.fault = None
        asked_before = len(sim.requests)
        sync_into(delivered, sim, **keys)
        assert len(sim.requests) - asked_before <= 2 * 40 + 4
    assert delivered.ids() == truth(history) and len(delivered.ids("pe1_b")) == 100


# An event type that fails


@pytest.mark.parametrize("kind", ["400", "403", "404", "500", "html", "reset", "no_results", "results_null"])
def test_the_failure_of_one_type_costs_the_others_nothing(kind):
    histories = (generated(600), generated(300, event_type="pe1_b"), generated(300, event_type="pe1_c"))
    earlier = count()  # answers for pe1_b

    def fault(asked):
        return kind if asked.query.get("eventType") == ["pe1_b"] and next(earlier) else None

    with served(*histories, fault=fault) as sim:
        keys = {"event_types": f"{TYPE},pe1_b,pe1_c", "page_size": "50", "max_outage_minutes": "1"}
        delivered = sync_into(Delivered(), sim, **keys)
    assert delivered.ids() == truth(histories[0]) and delivered.ids("pe1_c") == truth(histories[2])
    assert len(delivered.warnings) == 1 and "pe1_b" in delivered.warnings[0]
    assert 0 < len(delivered.ids("pe1_b")) < 300, "what arrived is kept"


# Events that cannot be rows, and those not asked for


def test_exactly_the_events_that_cannot_be_rows_are_rejected_and_identical_ones_kept_once():
    # 80, 20 of each kind; those that are not objects are all alike
    history = generated(800, malformed_every=10)
    with served(history) as sim:
        delivered = Delivered()
        for _ in range(2):
            sync_into(delivered, sim, {}, page_size="50")
    bad = {history.body(i).decode() for i in range(9, 800, 10)}
    kept = delivered.rows["rejected_event"].values()
    assert sorted(row["raw"] for row in kept) == sorted(bad) and len(bad) == 61
    assert Counter(row["reason"] for row in kept) == {
        "not an object": 1, "no id": 20, "no occurredAt": 20, "unreadable occurredAt": 20,
    }  # fmt: skip
    assert all(row["event_type"] == TYPE and to_ms(row["rejected_at"]) for row in kept)
    assert delivered.ids() == {history.event(i)["id"] for i in range(800) if i % 10 != 9}
    assert len(delivered.warnings) == 2 * 4, "one for each reason, in each sync"


def test_a_sync_shows_ten_warnings_at_most_and_each_subject_keeps_a_place():
    names = [f"pe1_{n}" for n in range(12)]
    with served(generated(800, malformed_every=20), forbidden=names) as sim:
        sim.histories |= {name: generated(5, event_type=name) for name in names}
        sim.histories["pe1_b"] = generated(80, event_type="pe1_b", shape="uniform")
        sim.behaviour.fault = lambda asked: "unordered" if asked.query.get("eventType") == ["pe1_b"] else None
        delivered = sync_into(Delivered(), sim, event_types=",".join([TYPE, "pe1_b", *names]))
    all_about = {"is not synced": 12, "Events rejected": 4, "out of order": 1}
    shown = [next((about for about in all_about if about in warning), warning) for warning in delivered.warnings]
    assert set(shown[:3]) == set(all_about), "the first about each subject, while the sync runs"
    assert shown[3:5] == ["is not synced"] * 2, "then the others, the most important first"
    assert len(shown) == 10 and shown[-1].startswith("Further warnings: 8.")
    said = [line for line in [*delivered.warnings, *delivered.log] if any(about in line for about in all_about)]
    assert len(said) == len(set(said)) == sum(all_about.values()), "each stands once in the log"
