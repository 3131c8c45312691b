"""Warehouses as `fivetran debug` writes them, made by hand, and their pages, as a reader sees them."""

# ruff: noqa: S608 (the tables are our own)
import json
import re
from contextlib import closing, contextmanager
from html.parser import HTMLParser

import duckdb

from report.__main__ import main
from report.warehouse import RUN_COLUMNS

SCRIPT = "<script>alert(1)</script>"
HOSTILE = f"pe1_\"x'{SCRIPT}$a_{{{{1}}}}"
EVENT_COLUMNS = """id VARCHAR PRIMARY KEY, event_type VARCHAR, object_id VARCHAR, object_type VARCHAR, occurred VARCHAR,
    occurred_at TIMESTAMPTZ, hs_url VARCHAR, _fivetran_deleted BOOLEAN, _fivetran_synced TIMESTAMPTZ"""


class Page(HTMLParser):
    """The tags of a page, its tables by caption ({caption: [[cell, …], …]}, the head first), and its text."""

    def __init__(self, path):
        super().__init__()
        self.path = path
        self.html = path.read_text("utf-8")
        self.tags = []
        self.tables = {}
        self.text = ""
        self._open = []
        self.feed(self.html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._open.append(tag)
        if tag == "caption":
            self._caption = ""
        elif tag == "tr":
            self.tables.setdefault(self._caption, []).append([])
        elif tag in ("th", "td"):
            self.tables[self._caption][-1].append("")

    def handle_endtag(self, tag):
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data):
        if "style" in self._open:
            return
        self.text += data
        if "caption" in self._open:
            self._caption += data
        elif "th" in self._open or "td" in self._open:
            self.tables[self._caption][-1][-1] += data

    @property
    def first(self):
        """What stands first."""
        text = " ".join(self.text.partition("All times are UTC")[0].split())
        return text.partition("To the content HubSpot events ")[2]

    def rows(self, caption):
        return self.tables[caption][1:]

    def column(self, caption, title):
        """The figures of a column, by the first cell of their rows."""
        place = self.tables[caption][0].index(title)
        return {row[0]: int(row[place].replace(",", "")) for row in self.rows(caption)}


@contextmanager
def warehouse(path):
    with closing(duckdb.connect(str(path))) as con:
        con.execute("SET TimeZone = 'UTC'")
        con.execute("CREATE SCHEMA IF NOT EXISTS tester")
        yield con


def add_events(con, table, events):
    """Adds events, given as (id, occurred, written), to a new table."""
    con.execute(f"CREATE TABLE tester.{quoted(table)} ({EVENT_COLUMNS})")
    con.executemany(
        f"INSERT INTO tester.{quoted(table)} VALUES ($1, $2, '7', 'CONTACT', $3, try_cast($3 AS TIMESTAMPTZ), '/', false, $4)",
        [(id_, table, occurred, written) for id_, occurred, written in events],
    )


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def add_runs(con, runs):
    kinds = {name: kind.replace("TIMESTAMP", "TIMESTAMPTZ") for name, kind in RUN_COLUMNS.items()}
    columns = ", ".join(f"{name} {kind}" for name, kind in {**kinds, "event_types": "JSON"}.items())
    con.execute(f"CREATE TABLE tester.sync_run ({columns})")
    con.begin()
    for run in runs:
        con.execute(
            f"INSERT INTO tester.sync_run BY NAME SELECT {', '.join(f'${name} AS {name}' for name in run)}", run
        )
    con.commit()


def a_run(started_at, outcome="complete", types=("e_a",), **more):
    """A row of sync_run, with `more` columns; `each` goes into the entry of each event type instead."""
    each = {"outcome": outcome, "lag_seconds": 3.5, "events": 1, **more.pop("each", {})}
    return {
        "id": started_at, "started_at": started_at, "outcome": outcome, "events": 40, "requests": 3, "retries": 1,
        "seconds": 8.0, "seconds_waiting_for_quota": 1.0, "seconds_waiting_for_http": 5.0, "seconds_in_pipeline": 2.0,
        "lag_seconds": 3.5, "event_types": json.dumps(dict.fromkeys(types, each)), **more,
    }  # fmt: skip


def an_audited_run(started_at, complete_until, **types):
    """A row of a complete sync that audited these event types."""
    of_each = {
        "outcome": "complete", "complete_until": complete_until, "cursor_after": started_at, "late": {}, "vanished": 0,
        "audited": 1,
    }  # fmt: skip
    found = {name: {**of_each, **each} for name, each in types.items()}
    return a_run(started_at, complete_until=complete_until, event_types=json.dumps(found))


def add_rejects(con, reasons):
    columns = "id VARCHAR, event_type VARCHAR, reason VARCHAR, raw VARCHAR, rejected_at TIMESTAMPTZ"
    con.execute(f"CREATE TABLE tester.rejected_event ({columns})")
    for reason, times in reasons.items():
        con.execute(
            "INSERT INTO tester.rejected_event SELECT i, 'e_a', ?, '{}', now() FROM range(?) AS _(i)", [reason, times]
        )


def page_of(path):
    """The page, which the exit status agrees with."""
    status, page = main([str(path)]), Page(path.with_name("report.html"))
    assert status == bool(re.search("^(The last sync failed|Failing: )", page.first))
    return page


def a_thousand_events(con, *tables):
    for table in tables:
        con.execute(
            f"CREATE TABLE tester.{table} AS SELECT i AS id, '{table}' AS event_type, "
            "'2026-03-01T00:00:00Z' AS occurred, "
            "'2026-03-04 00:00:10Z'::TIMESTAMPTZ AS _fivetran_synced FROM range(1000) AS _(i)"
        )
