"""The first line of the page names each event type that is failing, behind or stale, with the
cure.
"""

import json
import re
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from tests.report.warehouses import HOSTILE, Page, a_run, add_events, add_runs, page_of, warehouse

NOW = datetime.now(timezone.utc)
CURE = "grant the scope business-intelligence to the service key."
REFUSED = {"outcome": "refused", "error": f"HubSpot answered 403: no scope (correlationId 1-2). Cure: {CURE}"}
COMPLETE = {"outcome": "complete"}


def ago(**time: float) -> str:
    return (NOW - timedelta(**time)).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def runs_of(
    syncs: int, outcome: str = "complete", error: str | None = None, **types: dict[str, Any]
) -> list[dict[str, Any]]:
    """A sync every six hours until now, each with these event types."""
    each = json.dumps(types)
    begins = [ago(hours=6 * (syncs - 1 - i)) for i in range(syncs)]
    return [a_run(at, outcome, error=error, event_types=each, complete_until=ago(hours=30)) for at in begins]


def page_with(tmp_path: Path, runs: list[dict[str, Any]], state: dict[str, Any] | None = None, **days: range) -> Page:
    """The page of a warehouse with these syncs, and event types with an event on each of these days
    (0: today).
    """
    path = tmp_path / "warehouse.db"
    with warehouse(path) as con:
        for name, on in days.items():
            add_events(con, name, [(str(day), ago(days=day), ago(hours=0)) for day in on])
        add_runs(con, runs)
    if state:
        path.with_name("state.json").write_text(json.dumps({"version": 4, "event_types": state}), "utf-8")
    return page_of(path)


def health(page: Page) -> dict[str, str]:
    place = page.tables["Freshness and cursors"][0].index("Health")
    return {row[0]: row[place] for row in page.rows("Freshness and cursors")}


def test_a_failing_a_stale_and_a_healthy_type_are_told_apart_before_anything_else(tmp_path: Path) -> None:
    runs = runs_of(2, e_good=COMPLETE, e_old=COMPLETE, pe1_signup=REFUSED)
    page = page_with(tmp_path, runs, e_good=range(20), e_old=range(9, 20))
    assert page.first.startswith(
        "Failing: pe1_signup. Stale: e_old. pe1_signup is failing: every sync has failed (2 since "
    )
    told = f"HubSpot answered 403: no scope (correlationId 1-2). Cure: {CURE} Stale: syncs read it"
    assert told in page.first and "e_old since" in page.first
    assert "1 event type is up to date." in page.first
    assert health(page) == {"e_good": "up to date", "e_old": "stale", "pe1_signup": "failing"}
    assert [row[1] for row in page.rows("Syncs, the newest first")] == ["complete, but for 1 type"] * 2


def test_a_cure_is_said_once_for_all_types_that_it_helps(tmp_path: Path) -> None:
    runs = runs_of(20, e_a=COMPLETE, e_old=COMPLETE, e_older=COMPLETE)
    runs[0]["event_types"] = json.dumps({"e_gone": COMPLETE, "e_left": COMPLETE})
    page = page_with(tmp_path, runs, e_old=range(9, 20), e_older=range(90, 99))
    assert page.first.startswith("Behind: e_gone, e_left. Stale: e_old, e_older.")
    assert page.first.count("Cure: ") == 2
    assert re.search(r"e_old since [-\d: ]+ \(9 days ago; longest pause under a day\); e_older", page.first)
    assert "90 days ago; longest" in page.first and page.rows("Freshness and cursors")[-1][2].endswith("90 days ago")


def test_if_nothing_needs_a_person_the_first_line_says_so(tmp_path: Path) -> None:
    page = page_with(tmp_path, runs_of(2, e_a=COMPLETE, e_b=COMPLETE), e_a=range(20))
    assert page.first.startswith("All 2 event types are up to date. warehouse.db as of ")


def test_a_type_that_failed_once_and_was_read_since_is_not_failing(tmp_path: Path) -> None:
    runs = [*runs_of(2, e_a=COMPLETE)]
    runs[0]["event_types"] = json.dumps({"e_a": REFUSED})
    assert health(page_with(tmp_path, runs)) == {"e_a": "up to date"}


def test_types_that_one_cure_helps_share_it_and_those_that_were_read_before_come_first(tmp_path: Path) -> None:
    refused = {f"e_{i}": {**REFUSED, "error": REFUSED["error"].replace("1-2", f"{i}-a")} for i in range(8)}
    runs = runs_of(2, e_read={"outcome": "failed", "error": "HubSpot answered 500."}, **refused)
    runs[0]["event_types"] = json.dumps({"e_read": COMPLETE, **refused})
    page = page_with(tmp_path, runs)
    text = " ".join(page.text.split())
    assert "Failing: e_read, e_0, e_1, e_2, e_3 and 4 more." in text
    assert "e_read is failing: last read" in text and text.count(f"Cure: {CURE}") == 1
    assert "e_0, e_1, e_2, e_3, e_4 and 3 more are failing" in text


