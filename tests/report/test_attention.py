"""The first line of the page names each event type that is failing, behind or stale, with the cure."""

import json
import re
from datetime import datetime, timedelta, timezone

import pytest

from tests.report.warehouses import a_run

NOW = datetime.now(timezone.utc)
CURE = "grant the scope business-intelligence to the service key."
REFUSED = {"outcome": "refused", "error": f"HubSpot answered 403: no scope (correlationId 1-2). Cure: {CURE}"}
COMPLETE = {"outcome": "complete"}


def ago(**time):
    return (NOW - timedelta(**time)).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def runs_of(syncs, outcome="complete", error=None, first=None, **types):
    """A sync every six hours until now, each with these event types, but for the first one."""
    named = [types if first is None else first, *[types] * (syncs - 1)]
    begins = [ago(hours=6 * (syncs - 1 - i)) for i in range(syncs)]
    return [
        a_run(at, outcome, error=error, event_types=json.dumps(each), complete_until=ago(hours=30))
        for at, each in zip(begins, named, strict=True)
    ]


def on(**days):
    """Event types with an event on each of these days (0: today)."""
    return {name: [(str(day), ago(days=day), ago(hours=0)) for day in each] for name, each in days.items()}


def health(page):
    place = page.tables["Freshness and cursors"][0].index("Health")
    return {row[0]: row[place] for row in page.rows("Freshness and cursors")}


def test_a_failing_a_stale_and_a_healthy_type_are_told_apart_before_anything_else(page_with):
    runs = runs_of(2, e_good=COMPLETE, e_old=COMPLETE, pe1_signup=REFUSED)
    page = page_with(runs, on(e_good=range(20), e_old=range(9, 20)))
    assert page.first.startswith("Failing: pe1_signup. Stale: e_old. pe1_signup is failing")
    assert f"HubSpot answered 403: no scope (correlationId 1-2). Cure: {CURE}" in page.first
    assert health(page) == {"e_good": "up to date", "e_old": "stale", "pe1_signup": "failing"}
    assert [row[1] for row in page.rows("Syncs, the newest first")] == ["complete, but for 1 type"] * 2


def test_a_cure_is_said_once_for_all_types_that_it_helps(page_with):
    runs = runs_of(20, first={"e_gone": COMPLETE, "e_left": COMPLETE}, e_a=COMPLETE, e_old=COMPLETE, e_older=COMPLETE)
    page = page_with(runs, on(e_old=range(9, 20), e_older=range(90, 99)))
    assert page.first.startswith("Behind: e_gone, e_left. Stale: e_old, e_older.")
    assert page.first.count("Cure: ") == 2
    assert re.search(r"e_old since [-\d: ]+ \(9 days ago; .*e_older since [-\d: ]+ \(90 days ago; ", page.first)


def test_types_that_one_cure_helps_share_it_and_those_that_were_read_before_come_first(page_with):
    refused = {f"e_{i}": {**REFUSED, "error": REFUSED["error"].replace("1-2", f"{i}-a")} for i in range(8)}
    failed = {"outcome": "failed", "error": "HubSpot answered 500."}
    page = page_with(runs_of(2, first={"e_read": COMPLETE, **refused}, e_read=failed, **refused))
    assert "Failing: e_read, e_0, e_1, e_2, e_3 and 4 more." in page.first
    assert "e_0, e_1, e_2, e_3, e_4 and 3 more are failing" in page.first and page.first.count(f"Cure: {CURE}") == 1


@pytest.mark.parametrize(("error", "types", "once"), [
    ("HubSpot answered 401: expired. Cure: put a valid token into api_token. What arrived is saved.",
     {"e_a": {"outcome": "failed", "error": "HubSpot answered 401: expired. Cure: put a valid token into api_token."}},
     "Cure: put a valid token"),
    ("event_types: HubSpot knows no event type 'e_typo'.", {"e_a": COMPLETE}, "HubSpot knows no event type 'e_typo'"),
], ids=["of a type", "of the sync"])  # fmt: skip
def test_a_sync_that_failed_is_reported_with_its_error_once(page_with, error, types, once):
    page = page_with(runs_of(1, "failed", error, **types))
    assert page.first.startswith("The last sync failed. ") and page.first.count(once) == 1
    assert ("Failing: e_a." in page.first) == (types["e_a"] != COMPLETE)


KILLED = [{**run, "event_types": None} for run in runs_of(1, "failed", "HubSpot answered 502.")]
STATE = json.dumps({"version": 4, "event_types": {"e_a": {"occurred": "2026-01-01T00:00:00.000Z"}}})


@pytest.mark.parametrize(("runs", "state", "days", "expected"), [
    # it failed once, and was read since
    (runs_of(2, first={"e_a": REFUSED}, e_a=COMPLETE), None, {}, {"e_a": "up to date"}),
    # an older version recorded no error by type
    (runs_of(1, e_a=COMPLETE, e_b={"outcome": "refused"}), None, {}, {"e_a": "up to date", "e_b": "failing"}),
    # syncs pass them over, one of which never had data
    (runs_of(20, first={"e_a": COMPLETE, "e_gone": COMPLETE, "e_left": REFUSED, "e_never": REFUSED}, e_a=COMPLETE), None,
     {"e_left": range(9)}, {"e_a": "up to date", "e_gone": "behind", "e_left": "behind", "e_never": "–"}),
    # no sync has reached the present yet
    (KILLED, STATE, {"e_a": range(100, 120)}, {"e_a": "behind"}),
], ids=["once", "without an error", "passed over", "first sync"])  # fmt: skip
def test_the_health_of_a_type(page_with, runs, state, days, expected):
    page = page_with(runs, on(**days), state=state)
    assert health(page) == expected
    for name, found in expected.items():
        assert (name in page.first) == (found in ("behind", "failing"))


@pytest.mark.parametrize(("days", "is_stale"), [
    # each day, then nothing for three or two whole days
    (range(4, 30), True), (range(3, 30), False),
    # one in six days: pauses of five, then of eleven or eight
    (range(12, 60, 6), True), (range(9, 60, 6), False),
    (range(100, 104), False),  # four days tell nothing of what is usual
])  # fmt: skip
def test_stale_is_a_pause_twice_as_long_as_any_before(page_with, days, is_stale):
    page = page_with(runs_of(1, e_a=COMPLETE), on(e_a=days))
    assert health(page) == {"e_a": "stale" if is_stale else "up to date"}


def test_syncs_that_stopped_are_noticed(page_with):
    page = page_with([a_run(ago(days=9, hours=6 * place)) for place in range(6)])
    assert "No sync for 9 days." in page.first


def test_gaps_of_a_rare_type_and_gaps_that_chance_explains_are_no_notice(page_with):
    page = page_with(runs_of(1, e_rare=COMPLETE), on(e_rare=range(0, 80, 4), e_two=[i for i in range(30) if i != 9]))
    assert page.column("Event types", "Days without events") == {"e_rare": 57, "e_two": 1}
    assert "gaps in the history" not in page.text and "1 gap in" not in page.text
    assert "Left out are the types for which days without an event are usual: e_rare." in page.text
