"""A warehouse with some of everything, for the tests of its page and those in a browser."""

# ruff: noqa: S608 (the tables are our own)
import json
from pathlib import Path

import pytest

from tests.report.warehouses import (
    EVENT_COLUMNS,
    HOSTILE,
    SCRIPT,
    Page,
    a_run,
    add_rejects,
    add_runs,
    an_audited_run,
    page_of,
    quoted,
    warehouse,
)


@pytest.fixture(scope="session")
def full(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Page]:
    """A warehouse with some of everything, and its page."""
    path = tmp_path_factory.mktemp("full") / "warehouse.db"
    with warehouse(path) as con:
        for place, name in enumerate(("e_a", "e_b", HOSTILE)):
            con.execute(f"CREATE TABLE tester.{quoted(name)} ({EVENT_COLUMNS})")
            con.execute(
                f"INSERT INTO tester.{quoted(name)} "
                "SELECT i, $name, '7', 'CONTACT', strftime(moment, '%Y-%m-%dT%H:%M:%S.%gZ'), "
                "moment, '/', false, "
                "'2026-03-01 00:00:30Z' "
                "FROM (SELECT i, TIMESTAMP '2026-01-01' + ((hash(i) % 4320000)::INT * INTERVAL 1 "
                "SECOND) AS moment "
                "FROM range($many) AS _(i)) WHERE moment::DATE <> '2026-01-20'",
                {"name": name, "many": 3000 // 10**place},
            )
        add_runs(con, [
            a_run("2026-03-01 00:00:00Z", types=("e_a", "e_b"), cursor_after="2026-02-19T23:59:59.000Z", version="1.0"),
            an_audited_run("2026-03-01 00:30:00Z", "2026-02-19T00:00:00Z", **{HOSTILE: {"late": {"64": 9}, "vanished": 1}}),
            a_run("2026-03-01 01:00:00Z", "failed", error=f"HubSpot answered 403 {SCRIPT}"),
            a_run("2026-03-01 02:00:00Z", "running", events=None, seconds=None, event_types=None),
        ])  # fmt: skip
        add_rejects(con, {"no id": 2, f"no occurredAt {SCRIPT}": 3})
    cursors = {
        name: {"occurred": "2026-02-19T23:59:59.000Z", "read_at": "2026-03-01T00:00:00.000Z"}
        for name in ("e_a", HOSTILE)
    }
    path.with_name("state.json").write_text(json.dumps({"version": 3, "event_types": cursors}), "utf-8")
    return path, page_of(path)
