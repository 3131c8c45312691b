"""What the queries say of themselves, and that those in folders are what the dbt package compiles to."""

import re
import subprocess

import pytest

from tests.dbt.warehouses import DBT, needs_dbt
from tests.sdk import ROOT

QUERIES = ROOT / "queries"
ONLY_IN_DUCKDB = {"Snowflake": ("JSON_EACH", "->>"), "BigQuery": ("JSON_EACH", "->>", "TIMESTAMPTZ", "DATEDIFF")}


def changed(text, engine):
    """A query without its comments, as its end says that it is to be changed for an engine."""
    query = re.sub(r"^ *--.*\n?", "", text, flags=re.MULTILINE)
    _, found, section = text.partition(f"\n-- On {engine}")
    assert found, f"nothing about {engine}"
    changes = re.findall(r"^--   (\S.*?) +becomes(?: +|\n--   )(\S.*)$", section.partition("\n-- On ")[0], re.MULTILINE)
    assert changes
    for old, new in changes:
        assert old in query, f"there is no {old}"
        query = query.replace(old, new)
    return query


@pytest.mark.parametrize("engine", ONLY_IN_DUCKDB)
def test_a_query_written_by_hand_says_what_to_change_elsewhere(engine):
    query = changed((QUERIES / "freshness.sql").read_text("utf-8"), engine)
    assert not [text for text in ONLY_IN_DUCKDB[engine] if text in query]


def test_a_query_written_by_hand_says_what_it_answers(warehouse):
    text = (QUERIES / "freshness.sql").read_text("utf-8")
    header = text[: text.index("\nWITH")]
    assert all(line.startswith("--") for line in header.splitlines() if line)
    assert not [name for name in warehouse.sql(text).columns if not re.search(rf"\b{name}\b", header)]


def test_the_readme_names_every_query():
    readme = (QUERIES / "README.md").read_text("utf-8")
    assert not [path.name for path in QUERIES.rglob("*.sql") if path.name not in readme]


@needs_dbt
@pytest.mark.long
def test_the_queries_are_what_the_models_compile_to(tmp_path):
    done = subprocess.run(
        [DBT.with_name("python"), "-m", "queries", tmp_path], cwd=ROOT, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    compiled = {str(path.relative_to(tmp_path)): path.read_text() for path in tmp_path.rglob("*.sql")}
    committed = {str(path.relative_to(QUERIES)): path.read_text() for path in QUERIES.glob("*/*.sql")}
    assert compiled == committed
