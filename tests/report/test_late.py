"""Late events: what the audits found, or an estimate where there were none."""

import json

import pytest

from tests.report.warehouses import a_run, an_audited_run

ESTIMATED = "Late events, by how much they missed a sync"
AUDITED = "Late events, by the age at which an audit found them"


def test_an_event_is_late_if_a_complete_sync_of_its_type_should_have_had_it(page_with):
    hours = {hour: f"2026-03-31 {hour:02}:00:00Z" for hour in range(10, 14)}
    first, second, last = (f"2026-03-31 {hour}:00:30Z" for hour in (10, 11, 13))
    runs = [a_run(hours[10]), a_run(hours[11]), a_run(hours[12], "failed"), a_run(hours[13], types=("e_a", "e_b"))]
    events = [
        ("before any sync", "2026-03-01T00:00:00Z", "2026-03-02 00:00:00Z"),
        ("of the first", "2026-03-31T09:00:00Z", first),
        ("read again", "2026-03-31T09:50:00Z", second),
        ("two hours", "2026-03-31T08:00:00Z", second),
        ("not of a failed one", "2026-03-31T11:30:00Z", last),
        ("three days", "2026-03-28T10:00:00Z", last),
        ("thirty days", "2026-03-01T10:00:00Z", last),
    ]
    page = page_with(runs, {"e_a": events, "e_b": [("of its first", "2026-01-01T00:00:00Z", last)]})
    late = {row[0]: row[1:] for row in page.rows(ESTIMATED)}
    assert late == {"e_a": ["1", "1", "1", "1", "3"], "e_b": ["0", "0", "0", "0", "0"]}
    assert "Of 1 event written before the first sync" in page.text


@pytest.mark.parametrize("outcome", ["complete", "interrupted"])
def test_the_event_at_the_cursor_is_not_late_though_each_quiet_sync_writes_it_again(page_with, outcome):
    cursor, before = "2026-03-01T00:00:00.123Z", "2026-03-01T00:00:00.122Z"
    *earlier, last = (f"2026-03-0{day} 00:00:00Z" for day in (2, 3, 4))
    each = {"cursor_before": cursor, "cursor_after": cursor}
    # a sync that is killed names no types
    named = {"event_types": None} if outcome == "interrupted" else {"each": each}
    runs = [*(a_run(at, each=each) for at in earlier), a_run(last, outcome, **named)]
    page = page_with(runs, {"e_a": [("newest", cursor, last), ("too", cursor, last), ("late", before, last)]})
    assert page.rows(ESTIMATED) == [["e_a", "0", "0", "1", "0", "1"]]


def test_what_audits_found_is_shown_by_the_age_at_which_they_found_it(page_with):
    page = page_with([
        an_audited_run("2026-03-03 00:00:00Z", "2026-02-20", e_a={"late": {"1": 4, "4": 90}}, e_b={"vanished": 2}),
        an_audited_run("2026-03-04 00:00:00Z", "2026-03-01T00:00:00Z", e_a={"late": {"4": 5, "32": 1}, "audited": 20}),
        a_run("2026-03-05 00:00:00Z", "interrupted", event_types=None, late=7, vanished=1),
    ], thousands=("e_a", "e_b"))  # fmt: skip
    head, *rows = page.tables[AUDITED]
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
    assert ESTIMATED not in page.tables, "an estimate, though the figures are known"
    assert "Of e_a, 100 events (10 %) came late" in page.text and "Of e_b, " not in page.text
    assert "3 events vanished" in page.text


def test_complete_until_stands_beside_the_cursor_and_is_noticed_if_it_is_days_behind(page_with):
    page = page_with([
        a_run("2026-03-01 00:00:00Z", types=("e_a", "e_b")),
        an_audited_run("2026-03-04 00:00:00Z", "2026-03-03T23:00:00Z", e_a={}, e_b={"complete_until": "2026-02-27"}),
        a_run("2026-03-05 00:00:00Z", "failed"),
    ], thousands=("e_a", "e_b"))  # fmt: skip
    head, *rows = page.tables["Freshness and cursors"]
    place = head.index("Complete until")
    assert [row[place] for row in rows] == ["2026-03-03 23:0060 min behind", "2026-02-27 00:005 days behind"]
    assert "e_b, complete only until 2026-02-27 00:00, 5 days before its cursor" in page.first
    assert "e_a, complete" not in page.first


@pytest.mark.parametrize(
    ("complete_until", "late"), [("2026-01-01", {}), ("2026-03-03T23:00:00Z", {"64": 10})], ids=str
)
def test_a_history_that_owes_its_second_look_and_audits_that_found_next_to_nothing_are_no_notice(
    page_with, complete_until, late
):
    run = an_audited_run("2026-03-04 00:00:00Z", complete_until, e_a={"late": late})
    page = page_with([run], thousands=["e_a"])
    assert page.first.startswith("The one event type is up to date. warehouse.db as of")
    assert ("No look-back is long enough" in page.text) == bool(late)


@pytest.mark.parametrize("late", ["{}", '{"x": 1, "2": "y", "4": null, "-1": 3}', "[1]", "7", "null"])
def test_audits_of_which_little_can_be_read_are_shown_too(page_with, late):
    run = an_audited_run("2026-03-04 00:00:00Z", "soon", e_a={"late": json.loads(late), "vanished": "?"})
    assert page_with([run]).rows(AUDITED) == [["e_a", "0", "–", "0", "1"]]


def test_syncs_before_there_were_audits_are_reported_as_before(page_with):
    missing = ("complete_until", "audited", "late", "vanished")
    runs = [a_run("2026-03-03 00:00:00Z"), a_run("2026-03-04 00:00:00Z")]
    page = page_with(runs, thousands=["e_a"], then=[f"ALTER TABLE tester.sync_run DROP {name}" for name in missing])
    assert page.rows(ESTIMATED) == [["e_a", "0", "0", "1,000", "0", "1,000"]]
    assert "Complete until" not in page.tables["Freshness and cursors"][0]
