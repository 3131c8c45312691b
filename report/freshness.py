"""How far each event type is delivered, and what needs a person: the types that are failing, behind
or stale, and the syncs.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from report.warehouse import Row

FAR_BEHIND = timedelta(days=2)  # a person is told
# times the longest pause so far, and days: without an event for longer, a type is stale
LONG_PAUSE = 2
RHYTHM = 5  # days with events, or syncs: from fewer, nothing is told of what is usual
MOST_SAID = 700  # characters of an error, without its cure

# `behind`: how far complete_until is before the cursor. A history owes its second look at first.
LAST_RUN_OF_TYPE = """
SELECT *, CASE WHEN run_at - first_complete_at > INTERVAL 2 DAY THEN reached - complete_until END AS behind,
    max(run_at) OVER () - run_at AS passed_over FROM (
    SELECT event_type, arg_max(outcome, started_at) AS outcome, arg_max(lag_seconds, started_at) AS lag,
        max(started_at) AS run_at, min(started_at) FILTER (outcome = 'complete') AS first_complete_at,
        any_value(complete_at) AS complete_at, count(*) FILTER (failed) AS failures,
        min(started_at) FILTER (failed) AS failing_since, arg_max(error, started_at) FILTER (failed) AS error,
        arg_max_null(complete_until, started_at) FILTER (outcome = 'complete') AS complete_until,
        arg_max_null(cursor_after, started_at) FILTER (outcome = 'complete') AS reached
    FROM (
        SELECT *, outcome IN ('failed', 'refused') AND (complete_at IS NULL OR started_at > complete_at) AS failed
        FROM (SELECT *, max(started_at) FILTER (outcome = 'complete') OVER (PARTITION BY event_type) AS complete_at FROM type_run)
    ) GROUP BY event_type
) ORDER BY event_type LIMIT $most
"""
UNKNOWN = dict.fromkeys((
    "last", "written", "days", "longest_gap", "cursor", "read_at", "finished_at", "lag", "outcome", "run_at", "complete_at",
    "failures", "failing_since", "error", "complete_until", "behind", "passed_over",
))  # fmt: skip


def freshness(
    cursors: Mapping[str, Row], types: list[Row], last_runs: list[Row], written: datetime | None
) -> list[Row]:
    """How far each event type is delivered, by the state, by its newest event and by its syncs, and
    its health. `written` is when the newest row of any type was written.
    """
    of_events = ("last", "written", "days", "longest_gap")
    newest = {each["event_type"]: {key: each[key] for key in of_events} for each in reversed(types)}
    synced = {each["event_type"]: each for each in last_runs}
    found = [
        {**UNKNOWN, "event_type": name, **newest.get(name, {}), **synced.get(name, {}), **cursors.get(name, {})}
        for name in sorted({*cursors, *newest, *synced})
    ]
    return [
        {**each, "silence": (silence := _silence(each, written)), "health": _health(each, silence)} for each in found
    ]


def _health(row: Row, silence: int | None) -> str | None:
    """failing: its latest syncs failed. behind: far from HubSpot's present. stale: read, but
    without an event for unusually long. None if it never had data and no sync asks for it any
    more.
    """
    is_left_out = _exceeds(row["passed_over"])
    if is_left_out and row["last"] is None and row["complete_at"] is None:
        return None
    if row["failures"] and not is_left_out:
        return "failing"
    lags = (row["lag"] or 0) > FAR_BEHIND.total_seconds() or _exceeds(row["behind"])
    if is_left_out or lags or is_in_first_sync(row):
        return "behind"
    usual = max(LONG_PAUSE, LONG_PAUSE * (row["longest_gap"] or 0))
    return "stale" if silence is not None and silence > usual and (row["days"] or 0) >= RHYTHM else "up to date"


def _exceeds(time: timedelta | None) -> bool:
    return time is not None and time > FAR_BEHIND


def is_in_first_sync(row: Row) -> bool:
    """Whether there is a cursor and no sync has ever reached HubSpot's present."""
    return bool(row["cursor"]) and row["finished_at"] is None and row["complete_at"] is None