def test_an_older_sync_that_recorded_no_error_by_type_is_reported_with_what_is_known(tmp_path: Path) -> None:
    page = page_with(tmp_path, runs_of(1, e_a=COMPLETE, e_b={"outcome": "refused"}))
    text = " ".join(page.text.split())
    assert "e_b is failing: the only sync that tried has failed. The table sync_run does not say why" in text


def test_a_sync_that_failed_is_reported_with_its_cure_once(tmp_path: Path) -> None:
    error = "HubSpot answered 401: expired. Cure: put a valid access token into api_token. What arrived is saved."
    page = page_with(
        tmp_path, runs_of(1, "failed", error, e_a={"outcome": "failed", "error": error.partition(" What")[0]})
    )
    assert "The last sync failed. Failing: e_a." in " ".join(page.text.split())
    assert page.first.count("Cure: put a valid access token") == 1
    (tmp_path / "other").mkdir()
    page = page_with(
        tmp_path / "other", runs_of(1, "failed", "event_types: HubSpot knows no event type 'e_typo'.", e_a=COMPLETE)
    )
    assert page.first.startswith("The last sync failed. The last sync failed: event_types: HubSpot knows no")


def test_a_type_that_syncs_pass_over_is_behind_and_one_that_never_had_data_is_left_out(tmp_path: Path) -> None:
    runs = runs_of(20, e_a=COMPLETE)
    runs[0]["event_types"] = json.dumps({"e_a": COMPLETE, "e_gone": COMPLETE, "e_never": REFUSED})
    page = page_with(tmp_path, runs)
    assert health(page) == {"e_a": "up to date", "e_gone": "behind", "e_never": "–"}
    assert "Behind: e_gone, read last" in page.first


def test_a_type_in_its_first_sync_is_behind_until_a_sync_has_reached_the_present(tmp_path: Path) -> None:
    runs = runs_of(1, "failed", "HubSpot answered 502.", e_a={"outcome": "running"})
    runs[0]["event_types"] = None  # as a sync leaves it that was killed
    cursor = {"occurred": "2026-01-01T00:00:00.000Z", "read_at": "2026-01-02T00:00:00.000Z"}
    page = page_with(tmp_path, runs, state={"e_a": cursor}, e_a=range(100, 120))
    assert health(page) == {"e_a": "behind"}
    assert "which the first sync has read up to 2026-01-01T00:00:00.000Z only" in page.first


@pytest.mark.parametrize(("days", "is_stale"), [
    # each day, then nothing for three or two whole days
    (range(4, 30), True), (range(3, 30), False),
    # one in six days: pauses of five, then of eleven or eight
    (range(12, 60, 6), True), (range(9, 60, 6), False),
    (range(100, 104), False),  # four days tell nothing of what is usual
])  # fmt: skip
def test_stale_is_a_pause_twice_as_long_as_any_before(tmp_path: Path, days: range, is_stale: bool) -> None:
    page = page_with(tmp_path, runs_of(1, e_a=COMPLETE), e_a=days)
    assert health(page) == {"e_a": "stale" if is_stale else "up to date"}


def test_syncs_that_stopped_are_noticed(tmp_path: Path) -> None:
    runs = [a_run(ago(days=9, hours=6 * place)) for place in range(6)]
    page = page_with(tmp_path, runs)
    assert "No sync for 9 days." in page.text and "before, one began about every 6 h" in page.text


def test_gaps_of_a_rare_type_and_gaps_that_chance_explains_are_no_notice(tmp_path: Path) -> None:
    page = page_with(
        tmp_path, runs_of(1, e_rare=COMPLETE), e_rare=range(0, 80, 4), e_two=[i for i in range(30) if i != 9]
    )
    assert page.column("Event types", "Days without events") == {"e_rare": 57, "e_two": 1}
    assert "gaps in the history" not in page.text and "1 gap in" not in page.text
    assert "Left out are the types for which days without an event are usual: e_rare." in page.text


def test_hostile_names_and_errors_are_text(tmp_path: Path) -> None:
    each = {HOSTILE: {"outcome": "failed", "error": "<b>no</b> Cure: <i>yes</i>"}}
    page = page_with(tmp_path, runs_of(1, **each), **{HOSTILE: range(3)})
    assert not {"script", "b", "i"} & {tag for tag, _ in page.tags}
    assert f"Failing: {HOSTILE}." in page.text
    assert "<b>no</b>" in page.text
    assert "<i>yes</i>" in page.text
