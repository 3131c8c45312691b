"""What Snowflake and BigQuery would be sent, from their own adapters without a connection, is SQL of their dialect."""

import json
import subprocess

import pytest

from tests.dbt.warehouses import DBT, needs_dbt
from tests.sdk import ROOT

pytestmark = [needs_dbt, pytest.mark.long]
VARIABLES = {"hubspot_events_bot_score": 30, "hubspot_events_conversions": ["e_form_submission_v_2", "pe_1_won"]}
MARTS = ("page_visits", "sessions", "conversions", "touches", "daily_website", "merged_contacts")


@pytest.mark.parametrize("full", [False, True], ids=["incremental", "full"])
@pytest.mark.parametrize("kind", ["bigquery", "snowflake"])
def test_every_statement_is_of_the_dialect(kind, full):
    command = [DBT.with_name("python"), "-m", "queries.offline", kind, "run", "--vars", json.dumps(VARIABLES)]
    done = subprocess.run(
        [*map(str, command), *["--full-refresh"] * full], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-3000:]
    sent = " ".join(json.loads(done.stdout)).lower()
    assert ("delete from" in sent) is not full
    assert all(mart in sent for mart in MARTS)
    assert "jsonb_each" not in sent and "string_to_array" not in sent
