"""Late events: what the audits found, or an estimate where there were none."""

import json
from pathlib import Path

import pytest

from tests.report.warehouses import a_run, a_thousand_events, add_events, add_runs, an_audited_run, page_of, warehouse


def test_an_event_is_late_if_a_complete_sync_of_its_type_should_have_had_it(tmp_path: Path) -> None:
    hours = {hour: f"2026-03-31 {hour:02}:00:00Z" for hour in range(24)}
    first, second, last = "2026-03-31 10:00:30Z", "2026-03-31 11:00:30Z", "2026-03-31 13:00:30Z"
    with warehouse(tmp_path / "warehouse.db") as con:
        add_runs(con, [
            a_run(hours[10]), a_run(hours[11]), a_run(hours[12], "failed"), a_run(hours[13], types=("e_a", "e_b")),
        ])  # fmt: skip
        add_events(con, "e_a", [
            ("before any sync", "2026-03-01T00:00:00Z", "2026-03-02 00:00:00Z"),
            ("of the first", "2026-03-31T09:00:00Z", first),
            ("read again", "2026-03-31T09:50:00Z", second),
            ("two hours", "2026-03-31T08:00:00Z", second),
            ("not of a failed one", "2026-03-31T11:30:00Z", last),
            ("three days", "2026-03-28T10:00:00Z", last),
            ("thirty days", "2026-03-01T10:00:00Z", last),
        ])  # fmt: skip
        add_events(con, "e_b", [("of its first", "2026-01-01T00:00:00Z", last)])
    page = page_of(tmp_path / "warehouse.db")
    late = {row[0]: row[1:] for row in page.rows("Late events, by how much they missed a sync")}
    assert late == {"e_a": ["1", "1", "1", "1", "3"], "e_b": ["0", "0", "0", "0", "0"]}
    assert "Of 1 event written before the first sync" in page.text


@pytest.mark.parametrize("outcome", ["complete", "interrupted"])
def test_the_event_at_the_cursor_is_not_late_though_each_quiet_sync_writes_it_again(
    tmp_path: Path, outcome: str
) -> None:
    cursor, later = (
        "2026-03-01T00:00:00.123Z",
        ["2026-03-02 00:00:00Z", "2026-03-03 00:00:00Z", "2026-03-04 00:00:00Z"],
    )
    each = {"cursor_before": cursor, "cursor_after": cursor}
    # a sync that is killed names no types
    last = {"event_types": None} if outcome == "interrupted" else {"each": each}
    with warehouse(tmp_path / "warehouse.db") as con:
        add_runs(con, [*(a_run(at, each=each) for at in later[:2]), a_run(later[2], outcome, **last)])
        add_events(con, "e_a", [
            ("newest", cursor, later[2]), ("too", cursor, later[2]), ("late", "2026-03-01T00:00:00.122Z", later[2]),
        ])  # fmt: skip
    page = page_of(tmp_path / "warehouse.db")
    assert page.rows("Late events, by how much they missed a sync") == [["e_a", "0", "0", "1", "0", "1"]]


def test_what_audits_found_is_shown_by_the_age_at_which_they_found_it(tmp_path: Path) -> None:
    with warehouse(tmp_path / "warehouse.db") as con:
        a_thousand_events(con, "e_a", "e_b")
        add_runs(con, [
            an_audited_run("2026-03-03 00:00:00Z", "2026-02-20", e_a={"late": {"1": 4, "4": 90}}, e_b={"vanished": 2}),
            an_audited_run("2026-03-04 00:00:00Z", "2026-03-01T00:00:00Z", e_a={"late": {"4": 5, "32": 1}, "audited": 20}),
            a_run("2026-03-05 00:00:00Z", "interrupted", event_types=None, late=7, vanished=1),
        ])  # fmt: skip
    page = page_of(tmp_path / "warehouse.db")
    head, *rows = page.tables["Late events, by the age at which an audit found them"]
    assert head[1:] == [
        *("1 day", "2 days", "4 days", "8 days", "16 days", "32 days"),
        *("Late in all", "Of all events", "Vanished", "Time ranges audited"),
    ]
    assert rows == [
        ["e_a", "4", "0", "95", "0", "0", "1", "100", "10 %", "0", "21"],
        ["e_b", "0", "0", "0", "0", "0", "0", "0", "0 %", "2", "1"],
        ["All event types", "4", "0", "95", "0", "0", "1", "100", "5 %", "2", "22"],
    ]
    assert "with lookback_minutes = 7200 (5 days), about 99 % of the late events" in page.text
    assert "Syncs that were killed found 7 more that came late and 1 more that vanished" in page.text
    assert "Late events, by how much they missed a sync" not in page.tables, "an estimate, though the figures are known"
    assert "Of e_a, 100 events (10 %) came late" in page.text and "Of e_b, " not in page.text
    assert "3 events vanished" in page.text


