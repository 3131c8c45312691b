"""The contents of the page, as plain dicts and lists. They fit on a page whatever the size of the warehouse."""
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from report.audits import audits
from report.warehouse import REJECTED, RUNS, Row, event_tables, open_warehouse, rows

MOST_TYPES = 500  # event types in the tables
MOST_CHARTS = 24  # event types with a chart
MOST_BARS = 400  # in one chart; more would run together
MOST_LINES, ALL_LINES = 1_100, 12_000  # in one table of days, and in all of them
RARE = 0.25  # days in gaps per day with events: of a rarer type, gaps are normal and not marked
MOST_ROWS = 200  # in any other table
FAR_BEHIND = timedelta(days=2)  # from complete_until to the cursor: a person is told

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
SELECT source, event_type, day + 1 AS first, next - 1 AS last, next - day - 1 AS days, days * usual AS usual
FROM (
    SELECT *, lead(day) OVER (PARTITION BY source, event_type ORDER BY day) AS next,
        sum(events) OVER type / (max(day) OVER type - min(day) OVER type + 1) AS usual
    FROM day_count WHERE day <= $now::DATE WINDOW type AS (PARTITION BY source, event_type)
) WHERE next - day > 1
"""
TYPES = """
SELECT type_count.*, coalesce(gaps, 0) AS gaps, coalesce(gap_days, 0)::BIGINT AS gap_days
FROM type_count
LEFT JOIN (SELECT source, event_type, count(*) AS gaps, sum(days) AS gap_days FROM gap GROUP BY ALL) USING (source, event_type)
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
SELECT * EXCLUDE (event_types, error), left(error, 2000) AS error, events / nullif(seconds, 0) AS rate
FROM run ORDER BY started_at DESC, id LIMIT $most
"""
LAST_RUN_OF_TYPE = """
SELECT *, reached - complete_until AS behind FROM (
    SELECT event_type, arg_max(outcome, started_at) AS outcome, arg_max(lag_seconds, started_at) AS lag,
        max(started_at) AS run_at, arg_max_null(complete_until, started_at) FILTER (outcome = 'complete') AS complete_until,
        arg_max_null(cursor_after, started_at) FILTER (outcome = 'complete') AS reached
    FROM type_run GROUP BY ALL
) ORDER BY event_type LIMIT $most
"""
SHORTEST = {"day": 1, "week": 7, "month": 28, "year": 365}  # days in a step, at least


def gather(path: Path, now: datetime) -> dict[str, Any]:
    """The facts about a warehouse file and the state beside it, as of `now` (UTC). Raises as `open_warehouse` does."""
    with open_warehouse(path, now) as (con, tables):
        con.execute(COUNT_TYPES, {"now": now})
        con.execute(FIND_GAPS, {"now": now})
        types = rows(con, TYPES, most=MOST_TYPES)
        pictured = [each for each in types if each["last"]][:MOST_CHARTS]
        step, drawn_step = step_for(pictured, MOST_LINES), step_for(pictured, MOST_BARS)
        for each in pictured:
            which = {"now": now, "source": each["source"], "event_type": each["event_type"]}
            each["lines"] = rows(con, BARS, step=step, **which)
            each["bars"] = rows(con, BARS, step=drawn_step, **which)
            each["is_rare"] = each["gap_days"] > each["days"] * RARE
        freshness, state_trouble = _freshness(path.with_name("state.json"), types, rows(con, LAST_RUN_OF_TYPE, most=MOST_TYPES))
        return {
            "name": path.name,
            "now": now,
            "totals": rows(con, TOTALS)[0],
            "types": types,
            "pictured": pictured,
            "step": step,
            "drawn_step": drawn_step,
            "empty_tables": [name for name in event_tables(tables) if name not in {each["source"] for each in types}],
            "freshness": freshness,
            "far_behind": [each for each in freshness if each["behind"] and each["behind"] > FAR_BEHIND],
            "audits": audits(con),
            "state_trouble": state_trouble,
            "gap_totals": rows(con, "SELECT count(*) AS gaps, sum(days)::BIGINT AS days FROM gap")[0],
            "gaps": rows(con, "FROM gap ORDER BY usual DESC, first DESC, event_type LIMIT $most", most=MOST_ROWS),
            "has_rejected": REJECTED in tables,
            "rejected": rows(con, "SELECT count(*) AS events FROM rejected")[0]["events"],
            "reasons": rows(con, REASONS, most=MOST_ROWS),
            "has_runs": RUNS in tables,
            "run_totals": rows(con, RUN_TOTALS)[0],
            "runs": rows(con, RECENT_RUNS, most=MOST_ROWS),
        }


def step_for(types: list[Row], most: int) -> str:
    """The finest step that gives each type at most `most` lines, and all types together ALL_LINES."""
    if not types:
        return "day"
    days = (max(each["last"] for each in types) - min(each["first"] for each in types)).days + 1
    most = min(most, ALL_LINES // len(types))
    return next((step for step, length in SHORTEST.items() if days / length <= most), "year")


def _freshness(state: Path, types: list[Row], last_runs: list[Row]) -> tuple[list[Row], str | None]:
    """How far each event type is delivered, by the state, by its newest event and by its last sync; and, if there are no cursors,
    why."""
    cursors, trouble = read_state(state)
    newest = {each["event_type"]: {"last": each["last"], "written": each["written"]} for each in reversed(types)}
    synced = {each["event_type"]: each for each in last_runs}
    unknown = dict.fromkeys(("last", "written", "cursor", "read_at", "lag", "outcome", "run_at", "complete_until", "behind"))
    freshness = [
        {**unknown, "event_type": name, **newest.get(name, {}), **synced.get(name, {}), **cursors.get(name, {})}
        for name in sorted({*cursors, *newest, *synced})[:MOST_TYPES]
    ]
    return freshness, trouble


def read_state(path: Path) -> tuple[dict[str, Row], str | None]:
    """The cursors in a state file, {event type: {"cursor": …, "read_at": …}} with text or None; and, if there are none, why."""
    try:
        state = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}, f"There is no {path.name} beside the warehouse, so no cursor is known."
    except (OSError, ValueError) as error:
        return {}, f"{path.name} cannot be read ({type(error).__name__}), so no cursor is known."
    saved = state.get("event_types") if isinstance(state, Mapping) else None
    if not isinstance(saved, Mapping):
        return {}, f"{path.name} holds no cursors: no sync has saved any yet."
    return {
        str(name): {"cursor": _text(each, "occurred"), "read_at": _text(each, "read_at")} for name, each in saved.items()
    }, None


def _text(saved: Any, key: str) -> str | None:
    value = saved.get(key) if isinstance(saved, Mapping) else None
    return value[:40] if isinstance(value, str) else None
