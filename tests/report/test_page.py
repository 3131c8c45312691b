"""The report's page: its figures are the warehouse's, whatever is missing or hostile there."""

# ruff: noqa: S608 (the tables are our own)
import re
import sys
import webbrowser
from collections import Counter
from pathlib import Path

import pytest

import report
from report import pictures
from report.__main__ import main
from tests.report.warehouses import HOSTILE, SCRIPT, a_run, page_of, quoted, warehouse


def test_the_figures_on_the_page_are_those_of_sql(full):
    with warehouse(full.path.with_name("warehouse.db")) as con:
        for name in ("e_a", "e_b", HOSTILE):
            days = con.execute(f"SELECT left(occurred, 10), count(*) FROM tester.{quoted(name)} GROUP BY 1").fetchall()
            assert full.column(f"Events of {name} a day", "Events") == dict(days)
            assert full.column("Event types", "Events")[name] == sum(events for _, events in days)
            assert full.column("Event types", "Days with events")[name] == len(days)
        rejected = con.execute("SELECT reason, count(*) FROM tester.rejected_event GROUP BY 1").fetchall()
    assert {row[1]: int(row[2]) for row in full.rows("Rejected events by reason")} == dict(rejected)
    gaps = [row[1:4] for row in full.rows("Gaps, the most unusual first") if row[0] == "e_a"]
    assert gaps == [["2026-01-20", "2026-01-20", "1"]]
    head, *shown = full.tables["Syncs, the newest first"]
    assert [row[1] for row in shown] == ["running, or killed", "failed", "complete", "complete"]
    names = ("Events", "Events/s", "Waiting for answers", "Waiting for quota", "Lag")
    figures = dict(zip(head, shown[3], strict=True))
    assert [figures[name] for name in names] == ["40", "5", "5 s", "1 s", "3.5 s"]


def test_cursors_come_from_the_state_and_lags_from_the_last_sync_of_the_type(full):
    head, *rows = full.tables["Freshness and cursors"]
    places = [head.index(title) for title in ("Cursor, and when it was read", "Lag")]
    cursor = "2026-02-19T23:59:59.000Zread 2026-03-01T00:00:00.000Z"
    shown = {row[0]: [row[place] for place in places] for row in rows}
    assert shown == {"e_a": [cursor, "3.5 s"], "e_b": ["–", "3.5 s"], HOSTILE: [cursor, "3.5 s"]}


def test_texts_from_the_data_are_not_markup(full):
    assert not {"script", "b", "i", "object", "iframe"} & {tag for tag, _ in full.tags}
    assert f"Failing: e_a, {HOSTILE}." in full.text and "<b>no</b>" in full.text and "<i>yes</i>" in full.text
    assert f"HubSpot answered 403 {SCRIPT}" in full.text
    assert [row[1] for row in full.rows("Errors of syncs")] == [f"HubSpot answered 403 {SCRIPT}"]
    assert HOSTILE in full.column("Event types", "Events")


def test_the_page_loads_nothing_and_runs_no_script(full):
    assert not re.search(r"https?:|//\w|@import|url\((?!#)", full.html)
    links = [attributes["href"] or "" for _, attributes in full.tags if "href" in attributes]
    assert all(link.startswith("#") for link in links)
    assert not any(key == "src" or key.startswith("on") for _, attributes in full.tags for key in attributes)
    (policy,) = [each["content"] for _, each in full.tags if each.get("http-equiv") == "Content-Security-Policy"]
    assert "default-src 'none'" in policy


def test_the_page_is_accessible_to_screen_readers(full):
    ids = Counter(attributes["id"] for _, attributes in full.tags if "id" in attributes)
    references = [each[key] for _, each in full.tags for key in ("aria-labelledby", "href") if each.get(key)]
    used = {reference.lstrip("#") for reference in references}
    assert max(ids.values()) == 1 and used <= set(ids)
    tags = Counter(tag for tag, _ in full.tags)
    assert tags["table"] == tags["caption"] == len(full.tables)
    assert tags["h1"] == tags["main"] == tags["nav"] == 1
    assert all(attributes.get("scope") in ("col", "row") for tag, attributes in full.tags if tag == "th")
    pictures = [attributes.get("aria-label") for _, attributes in full.tags if attributes.get("role") == "img"]
    assert len(pictures) == tags["svg"] == tags["figcaption"] == 6 and all(pictures)


def test_one_table_for_all_types_gives_the_same_figures(full, tmp_path):
    with warehouse(tmp_path / "warehouse.db") as con:
        con.execute(f"ATTACH '{full.path.with_name('warehouse.db')}' AS other (READ_ONLY)")
        parts = " UNION ALL ".join(f"FROM other.tester.{quoted(name)}" for name in ("e_a", "e_b", HOSTILE))
        con.execute(f"CREATE TABLE tester.event AS SELECT * EXCLUDE hs_url, '{{}}'::JSON AS properties FROM ({parts})")
    one = page_of(tmp_path / "warehouse.db")
    whole = {caption: rows for caption, rows in one.tables.items() if caption.startswith("Events of")}
    assert len(whole) == 3 and all(full.tables[caption] == rows for caption, rows in whole.items())
    assert one.rows("Gaps, the most unusual first") == full.rows("Gaps, the most unusual first")


