"""`python -m pipeline read-again` changes a saved state so that the next sync, and only that one,
reads a range again.
"""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import ConnectorError
from pipeline.__main__ import main
from pipeline.commands.read_again import read_again
from pipeline.timestamps import to_ms
from simulator import generated
from tests.support import TYPE, Delivered, Destination, sync_into

OTHER = "e_form_submission_v2"
FROM, TO = "2026-02-01T00:00:00.000Z", "2026-02-15T00:00:00.000Z"


@pytest.fixture
def synced(account):
    """A simulated account of two event types, and what a sync has delivered of it."""
    sim = account({TYPE: generated(600), OTHER: generated(60, event_type=OTHER)})
    return sim, sync_into(Delivered(), sim, event_types=f"{TYPE}, {OTHER}")


@pytest.fixture
def read_anew(synced):
    """What the next sync upserts once a type is to be read again."""

    def of(*arguments, **keys):
        sim, delivered = synced
        delivered.states.append(read_again(delivered.state, *arguments))
        delivered.upserts.clear()
        sync_into(delivered, sim, **{"event_types": f"{TYPE}, {OTHER}"} | keys)
        return set(delivered.upserts)

    return of


def in_range(history):
    return {history.event(i)["id"] for i in range(len(history)) if to_ms(FROM) <= history.time(i) < to_ms(TO)}


def test_the_next_sync_reads_the_range_once_and_moves_no_cursor(synced, read_anew):
    sim, delivered = synced
    before, again = delivered.state["event_types"], in_range(sim.histories[TYPE])
    ids = read_anew(TYPE, FROM, TO)
    assert again <= ids and len(ids) <= len(again) + 4  # and the events at the two cursors
    delivered.upserts.clear()
    sync_into(delivered, sim, event_types=f"{TYPE}, {OTHER}")
    assert len(delivered.upserts) <= 4
    after = delivered.state["event_types"]
    for name in (TYPE, OTHER):
        assert all(after[name].get(key) == before[name].get(key) for key in ("occurred", "start_date", "ledger"))
        assert "again_from" not in after[name]


@given(fuse=st.integers(0, 320))
@settings(max_examples=15)
def test_killed_while_it_reads_again_it_resumes_and_repeats_no_more_than_a_window(sim, fuse):
    sim.histories, keys = {TYPE: generated(300)}, {"page_size": "10", "checkpoint_interval": "10"}
    destination = Destination()
    assert destination.sync(sim, **keys)
    destination.states.append(read_again(destination.state, TYPE))
    destination.upserts.clear()
    if not destination.sync(sim, fuse, **keys):
        assert destination.sync(sim, **keys)
    assert set(destination.upserts) >= destination.ids()
    assert len(destination.upserts) <= 300 + 12 * 10
    assert "again_to" not in destination.state["event_types"][TYPE]


def test_nothing_before_the_start_date_is_read_again(synced, read_anew):
    history = synced[0].histories[TYPE]
    ids = read_anew(TYPE, "2020-01-01", TO, initial_sync_start_date=FROM, event_types=TYPE)
    assert ids - {history.event(599)["id"], history.event(598)["id"]} == in_range(history)


@pytest.mark.parametrize("arguments, said", [
    (("e_other",), "no cursor of 'e_other'.*e_visited_page"), ((TYPE, "yesterday"), "--from: not an ISO 8601 date"),
    ((TYPE, FROM, "soon"), "--to: not an ISO 8601 date"), ((TYPE, "2030-01-01"), "nothing to read again"),
    ((TYPE, TO, FROM), "nothing to read again"),
])  # fmt: skip
def test_what_cannot_be_read_again_is_said(synced, arguments, said):
    with pytest.raises(ConnectorError, match=said):
        read_again(synced[1].state, *arguments)


def test_the_command_changes_the_file_in_place(synced, tmp_path, capsys):
    file = tmp_path / "state.json"
    file.write_text(json.dumps(synced[1].state))
    assert main(["read-again", TYPE, "--state", str(file), "--from", FROM, "--to", TO]) == 0
    assert json.loads(file.read_text()) == read_again(synced[1].state, TYPE, FROM, TO)
    assert f"reads {TYPE} from {FROM} to {TO} again" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]


def test_what_fivetrans_api_answers_becomes_the_body_that_it_takes(synced, tmp_path):
    file = tmp_path / "answer.json"
    file.write_text(json.dumps({"code": "Success", "data": {"state": synced[1].state}}))
    assert main(["read-again", TYPE, "--state", str(file)]) == 0
    assert json.loads(file.read_text()) == {"state": read_again(synced[1].state, TYPE)}
    # and that body can be changed once more
    assert main(["read-again", OTHER, "--state", str(file)]) == 0
    assert set(json.loads(file.read_text())["state"]["event_types"][OTHER]) >= {"again_from", "again_to"}


def test_a_state_that_cannot_be_used_stays_as_it_is(tmp_path, capsys):
    file = tmp_path / "state.json"
    file.write_text('{"version": 99}')
    assert main(["read-again", TYPE, "--state", str(file)]) == 1
    assert file.read_text() == '{"version": 99}' and "version 99" in capsys.readouterr().err


def test_a_range_asked_for_twice_is_united_with_the_first():
    state = read_again({"start_date": "2026-03-01T00:00:00Z"}, TYPE, FROM, TO)
    marked = read_again(state, TYPE, "2026-01-01", "2026-01-02")["event_types"][TYPE]
    assert (marked["again_from"], marked["again_to"]) == ("2026-01-01T00:00:00.000Z", TO)


def test_a_gap_that_is_half_read_belongs_to_all_that_is_delivered():
    gap = {"gap_start": "2026-01-01T00:00:00Z", "gap_occurred": "2026-01-09T00:00:00Z"}
    progress = {"occurred": TO, "start_date": FROM, **gap}
    state = read_again({"version": 5, "event_types": {TYPE: progress}}, TYPE)
    assert state["event_types"][TYPE]["again_from"] == "2026-01-01T00:00:00.000Z"


def test_a_type_that_hubspot_refused_is_asked_for_again(synced, read_anew):
    sim, delivered = synced
    sim.behaviour.forbidden = {OTHER: ("some.scope",)}
    sync_into(delivered, sim, event_types="*")
    sim.behaviour.forbidden = {}
    assert read_anew(OTHER, event_types="*") >= delivered.ids(OTHER)


def test_a_range_that_cannot_be_read_does_not_hold_up_new_events(synced, read_anew):
    sim, delivered = synced
    newest = generated(20, start="2026-05-02T00:00:00Z", end="2026-05-03T00:00:00Z")
    sim.histories[TYPE] = newest
    sim.behaviour.fault = lambda asked: "500" if "2026-02" in str(asked.query.get("occurredBefore")) else None
    with pytest.raises(ConnectorError):
        read_anew(TYPE, FROM, TO, max_outage_minutes="0.001", event_types=TYPE)
    assert {newest.event(i)["id"] for i in range(20)} <= delivered.ids()
    assert "again_from" in delivered.state["event_types"][TYPE]
