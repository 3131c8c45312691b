"""The row of a sync in the table sync_run is true, whether the sync is complete, failed or killed."""

import importlib
import re

import pytest

from pipeline import ConnectorError
from pipeline.hubspot import retry
from pipeline.tables.sync_run import CONNECTOR_VERSION, SCHEMA, Tally, first_row, last_row
from pipeline.timestamps import to_ms
from simulator import Simulator, listed
from tests.accounts import OTHER, sized
from tests.sdk import kinds, rows, run
from tests.support import START, TYPE, Delivered, Destination, configuration, sync_into


def served(events=300, **behaviour):
    return sized({TYPE: events, OTHER: events // 3}, **behaviour)


def sync(sim, delivered=None, state=None, **keys):
    """The row of one sync, its error (None: none), and what was delivered."""
    delivered, error = delivered or Delivered(), None
    try:
        sync_into(delivered, sim, state, **({"event_types": "*", "page_size": "50"} | keys))
    except ConnectorError as raised:
        error = str(raised)
    return list(delivered.rows["sync_run"].values())[-1], error, delivered


def rows_in(delivered):
    return sum(len(rows) for table, rows in delivered.rows.items() if table not in ("sync_run", "rejected_event"))


@pytest.mark.parametrize("keys", [
    {"concurrency": "1"}, {"concurrency": "16", "page_size": "7"}, {"table_layout": "single"}, {"event_types": TYPE},
    {"page_size": "400"},
], ids=str)  # fmt: skip
def test_the_figures_of_a_complete_sync_are_true(keys):
    with served() as sim:
        row, error, delivered = sync(sim, **keys)
        assert error is None and len(delivered.rows["sync_run"]) == 1
        assert (row["requests"], row["retries"], row["rate_limited"]) == (len(sim.requests), 0, 0)
        assert row["events"] == rows_in(delivered) == len(delivered.upserts)
        newest = sim.histories[TYPE].event(299)["occurredAt"]
    assert (row["outcome"], row["error"], row["version"]) == ("complete", None, CONNECTOR_VERSION)
    assert (row["rejected"], row["replaced"]) == (0, 0)
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
def test_the_cursors_of_a_sync_are_the_earliest_in_time_in_any_spelling(earlier, later):
    for pair in ((earlier, later), (later, earlier)):
        tallies = {name: Tally(cursor, cursor) for name, cursor in zip((TYPE, OTHER), pair, strict=True)}
        row = last_row(first_row(0), 1, None, tallies | {"pe1_new": Tally(None)}, {})
        assert (row["cursor_before"], row["cursor_after"]) == (earlier, earlier)


def test_the_next_sync_has_its_own_row_that_begins_where_the_first_ended():
    with served() as sim:
        first, _, delivered = sync(sim)
        second, _, _ = sync(sim, delivered)
    assert "Nothing new: 2 event types." in delivered.log[-1]
    assert len(delivered.rows["sync_run"]) == 2
    assert second["cursor_before"] == second["cursor_after"] == first["cursor_after"]
    assert (second["events"], second["requests"]) == (len(delivered.upserts) - first["events"], 3)


def test_the_lag_is_the_time_from_what_is_certainly_delivered_to_hubspots_now():
    now = to_ms("2026-06-01T00:00:00Z")
    with served(clock=lambda: now) as sim:
        row, _, delivered = sync(sim)
        assert row["lag_seconds"] < 5
        asked = len(sim.requests)
        sim.behaviour.fault = lambda request: "500" if request.number > asked + 8 else None
        row, error, delivered = sync(sim, state={}, event_types=TYPE, max_outage_minutes="0.001", concurrency="1")
    assert error
    assert abs(row["lag_seconds"] - (now - to_ms(delivered.state["event_types"][TYPE]["occurred"])) / 1000) < 5


FAILURES = {
    "401": ({"token": "another"}, {}), "401 halfway": ({"fault": lambda request: "401" if request.number > 4 else None}, {}),
    "outage": ({"fault": lambda request: "500" if request.number > 4 else None}, {"max_outage_minutes": "0.001"}),
    "reset": ({"fault": lambda request: "reset" if request.number > 4 else None}, {"max_outage_minutes": "0.001"}),
    "daily quota": ({"fault": lambda request: "429:daily" if request.number > 5 else None}, {}),
    "an unknown type": ({}, {"event_types": f"{TYPE},e_typo"}), "every type forbidden": ({"forbidden": [TYPE, OTHER]}, {}),
    "no list": ({"fault": lambda request: "403" if request.path.endswith("event-types") else None}, {}),
    "a poison page": ({"fault": lambda request: "400" if request.number > 4 else None}, {}),
}  # fmt: skip


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failed_sync_has_a_row_with_true_figures_too(failure):
    behaviour, keys = FAILURES[failure]
    with served(**behaviour) as sim:
        row, error, delivered = sync(sim, **keys)
        assert error and (row["outcome"], row["error"]) == ("failed", error)
        assert row["requests"] == len(sim.requests)
        assert row["rate_limited"] == sum(request.status == 429 for request in sim.requests)
    assert row["events"] == rows_in(delivered)
    assert len(delivered.rows["sync_run"]) == 1
    assert row["ended_at"]
    saved = delivered.state["event_types"].get(TYPE, {})
    assert row["event_types"].get(TYPE, {}).get("cursor_after") == saved.get("occurred")
    if failure == "an unknown type":
        assert row["events"] == 300 and row["event_types"][TYPE]["outcome"] == "complete"


@pytest.mark.parametrize("status, outcome, said", [
    ("403", "refused", "HubSpot answered 403: .* Cure: grant "), ("500", "failed", ".*HubSpot answered 500: "),
])  # fmt: skip
def test_the_error_of_a_type_that_cannot_be_read_alone_is_in_the_row_of_a_complete_sync(status, outcome, said):
    with served(fault=lambda request: status if request.query.get("eventType") == [OTHER] else None) as sim:
        row, error, _ = sync(sim, max_outage_minutes="0.001")
    assert error is None and row["outcome"] == "complete"
    assert {name: each["outcome"] for name, each in row["event_types"].items()} == {TYPE: "complete", OTHER: outcome}
    assert row["event_types"][TYPE]["error"] is None and re.match(said, row["event_types"][OTHER]["error"])


def test_retries_and_429s_are_those_that_hubspot_counts(monkeypatch):
    monkeypatch.setattr(retry, "MAX_DELAY", 0.001)
    faults = {2: "500", 4: "reset", 6: "html", 9: "429:no-retry-after"}
    with served(faults=faults) as sim:
        row, error, delivered = sync(sim)
        assert error is None and rows_in(delivered) == 400
        assert row["requests"] == len(sim.requests)
    assert (row["retries"], row["rate_limited"]) == (4, 1) and row["seconds_waiting_for_quota"] > 0


def test_rejected_events_and_replaced_values_are_counted():
    odd = [7, {"id": "a", "eventType": TYPE}, {"id": "b", "eventType": OTHER, "occurredAt": START}]
    good = {"id": "c", "eventType": TYPE, "occurredAt": START, "properties": {"half": "\ud83d"}}
    with Simulator({TYPE: listed([*odd, good])}) as sim:
        row, _, delivered = sync(sim, event_types=TYPE)
    assert (row["rejected"], row["events"], row["replaced"]) == (3, 1, 1) and len(delivered.rows["rejected_event"]) == 3


def outcomes(destination):
    return sorted(row["outcome"] for row in destination.rows["sync_run"].values())


SMALL = {"page_size": "20", "checkpoint_interval": "50"}


def test_the_row_of_a_killed_sync_says_running_until_the_next_sync_says_how_far_it_came():
    with served() as sim:
        destination = Destination()
        assert not destination.sync(sim, fuse=250, **SMALL)
        (running,), landed = destination.rows["sync_run"].values(), len(destination.ids())
        saved = destination.state["event_types"][TYPE]["occurred"]
        assert running["outcome"] == "running" and landed > 0
        assert destination.sync(sim, **SMALL)
        assert "sync_run" not in destination.state
        interrupted = destination.rows["sync_run"][running["id"]]
    assert landed == interrupted["events"]
    assert (interrupted["cursor_after"], interrupted["error"]) == (saved, None)
    assert 0 < interrupted["pages"] <= interrupted["requests"] and interrupted["cursor_before"] is None
    assert running["started_at"] == interrupted["started_at"] and set(interrupted) <= set(SCHEMA["columns"])
    assert to_ms(interrupted["started_at"]) <= to_ms(interrupted["ended_at"])


def test_each_killed_sync_is_marked_and_those_that_ended_are_not():
    with served(900) as sim:
        destination = Destination()
        for fuse in (120, 120, 1, 0, 120):  # the two that save nothing leave no row either
            assert not destination.sync(sim, fuse=fuse, **SMALL)
        assert outcomes(destination) == ["interrupted", "interrupted", "running"]
        sim.behaviour.fault = lambda request: "401"
        with pytest.raises(ConnectorError):
            destination.sync(sim, **SMALL)
        sim.behaviour.fault = None
        for _ in range(2):
            assert destination.sync(sim, **SMALL)
    assert outcomes(destination) == ["complete", "complete", "failed", "interrupted", "interrupted", "interrupted"]


@pytest.mark.parametrize("broken", [7, {}, {"id": 7}, {"id": ""}, [], {"id": "a", "strange": 1}], ids=str)
def test_a_broken_row_in_a_state_marks_nothing(broken):
    with served(30) as sim:
        delivered = sync_into(Delivered(), sim, {"version": 1, "event_types": {}, "sync_run": broken})
    assert outcomes(delivered) == ["complete"] and "sync_run" not in delivered.state


def test_a_sync_that_ended_in_a_bug_is_marked_in_the_warehouse(project, monkeypatch):
    with served(30) as sim:
        with monkeypatch.context() as broken, pytest.raises(BaseException, match="ZeroDivisionError"):
            broken.setattr(importlib.import_module("pipeline.connection.sync"), "conclude", lambda *_: 1 / 0)
            run(project, configuration(sim, checkpoint_interval="10"))
        run(project, configuration(sim))
    columns = "outcome, events >= 30, epoch_ms(ended_at) > 0, json_keys(event_types)"
    found = rows(project, columns, "sync_run")
    assert sorted(found) == [("complete", True, True, [TYPE]), ("interrupted", True, True, None)]
    assert kinds(project, "sync_run")["events"] == "BIGINT"
    assert kinds(project, "sync_run")["started_at"].startswith("TIMESTAMP")
