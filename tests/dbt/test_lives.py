"""Whatever changed between two runs, the marts hold what plain Python counts: the first run, and each incremental one.
And a run builds anew what it must, and nothing else.
"""

import pytest

from pipeline.timestamps import DAY, MINUTE, to_ms
from tests.dbt.lives import BEGIN, Life, compare
from tests.dbt.truth import FORMS, VISITS, day
from tests.dbt.warehouses import DuckDB, needs_dbt, postgres

pytestmark = [needs_dbt, pytest.mark.long]


@pytest.fixture(params=["duckdb", "postgres"])
def warehouse(request, tmp_path):
    if request.param == "duckdb":
        yield DuckDB(tmp_path, tmp_path / "warehouse.db")
    else:
        with postgres(tmp_path) as server:
            yield server


def first_month(life):
    life.now = BEGIN + 30 * DAY
    life.write(*life.some(BEGIN, life.now, 250))
    life.sync_run(**{VISITS: BEGIN + 28 * DAY, FORMS: BEGIN + 27 * DAY + 5000})


def a_day_more(life):
    begin, life.now = life.now, life.now + DAY
    life.write(*life.some(begin, life.now, 20))
    life.sync_run(**{VISITS: begin - DAY, FORMS: begin - DAY})


def late_visits(life):
    """On a final day, at both of its borders, and joined to sessions beyond them."""
    life.now += DAY
    midnight = BEGIN + 10 * DAY
    late = [
        life.event(midnight - 20 * MINUTE, person="3"), life.event(midnight + 9 * MINUTE, person="3"),
        life.event(midnight + DAY - MINUTE, person="4"), life.event(midnight + DAY + 20 * MINUTE, person="4"),
        life.event(midnight + 3 * 3_600_000, FORMS, person="5"),
    ]  # fmt: skip
    life.write(*late)
    for event in late:
        quarter = event.at // (15 * MINUTE) * 15 * MINUTE
        life.audited(event.type, quarter, quarter + 15 * MINUTE)
    life.sync_run(**{VISITS: life.now - 2 * DAY, FORMS: life.now - 2 * DAY})


def vanished_and_moved(life):
    """An audit finds visits gone, of which one was a first touch, and others with another contact."""
    life.now += DAY
    visits = [event for event in life.account.of(VISITS) if event.at < BEGIN + 5 * DAY]
    for event in visits[:3]:
        event.deleted = True
    for event in visits[3:9]:
        event.object_id = "11"
    life.write(*visits[:9])
    for on in sorted({event.at // DAY for event in visits[:9]}):
        life.audited(VISITS, on * DAY, on * DAY + DAY)
    life.sync_run(**{VISITS: life.now - 2 * DAY, FORMS: life.now - 2 * DAY})


def merges(life):
    """A chain of merges in Fivetran's tables, of which HubSpot's events say nothing yet."""
    life.merge("1", "2")
    life.merge("2", "7")
    life.merge("9", "4")


def a_longer_chain(life):
    life.now += DAY
    life.merge("7", "12")
    life.write(*life.some(life.now - DAY, life.now, 10))
    life.sync_run(**{VISITS: life.now - 2 * DAY, FORMS: life.now - 2 * DAY})


def audits_fall_behind(life):
    """What was final is not any more."""
    life.now += DAY
    life.sync_run(**{VISITS: BEGIN + 20 * DAY, FORMS: BEGIN + 21 * DAY})


def a_re_sync(life):
    """From Fivetran's dashboard: all rows are written again, but for those that HubSpot does not have."""
    life.now += DAY
    for event in life.random.sample(list(life.account.events.values()), 40):
        event.deleted = True
    life.write(*life.account.events.values())
    life.sync_run(begins_anew=True, **{VISITS: life.now - 2 * DAY, FORMS: None})


STEPS = (
    first_month, a_day_more, late_visits, vanished_and_moved, merges, a_longer_chain, audits_fall_behind, a_re_sync,
)  # fmt: skip


def test_the_marts_hold_what_plain_python_counts(warehouse):
    life = Life(warehouse, seed=1)
    at_once = 1 if isinstance(warehouse, DuckDB) else 3  # PostgreSQL proves that it is its dialect
    for number, step in enumerate(STEPS, 1):
        step(life)
        if number % at_once == 0 or number == len(STEPS):
            warehouse.dbt("run")
            compare(warehouse, life.account)
    before = {name: warehouse.mart(name) for name in ("page_visits", "touches")}
    warehouse.dbt("build", "--full-refresh")  # with the tests of the package itself
    compare(warehouse, life.account)
    for name, rows in before.items():
        without = [{**row, "built_at": None} for row in rows]
        again = [{**row, "built_at": None} for row in warehouse.mart(name)]
        assert sorted(map(str, without)) == sorted(map(str, again))


def test_a_run_that_died_after_its_hook_is_made_good_and_a_stray_visit_waits(tmp_path):
    warehouse = DuckDB(tmp_path, tmp_path / "warehouse.db")
    life = Life(warehouse, seed=5)
    first_month(life)
    border = BEGIN + 28 * DAY
    crossing = [life.event(border + minutes * MINUTE, person="77") for minutes in (-31, -2, 3)]
    life.write(*crossing)
    warehouse.dbt("run")
    warehouse.execute(
        "DELETE FROM main_hubspot_events.page_visits WHERE session_ended_at >= TIMESTAMPTZ '2026-01-28 23:30:00Z'"
    )
    a_day_more(life)
    stray = life.event(border - 8 * 60 * MINUTE, person="78")
    life.write(stray)
    del life.account.events[stray.id]
    warehouse.dbt("run")
    compare(warehouse, life.account)
    life.account.events[stray.id] = stray
    life.now += MINUTE
    life.audited(VISITS, stray.at // DAY * DAY, stray.at // DAY * DAY + DAY)
    warehouse.dbt("run")
    compare(warehouse, life.account)


def test_a_run_builds_anew_what_it_must_and_nothing_else(tmp_path):
    warehouse = DuckDB(tmp_path, tmp_path / "warehouse.db")
    life = Life(warehouse, seed=2)
    first_month(life)
    warehouse.dbt("run")
    late_visits(life)
    warehouse.dbt("run")
    compare(warehouse, life.account)
    latest = max(row["built_at"] for row in warehouse.mart("rebuilds"))
    audited = {(kind, day(begin)) for kind, begin, _, _ in life.account.audited}
    open_from = {VISITS: day(BEGIN + 28 * DAY), FORMS: day(BEGIN + 27 * DAY)}

    def is_stale(kind, on):
        return on >= open_from[kind] or (kind, on) in audited

    for row in warehouse.mart("conversions"):
        assert (row["built_at"] == latest) == is_stale(FORMS, row["occurred_on"])
    for row in warehouse.mart("page_visits"):
        assert row["built_at"] == latest or not is_stale(VISITS, row["occurred_on"])
        near = days_near(row["session_started_at"]) | days_near(row["session_ended_at"])
        assert row["built_at"] < latest or any(is_stale(VISITS, on) for on in near)
    events = warehouse.mart("page_visits") + warehouse.mart("conversions")
    rebuilt = {row["occurred_on"] for row in events if row["built_at"] == latest}
    for row in warehouse.mart("daily_website"):
        assert (row["built_at"] == latest) == (row["occurred_on"] in rebuilt)
    assert 3 < len(rebuilt) < len(warehouse.mart("daily_website")) / 2


def days_near(moment):
    """The days on which something is that may be joined to what is half an hour off."""
    return {day(to_ms(moment) + off) for off in (-30 * MINUTE, 0, 30 * MINUTE)}
