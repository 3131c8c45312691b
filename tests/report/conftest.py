"""A warehouse with some of everything, for the tests of its page and those in a browser; and one with little."""

# ruff: noqa: S608 (the tables are our own)
import json

import pytest

from tests.report import warehouses
from tests.report.warehouses import EVENT_COLUMNS, HOSTILE, SCRIPT, a_run, an_audited_run, quoted


@pytest.fixture
def page_with(tmp_path):
    """The page of a warehouse with these syncs, events by table, tables of a thousand events, rejected events by
    reason, and state, after these statements.
    """

    def page_with(runs=None, events=(), thousands=(), rejects=None, then=(), state=None):
        path = tmp_path / "warehouse.db"
        with warehouses.warehouse(path) as con:
            for table, some in dict(events).items():
                warehouses.add_events(con, table, some)
            warehouses.a_thousand_events(con, *thousands)
            if runs is not None:
                warehouses.add_runs(con, runs)
            if rejects is not None:
                warehouses.add_rejects(con, rejects)
            for statement in then:
                con.execute(statement)
        if state is not None:
            path.with_name("state.json").write_text(state, "utf-8")
        return warehouses.page_of(path)

    return page_with


@pytest.fixture(scope="session")
def full(tmp_path_factory):
    """The page of a warehouse with some of everything."""
    path = tmp_path_factory.mktemp("full") / "warehouse.db"
    with warehouses.warehouse(path) as con:
        for place, name in enumerate(("e_a", "e_b", HOSTILE)):
            con.execute(f"CREATE TABLE tester.{quoted(name)} ({EVENT_COLUMNS})")
            con.execute(
                f"INSERT INTO tester.{quoted(name)} SELECT i, $name, '7', 'CONTACT', "
                "strftime(moment, '%Y-%m-%dT%H:%M:%S.%gZ'), moment, '/', false, '2026-03-01 00:00:30Z' "
                "FROM (SELECT i, TIMESTAMP '2026-01-01' + ((hash(i) % 4320000)::INT * INTERVAL 1 SECOND) AS moment "
                "FROM range($many) AS _(i)) WHERE moment::DATE <> '2026-01-20'",
                {"name": name, "many": 3000 // 10**place},
            )
        warehouses.add_runs(con, [
            a_run("2026-03-01 00:00:00Z", types=("e_a", "e_b"), cursor_after="2026-02-19T23:59:59.000Z", version="1.0"),
            an_audited_run("2026-03-01 00:30:00Z", "2026-02-19T00:00:00Z", **{HOSTILE: {"late": {"64": 9}, "vanished": 1}}),
            a_run("2026-03-01 01:00:00Z", "failed", ("e_a", HOSTILE), error=f"HubSpot answered 403 {SCRIPT}",
                  each={"error": "<b>no</b> Cure: <i>yes</i>"}),
            a_run("2026-03-01 02:00:00Z", "running", events=None, seconds=None, event_types=None),
        ])  # fmt: skip
        warehouses.add_rejects(con, {"no id": 2, f"no occurredAt {SCRIPT}": 3})
    cursor = {"occurred": "2026-02-19T23:59:59.000Z", "read_at": "2026-03-01T00:00:00.000Z"}
    state = {"version": 3, "event_types": {"e_a": cursor, HOSTILE: cursor}}
    path.with_name("state.json").write_text(json.dumps(state), "utf-8")
    return warehouses.page_of(path)
