"""A sync delivers every event, and resumes where the last one ended, however that ended."""

from contextlib import nullcontext

import pytest

from pipeline import ConnectorError
from pipeline.timestamps import DAY, MINUTE, to_ms, to_text
from simulator import Behaviour, Simulator, generated, listed
from tests.accounts import OTHER, both
from tests.support import BASE, END, START, TYPE, Delivered, Destination, event, sync_into, truth

# One sync and the next


@pytest.mark.parametrize("order", ["ascending", "descending", "shuffled"])
@pytest.mark.parametrize("concurrency", ["1", "4"])
def test_the_table_equals_the_truth(simulated, order, concurrency):
    history = generated(700)
    sim = simulated(history, order=order)
    delivered = sync_into(Delivered(), sim, page_size="50", concurrency=concurrency)
    assert delivered.ids() == truth(history)
    for original in map(history.event, range(0, 700, 50)):
        row = {**original.pop("properties"), **original, "occurred": original["occurredAt"]}
        assert delivered.rows[TYPE][original["id"]] == row


def test_an_incremental_sync_is_one_request(simulated):
    history = generated(700)
    sim = simulated(history)
    delivered = sync_into(Delivered(), sim, page_size="50")
    state, asked = delivered.state, len(sim.requests)
    sync_into(delivered, sim, page_size="50")
    assert len(sim.requests) == asked + 1
    assert delivered.ids() == truth(history)
    assert delivered.state["event_types"][TYPE]["occurred"] == state["event_types"][TYPE]["occurred"]


def test_a_sync_without_events_saves_when_it_read(simulated):
    delivered = sync_into(Delivered(), simulated(listed([])))
    assert list(delivered.rows) == ["sync_run"] and "read_at" in delivered.state["event_types"][TYPE]


def test_of_an_event_that_hubspot_sends_twice_the_last_one_read_is_kept(simulated):
    sim = simulated(listed([event(BASE, 1, hs_url="/old"), event(BASE + 1, 1, hs_url="/new")]))
    delivered = sync_into(Delivered(), sim, concurrency="1")
    assert delivered.rows[TYPE]["id-1"]["hs_url"] == "/new" and delivered.upserts == ["id-1", "id-1"]


# Interrupted syncs


@pytest.mark.parametrize("killed_at", [300, 650])
def test_an_interrupted_backfill_resumes_at_its_cursor(simulated, killed_at):
    history = generated(700, shape="uniform")
    sim, destination = simulated(history), Destination()
    keys = {"page_size": "10", "checkpoint_interval": "10", "concurrency": "1"}
    assert not destination.sync(sim, killed_at, **keys)
    kept = len(destination.ids())
    sim.requests.clear()
    assert destination.sync(sim, **keys)
    assert destination.ids() == truth(history)
    assert len(sim.requests) <= 1.35 * (700 - kept) / 10 + 6


@pytest.mark.parametrize("shape", ["one_ms", "one_second"])
@pytest.mark.parametrize("concurrency", ["1", "4"])
def test_a_second_of_many_pages_is_read_again_after_a_kill_and_completed_later(simulated, shape, concurrency):
    """No page cursor is saved, since it would miss what has become visible in the meantime."""
    history = generated(590, START, END, shape)
    sim, destination = simulated(history), Destination()
    keys = {"page_size": "20", "checkpoint_interval": "20", "concurrency": concurrency}
    for _ in range(3):
        assert not destination.sync(sim, 150, **keys)
    sim.requests.clear()
    assert destination.sync(sim, **keys)
    assert destination.ids() == truth(history) and len(sim.requests) <= 2 * 600 / 20
    sim.requests.clear()
    assert destination.sync(sim, **keys) and len(sim.requests) <= 2


def test_a_start_date_moved_earlier_reads_only_the_gap(simulated):
    history = generated(1000, shape="uniform")
    sim, delivered = simulated(history), Delivered()
    late = to_ms(END) - 30 * DAY
    sync_into(delivered, sim, page_size="100", initial_sync_start_date=to_text(late), concurrency="1")
    assert delivered.ids() == truth(history, late)
    sim.requests.clear()
    sync_into(delivered, sim, page_size="100", concurrency="1")
    assert delivered.ids() == truth(history)
    assert len(sim.requests) <= 1.35 * 750 / 100 + 2 + 1


NOW = "2026-06-01T00:00:00Z"
TIES = [event("2026-05-01T00:00:00.500Z", n) for n in range(400)]
FUTURE = [event("2035-01-01T00:00:00Z", 1000 + n) for n in range(3)]
SPREAD = [event(BASE + n * MINUTE, 2000 + n) for n in range(5)]


