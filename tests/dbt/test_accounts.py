"""Accounts differ: tables and columns that are not there, conversions of one's own, bots, no audits. And every column
is described, in the dictionary's words where it knows it.
"""

import json

import pytest
import yaml

from pipeline.timestamps import DAY, MINUTE
from tests.dbt.lives import BEGIN, Life, compare, literal
from tests.dbt.truth import FORMS, VISITS
from tests.dbt.warehouses import DuckDB, needs_dbt
from tests.sdk import ROOT

MODELS = ROOT / "dbt" / "models"
pytestmark = [needs_dbt, pytest.mark.long]


@pytest.fixture
def warehouse(tmp_path):
    return DuckDB(tmp_path, tmp_path / "warehouse.db")


def test_a_warehouse_without_the_tables_has_empty_marts(warehouse):
    warehouse.execute("CREATE SCHEMA tester")
    for command in ("run", "build"):
        warehouse.dbt(command)
        assert not any(warehouse.mart(mart) for mart in ("page_visits", "sessions", "touches", "daily_website"))


def test_tables_that_come_later_are_read_and_without_audits_nothing_is_final(warehouse):
    life = Life(warehouse, seed=3)
    life.now = BEGIN + 3 * DAY
    warehouse.execute("ALTER TABLE tester.e_form_submission_v_2 RENAME TO hidden")
    warehouse.execute("DROP TABLE hubspot.contact")
    life.write(*(event for event in life.some(BEGIN, life.now, 60) if event.type == VISITS))
    life.sync_run(**{VISITS: None})
    warehouse.dbt("run")
    compare(warehouse, life.account)
    assert not any(row["is_final"] for row in warehouse.mart("page_visits"))
    warehouse.execute("ALTER TABLE tester.hidden RENAME TO e_form_submission_v_2")
    life.now += DAY
    life.write(*life.some(BEGIN, life.now, 60))
    life.sync_run(**{VISITS: None, FORMS: None})
    warehouse.dbt("run")
    compare(warehouse, life.account)


def test_variables_name_the_tables_the_pause_and_the_bots(warehouse):
    """There are four visits, each with a bot score and a query, and two forms, which are also events of another type."""
    life = Life(warehouse, seed=4)
    visits = [life.event(BEGIN + minutes * MINUTE, person="1") for minutes in (0, 20, 31, 50)]
    life.write(*visits, *(life.event(BEGIN + minutes * MINUTE, FORMS, "1") for minutes in (25, 60)))
    for column in ("hs_cf_bot_score", "hs_query_params"):
        warehouse.execute(f"ALTER TABLE tester.e_visited_page ADD COLUMN {column} VARCHAR")
    of_each = [("0", ""), ("29", "a=1&utm_source=big+news&b=2"), ("30", "utm_sourcery=x"), (None, None)]
    for visit, (score, query) in zip(visits, of_each, strict=True):
        told = f"hs_cf_bot_score = {literal(score)}, hs_query_params = {literal(query)}"
        warehouse.execute(f"UPDATE tester.e_visited_page SET {told} WHERE id = '{visit.id}'")  # noqa: S608
    won = "SELECT * REPLACE ('w-' || id AS id, 'pe1_won' AS event_type) FROM tester.e_form_submission_v_2"
    warehouse.execute(f"CREATE TABLE tester.pe_1_won AS {won}")
    visited = [visit.id for visit in visits]
    tables = ["e_form_submission_v_2", "pe_1_won"]
    warehouse.variables = {"hubspot_events_conversions": tables, "hubspot_events_session_minutes": 10}
    warehouse.dbt("run")
    assert [row["page_visits"] for row in warehouse.mart("sessions")] == [1, 1, 1, 1]
    sources = {row["visit_id"]: row["utm_source"] for row in warehouse.mart("page_visits")}
    assert sources == dict.fromkeys(visited) | {visited[1]: "big news"}
    types = sorted(row["event_type"] for row in warehouse.mart("conversions"))
    assert types == [FORMS] * 2 + ["pe1_won"] * 2
    warehouse.variables |= {"hubspot_events_bot_score": 30, "hubspot_events_session_minutes": 30}
    warehouse.dbt("run", "--full-refresh")
    assert {row["visit_id"] for row in warehouse.mart("page_visits")} == {*visited} - {visited[1]}
    assert sorted(row["page_visits"] for row in warehouse.mart("sessions")) == [1, 2]


# What describes it


def described():
    """The columns that the YAML files describe, by model."""
    models = [model for path in MODELS.glob("*/*.yml") for model in yaml.safe_load(path.read_text("utf-8"))["models"]]
    assert all(model["description"] for model in models)
    return {each["name"]: [column["name"] for column in each["columns"] if column["description"]] for each in models}


def test_every_model_and_column_is_described_and_the_documentation_is_generated(warehouse):
    Life(warehouse, seed=5)
    warehouse.dbt("run")
    warehouse.dbt("docs", "generate")
    catalog = json.loads((warehouse.folder / "target" / "catalog.json").read_text())["nodes"]
    columns = {node["metadata"]["name"]: list(node["columns"]) for node in catalog.values()}
    assert columns == described()
    manifest = json.loads((warehouse.folder / "target" / "manifest.json").read_text())
    tested = {node["test_metadata"]["name"] for node in manifest["nodes"].values() if node.get("test_metadata")}
    assert tested == {"unique", "not_null", "relationships", "accepted_values"}
