"""The package on what the real connector leaves in DuckDB, after the first sync and late events; and what a run reads."""

# ruff: noqa: S608 (the tables are our own)
import json
from types import SimpleNamespace

import duckdb
import pytest

from pipeline.hubspot import clock
from pipeline.timestamps import DAY, to_ms, to_text
from simulator import Behaviour, Simulator, generated, submissions
from simulator.lateness import backdated
from tests.dbt.lives import compare
from tests.dbt.truth import FORMS, VISITS, Account, Event
from tests.dbt.warehouses import DuckDB, needs_dbt
from tests.sdk import run
from tests.support import BASE, START, configuration

pytestmark = [needs_dbt, pytest.mark.long]
TABLES = {VISITS: "e_visited_page", FORMS: "e_form_submission_v_2"}


class Connection:
    """A connection to a simulated account whose every 20th visit comes three days late."""

    def __init__(self, project, sim, now):
        self.project, self.sim, self.now = project, sim, now
        self.warehouse = DuckDB(project, project / "files" / "warehouse.db")

    def sync(self):
        run(self.project, configuration(self.sim, event_types=f"{VISITS}, {FORMS}"))

    def account(self):
        """What the simulator sent of the rows that are there, and what the last sync said."""
        account, query = Account(), self.warehouse.rows
        (said,) = query("SELECT event_types AS types FROM tester.sync_run ORDER BY started_at DESC LIMIT 1")
        for kind, table in TABLES.items():
            until = said["types"][kind]["complete_until"]
            account.complete_until[kind] = until and to_ms(until)
            there = {row["id"] for row in query(f"SELECT id FROM tester.{table}")}
            history = self.sim.histories[kind]
            for event in map(history.event, range(len(history))):
                if event["id"] in there:
                    sent = event["objectId"], to_ms(event["occurredAt"]), event["properties"].get("hs_url") or None
                    account.events[event["id"]] = Event(event["id"], kind, *sent)
        columns = "event_type, epoch_ms(range_start), epoch_ms(range_end), epoch_ms(audited_at)"
        account.audited = [tuple(row.values()) for row in query(f"SELECT {columns} FROM tester.audited_range")]
        return account


@pytest.fixture
def connection(project, monkeypatch):
    visits = generated(3_000, START, to_text(BASE + 40 * DAY))
    histories = {VISITS: visits, FORMS: submissions(visits, 20)}
    now = SimpleNamespace(ms=BASE + 30 * DAY)
    monkeypatch.setattr(clock, "local_now", lambda: now.ms)
    behaviour = Behaviour(clock=lambda: now.ms, hide_future=True, late={VISITS: backdated(20, 3 * DAY)})
    with Simulator(histories, behaviour) as sim:
        yield Connection(project, sim, now)


def test_the_marts_equal_a_plain_count_of_what_was_synced_and_of_what_audits_found(connection):
    connection.sync()
    connection.warehouse.dbt("run")
    compare(connection.warehouse, connection.account())
    assert len(connection.warehouse.mart("page_visits")) > 2_000

    connection.now.ms += 5 * DAY
    connection.sync()
    connection.warehouse.dbt("run")
    compare(connection.warehouse, connection.account())
    assert any(row["revised_at"] for row in connection.warehouse.mart("daily_website"))


# What a run reads


EVENTS = """SELECT 'visit-' || i AS id, 'e_visited_page' AS event_type, (hash(i // 4) % 20000)::VARCHAR AS object_id,
    'CONTACT' AS object_type, TIMESTAMPTZ '2026-01-01 00:00:00Z' + i * INTERVAL 20 SECOND AS occurred_at,
    '/' || i % 9 AS hs_url, false AS _fivetran_deleted, now() AS _fivetran_synced"""
BIG = f"""
CREATE SCHEMA tester;
CREATE TABLE tester.e_visited_page AS {EVENTS} FROM range(1_000_000) AS _(i);
CREATE TABLE tester.e_form_submission_v_2 AS SELECT * REPLACE ('form-' || id AS id, 'e_form_submission_v2' AS event_type)
FROM tester.e_visited_page USING SAMPLE 3 PERCENT (bernoulli, 1) ORDER BY occurred_at;
CREATE TABLE tester.sync_run (id VARCHAR, started_at TIMESTAMPTZ, ended_at TIMESTAMPTZ, outcome VARCHAR, event_types JSON,
    _fivetran_synced TIMESTAMPTZ)
"""
A_DAY_MORE = f"INSERT INTO tester.e_visited_page {EVENTS} FROM range(1_000_000, 1_004_320) AS _(i)"


def completed(warehouse, number, until):
    entry = {"outcome": "complete", "cursor_before": until, "complete_until": until}
    warehouse.execute(
        f"INSERT INTO tester.sync_run SELECT '{number}', now(), now(), 'complete', "
        f"'{json.dumps({VISITS: entry, FORMS: entry})}', now()"
    )


def scanned(node):
    """The rows that a query scanned, by table, from DuckDB's profile of it."""
    table = node.get("extra_info", {}).get("Table", "")
    found = {table.rpartition(".")[2]: node["operator_rows_scanned"]} if table else {}
    for child in node.get("children", ()):
        for name, rows in scanned(child).items():
            found[name] = found.get(name, 0) + rows
    return found


def test_a_run_after_one_more_day_reads_a_tenth_of_the_table_at_most(tmp_path):
    warehouse = DuckDB(tmp_path, tmp_path / "warehouse.db")
    warehouse.execute(BIG)
    completed(warehouse, 1, "2026-08-19T00:00:00.000Z")
    warehouse.dbt("run")
    warehouse.execute(A_DAY_MORE)
    completed(warehouse, 2, "2026-08-20T00:00:00.000Z")
    warehouse.dbt("run", "--select", "+rebuilds", "merged_contacts")
    warehouse.dbt("compile", "--select", "page_visits", "conversions")
    read = {}
    for mart in ("page_visits", "conversions"):
        sql = (tmp_path / f"target/compiled/hubspot_events/models/marts/{mart}.sql").read_text()
        with duckdb.connect(str(warehouse.file)) as database:
            database.execute(f"PRAGMA enable_profiling = 'json'; SET profiling_output = '{tmp_path / mart}.json'")
            database.execute(sql).fetchall()
        read |= scanned(json.loads((tmp_path / f"{mart}.json").read_text()))
    assert 4_320 < read["e_visited_page"] <= 1_004_320 / 10
    assert 0 < read["e_form_submission_v_2"] <= 60_000
