"""The contents of the page, as plain dicts and lists. They fit on a page whatever the size of the
warehouse.
"""

from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from report.audits import audits
from report.freshness import LAST_RUN_OF_TYPE, behind, failing, freshness, overdue, read_state, said_and_cure
from report.warehouse import REJECTED, RUNS, Row, event_tables, open_warehouse, rows

MOST_TYPES = 500  # event types in the tables
MOST_CHARTS = 24  # event types with a chart
MOST_BARS = 400  # in one chart; more would run together
MOST_LINES, ALL_LINES = 1_100, 12_000  # in one table of days, and in all of them
RARE = 0.25  # days without events per day with some: of a rarer type, no gap is unusual
UNUSUAL = 5  # events that would be usual in a gap, at least: shorter gaps come about by chance
MOST_ROWS = 200  # in any other table

COUNT_TYPES = """
CREATE TEMP TABLE type_count AS
SELECT source, event_type, sum(events)::BIGINT AS events, min(first) AS first, max(last) FILTER (day <= $now::DATE) AS last,
    max(written) AS written, count(day) FILTER (day <= $now::DATE) AS days,
    coalesce(sum(events) FILTER (day IS NULL), 0)::BIGINT AS undated,
    coalesce(sum(events) FILTER (day > $now::DATE), 0)::BIGINT AS future,
    sum(before_runs)::BIGINT AS before_runs, sum(late_hour)::BIGINT AS late_hour, sum(late_day)::BIGINT AS late_day,
    sum(late_week)::BIGINT AS late_week, sum(late_more)::BIGINT AS late_more,
    (sum(late_day) + sum(late_week) + sum(late_more))::BIGINT AS late
FROM day_count GROUP BY ALL
"""
FIND_GAPS = """
CREATE TEMP TABLE gap AS
SELECT source, event_type, day + 1 AS first, next - 1 AS last, next - day - 1 AS days, days * usual AS usual,
    sum(next - day - 1) OVER (PARTITION BY source, event_type) > with_events * $rare AS is_rare,
    NOT is_rare AND (next - day - 1) * usual >= $unusual AS is_unusual
FROM (
    SELECT *, count(*) OVER type AS with_events, lead(day) OVER (PARTITION BY source, event_type ORDER BY day) AS next,
        sum(events) OVER type / (max(day) OVER type - min(day) OVER type + 1) AS usual
    FROM day_count WHERE day <= $now::DATE WINDOW type AS (PARTITION BY source, event_type)
) WHERE next - day > 1
"""
GAP_TOTALS = "SELECT count(*) AS gaps, sum(days)::BIGINT AS days FROM gap WHERE is_unusual"
GAPS = "FROM gap WHERE is_unusual ORDER BY usual DESC, first DESC, event_type LIMIT $most"
TYPES = """
SELECT type_count.*, coalesce(unusual_gaps, 0) AS unusual_gaps, coalesce(gap_days, 0)::BIGINT AS gap_days, longest_gap,
    coalesce(is_rare, false) AS is_rare
FROM type_count
LEFT JOIN (
    SELECT source, event_type, count(*) FILTER (is_unusual) AS unusual_gaps, sum(days) AS gap_days,
        max(days) AS longest_gap, any_value(is_rare) AS is_rare
    FROM gap GROUP BY ALL
) USING (source, event_type)
ORDER BY events DESC, event_type, source LIMIT $most
"""
TOTALS = """
SELECT count(*) AS types, sum(events)::BIGINT AS events, min(first) AS first, max(last) AS last, max(written) AS written,
    sum(undated)::BIGINT AS undated, sum(future)::BIGINT AS future, sum(before_runs)::BIGINT AS before_runs,
    sum(late)::BIGINT AS late
FROM type_count
"""
BARS = """
SELECT date_trunc($step, day)::DATE AS start, sum(events)::BIGINT AS events FROM day_count
WHERE source = $source AND event_type = $event_type AND day <= $now::DATE GROUP BY ALL ORDER BY start
"""
REASONS = """
SELECT event_type, reason, count(*) AS events, min(rejected_at) AS first, max(rejected_at) AS last
FROM rejected GROUP BY ALL ORDER BY events DESC, event_type, reason LIMIT $most
"""
RUN_TOTALS = """
SELECT count(*) AS runs, count(*) FILTER (outcome = 'complete') AS complete, count(*) FILTER (outcome = 'failed') AS failed,
    count(*) FILTER (outcome IN ('running', 'interrupted')) AS unended, sum(events)::BIGINT AS events, min(started_at) AS first,
    sum(seconds) AS seconds, sum(seconds_waiting_for_quota) AS quota, sum(seconds_waiting_for_http) AS http
FROM run
"""
RECENT_RUNS = """
SELECT * EXCLUDE (event_types, error), left(error, 2000) AS error, events / nullif(seconds, 0) AS rate,
    coalesce(unread, 0) AS unread
FROM run
LEFT JOIN (
    SELECT started_at, count(*) AS unread FROM type_run WHERE outcome IN ('failed', 'refused') GROUP BY ALL
) USING (started_at)
ORDER BY started_at DESC, id LIMIT $most
"""
SHORTEST = {"day": 1, "week": 7, "month": 28, "year": 365}  # days in a step, at least