def test_complete_until_stands_beside_the_cursor_and_is_noticed_if_it_is_days_behind(tmp_path: Path) -> None:
    with warehouse(tmp_path / "warehouse.db") as con:
        a_thousand_events(con, "e_a", "e_b")
        add_runs(con, [
            a_run("2026-03-01 00:00:00Z", types=("e_a", "e_b")),
            an_audited_run("2026-03-04 00:00:00Z", "2026-03-03T23:00:00Z", e_a={}, e_b={"complete_until": "2026-02-27"}),
            a_run("2026-03-05 00:00:00Z", "failed"),
        ])  # fmt: skip
    page = page_of(tmp_path / "warehouse.db")
    head, *rows = page.tables["Freshness and cursors"]
    place = head.index("Complete until")
    assert [row[place] for row in rows] == ["2026-03-03 23:0060 min behind", "2026-02-27 00:005 days behind"]
    assert "e_b, complete only until 2026-02-27 00:00, 5 days before its cursor" in page.first
    assert "e_a, complete" not in page.first


def test_a_history_that_was_just_read_owes_its_second_look_and_is_not_behind(tmp_path: Path) -> None:
    with warehouse(tmp_path / "warehouse.db") as con:
        a_thousand_events(con, "e_a")
        add_runs(con, [an_audited_run("2026-03-04 00:00:00Z", "2026-01-01", e_a={})])
    assert page_of(tmp_path / "warehouse.db").first.startswith("The one event type is up to date.")


def test_audits_that_found_next_to_nothing_are_no_notice(tmp_path: Path) -> None:
    with warehouse(tmp_path / "warehouse.db") as con:
        a_thousand_events(con, "e_a")
        add_runs(con, [an_audited_run("2026-03-04 00:00:00Z", "2026-03-03T23:00:00Z", e_a={"late": {"64": 10}})])
    page = page_of(tmp_path / "warehouse.db")
    assert page.first.startswith("The one event type is up to date. warehouse.db as of")
    assert "No look-back is long enough" in page.text


@pytest.mark.parametrize("late", ["{}", '{"x": 1, "2": "y", "4": null, "-1": 3}', "[1]", "7", "null"])
def test_audits_of_which_little_can_be_read_are_shown_too(tmp_path: Path, late: str) -> None:
    with warehouse(tmp_path / "warehouse.db") as con:
        add_runs(con, [an_audited_run("2026-03-04 00:00:00Z", "soon", e_a={"late": json.loads(late), "vanished": "?"})])
    rows = page_of(tmp_path / "warehouse.db").rows("Late events, by the age at which an audit found them")
    assert rows == [["e_a", "0", "–", "0", "1"]]


def test_syncs_before_there_were_audits_are_reported_as_before(tmp_path: Path) -> None:
    with warehouse(tmp_path / "warehouse.db") as con:
        a_thousand_events(con, "e_a")
        add_runs(con, [a_run("2026-03-03 00:00:00Z"), a_run("2026-03-04 00:00:00Z")])
        for name in ("complete_until", "audited", "late", "vanished"):
            con.execute(f"ALTER TABLE tester.sync_run DROP {name}")
    page = page_of(tmp_path / "warehouse.db")
    assert page.rows("Late events, by how much they missed a sync") == [["e_a", "0", "0", "1,000", "0", "1,000"]]
    assert "Complete until" not in page.tables["Freshness and cursors"][0]
