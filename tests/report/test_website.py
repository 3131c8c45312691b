"""What the page tells an analyst: visitors, sessions, top pages and conversions, as counted by
hand.
"""

# ruff: noqa: S608 (the tables are our own)
import json
from pathlib import Path

import duckdb
import pytest

from tests.report.warehouses import Page, page_of, quoted, warehouse

VISITS = [  # visitor, time, address
    ("1", "2026-03-01T09:00:00Z", "https://shop.test/"), ("1", "2026-03-01T09:30:00Z", "https://shop.test/a?utm=1"),
    ("1", "2026-03-01T10:00:01Z", "http://shop.test/a/#top"), ("2", "2026-03-01T23:50:00Z", "https://shop.test/a"),
    ("2", "2026-03-02T00:10:00Z", "https://shop.test"), ("3", "2026-03-02T12:00:00Z", ""), ("3", "2026-03-02T12:01:00Z", None),
]  # fmt: skip
FORMS = [
    ("1", "2026-03-01T09:10:00Z", "f1"),
    ("1", "2026-03-02T09:10:00Z", "f1"),
    ("9", "2026-03-02T10:00:00Z", ""),
]
VISIT, FORM, METADATA = "e_visited_page", "e_form_submission_v2", "e_form_submission_metadata_v2"


def add(
    con: duckdb.DuckDBPyConnection, name: str, field: str, rows: list[tuple[str, str, str | None]]
) -> None:
    columns = f"id INT, event_type VARCHAR, object_id VARCHAR, occurred VARCHAR, {field} VARCHAR"
    con.execute(f"CREATE TABLE tester.{quoted(name)} ({columns})")
    con.executemany(
        f"INSERT INTO tester.{quoted(name)} VALUES (?, ?, ?, ?, ?)",
        [(i, name, *row) for i, row in enumerate(rows)],
    )


def add_all(con: duckdb.DuckDBPyConnection) -> None:
    add(con, VISIT, "hs_url", VISITS)
    add(con, FORM, "hs_form_id", FORMS)
    add(con, METADATA, "hs_form_title", FORMS)


def website(page: Page) -> dict[str, list[list[str]]]:
    return {
        name: page.rows(name)
        for name in ("Website by day", "Top pages", "Conversions by form")
        if name in page.tables
    }


def test_visitors_sessions_pages_and_conversions_are_those_counted_by_hand(tmp_path: Path) -> None:
    with warehouse(tmp_path / "warehouse.db") as con:
        add_all(con)
    page = page_of(tmp_path / "warehouse.db")
    assert website(page) == {
        # a pause of 30 minutes does not end a session, one of a second more does; midnight does not
        "Website by day": [["2026-03-02", "2", "1", "3", "2"], ["2026-03-01", "2", "3", "4", "1"]],
        "Top pages": [
            ["shop.test", "2", "28.6 %", "2"], ["shop.test/a", "2", "28.6 %", "2"], ["shop.test/a", "1", "14.3 %", "1"],
        ],
        "Conversions by form": [
            [FORM, "f1", "2", "1", "2026-03-02 09:10"], [FORM, "–", "1", "1", "2026-03-02 10:00"],
        ],
    }  # fmt: skip
    assert "Of 3 visitors, 1 (33.3 %) submitted a form." in page.text


def test_one_table_for_all_types_gives_the_same_website(tmp_path: Path) -> None:
    paths = [tmp_path / name / "warehouse.db" for name in ("several", "one")]
    for path in paths:
        path.parent.mkdir()
        with warehouse(path) as con:
            add_all(con)
    with warehouse(paths[1]) as con:
        parts = " UNION ALL ".join(
            (
                f"SELECT id, event_type, object_id, occurred, json_object('{field}', {field}) AS "
                f"properties FROM tester.{name}"
            )
            for name, field in (
                (VISIT, "hs_url"),
                (FORM, "hs_form_id"),
                (METADATA, "hs_form_title"),
            )
        )
        con.execute(f"CREATE TABLE tester.event AS {parts}")
        for name in (VISIT, FORM, METADATA):
            con.execute(f"DROP TABLE tester.{name}")
    several, one = map(page_of, paths)
    assert website(several) == website(one) and len(website(one)) == 3


@pytest.mark.parametrize(("dropped", "sentence", "tables"), [
    ("object_id", "The column object_id is missing", ["Top pages", "Conversions by form"]),
    ("hs_url", "The page visits have no hs_url", ["Website by day", "Conversions by form"]),
])  # fmt: skip
def test_a_missing_column_has_a_sentence(
    tmp_path: Path, dropped: str, sentence: str, tables: list[str]
) -> None:
    with warehouse(tmp_path / "warehouse.db") as con:
        add_all(con)
        con.execute(f"ALTER TABLE tester.{VISIT} DROP {dropped}")
    page = page_of(tmp_path / "warehouse.db")
    assert sentence in page.text and list(website(page)) == tables


def test_without_visits_and_forms_there_is_no_such_section(tmp_path: Path) -> None:
    with warehouse(tmp_path / "warehouse.db") as con:
        add(con, METADATA, "hs_form_title", FORMS)
    page = page_of(tmp_path / "warehouse.db")
    assert website(page) == {} and "#website" not in json.dumps(page.tags)


def test_forms_alone_are_shown_too_and_only_the_latest_days(tmp_path: Path) -> None:
    others = [("1", "2025-03-01T00:00:00Z", "old"), ("1", "2999-01-01T00:00:00Z", "x")]
    with warehouse(tmp_path / "warehouse.db") as con:
        add(con, "e_submitted_form", "hs_form_id", [*FORMS, *others])
    page = page_of(tmp_path / "warehouse.db")
    assert [row[1] for row in page.rows("Conversions by form")] == ["f1", "–"]
    assert page.rows("Website by day") == [["2026-03-02", "2"], ["2026-03-01", "1"]]


def test_addresses_are_text_and_no_links(tmp_path: Path) -> None:
    with warehouse(tmp_path / "warehouse.db") as con:
        add(
            con,
            VISIT,
            "hs_url",
            [
                ("1", "2026-03-01T09:00:00Z", "javascript:alert(1)"),
                ("1", "2026-03-01T09:00:00Z", "<b>/x"),
            ],
        )
    page = page_of(tmp_path / "warehouse.db")
    assert {row[0] for row in page.rows("Top pages")} == {"javascript:alert(1)", "<b>/x"}
    assert "b" not in {tag for tag, _ in page.tags}
    assert all(
        (attributes["href"] or "").startswith("#")
        for _, attributes in page.tags
        if "href" in attributes
    )
