"""The state of a backfill holds what its workers counted, as that of a sync does."""

import pytest

from backfill import backfill
from pipeline import read_settings
from pipeline.audits.cells import Kind
from pipeline.audits.text import decode
from pipeline.hubspot import clock
from pipeline.timestamps import DAY, to_ms, to_text
from simulator import Behaviour, Simulator, generated
from simulator.lateness import backdated
from tests.backfill.lake import lake
from tests.backfill.processes import cluster
from tests.support import BASE, START, TYPE, Delivered, configuration, sync_into

pytestmark = pytest.mark.long
HOUR = DAY // 24


@pytest.mark.parametrize("hours", [6, 24 * 2])
def test_a_backfilled_history_owes_its_second_look_and_nothing_else(monkeypatch, tmp_path, hours):
    """Every hundredth event becomes visible three days late."""
    history = generated(4_000, START, to_text(BASE + 40 * DAY), profile="short")
    now = BASE + 30 * DAY + 7 * HOUR
    monkeypatch.setattr(clock, "local_now", lambda: now)
    world = Behaviour(clock=lambda: now, hide_future=True, late=backdated(100, 3 * DAY))
    with Simulator({TYPE: history}, world) as sim, cluster(2) as dask:
        left = backfill(dask, read_settings(configuration(sim)), tmp_path, hours)
        there = lake(tmp_path).keys()
        saved = left.state["event_types"][TYPE]
        cells, end = decode(saved["ledger"]), to_ms(saved["occurred"])
        assert {cell.kind for cell in cells} == {Kind.DELIVERED}
        assert (cells[0].begin, cells[-1].end) == (BASE, end)
        assert sum(cell.sum.events for cell in cells) == len(there) == left.rows[TYPE]

        connection = sync_into(Delivered(), sim, left.state)
        assert not connection.ids() & there  # nothing is looked at yet
        now += 4 * DAY
        sync_into(connection, sim)
        seen = [number for number in range(len(history)) if history.time(number) < now - 3 * DAY]
        before = {history.event(number)["id"]: history.time(number) < end for number in seen}
    late = {id_ for id_, was in before.items() if was} - there
    assert late and {id_ for id_ in connection.ids() if before.get(id_)} == late
    assert before.keys() <= there | connection.ids()
    *_, row = connection.rows["sync_run"].values()
    assert row["late"] == len(late) and to_ms(row["complete_until"]) >= end