def gather(path: Path, now: datetime) -> dict[str, Any]:
    """The facts about a warehouse file and the state beside it, as of `now` (UTC). Raises as
    `open_warehouse` does.
    """
    with open_warehouse(path, now) as (con, tables):
        con.execute(COUNT_TYPES, {"now": now})
        con.execute(FIND_GAPS, {"now": now, "rare": RARE, "unusual": UNUSUAL})
        types, totals, runs = (
            rows(con, TYPES, most=MOST_TYPES),
            rows(con, TOTALS)[0],
            rows(con, RECENT_RUNS, most=MOST_ROWS),
        )
        cursors, state_trouble = read_state(path.with_name("state.json"))
        fresh = freshness(cursors, types, rows(con, LAST_RUN_OF_TYPE, most=MOST_TYPES), totals["written"])[:MOST_TYPES]
        return {
            "name": path.name,
            "now": now,
            "totals": totals,
            "types": types,
            **histories(con, types, now),
            "empty_tables": [name for name in event_tables(tables) if name not in {each["source"] for each in types}],
            "freshness": fresh,
            **attention(fresh, runs, now),
            "audits": audits(con),
            "state_trouble": state_trouble,
            "unusual": UNUSUAL,
            "rare": [each["event_type"] for each in types if each["is_rare"]],
            "gap_totals": rows(con, GAP_TOTALS)[0],
            "gaps": rows(con, GAPS, most=MOST_ROWS),
            "has_rejected": REJECTED in tables,
            "rejected": rows(con, "SELECT count(*) AS events FROM rejected")[0]["events"],
            "reasons": rows(con, REASONS, most=MOST_ROWS),
            "has_runs": RUNS in tables,
            "run_totals": rows(con, RUN_TOTALS)[0],
            "runs": runs,
        }


def histories(con: duckdb.DuckDBPyConnection, types: list[Row], now: datetime) -> Row:
    """The most frequent event types with their events in each step of time: `lines` for a table and
    `bars` for a chart.
    """
    pictured = [each for each in types if each["last"]][:MOST_CHARTS]
    step, drawn_step = step_for(pictured, MOST_LINES), step_for(pictured, MOST_BARS)
    for each in pictured:
        which = {"now": now, "source": each["source"], "event_type": each["event_type"]}
        each["lines"] = rows(con, BARS, step=step, **which)
        each["bars"] = rows(con, BARS, step=drawn_step, **which)
    return {"pictured": pictured, "step": step, "drawn_step": drawn_step}


def step_for(types: list[Row], most: int) -> str:
    """The finest step that gives each type at most `most` lines, and all types together
    ALL_LINES.
    """
    if not types:
        return "day"
    days = (max(each["last"] for each in types) - min(each["first"] for each in types)).days + 1
    most = min(most, ALL_LINES // len(types))
    return next((step for step, length in SHORTEST.items() if days / length <= most), "year")


def attention(fresh: list[Row], runs: list[Row], now: datetime) -> Row:
    """What needs a person first: the syncs that do not begin, the last one if it failed, and the
    event types by their health.
    """
    groups = failing(fresh)
    last_failed = bool(runs) and runs[0]["outcome"] == "failed"
    error = (runs[0]["error"] or "") if last_failed else ""
    is_told = any(group["error"] and group["error"] in error for group in groups)
    return {
        "overdue": overdue([run["started_at"] for run in runs if run["started_at"]], now),
        "failing": groups,
        "last_failed": last_failed,
        "last_error": said_and_cure(error) if last_failed and not is_told else None,
        "behind": behind(fresh),
        "stale": [each for each in fresh if each["health"] == "stale"],
        "up_to_date": sum(each["health"] == "up to date" for each in fresh),
    }
