"""The report's page: its figures are the warehouse's, whatever is missing or hostile there, and it works in a browser."""
# ruff: noqa: S608 (the tables are our own)
import json
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from html.parser import HTMLParser
from itertools import combinations
from pathlib import Path
from typing import Any

import duckdb
import pytest
from selenium import webdriver

import report
from report.__main__ import main
from report.warehouse import RUN_COLUMNS

SCRIPT = "<script>alert(1)</script>"
HOSTILE = f"pe1_\"x'{SCRIPT}$a_{{{{1}}}}"
EVENT_COLUMNS = """id VARCHAR PRIMARY KEY, event_type VARCHAR, object_id VARCHAR, object_type VARCHAR, occurred VARCHAR,
    occurred_at TIMESTAMPTZ, hs_url VARCHAR, _fivetran_deleted BOOLEAN, _fivetran_synced TIMESTAMPTZ"""
BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")


class Page(HTMLParser):
    """The tags of a page, its tables by caption ({caption: [[cell, …], …]}, the head first), and its text."""

    def __init__(self, path: Path):
        super().__init__()
        self.html = path.read_text("utf-8")
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.text = ""
        self._open: list[str] = []
        self.feed(self.html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._open.append(tag)
        if tag == "caption":
            self._caption = ""
        elif tag == "tr":
            self.tables.setdefault(self._caption, []).append([])
        elif tag in ("th", "td"):
            self.tables[self._caption][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if "style" in self._open:
            return
        self.text += data
        if "caption" in self._open:
            self._caption += data
        elif "th" in self._open or "td" in self._open:
            self.tables[self._caption][-1][-1] += data

    def rows(self, caption: str) -> list[list[str]]:
        return self.tables[caption][1:]

    def column(self, caption: str, title: str) -> dict[str, int]:
        """The figures of a column, by the first cell of their rows."""
        place = self.tables[caption][0].index(title)
        return {row[0]: int(row[place].replace(",", "")) for row in self.rows(caption)}


@contextmanager
def warehouse(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with closing(duckdb.connect(str(path))) as con:
        con.execute("SET TimeZone = 'UTC'")
        con.execute("CREATE SCHEMA IF NOT EXISTS tester")
        yield con


def add_events(con: duckdb.DuckDBPyConnection, table: str, events: list[tuple[str, str | None, str]]) -> None:
    """Adds events, given as (id, occurred, written), to a new table."""
    con.execute(f"CREATE TABLE tester.{quoted(table)} ({EVENT_COLUMNS})")
    con.executemany(
        f"INSERT INTO tester.{quoted(table)} VALUES ($1, $2, '7', 'CONTACT', $3, try_cast($3 AS TIMESTAMPTZ), '/', false, $4)",
        [(id_, table, occurred, written) for id_, occurred, written in events],
    )


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def add_runs(con: duckdb.DuckDBPyConnection, runs: list[dict[str, Any]]) -> None:
    kinds = {name: kind.replace("TIMESTAMP", "TIMESTAMPTZ") for name, kind in RUN_COLUMNS.items()} | {"event_types": "JSON"}
    con.execute(f"CREATE TABLE tester.sync_run ({', '.join(f'{name} {kind}' for name, kind in kinds.items())})")
    con.begin()
    for run in runs:
        con.execute(f"INSERT INTO tester.sync_run BY NAME SELECT {', '.join(f'${name} AS {name}' for name in run)}", run)
    con.commit()


def a_run(started_at: str, outcome: str = "complete", types: tuple[str, ...] = ("e_a",), **more: Any) -> dict[str, Any]:
    """A row of sync_run, with `more` columns; `each` goes into the entry of each event type instead."""
    each = {"outcome": outcome, "lag_seconds": 3.5, "events": 1, **more.pop("each", {})}
    return {
        "id": started_at, "started_at": started_at, "outcome": outcome, "events": 40, "requests": 3, "retries": 1,
        "seconds": 8.0, "seconds_waiting_for_quota": 1.0, "seconds_waiting_for_http": 5.0, "seconds_in_pipeline": 2.0,
        "lag_seconds": 3.5, "event_types": json.dumps(dict.fromkeys(types, each)), **more,
    }  # fmt: skip


def an_audited_run(started_at: str, complete_until: str | None, **types: dict[str, Any]) -> dict[str, Any]:
    """A row of a complete sync that audited these event types."""
    of_each = {"outcome": "complete", "complete_until": complete_until, "cursor_after": started_at, "late": {}, "vanished": 0}
    found = {name: {**of_each, "audited": 1, **each} for name, each in types.items()}
    return a_run(started_at, complete_until=complete_until, event_types=json.dumps(found))


def add_rejects(con: duckdb.DuckDBPyConnection, reasons: dict[str, int]) -> None:
    columns = "id VARCHAR, event_type VARCHAR, reason VARCHAR, raw VARCHAR, rejected_at TIMESTAMPTZ"
    con.execute(f"CREATE TABLE tester.rejected_event ({columns})")
    for reason, times in reasons.items():
        con.execute("INSERT INTO tester.rejected_event SELECT i, 'e_a', ?, '{}', now() FROM range(?) AS _(i)", [reason, times])


def page_of(path: Path) -> Page:
    assert main([str(path)]) == 0
    return Page(path.with_name("report.html"))


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Page]:
    """A warehouse with some of everything, and its page."""
    path = tmp_path_factory.mktemp("full") / "warehouse.db"
    with warehouse(path) as con:
        for place, name in enumerate(("e_a", "e_b", HOSTILE)):
            con.execute(f"CREATE TABLE tester.{quoted(name)} ({EVENT_COLUMNS})")
            con.execute(
                f"INSERT INTO tester.{quoted(name)} "
                "SELECT i, $name, '7', 'CONTACT', strftime(moment, '%Y-%m-%dT%H:%M:%S.%gZ'), moment, '/', false, "
                "'2026-03-01 00:00:30Z' "
                "FROM (SELECT i, TIMESTAMP '2026-01-01' + ((hash(i) % 4320000)::INT * INTERVAL 1 SECOND) AS moment "
                "FROM range($many) AS _(i)) WHERE moment::DATE <> '2026-01-20'",
                {"name": name, "many": 3000 // 10**place},
            )
        add_runs(con, [
            a_run("2026-03-01 00:00:00Z", types=("e_a", "e_b"), cursor_after="2026-02-19T23:59:59.000Z", version="1.0"),
            an_audited_run("2026-03-01 00:30:00Z", "2026-02-19T00:00:00Z", **{HOSTILE: {"late": {"64": 9}, "vanished": 1}}),
            a_run("2026-03-01 01:00:00Z", "failed", error=f"HubSpot answered 403 {SCRIPT}"),
            a_run("2026-03-01 02:00:00Z", "running", events=None, seconds=None, event_types=None),
        ])  # fmt: skip
        add_rejects(con, {"no id": 2, f"no occurredAt {SCRIPT}": 3})
    cursors = {name: {"occurred": "2026-02-19T23:59:59.000Z", "read_at": "2026-03-01T00:00:00.000Z"} for name in ("e_a", HOSTILE)}
    path.with_name("state.json").write_text(json.dumps({"version": 3, "event_types": cursors}), "utf-8")
    return path, page_of(path)


def test_the_figures_on_the_page_are_those_of_sql(full: tuple[Path, Page]) -> None:
    path, page = full
    with warehouse(path) as con:
        for name in ("e_a", "e_b", HOSTILE):
            days = con.execute(f"SELECT left(occurred, 10), count(*) FROM tester.{quoted(name)} GROUP BY 1").fetchall()
            assert page.column(f"Events of {name} a day", "Events") == dict(days)
            assert page.column("Event types", "Events")[name] == sum(events for _, events in days)
            assert page.column("Event types", "Days with events")[name] == len(days)
        rejected = con.execute("SELECT reason, count(*) FROM tester.rejected_event GROUP BY 1").fetchall()
        runs = con.execute("SELECT outcome, events FROM tester.sync_run ORDER BY started_at DESC").fetchall()
    assert {row[1]: int(row[2]) for row in page.rows("Rejected events by reason")} == dict(rejected)
    assert [outcome for outcome, _ in runs] == ["running", "failed", "complete", "complete"]
    assert [row[1] for row in page.rows("Syncs, the newest first")] == ["running, or killed", "failed", "complete", "complete"]
    complete = dict(zip(page.tables["Syncs, the newest first"][0], page.rows("Syncs, the newest first")[3], strict=True))
    shown = {name: complete[name] for name in ("Events", "Events/s", "Waiting for answers", "Waiting for quota", "Lag")}
    assert shown == {"Events": "40", "Events/s": "5", "Waiting for answers": "5 s", "Waiting for quota": "1 s", "Lag": "3.5 s"}
    assert complete["Cursor after"] == "2026-02-19T23:59:59.000Z"


def test_a_day_without_events_between_days_with_some_is_a_gap(full: tuple[Path, Page]) -> None:
    path, page = full
    with warehouse(path) as con:
        missing = con.execute(
            "SELECT day::DATE::VARCHAR FROM range(DATE '2026-01-01', DATE '2026-02-20', INTERVAL 1 DAY) AS _(day) "
            "WHERE day::DATE::VARCHAR NOT IN (SELECT left(occurred, 10) FROM tester.e_a)"
        ).fetchall()
    assert missing == [("2026-01-20",)]
    gaps = [row[1:4] for row in page.rows("Gaps, the most unusual first") if row[0] == "e_a"]
    assert gaps == [["2026-01-20", "2026-01-20", "1"]]


def test_cursors_come_from_the_state_and_lags_from_the_last_sync_of_the_type(full: tuple[Path, Page]) -> None:
    _, page = full
    head, *rows = page.tables["Freshness and cursors"]
    places = [head.index(title) for title in ("Cursor", "Read at", "Lag")]
    assert {row[0]: [row[place] for place in places] for row in rows} == {
        "e_a": ["2026-02-19T23:59:59.000Z", "2026-03-01T00:00:00.000Z", "3.5 s"],
        "e_b": ["–", "–", "3.5 s"],
        HOSTILE: ["2026-02-19T23:59:59.000Z", "2026-03-01T00:00:00.000Z", "–"],
    }


def test_texts_from_the_data_are_not_markup(full: tuple[Path, Page]) -> None:
    _, page = full
    assert not {"script", "b", "object", "iframe"} & {tag for tag, _ in page.tags}
    assert f"HubSpot answered 403 {SCRIPT}" in page.text
    assert [row[1] for row in page.rows("Errors of syncs")] == [f"HubSpot answered 403 {SCRIPT}"]
    assert HOSTILE in page.column("Event types", "Events")


def test_the_page_loads_nothing_and_runs_no_script(full: tuple[Path, Page]) -> None:
    _, page = full
    assert not re.search(r"https?:|//\w|@import|url\((?!#)", page.html)
    links = [attributes["href"] or "" for _, attributes in page.tags if "href" in attributes]
    assert all(link.startswith("#") for link in links)
    assert not any(key == "src" or key.startswith("on") for _, attributes in page.tags for key in attributes)
    policy = [attributes["content"] for _, attributes in page.tags if attributes.get("http-equiv") == "Content-Security-Policy"]
    assert "default-src 'none'" in str(policy[0])


def test_the_page_is_accessible_to_screen_readers(full: tuple[Path, Page]) -> None:
    _, page = full
    ids = Counter(attributes["id"] for _, attributes in page.tags if "id" in attributes)
    used = {(each[key] or "").lstrip("#") for _, each in page.tags for key in ("aria-labelledby", "href") if key in each}
    assert max(ids.values()) == 1 and used <= set(ids)
    tags = Counter(tag for tag, _ in page.tags)
    assert tags["table"] == tags["caption"] == len(page.tables) and tags["h1"] == tags["main"] == tags["nav"] == 1
    assert all(attributes.get("scope") in ("col", "row") for tag, attributes in page.tags if tag == "th")
    pictures = [attributes.get("aria-label") for _, attributes in page.tags if attributes.get("role") == "img"]
    assert len(pictures) == tags["svg"] == tags["figcaption"] == 6 and all(pictures)


def test_one_table_for_all_types_gives_the_same_figures(full: tuple[Path, Page], tmp_path: Path) -> None:
    path, page = full
    with warehouse(tmp_path / "warehouse.db") as con:
        con.execute(f"ATTACH '{path}' AS other (READ_ONLY)")
        parts = " UNION ALL ".join(f"FROM other.tester.{quoted(name)}" for name in ("e_a", "e_b", HOSTILE))
        con.execute(f"CREATE TABLE tester.event AS SELECT * EXCLUDE hs_url, '{{}}'::JSON AS properties FROM ({parts})")
    one = page_of(tmp_path / "warehouse.db")
    whole = {caption: rows for caption, rows in one.tables.items() if caption.startswith("Events of")}
    assert len(whole) == 3 and all(page.tables[caption] == rows for caption, rows in whole.items())
    assert one.rows("Gaps, the most unusual first") == page.rows("Gaps, the most unusual first")


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
def test_the_event_at_the_cursor_is_not_late_though_each_quiet_sync_writes_it_again(tmp_path: Path, outcome: str) -> None:
    cursor, later = "2026-03-01T00:00:00.123Z", ["2026-03-02 00:00:00Z", "2026-03-03 00:00:00Z", "2026-03-04 00:00:00Z"]
    each = {"cursor_before": cursor, "cursor_after": cursor}
    last = {"event_types": None} if outcome == "interrupted" else {"each": each}  # a sync that is killed names no types
    with warehouse(tmp_path / "warehouse.db") as con:
        add_runs(con, [*(a_run(at, each=each) for at in later[:2]), a_run(later[2], outcome, **last)])
        add_events(con, "e_a", [
            ("newest", cursor, later[2]), ("too", cursor, later[2]), ("late", "2026-03-01T00:00:00.122Z", later[2]),
        ])  # fmt: skip
    page = page_of(tmp_path / "warehouse.db")
    assert page.rows("Late events, by how much they missed a sync") == [["e_a", "0", "0", "1", "0", "1"]]


def a_thousand_events(con: duckdb.DuckDBPyConnection, *tables: str) -> None:
    for table in tables:
        con.execute(
            f"CREATE TABLE tester.{table} AS SELECT i AS id, '{table}' AS event_type, '2026-03-01T00:00:00Z' AS occurred, "
            "'2026-03-04 00:00:10Z'::TIMESTAMPTZ AS _fivetran_synced FROM range(1000) AS _(i)"
        )


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
            an_audited_run("2026-03-04 00:00:00Z", "2026-03-03T23:00:00Z", e_a={}, e_b={"complete_until": "2026-02-27"}),
            a_run("2026-03-05 00:00:00Z", "failed"),
        ])  # fmt: skip
    page = page_of(tmp_path / "warehouse.db")
    head, *rows = page.tables["Freshness and cursors"]
    place = head.index("Complete until")
    assert head[place - 1] == "Cursor"
    assert [row[place] for row in rows] == ["2026-03-03 23:0060 min behind", "2026-02-27 00:005 days behind"]
    assert "e_b is complete only until 2026-02-27 00:00, 5 days behind its cursor" in page.text
    assert "e_a is complete only until" not in page.text


def test_audits_that_found_next_to_nothing_are_no_notice(tmp_path: Path) -> None:
    with warehouse(tmp_path / "warehouse.db") as con:
        a_thousand_events(con, "e_a")
        add_runs(con, [an_audited_run("2026-03-04 00:00:00Z", "2026-03-03T23:00:00Z", e_a={"late": {"64": 10}})])
    page = page_of(tmp_path / "warehouse.db")
    assert "Nothing stands out." in page.text and "No look-back is long enough" in page.text


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


def test_impossible_dates_are_counted_and_not_drawn(tmp_path: Path) -> None:
    with warehouse(tmp_path / "warehouse.db") as con:
        add_events(con, "e_a", [
            ("good", "2026-01-01T00:00:00Z", "2026-01-01 01:00:00Z"), ("soon", "9998-01-01T00:00:00Z", "2026-01-01 01:00:00Z"),
            ("none", None, "2026-01-01 01:00:00Z"), ("bad", "yesterday", "2026-01-01 01:00:00Z"),
            ("older than Python", "4000-01-01T00:00:00Z (BC)", "2026-01-01 01:00:00Z"),
        ])  # fmt: skip
        con.execute("ALTER TABLE tester.e_a ALTER occurred_at SET DATA TYPE VARCHAR")  # as where inference gave up
        add_events(con, "e_dated_2035_only", [("future", "9998-01-01T00:00:00Z", "2026-01-01 01:00:00Z")])
        add_events(con, "e_gone", [("deleted", "2026-01-01T00:00:00Z", "2026-01-01 01:00:00Z")])
        con.execute("UPDATE tester.e_gone SET _fivetran_deleted = true")
    page = page_of(tmp_path / "warehouse.db")
    assert page.column("Event types", "Events") == {"e_a": 5, "e_dated_2035_only": 1}
    assert page.column("Event types", "No readable date")["e_a"] == 3
    assert page.column("Event types", "Dated after today") == {"e_a": 1, "e_dated_2035_only": 1}
    assert page.column("Events of e_a a day", "Events") == {"2026-01-01": 1}
    assert "Without rows: e_gone." in page.text


@pytest.mark.parametrize(("state", "sentence"), [
    (None, "There is no state.json beside the warehouse"),
    ("{", "state.json cannot be read"),
    ("[7]", "state.json holds no cursors"),
    ('{"version": 1, "event_types": {"e_a": 7, "<b>": {"occurred": []}}}', "Freshness"),
])  # fmt: skip
def test_whatever_is_missing_has_a_sentence(tmp_path: Path, state: str | None, sentence: str) -> None:
    path = tmp_path / "warehouse.db"
    with warehouse(path):
        pass
    if state is not None:
        path.with_name("state.json").write_text(state, "utf-8")
    bare = page_of(path)
    assert sentence in bare.text
    for sentence in ("no events yet", "No table holds an event", "no table sync_run", "no table rejected_event"):
        assert sentence in bare.text
    with warehouse(path) as con:
        add_runs(con, [])
        add_rejects(con, {})
        add_events(con, "e_a", [("deleted", "2026-01-01T00:00:00Z", "2026-01-01 01:00:00Z")])
        con.execute("DELETE FROM tester.e_a")
    empty = page_of(path)
    for sentence in ("Without rows: e_a.", "sync_run has no rows yet", "every event that HubSpot sent became a row"):
        assert sentence in empty.text


def test_a_sync_with_few_figures_is_shown_too(tmp_path: Path) -> None:
    with warehouse(tmp_path / "warehouse.db") as con:
        con.execute(
            "CREATE TABLE tester.sync_run AS SELECT unnest(['a', 'b', 'c']) AS id, unnest([NULL, now(), now()]) AS started_at, "
            "unnest(['no JSON', '[1, null]', NULL]) AS event_types"
        )
    page = page_of(tmp_path / "warehouse.db")
    assert [row[1] for row in page.rows("Syncs, the newest first")] == ["unknown"] * 3


def test_many_types_over_many_years_are_still_a_small_page(tmp_path: Path) -> None:
    with warehouse(tmp_path / "warehouse.db") as con:
        con.execute(
            "CREATE TABLE tester.event AS SELECT type * 10000 + day AS id, 'pe' || type AS event_type, 'CONTACT' AS object_type, "
            "(DATE '2012-01-01' + day::INT)::VARCHAR AS occurred, now() AS _fivetran_synced "
            "FROM range(60) AS _(type), range(4000) AS _(day) WHERE day % (1 + type % 9) = 0"
        )
        add_runs(con, [a_run(f"2026-03-{1 + i // 24:02} {i % 24:02}:00:00Z", error="x" * 9_000) for i in range(300)])
        most = con.execute("SELECT max(events) FROM (SELECT count(*) AS events FROM tester.event GROUP BY event_type)").fetchone()
    page = page_of(tmp_path / "warehouse.db")
    assert len(page.html.encode()) < 2_000_000
    assert max(page.column("Event types", "Events").values()) == (most or [0])[0]
    assert "The 24 most frequent of 60 types are drawn, the table below has all." in page.text


def test_a_file_that_is_not_a_warehouse_is_refused_with_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.txt").write_text("no database", "utf-8")
    assert main([str(tmp_path / "notes.txt")]) == main([str(tmp_path / "nothing.db")]) == 1
    assert capsys.readouterr().err.count("No page: ") == 2


def test_every_text_has_enough_contrast_in_both_themes() -> None:
    css = Path(report.__file__).with_name("page.css").read_text("utf-8")
    light, dark = (dict(re.findall(r"--(\w+): #(\w{6})", block)) for block in re.findall(r":root \{([^}]*)\}", css))
    for theme in (light, dark):
        for ground in ("paper", "sheet", "wash"):
            assert min(contrast(theme[text], theme[ground]) for text in ("ink", "soft", "link", "alert")) >= 4.5
            assert min(contrast(theme[mark], theme[ground]) for mark in ("bar", "second", "third", "good")) >= 3
        assert len(list(combinations({theme[name] for name in ("bar", "second", "third", "alert")}, 2))) == 6


def contrast(one: str, other: str) -> float:
    """The contrast of two colors (RRGGBB) by WCAG 2."""

    def luminance(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (0, 2, 4)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    bright, dim = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if not BROWSER or not DRIVER:
        pytest.skip("no chromium with chromedriver on the PATH (Debian: apt-get install chromium chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for flag in (
        "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
    ):  # fmt: skip
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


def show(browser: Any, path: Path, width: int, theme: str) -> None:
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": theme}]})
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get(path.with_name("report.html").as_uri())


def test_a_browser_shows_it_on_a_phone_and_on_a_desktop_in_light_and_dark(browser: Any, full: tuple[Path, Page]) -> None:
    path, page = full
    grounds = set()
    for width, theme in ((320, "light"), (390, "dark"), (1280, "light"), (1280, "dark")):
        show(browser, path, width, theme)
        browser.execute_script("document.querySelectorAll('details').forEach(each => each.open = true)")
        assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth"), f"{width} px scroll sideways"
        assert browser.execute_script("return [...document.querySelectorAll('svg')].every(each => each.getBBox().width > 100)")
        grounds.add(browser.execute_script("return getComputedStyle(document.body).backgroundColor"))
        seen = browser.execute_script("return document.querySelector('.tiles dd').firstChild.textContent")
        assert int(seen.replace(",", "")) == sum(page.column("Event types", "Events").values())
    assert len(grounds) == 2
    assert browser.get_log("browser") == []
    sent = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = {each["params"]["request"]["url"] for each in sent if each["method"] == "Network.requestWillBeSent"}
    assert urls == {path.with_name("report.html").as_uri()}


def test_the_keyboard_alone_reaches_everything(browser: Any, full: tuple[Path, Page]) -> None:
    path, _ = full
    show(browser, path, 1280, "light")

    def press(key: str) -> Any:
        browser.switch_to.active_element.send_keys(key)
        return browser.switch_to.active_element

    tab, enter = "\ue004", "\ue007"
    skip = press(tab)
    assert skip.text == "To the content" and skip.value_of_css_property("outline-style") == "solid"
    assert skip.rect["y"] >= 0
    contents = [press(tab).get_attribute("href").partition("#")[2] for _ in range(7)]
    assert contents == ["look", "types", "freshness", "gaps", "late", "rejected", "syncs"]
    press(enter)
    assert browser.execute_script("return Math.abs(document.querySelector('#syncs').getBoundingClientRect().top) < 200")
    browser.execute_script("document.querySelector('summary').focus()")
    press(enter)
    assert browser.execute_script("return document.querySelector('details').open")
    table = press(tab)
    assert table.get_attribute("role") == "region" and table.get_attribute("aria-label").startswith("Events of")