@pytest.mark.parametrize("interval, concurrency", [("100", "1"), ("97", "4"), ("10000", "1")])
@pytest.mark.parametrize("events", [TIES, SPREAD + TIES, TIES + FUTURE], ids=len)
def test_a_millisecond_of_many_pages_is_not_read_again_by_each_sync(simulated, events, interval, concurrency):
    sim, delivered = simulated(listed(events), clock=lambda: to_ms(NOW)), Delivered()
    keys = {"page_size": "20", "checkpoint_interval": interval, "concurrency": concurrency}
    sync_into(delivered, sim, **keys)
    assert len(delivered.ids()) == len(events)
    for _ in range(2):
        sim.requests.clear()
        sync_into(delivered, sim, **keys)
        assert len(sim.requests) <= 2


def test_future_events_on_pages_whose_order_is_not_proved_yet_do_not_hold_the_cursor_back(simulated):
    future = [event(f"2035-01-01T00:{n:02}:00Z", 1000 + n) for n in range(60)]
    sim, delivered = simulated(listed(SPREAD + future), clock=lambda: to_ms(NOW)), Delivered()
    sync_into(delivered, sim, page_size="20")
    assert len(delivered.ids()) == 65
    assert BASE + 4 * MINUTE <= to_ms(delivered.state["event_types"][TYPE]["occurred"]) < BASE + 5 * MINUTE


def test_without_look_back_only_the_millisecond_of_the_cursor_is_read_again(simulated):
    events = [event(BASE + n // 2 * MINUTE, n) for n in range(120)]
    sim, delivered = simulated(listed(events), clock=lambda: BASE + 60 * MINUTE), Delivered()
    sync_into(delivered, sim, lookback_minutes="0")
    delivered.upserts.clear()
    sync_into(delivered, sim, lookback_minutes="0")
    assert delivered.upserts == ["id-118", "id-119"]


# Errors and odd events


@pytest.mark.parametrize("fails, rejects, arrived", [(1, False, False), (3, False, True), (3, True, True)])
def test_an_error_says_that_what_arrived_is_saved_if_anything_did(fails, rejects, arrived):
    """Rejected events alone are something, too."""
    refusing = Behaviour(fault=lambda request: "401" if request.number >= fails else None)
    history = generated(150, malformed_every=int(rejects))
    with Simulator({TYPE: history}, refusing) as sim, pytest.raises(ConnectorError) as error:
        sync_into(Delivered(), sim, page_size="50", concurrency="1")
    assert ("What arrived is saved" in str(error.value)) is arrived


@pytest.mark.parametrize("spelled", [int, float])
def test_moments_as_numbers_are_read_like_any_other(simulated, spelled):
    """As in an older example of HubSpot's."""
    moments = [BASE + n * 1000 for n in range(120)]
    events = [event(ms, n) | ({"occurredAt": spelled(ms)} if n % 3 else {}) for n, ms in enumerate(moments)]
    sim = simulated(listed(events))
    delivered = sync_into(Delivered(), sim, page_size="50")
    assert len(delivered.ids()) == 120 and not delivered.warnings
    assert [row["occurred"] for row in delivered.rows[TYPE].values()] == list(map(to_text, moments))
    assert delivered.state["event_types"][TYPE]["occurred"] == to_text(moments[-1])
    sim.requests.clear()
    sync_into(delivered, sim, page_size="50")
    assert len(sim.requests) <= 2


@pytest.mark.parametrize("minutes, agree", [(59, True), (61, False)])
def test_two_walks_need_not_agree_on_the_look_back(simulated, minutes, agree):
    """No end is clear, and while they go on, events become visible that occurred so long ago."""
    now, events = BASE + DAY, [event(BASE + n * MINUTE, n) for n in range(10)]
    sim = simulated(listed(events), clock=lambda: now, last_paging="paging_text")

    def come_late(asked):
        events.append(event(now - minutes * MINUTE, 1000 + asked.number))
        sim.histories[TYPE] = listed(events)

    sim.behaviour.fault, delivered = come_late, Delivered()
    with nullcontext() if agree else pytest.raises(ConnectorError, match="never came to a confirmed end"):
        sync_into(delivered, sim)
    assert {f"id-{n}" for n in range(10)} <= delivered.ids()


def test_an_event_sent_twice_is_upserted_once(simulated):
    history = generated(300)
    delivered = sync_into(Delivered(), simulated(history, fault=lambda asked: "duplicate"), page_size="50")
    assert sorted(delivered.upserts) == sorted(truth(history))


def test_a_type_whose_answers_are_never_whole_fails_alone_and_its_window_is_not_passed():
    with both() as sim:
        sim.behaviour.fault = lambda asked: "partial" if asked.query.get("eventType") == [TYPE] else None
        keys = {"event_types": f"{TYPE},{OTHER}", "max_outage_minutes": "0.001"}
        delivered = sync_into(Delivered(), sim, **keys)
        assert len(delivered.ids(OTHER)) == 70 and not delivered.ids()
        assert "occurred" not in delivered.state["event_types"].get(TYPE, {})
        (warning,) = [said for said in delivered.warnings if TYPE in said]
        assert "A shard did not answer." in warning and "max_outage_minutes" in warning
        sim.behaviour.fault = None
        assert len(sync_into(delivered, sim, **keys).ids()) == 60