def _silence(row: Row, written: datetime | None) -> int | None:
    """The whole days without an event from the newest one to the last complete sync."""
    until = row["complete_at"] or written
    return max(0, (until.date() - row["last"].date()).days - 1) if row["last"] and until else None


def failing(rows: Iterable[Row]) -> list[Row]:
    """The failing event types, together where one cure helps: what HubSpot said, the cure, since
    when; those that could be read before come first.
    """
    causes = _grouped(
        (row for row in rows if row["health"] == "failing"), lambda row: (_cause(row), row["complete_at"] is None)
    )
    groups = [
        {
            "types": [each["event_type"] for each in same], **said_and_cure(same[0]["error"]),
            "error": same[0]["error"], "failures": max(each["failures"] for each in same),
            "since": min(each["failing_since"] for each in same),
            "complete_at": max((each["complete_at"] for each in same if each["complete_at"]), default=None),
        }
        for same in causes.values()
    ]  # fmt: skip
    return sorted(groups, key=lambda group: (group["complete_at"] is None, -len(group["types"])))


def behind(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """The event types that are behind, by the reason, which has one cure."""
    return _grouped((row for row in rows if row["health"] == "behind"), _why_behind)


def _grouped(rows: Iterable[Row], key: Callable[[Row], Any]) -> dict[Any, list[Row]]:
    groups: dict[Any, list[Row]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return groups


def _why_behind(row: Row) -> str:
    if _exceeds(row["passed_over"]):
        return "passed over"
    if _exceeds(row["behind"]):
        return "not counted again"
    return "in its first sync" if row["complete_at"] is None else "slow"


def _cause(row: Row) -> str:
    """An error without what differs from one such error to the next."""
    return re.sub(r"correlationId [^)]*|\d+", "", (row["error"] or "").replace(row["event_type"], ""))


def said_and_cure(error: str | None) -> dict[str, str | None]:
    """An error in two parts; None for a part that is missing.

    >>> said_and_cure("HubSpot answered 403: no. Cure: grant the scope.")
    {'said': 'HubSpot answered 403: no.', 'cure': 'grant the scope.'}
    >>> said_and_cure("It broke")
    {'said': 'It broke', 'cure': None}
    """
    said, found, cure = (error or "").rpartition("Cure: ")
    said = (said if found else cure).strip()
    shown = said if len(said) <= MOST_SAID else said[:MOST_SAID] + "…"
    return {"said": shown or None, "cure": cure.strip()[:MOST_SAID] if found else None}


def overdue(starts: list[datetime], now: datetime) -> Row | None:
    """If no sync has begun for unusually long: how many seconds, and how many there usually were
    between two. `starts` are those of the latest syncs, the newest first.

    >>> overdue([datetime(2026, 5, day) for day in (7, 6, 5, 4, 3)], datetime(2026, 5, 12))
    {'seconds': 432000.0, 'usual': 86400.0}
    """
    between = [(later - earlier).total_seconds() for later, earlier in zip(starts, starts[1:], strict=False)]
    if len(starts) < RHYTHM:
        return None
    seconds, usual = (now - starts[0]).total_seconds(), median(between)
    return {"seconds": seconds, "usual": usual} if seconds > max(FAR_BEHIND.total_seconds(), 3 * usual) else None


def read_state(path: Path) -> tuple[dict[str, Row], str | None]:
    """The cursors in a state file, {event type: {"cursor": …, …}} with text or None; and, if there
    are none, why.
    """
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
        str(name): {"cursor": _text(each, "occurred"), **{key: _text(each, key) for key in ("read_at", "finished_at")}}
        for name, each in saved.items()
    }, None


def _text(saved: Any, key: str) -> str | None:
    value = saved.get(key) if isinstance(saved, Mapping) else None
    return value[:40] if isinstance(value, str) else None
