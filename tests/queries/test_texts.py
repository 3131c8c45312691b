"""What the queries and sources.yml say of themselves: columns, what to change elsewhere, names of
tables.
"""

import re

import pytest
import yaml

from tests.sdk import ROOT

QUERIES = sorted((ROOT / "queries").glob("*.sql"))
ONLY_IN_DUCKDB = {
    "Snowflake": ("JSON_EACH", "->>", "UNNEST", "INTERVAL '30'"),
    "BigQuery": ("JSON_EACH", "->>", "part(", "TIMESTAMPTZ", "DATEDIFF", "INTERVAL '"),
}


def changed(text, engine):
    """A query without its comments, as its end says that it is to be changed for an engine."""
    query = re.sub(r"^ *--.*\n?", "", text, flags=re.MULTILINE)
    _, found, section = text.partition(f"\n-- On {engine}")
    assert found, f"nothing about {engine}"
    changes = re.findall(
        r"^--   (\S.*?) +becomes(?: +|\n--   )(\S.*)$",
        section.partition("\n-- On ")[0],
        re.MULTILINE,
    )
    assert changes or ": nothing else." in section.splitlines()[0]
    for old, new in changes:
        assert old in query, f"there is no {old}"
        query = query.replace(old, new)
    return query


@pytest.mark.parametrize("engine", ONLY_IN_DUCKDB)
@pytest.mark.parametrize("path", QUERIES, ids=lambda path: path.stem)
def test_a_query_says_what_to_change_elsewhere(path, engine):
    query = changed(path.read_text("utf-8"), engine)
    assert not [text for text in ONLY_IN_DUCKDB[engine] if text in query]


@pytest.mark.parametrize("path", QUERIES, ids=lambda path: path.stem)
def test_a_query_says_what_it_answers(path, warehouse):
    text = path.read_text("utf-8")
    header = text[: text.index("\nWITH")]
    assert (
        all(line.startswith("--") for line in header.splitlines() if line)
        and "-- Change: `tester`" in header
    )
    assert not [
        name for name in warehouse.sql(text).columns if not re.search(rf"\b{name}\b", header)
    ]
    assert f"[{path.name}]({path.name})" in (ROOT / "queries" / "README.md").read_text("utf-8")


# sources.yml


@pytest.fixture
def source():
    (source,) = yaml.safe_load((ROOT / "queries" / "sources.yml").read_text("utf-8"))["sources"]
    return source


def columns(warehouse, table):
    """The types of a table's columns, by name."""
    found = warehouse.execute(
        "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = ?", [table]
    )
    return dict(found.fetchall())


def test_the_sources_are_the_tables_of_the_warehouse(warehouse, source):
    tables = warehouse.execute(
        "SELECT table_name FROM duckdb_tables() WHERE schema_name = ?", [source["schema"]]
    ).fetchall()
    empty = {"e_opened_email_v_2"}  # of an event type that the second sync alone asked for
    assert {table["name"] for table in source["tables"]} == {name for (name,) in tables} - empty
    for table in source["tables"]:
        assert {column["name"] for column in table["columns"]} <= columns(
            warehouse, table["name"]
        ).keys()


def test_the_freshness_of_the_sources_can_be_computed(warehouse, source):
    for table in source["tables"]:
        config = source["config"] | table.get("config", {})
        if config["freshness"] is None:
            continue
        assert columns(warehouse, table["name"])[config["loaded_at_field"]].startswith("TIMESTAMP")
        limits = {name: limit for name, limit in config["freshness"].items() if name != "filter"}
        assert limits.keys() == {"warn_after", "error_after"}
        assert all(
            limit["period"] in ("minute", "hour", "day") and limit["count"] > 0
            for limit in limits.values()
        )
        rows = warehouse.table(f"{source['schema']}.{table['name']}").filter(
            config["freshness"].get("filter", "true")
        )
        (latest,) = rows.max(config["loaded_at_field"]).project("epoch_ms(#1)").fetchone()
        assert latest > 0


def test_the_keys_of_the_sources_are_unique(warehouse, source):
    for table in source["tables"]:
        for column in table["columns"]:
            if column.get("data_tests"):
                assert column["data_tests"] == ["unique", "not_null"]
                count = f"count(*) = count(DISTINCT {column['name']})"
                assert warehouse.table(f"{source['schema']}.{table['name']}").aggregate(
                    count
                ).fetchone() == (True,)
