"""The warehouse file, opened read-only, and the small temporary tables that all queries use: a row
per day, a row per run.

DuckDB reads the events once and keeps only the days, so memory does not grow with the events. All
times are UTC, stored without a time zone (TIMESTAMP).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

SCHEMA = "tester"  # where `fivetran debug` writes
RUNS, REJECTED = "sync_run", "rejected_event"
MEMORY = "128MB"  # for DuckDB, its cache of the file included; anything larger spills to disk

RUN_COLUMNS = {
    "id": "VARCHAR", "started_at": "TIMESTAMP", "ended_at": "TIMESTAMP", "outcome": "VARCHAR", "error": "VARCHAR",
    "version": "VARCHAR", "events": "BIGINT", "pages": "BIGINT", "requests": "BIGINT", "retries": "BIGINT",
    "rate_limited": "BIGINT", "rejected": "BIGINT", "replaced": "BIGINT", "seconds": "DOUBLE",
    "seconds_waiting_for_quota": "DOUBLE", "seconds_waiting_for_http": "DOUBLE", "seconds_in_pipeline": "DOUBLE",
    "cursor_before": "VARCHAR", "cursor_after": "VARCHAR", "lag_seconds": "DOUBLE", "complete_until": "VARCHAR",
    "audited": "BIGINT", "late": "BIGINT", "vanished": "BIGINT", "event_types": "VARCHAR",
}  # fmt: skip
REJECTED_COLUMNS = {"event_type": "VARCHAR", "reason": "VARCHAR", "rejected_at": "TIMESTAMP"}

Row = dict[str, Any]
Columns = dict[str, str]  # the columns of a table and their types

CURSORS = ("cursor_before", "cursor_after", "complete_until")
TYPE_RUNS = """
CREATE TEMP TABLE type_run AS
SELECT started_at, key AS event_type, value ->> 'outcome' AS outcome, {times},
    coalesce(value ->> 'error', CASE WHEN outcome = 'failed' AND (value ->> 'outcome') = 'failed' THEN error END) AS error,
    try_cast(value ->> 'lag_seconds' AS DOUBLE) AS lag_seconds,
    try_cast(value ->> 'audited' AS BIGINT) AS audited, try_cast(value ->> 'vanished' AS BIGINT) AS vanished,
    value -> 'late' AS late
