"""What a sync tells of itself is true: the row in sync_run, the lines of the log, the summary."""
import importlib
import json
import re
import threading

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

import connector
from pipeline import ConnectorError, deliver, metrics
from pipeline import client as client_module
from pipeline.metrics import SCHEMA, VERSION, Tally, progress, span_of_time, summary
from pipeline.moments import to_ms, to_text
from simulator import Behaviour, Simulator, generated, listed
from tests.support import START, Delivered, configuration, sync_into
from tests.test_connector import home, project, run  # noqa: F401 (fixtures)
from tests.test_sync import Destination

TYPE, OTHER = "e_visited_page", "pe1_signup"


def served(events=300, **behaviour):
    return Simulator({TYPE: generated(events), OTHER: generated(events // 3, event_type=OTHER)}, Behaviour(**behaviour))


def row_of(delivered):
    (row,) = list(delivered.rows["sync_run"].values())[-1:]
    return row


def sync(sim, delivered=None, state=None, **keys):
    """The row of one sync, where it ended well or not, the error (None), and what was delivered."""
    delivered = delivered or Delivered()
    try:
        sync_into(delivered, sim, state, **({"event_types": "*", "page_size": "50"} | keys))
    except ConnectorError as error:
        return row_of(delivered), str(error), delivered
    return row_of(delivered), None, delivered


def rows_in(delivered):
    return sum(len(rows) for table, rows in delivered.rows.items() if table not in ("sync_run", "rejected_event"))


# The row


@pytest.mark.parametrize("keys", [{}, {"concurrency": "1"}, {"concurrency": "16", "page_size": "7"}, {"table_layout": "single"},
                                  {"event_types": TYPE}, {"dedupe_window": "0"}], ids=str)  # fmt: skip
def test_the_figures_of_a_good_sync_are_true(keys):
    with served() as sim:
        row, error, delivered = sync(sim, **keys)
        assert error is None and len(delivered.rows["sync_run"]) == 1
        assert (row["requests"], row["retries"], row["rate_limited"]) == (len(sim.requests), 0, 0)
        assert row["events"] == rows_in(delivered) == len(delivered.upserts)
        newest = sim.histories[TYPE].event(299)["occurredAt"]
    assert (row["outcome"], row["error"], row["version"], row["rejected"], row["replaced"]) == ("complete", None, VERSION, 0, 0)
    assert row["pages"] <= row["requests"] and row["cursor_before"] is None
    assert row["event_types"][TYPE]["cursor_after"] == newest == delivered.state["event_types"][TYPE]["occurred"]
    assert row["cursor_after"] == min((each["occurred"] for each in delivered.state["event_types"].values()), key=to_ms)
    began, ended = to_ms(row["started_at"]), to_ms(row["ended_at"])
    assert began <= ended and row["seconds"] * 1000 == ended - began
    assert row["seconds_waiting_for_http"] > 0 and 0 <= row["seconds_in_pipeline"] <= row["seconds"]
    for figure in ("events", "pages", "rejected"):
        assert row[figure] == sum(each[figure] for each in row["event_types"].values())
    assert set(row) == set(SCHEMA["columns"])


@pytest.mark.parametrize("earlier, later", [
    ("2026-05-21T01:36:04Z", "2026-05-21T01:36:04.500Z"), ("2026-05-21T23:00:00+02:00", "2026-05-21T22:00:00Z"),
    ("2026-05-21T01:36:04.5Z", "2026-05-21T01:36:04.501Z"), ("2026-05-20T23:59:59-01:00", "2026-05-21T01:00:00Z"),
])  # fmt: skip
def test_the_cursors_of_a_sync_are_the_earliest_moments_however_they_are_written(earlier, later):
    for pair in ((earlier, later), (later, earlier)):
        tallies = {name: Tally(cursor, cursor) for name, cursor in zip((TYPE, OTHER), pair, strict=True)}
        row = metrics.last_row(metrics.first_row(0), 1, None, tallies | {"pe1_new": Tally(None)}, {})
        assert (row["cursor_before"], row["cursor_after"]) == (earlier, earlier)


def test_the_next_sync_has_a_row_of_its_own_that_begins_where_the_first_ended():
    with served() as sim:
        first, _, delivered = sync(sim)
        second, _, _ = sync(sim, delivered)
    assert "Nothing behind the cursor: 2 event types." in delivered.log[-1]
    assert len(delivered.rows["sync_run"]) == 2
    assert second["cursor_before"] == second["cursor_after"] == first["cursor_after"]
    assert (second["events"], second["requests"]) == (len(delivered.upserts) - first["events"], 3)


def test_the_lag_is_from_what_is_delivered_for_sure_to_hubspot_s_now():
    now = to_ms("2026-06-01T00:00:00Z")
    with served(clock=lambda: now) as sim:
        row, _, delivered = sync(sim)
        assert row["lag_seconds"] < 5
        sim.behaviour.fault = lambda request: "500" if request.query.get("eventType") == [TYPE] and number() > 8 else None
        number = iter(range(1, 10**6)).__next__
        row, error, delivered = sync(sim, state={}, event_types=TYPE, max_outage_minutes="0.001", concurrency="1")
    assert error and abs(row["lag_seconds"] - (now - to_ms(delivered.state["event_types"][TYPE]["occurred"])) / 1000) < 5


FAILURES = {
    "401": ({"token": "another"}, {}), "401 half way": ({"fault": lambda request: "401" if request.number > 4 else None}, {}),
    "outage": ({"fault": lambda request: "500" if request.number > 4 else None}, {"max_outage_minutes": "0.001"}),
    "reset": ({"fault": lambda request: "reset" if request.number > 4 else None}, {"max_outage_minutes": "0.001"}),
    "daily quota": ({"fault": lambda request: "429:daily" if request.number > 5 else None}, {}),
    "an unknown type": ({}, {"event_types": f"{TYPE},e_typo"}), "every type forbidden": ({"forbidden": [TYPE, OTHER]}, {}),
    "no list": ({"fault": lambda request: "403" if request.path.endswith("event-types") else None}, {}),
    "a poison page": ({"fault": lambda request: "400" if request.number > 4 else None}, {}),
}  # fmt: skip


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failed_sync_has_its_row_too_with_true_figures(failure):
    behaviour, keys = FAILURES[failure]
    with served(**behaviour) as sim:
        row, error, delivered = sync(sim, **keys)
        assert error and (row["outcome"], row["error"]) == ("failed", error)
        assert row["requests"] == len(sim.requests)
        assert row["rate_limited"] == sum(request.status == 429 for request in sim.requests)
    assert row["events"] == rows_in(delivered) and len(delivered.rows["sync_run"]) == 1 and row["ended_at"]
    saved = delivered.state["event_types"].get(TYPE, {})
    assert row["event_types"].get(TYPE, {}).get("cursor_after") == saved.get("occurred")
    if failure == "an unknown type":
        assert row["events"] == 300 and row["event_types"][TYPE]["outcome"] == "complete"


def test_a_type_that_fails_alone_is_told_in_the_row_of_a_sync_that_went_on():
    with served(forbidden=[OTHER]) as sim:
        row, error, _ = sync(sim)
    assert error is None and row["outcome"] == "complete"
    assert {name: each["outcome"] for name, each in row["event_types"].items()} == {TYPE: "complete", OTHER: "failed"}


def test_retries_and_429s_are_those_that_hubspot_saw(monkeypatch):
    monkeypatch.setattr(client_module, "LONGEST_DELAY", 0.001)
    faults = {2: "500", 4: "reset", 6: "html", 9: "429:no-retry-after"}
    with served(faults=faults) as sim:
        row, error, delivered = sync(sim)
        assert error is None and rows_in(delivered) == 400
        assert row["requests"] == len(sim.requests)
    assert (row["retries"], row["rate_limited"]) == (4, 1) and row["seconds_waiting_for_quota"] > 0


def test_waiting_for_the_quota_is_told():
    with served(200, quota=(12, 400)) as sim:
        row, _, _ = sync(sim, page_size="10", concurrency="2")
        assert row["requests"] == len(sim.requests)
        assert row["rate_limited"] == sum(request.status == 429 for request in sim.requests)
    assert row["seconds_waiting_for_quota"] > 0


def test_what_is_set_aside_and_what_is_replaced_is_counted():
    odd = [7, {"id": "a", "eventType": TYPE}, {"id": "b", "eventType": OTHER, "occurredAt": START}]
    good = {"id": "c", "eventType": TYPE, "occurredAt": START, "properties": {"half": "\ud83d"}}
    with Simulator({TYPE: listed([*odd, good])}) as sim:
        row, _, delivered = sync(sim, event_types=TYPE)
    assert (row["rejected"], row["events"], row["replaced"]) == (3, 1, 1) and len(delivered.rows["rejected_event"]) == 3


def outcomes(destination):
    return sorted(row["outcome"] for row in destination.rows["sync_run"].values())


SMALL = {"page_size": "20", "checkpoint_interval": "50"}


def test_a_killed_sync_leaves_a_row_that_says_it_was_running_until_the_next_one_says_how_far_it_came():
    with served() as sim:
        destination = Destination()
        assert not destination.sync(sim, fuse=250, **SMALL)
        (running,), landed = destination.rows["sync_run"].values(), len(destination.ids())
        saved = destination.state["event_types"][TYPE]["occurred"]
        assert running["outcome"] == "running" and landed > 0
        assert destination.sync(sim, **SMALL)
        assert outcomes(destination) == ["complete", "interrupted"] and "sync_run" not in destination.state
        interrupted = destination.rows["sync_run"][running["id"]]
    assert landed == interrupted["events"]
    assert (interrupted["cursor_after"], interrupted["error"]) == (saved, None)
    assert 0 < interrupted["pages"] <= interrupted["requests"] and interrupted["cursor_before"] is None
    assert to_ms(interrupted["started_at"]) <= to_ms(interrupted["ended_at"]) and set(interrupted) <= set(SCHEMA["columns"])
    assert interrupted["started_at"] == running["started_at"]


def test_each_of_several_killed_syncs_is_marked_and_those_that_ended_are_not():
    with served(900) as sim:
        destination = Destination()
        for fuse in (120, 120, 1, 0, 120):  # two that save nothing: they leave no row either
            assert not destination.sync(sim, fuse=fuse, **SMALL)
        assert outcomes(destination) == ["interrupted", "interrupted", "running"]
        sim.behaviour.fault = lambda request: "401"
        with pytest.raises(ConnectorError):
            destination.sync(sim, **SMALL)
        sim.behaviour.fault = None
        for _ in range(2):
            assert destination.sync(sim, **SMALL)
    assert outcomes(destination) == ["complete", "complete", "failed", "interrupted", "interrupted", "interrupted"]


def test_a_killed_sync_is_marked_though_metrics_were_off_in_between():
    with served() as sim:
        destination = Destination()
        assert not destination.sync(sim, fuse=250, **SMALL)
        assert not destination.sync(sim, fuse=60, sync_metrics="false", **SMALL)
        assert outcomes(destination) == ["running"]
        assert destination.sync(sim, **SMALL)
    assert outcomes(destination) == ["complete", "interrupted"]


@pytest.mark.parametrize("broken", [7, {}, {"id": 7}, {"id": ""}, [], {"id": "a", "strange": 1}], ids=str)
def test_what_is_no_row_in_a_state_marks_none(broken):
    with served(30) as sim:
        delivered = sync_into(Delivered(), sim, {"version": 1, "event_types": {}, "sync_run": broken})
    assert outcomes(delivered) == ["complete"] and "sync_run" not in delivered.state


def test_a_sync_that_ended_in_a_bug_is_marked_in_the_warehouse(project, monkeypatch):  # noqa: F811
    with served(30) as sim:
        with monkeypatch.context() as broken, pytest.raises(BaseException, match="ZeroDivisionError"):
            broken.setattr(importlib.import_module("pipeline.sync"), "end", lambda *_: 1 / 0)
            run(project, configuration(sim))
        run(project, configuration(sim))
    with duckdb.connect(str(project / "files" / "warehouse.db"), read_only=True) as database:
        found = database.table("tester.sync_run").project("outcome, events >= 30, epoch_ms(ended_at) > 0").fetchall()
    assert sorted(found) == [("complete", False, True), ("interrupted", True, True)]


def test_without_metrics_there_is_no_table_and_no_row():
    with served(30) as sim:
        delivered = sync_into(Delivered(), sim, sync_metrics="false")
        declared = connector.schema(configuration(sim, sync_metrics="false"))
    assert "sync_run" not in delivered.rows and "sync_run" not in [table["table"] for table in declared]


def test_many_types_are_one_row(project):  # noqa: F811
    with Simulator({f"pe1_t{n}": generated(0) for n in range(20)}) as sim:
        run(project, configuration(sim, event_types="*"))
        asked = len([request for request in sim.requests if "eventType" in request.query]) + 1  # and the list, once a sync
    with duckdb.connect(str(project / "files" / "warehouse.db"), read_only=True) as database:
        columns = "requests, events, outcome, event_types::VARCHAR, cursor_after, epoch_ms(started_at) <= epoch_ms(ended_at)"
        ((requests, events, outcome, types, cursor, ordered),) = database.table("tester.sync_run").project(columns).fetchall()
        described = {name: kind for name, kind, *_ in database.execute("DESCRIBE tester.sync_run").fetchall()}
    assert (requests, events, outcome, cursor, ordered) == (asked, 0, "complete", None, True) and len(json.loads(types)) == 20
    assert described["events"] == "BIGINT" and described["started_at"].startswith("TIMESTAMP")


# The log


def test_a_type_has_a_line_where_it_starts_and_one_where_it_ends_and_a_record_none():
    with served(3000) as sim:
        _, _, delivered = sync(sim)
    for name in (TYPE, OTHER):
        mine = [line for line in delivered.log if line.startswith(f"{name}: ")]
        assert len(mine) == 2 and "reading from" in mine[0] and START[:10] in mine[0]
        assert "complete" in mine[1] and delivered.state["event_types"][name]["occurred"] in mine[1]
    assert len(delivered.log) == 5 and "3,000 rows" in "\n".join(delivered.log)


def test_a_start_date_moved_earlier_is_a_span_with_a_line_of_its_own():
    with served(300) as sim:
        _, _, delivered = sync(sim, event_types=TYPE, initial_sync_start_date="2026-03-01T00:00:00Z")
        told = len(delivered.log)
        sync(sim, delivered, event_types=TYPE)
    lines = [line for line in delivered.log[told:] if "reading from" in line]
    assert len(lines) == 2 and "2026-01-01" in lines[0] and "to 2026-03-01" in lines[0]


@pytest.mark.parametrize("seconds, fewest, most", [(30.0, 0, 0), (0.0, 30, 200)])
def test_progress_is_told_at_intervals_and_where_it_is(monkeypatch, seconds, fewest, most):
    monkeypatch.setattr(deliver, "PROGRESS_SECONDS", seconds)
    with served(3000) as sim:
        _, _, delivered = sync(sim, event_types=TYPE)
    lines = [line for line in delivered.log if "of the time range" in line]
    assert fewest <= len(lines) <= most
    moments = [to_ms(re.search(r"up to (\S+Z)", line)[1]) for line in lines]
    assert moments == sorted(moments)
    shares = [int(re.search(r"(\d+)% of the time range", line)[1]) for line in lines]
    assert shares == sorted(shares) and all(0 <= share <= 100 for share in shares)


def test_not_more_often_than_every_thirty_seconds(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(metrics.time, "monotonic", lambda: now[0])
    said = []
    tell = metrics.seldom(metrics.PROGRESS_SECONDS, lambda: said.append(now[0]))
    for _ in range(300):
        now[0] += 1
        tell()
    assert metrics.PROGRESS_SECONDS == 30 and said == [1000.0 + 30 * n for n in range(1, 11)]


def test_the_summary_names_each_type_with_its_figures_and_the_empty_ones_in_one_line():
    histories = {TYPE: generated(1200), **{f"pe1_t{n}": generated(0) for n in range(30)}}
    with Simulator(histories, Behaviour(forbidden=["pe1_t7"])) as sim:
        _, _, delivered = sync(sim)
    last = delivered.log[-1]
    assert re.search(rf"{TYPE} +complete +1,200 ", last) and re.search(r"pe1_t7 +failed +0 ", last)
    assert "Nothing behind the cursor: 29 event types." in last and len(last.splitlines()) == 4


def test_a_failed_sync_ends_with_a_summary_too():
    with served(fault=lambda request: "401" if request.number > 4 else None) as sim:
        _, _, delivered = sync(sim)
    assert any("outcome" in line and "failed" in line for line in delivered.log)


TALLIES = st.dictionaries(
    st.text("ab_", min_size=1, max_size=9),
    st.builds(Tally, st.none() | st.just(START), st.none() | st.just(START), st.integers(0, 10**12),
              outcome=st.sampled_from(["complete", "failed", "running"])),
    max_size=5,
)  # fmt: skip


@given(TALLIES)
def test_a_summary_has_a_line_for_each_type_that_has_something_to_tell(tallies):
    told = [name for name, tally in tallies.items() if tally.cursor_before != tally.cursor_after or tally.outcome != "complete"]
    lines = summary(tallies).splitlines()
    assert [line.split()[0] for line in lines[1 : len(told) + 1]] == told
    assert len(lines) == (len(told) + 1 if told else 0) + (len(told) < len(tallies))


@given(st.integers(0, 10**9), st.floats(0, 10**7), st.integers(0, 10**14), st.integers(0, 10**14), st.integers(0, 10**14))
def test_progress_can_be_told_of_any_figures(events, seconds, begin, cursor, end):
    said = progress(events, seconds, begin, cursor, end)
    assert f"{events:,} rows" in said and to_text(cursor) in said and "\n" not in said


@given(st.floats(0, 10**12))
def test_a_span_of_time_is_told_in_a_unit_in_which_it_is_not_zero(seconds):
    number, unit = span_of_time(seconds).split()
    size = {"s": 1, "min": 60, "h": 3600, "days": 86_400}[unit]
    assert abs(float(number) * size - seconds) <= 0.0500001 * size


def test_nothing_that_measures_is_left_running():
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("hubspot")]