def test_impossible_dates_are_counted_and_not_drawn(page_with):
    written, future = "2026-01-01 01:00:00Z", "9998-01-01T00:00:00Z"
    dates = ("2026-01-01T00:00:00Z", future, None, "yesterday", "4000-01-01T00:00:00Z (BC)")  # the last before Python's
    page = page_with(
        [a_run("2026-01-01 00:00:00Z", "failed", error="of before the re-sync")],
        {
            "e_a": [(str(n), date, written) for n, date in enumerate(dates)],
            "e_dated_2035_only": [("future", future, written)], "e_gone": [("deleted", "2026-01-01T00:00:00Z", written)],
        },
        rejects={"no id": 2},
        then=[
            # as where inference gave up
            "ALTER TABLE tester.e_a ALTER occurred_at SET DATA TYPE VARCHAR",
            # as a re-sync from Fivetran's dashboard leaves what it does not send again
            "UPDATE tester.e_gone SET _fivetran_deleted = true",
            *(f"ALTER TABLE tester.{table} ADD COLUMN _fivetran_deleted BOOLEAN DEFAULT true"
              for table in ("sync_run", "rejected_event")),
        ],
    )  # fmt: skip
    assert page.column("Event types", "Events") == {"e_a": 5, "e_dated_2035_only": 1}
    assert page.column("Event types", "No readable date")["e_a"] == 3
    assert page.column("Event types", "Dated after today") == {"e_a": 1, "e_dated_2035_only": 1}
    assert page.column("Events of e_a a day", "Events") == {"2026-01-01": 1}
    assert "Without rows: e_gone." in page.text
    assert "every event that HubSpot sent became a row" in page.text
    assert "The table sync_run has no rows yet" in page.text and "re-sync" not in page.text


@pytest.mark.parametrize(("state", "sentence"), [
    (None, "There is no state.json beside the warehouse"),
    ("{", "state.json cannot be read"),
    ("[7]", "state.json holds no cursors"),
    ('{"version": 1, "event_types": {"e_a": 7, "<b>": {"occurred": []}}}', "Freshness"),
])  # fmt: skip
def test_whatever_is_missing_has_a_sentence(page_with, state, sentence):
    bare = page_with(state=state)
    for said in (sentence, "no events yet", "No table holds an event", "no table sync_run", "no table rejected_event"):
        assert said in bare.text


def test_a_sync_with_few_figures_is_shown_too(page_with):
    page = page_with(then=[
        "CREATE TABLE tester.sync_run AS SELECT unnest(['a', 'b', 'c']) AS id, "
        "unnest([NULL, now(), now()]) AS started_at, unnest(['no JSON', '[1, null]', NULL]) AS event_types"
    ])  # fmt: skip
    assert [row[1] for row in page.rows("Syncs, the newest first")] == ["unknown"] * 3


@pytest.mark.parametrize(("first", "others", "is_cut"), [(4_000.0, 1.0, True), (2.0, 1.0, False), (0.0, 0.0, False)])
def test_one_long_sync_hides_no_other(first, others, is_cut):
    parts = dict.fromkeys(("rate", "lag_seconds", "seconds_waiting_for_http", "seconds_waiting_for_quota"))
    common = {**parts, "outcome": "complete", "started_at": None}
    syncs = [{**common, "seconds_in_pipeline": seconds} for seconds in (*[others] * 59, first)]
    chart = pictures.runs(syncs)["waiting"]
    heights = [float(h) for h in re.findall('class="bar" d="M[^v]+v-([^h]+)h', chart["svg"])]
    assert (chart["highest"] == first) == is_cut
    assert len(heights) == 60 * (first > 0) and min(heights, default=100) > 20


def test_many_types_over_many_years_are_still_a_small_page(page_with):
    runs = [a_run(f"2026-03-{1 + i // 24:02} {i % 24:02}:00:00Z", error="x" * 9_000) for i in range(300)]
    page = page_with(runs, then=[
        "CREATE TABLE tester.event AS SELECT type * 10000 + day AS id, 'pe' || type AS event_type, "
        "'CONTACT' AS object_type, (DATE '2012-01-01' + day::INT)::VARCHAR AS occurred, now() AS _fivetran_synced "
        "FROM range(60) AS _(type), range(4000) AS _(day) WHERE day % (1 + type % 9) = 0"
    ])  # fmt: skip
    assert len(page.html.encode()) < 2_000_000
    assert max(page.column("Event types", "Events").values()) == 4_000
    assert "The 24 most frequent of 60 types are drawn, the table below has all." in page.text


def test_a_file_that_is_not_a_warehouse_is_refused_with_a_sentence(tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("no database", "utf-8")
    assert main([str(tmp_path / "notes.txt")]) == main([str(tmp_path / "nothing.db")]) == 1
    assert capsys.readouterr().err.count("No page: ") == 2


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is always a screen")
@pytest.mark.parametrize(("is_terminal", "screen"), [(True, ":0"), (True, None), (False, ":0")])
def test_a_browser_opens_where_somebody_sees_it(page_with, tmp_path, monkeypatch, is_terminal, screen):
    opened = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: is_terminal)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.delenv("DISPLAY", raising=False)
    if screen:
        monkeypatch.setenv("DISPLAY", screen)
    page_with()
    assert opened == [(tmp_path / "report.html").as_uri()] * bool(is_terminal and screen)


def test_every_text_has_enough_contrast_in_both_themes():
    css = Path(report.__file__).with_name("page.css").read_text("utf-8")
    light, dark = (dict(re.findall(r"--(\w+): #(\w{6})", block)) for block in re.findall(r":root \{([^}]*)\}", css))
    for theme in (light, dark):
        for ground in ("paper", "sheet", "wash"):
            assert min(contrast(theme[text], theme[ground]) for text in ("ink", "soft", "link", "alert")) >= 4.5
            assert min(contrast(theme[mark], theme[ground]) for mark in ("bar", "second", "third", "good")) >= 3
        assert len({theme[name] for name in ("bar", "second", "third", "alert")}) == 4


def contrast(one, other):
    """The contrast of two colors (RRGGBB) by WCAG 2."""

    def luminance(colour):
        parts = [int(colour[place : place + 2], 16) / 255 for place in (0, 2, 4)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    bright, dim = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)