FROM run, json_each(CASE WHEN json_valid(event_types) THEN event_types::JSON END)
"""

# For events written in an hour, the complete sync that would have read them had they been visible:
# the last complete sync of their type that started before the one that wrote them; and the cursor
# at which the one that wrote them began. By the hour, so that the join is an equijoin.
RUN_HOURS = """
CREATE TEMP TABLE run_hour AS
WITH span AS (
    SELECT started_at, lead(started_at, 1, ?::TIMESTAMP + INTERVAL 1 HOUR) OVER (ORDER BY started_at) AS until
    FROM (SELECT DISTINCT started_at FROM run WHERE started_at IS NOT NULL)
), each_run AS (
    SELECT event_type, started_at, max(started_at) FILTER (outcome = 'complete') AS complete_at,
        min(cursor_before) AS cursor_before, max(cursor_after) AS cursor_after
    FROM type_run GROUP BY ALL
), seen AS (
    SELECT event_type, span.started_at, until, max(each_run.complete_at) OVER before AS complete_at,
        coalesce(cursor_before, last_value(cursor_after IGNORE NULLS) OVER before) AS cursor
    FROM span CROSS JOIN (SELECT DISTINCT event_type FROM type_run WHERE outcome = 'complete')
    LEFT JOIN each_run USING (event_type, started_at)
    WINDOW before AS (PARTITION BY event_type ORDER BY span.started_at ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
)
SELECT event_type, started_at, until, complete_at, cursor,
    unnest(generate_series(date_trunc('hour', started_at), until, INTERVAL 1 HOUR)) AS hour
FROM seen WHERE complete_at IS NOT NULL
"""

# The event at the cursor is no late one, however old it is: each sync reads on from there, and so
# writes it again.
DAYS = """
CREATE TEMP TABLE day_count AS
SELECT source, event_type, occurred::DATE AS day, count(*) AS events, min(occurred) AS first, max(occurred) AS last,
    max(written) AS written, count(*) FILTER (written < ?::TIMESTAMP) AS before_runs,
    count(*) FILTER (occurred < missed AND occurred >= missed - INTERVAL 1 HOUR) AS late_hour,
    count(*) FILTER (occurred < missed - INTERVAL 1 HOUR AND occurred >= missed - INTERVAL 1 DAY) AS late_day,
    count(*) FILTER (occurred < missed - INTERVAL 1 DAY AND occurred >= missed - INTERVAL 7 DAY) AS late_week,
    count(*) FILTER (occurred < missed - INTERVAL 7 DAY) AS late_more
FROM (
    SELECT event.*, CASE WHEN date_trunc('milliseconds', occurred) IS DISTINCT FROM cursor THEN complete_at END AS missed
    FROM ({events}) AS event
    LEFT JOIN run_hour ON run_hour.event_type = event.event_type AND hour = date_trunc('hour', written)
        AND started_at <= written AND written < until
)
GROUP BY ALL
"""
NO_EVENTS = """
SELECT NULL::VARCHAR AS source, NULL::VARCHAR AS event_type, NULL::TIMESTAMP AS occurred, NULL::TIMESTAMP AS written WHERE false
"""


@contextmanager
def open_warehouse(path: Path, now: datetime) -> Iterator[tuple[duckdb.DuckDBPyConnection, dict[str, Columns]]]:
    """A connection that has the temporary tables day_count, run, type_run and rejected, and the
    tables of the file itself.

    Raises duckdb.Error if the file is not a DuckDB database, or another process has it open for
    writing.
    """
    with duckdb.connect(str(path), read_only=True, config={"memory_limit": MEMORY}) as con:
        con.execute("SET TimeZone = 'UTC'")
        tables = tables_of(con)
        con.execute(f"CREATE TEMP TABLE run AS {_select(tables, RUNS, RUN_COLUMNS)}")
        con.execute(f"CREATE TEMP VIEW rejected AS {_select(tables, REJECTED, REJECTED_COLUMNS)}")
        con.execute(TYPE_RUNS.format(times=", ".join(f"{_time_in_json(name)} AS {name}" for name in CURSORS)))
        con.execute(RUN_HOURS, [now])
        first_run = con.execute("SELECT min(started_at) FROM run").fetchone()
        events = " UNION ALL ".join(_events(name, tables[name]) for name in event_tables(tables)) or NO_EVENTS
        con.execute(DAYS.format(events=events), [first_run[0] if first_run else None])
        yield con, tables


def rows(con: duckdb.DuckDBPyConnection, query: str, **values: Any) -> list[Row]:
    """The rows of a query, as dicts; `values` are its $parameters."""
    result = con.execute(query, values)
    names = [column[0] for column in result.description or ()]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def tables_of(con: duckdb.DuckDBPyConnection) -> dict[str, Columns]:
    """The tables of the file, with their columns."""
    found: dict[str, Columns] = {}
    for row in rows(
        con, "FROM duckdb_columns() WHERE schema_name = $schema AND NOT internal ORDER BY table_name", schema=SCHEMA
    ):
        found.setdefault(row["table_name"], {})[row["column_name"]] = row["data_type"]
    return found


def event_tables(tables: Mapping[str, Columns]) -> list[str]:
    """The tables of events, one per event type or one for all. They are recognized by their
    columns, not by their names.

    >>> event_tables({"event": {"id": "", "event_type": "", "occurred": ""}, "rejected_event": {"id": "", "event_type": ""}})
    ['event']
    """
    return [
        name for name, columns in tables.items()
        if columns.keys() >= {"id", "event_type", "occurred"} and name not in (RUNS, REJECTED)
    ]  # fmt: skip


def _events(table: str, columns: Columns) -> str:
    """A SELECT of a table's events: source, event_type, written, occurred."""
    written = "_fivetran_synced" if columns.get("_fivetran_synced", "").startswith("TIMESTAMP") else "NULL"
    type_of = f"coalesce(event_type::VARCHAR, {_literal(table)})"
    chosen = f"{_literal(table)} AS source, {type_of} AS event_type, {_timestamp(written)} AS written"
    return _select_events(table, columns, chosen)


def _select_events(table: str, columns: Columns, chosen: str) -> str:
    """A SELECT of a table's events: what is chosen, and occurred. A time that cannot be read is
    NULL.

    The type of `occurred_at` is inferred, so it is used only if it is a timestamp. Where it is
    missing, the text in `occurred` is parsed, in a separate SELECT, since parsing is slow.
    """
    text = "try_cast(occurred::VARCHAR AS TIMESTAMPTZ)"
    parts = [(text, "true")]
    if columns.get("occurred_at", "").startswith("TIMESTAMP"):
        parts = [("occurred_at", "occurred_at IS NOT NULL"), (text, "occurred_at IS NULL")]
    return " UNION ALL ".join(
        f"SELECT {chosen}, {_timestamp(occurred)} AS occurred "  # noqa: S608 (names and values are quoted)
        f"FROM {_identifier(SCHEMA)}.{_identifier(table)} WHERE {_kept(columns)} AND {these}"
        for occurred, these in parts
    )


def _kept(columns: Columns) -> str:
    """Whether a row is not soft-deleted, as a re-sync from Fivetran's dashboard leaves those that are
    not sent again.
    """
    return "_fivetran_deleted IS NOT TRUE" if "_fivetran_deleted" in columns else "true"


def _timestamp(column: str) -> str:
    """A time as a TIMESTAMP, by way of microseconds, since a cast would depend on the time zone.
    NULL for years that Python cannot represent.
    """
    at = f"{column}::TIMESTAMPTZ"
    return (
        f"CASE WHEN {at} BETWEEN '0001-01-02 00:00:00Z' AND '9999-12-30 00:00:00Z' THEN "
        f"make_timestamp(epoch_us({at})) END"
    )


def _time_in_json(key: str) -> str:
    return _timestamp(f"try_cast(value ->> '{key}' AS TIMESTAMPTZ)")


def _select(tables: Mapping[str, Columns], table: str, wanted: Columns) -> str:
    """A SELECT of the wanted columns, cast to the wanted types: NULL for a missing column, no rows
    for a missing table.
    """
    present = tables.get(table, {})
    columns = ", ".join(
        f"try_cast({_identifier(name) if name in present else 'NULL'} AS {kind}) AS {name}"
        for name, kind in wanted.items()
    )
    source = f"FROM {_identifier(SCHEMA)}.{_identifier(table)}" if present else ""
    kept = _kept(present) if present else "false"
    return f"SELECT {columns} {source} WHERE {kept}"  # noqa: S608 (names are quoted)


def _identifier(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
