"""`events` gives the rows that a sync upserts: all of a time range, in order, without an SDK or a state."""

import threading
import tracemalloc
from datetime import date, datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import ConnectorError, events
from pipeline.stages import destination_columns, sort
from pipeline.stages.sort import sort_by_time
from pipeline.timestamps import to_ms, to_text
from simulator import generated, listed
from tests.support import TYPE, Delivered, configuration, event, sync_into

# some of these worlds are
pytestmark = pytest.mark.filterwarnings("ignore:HubSpot's answers are out of order")
START, END = "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"


def truth(history, start=START, end=END):
    """The ids of [start, end), in order of time."""
    inside = [i for i in range(len(history)) if to_ms(start) <= history.time(i) < to_ms(end)]
    return [key for _, key in sorted((history.time(i), history.event(i)["id"]) for i in inside)]


@pytest.mark.parametrize("order", ["ascending", "descending", "shuffled"])
@pytest.mark.parametrize("concurrency", ["1", "4"])
def test_the_rows_of_a_range_are_all_there_and_in_order(simulated, order, concurrency):
    history = generated(1_000)
    sim = simulated(history, order=order)
    rows = list(events(configuration(sim, page_size="20", concurrency=concurrency), TYPE, START, END))
    moments = [row["occurred"] for row in rows]
    assert sorted(row["id"] for row in rows) == sorted(truth(history))
    assert moments == sorted(moments)


def test_the_rows_are_those_of_a_sync_with_the_names_of_the_destination(simulated):
    sim = simulated(generated(300))
    keys = {"hash_columns": "hs_url", "hash_salt": "pepper", "rename_columns": "hs_title=title"}
    synced = sync_into(Delivered(), sim, **keys).rows[TYPE].values()
    assert sorted(events(configuration(sim, **keys)), key=str) == sorted(destination_columns(synced), key=str)


def test_a_moment_is_text_or_a_datetime_and_the_range_from_the_configured_start_to_now_by_default(simulated):
    history = generated(1_000)
    keys = configuration(simulated(history))
    asked = [
        (START, END), ("2026-02-01", "2026-03-01"), (date(2026, 2, 1), date(2026, 3, 1)),
        (datetime(2026, 2, 1), datetime(2026, 3, 1, tzinfo=timezone.utc)),
    ]  # fmt: skip
    for start, end in asked:
        assert [row["id"] for row in events(keys, TYPE, start, end)] == truth(history)
    rows = events(keys | {"initial_sync_start_date": START})
    assert [row["id"] for row in rows] == truth(history, START, "2026-12-31")


@pytest.mark.parametrize("start, end, said", [
    (END, START, "end must be after the start"), ("soon", END, "^start: not an ISO 8601 date"),
    ("", END, "^start: not an ISO 8601 date"), (START, "soon", "^end: not an ISO 8601 date"),
    (START, "", "^end: not an ISO 8601 date"),
])  # fmt: skip
def test_what_is_no_range_is_an_error_before_anything_is_asked(simulated, start, end, said):
    sim = simulated(generated(10))
    with pytest.raises(ConnectorError, match=said):
        events(configuration(sim), TYPE, start, end)
    assert not sim.requests


def test_what_cannot_be_a_row_is_left_out_with_a_warning(simulated):
    history = listed([event(to_ms(START), 1), {"eventType": TYPE, "occurredAt": START, "properties": {}}])
    with pytest.warns(UserWarning, match=r"events left out: 1 \(no id\)"):
        assert [row["id"] for row in events(configuration(simulated(history)), TYPE, START)] == ["id-1"]


@pytest.mark.parametrize(("end", "said"), [(None, "on"), ("2026-06-01", "to 2026-06-01T00:00:00.000Z")])
def test_a_range_without_events_says_so(simulated, end, said):
    keys = configuration(simulated(generated(10)))
    with pytest.warns(UserWarning, match=f"{TYPE}: no row from 2026-05-01T00:00:00.000Z {said}[.]"):
        assert list(events(keys, TYPE, "2026-05-01", end)) == []


def test_what_hubspot_refuses_is_raised_where_it_is_read(simulated):
    rows = events(configuration(simulated(generated(10))), "e_unknown_type")
    with pytest.raises(ConnectorError, match="e_unknown_type"):
        next(rows)


def test_leaving_early_leaves_no_thread(simulated):
    rows = events(configuration(simulated(generated(5_000)), page_size="100"))
    next(rows)
    rows.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("hubspot")]


# sort_by_time


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 10))))
def test_rows_are_sorted_whenever_the_watermark_keeps_its_word(steps):
    """Before the watermark moves to a moment, every row before that moment has been taken."""
    passed, watermark, rows = 0, [], []
    for ahead, move in steps:
        watermark.append(passed)
        rows.append({"occurred": to_text(passed + ahead), "id": len(rows)})
        passed += move
    marks = iter(watermark)
    out = list(sort_by_time(lambda: next(marks))(rows))
    assert sorted(row["id"] for row in out) == list(range(len(rows)))
    assert [row["occurred"] for row in out] == sorted(row["occurred"] for row in rows)


def test_rows_of_one_moment_are_not_held_without_bound(monkeypatch):
    """Only their ids are: of those that a walk which began anew reads twice, each comes once all the same."""
    monkeypatch.setattr(sort, "MOST_HELD", most := 2_000)
    title, ids = "x" * 2000, (number % (2 * most) for number in range(3 * most))
    rows = ({"occurred": START, "id": key, "hs_title": f"{title}{key}"} for key in ids)
    tracemalloc.start()
    count = sum(1 for _ in sort_by_time(lambda: 0)(rows))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 2 * most and peak < most * 3000


def test_of_rows_with_one_id_that_the_watermark_has_not_passed_the_last_is_kept():
    rows = [{"id": "a", "occurred": START, "n": n} for n in (1, 2)]
    assert list(sort_by_time(lambda: 0)(rows)) == rows[1:]


def test_a_walk_that_begins_anew_doubles_nothing_even_if_no_id_is_remembered(simulated, monkeypatch):
    monkeypatch.setattr("pipeline.rows.RECENT_IDS", 0)
    history = listed([event(to_ms(START) + n % 900, n) for n in range(900)])
    sim = simulated(history, order="shuffled", cursor_ttl_requests=3)
    keys = configuration(sim, page_size="100")
    ids = [row["id"] for row in events(keys, TYPE, START, END)]
    assert sorted(ids) == sorted(truth(history))
    assert len(sim.requests) > 10
