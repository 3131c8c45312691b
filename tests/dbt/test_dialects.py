"""What Snowflake and BigQuery would be sent, from their own adapters without a connection, is SQL of their dialect."""

import json
import os
import subprocess

import pytest

from tests.dbt.lives import CREATE
from tests.dbt.warehouses import DBT, needs_dbt
from tests.sdk import ROOT

pytestmark = [needs_dbt, pytest.mark.long]
OUTPUTS = {
    "snowflake": {
        "type": "snowflake", "account": "none", "user": "none", "password": "none", "database": "warehouse",
        "warehouse": "none", "schema": "analytics",
    },
    "bigquery": {"type": "bigquery", "method": "oauth", "project": "warehouse", "dataset": "analytics"},
}  # fmt: skip
COLUMNS = {
    "e_visited_page": ["id", "event_type", "object_id", "object_type", "occurred_at", "hs_url", "hs_query_params",
                       "hs_cf_bot_score", "_fivetran_deleted", "_fivetran_synced"],
    "e_form_submission_v_2": ["id", "event_type", "object_id", "object_type", "occurred_at", "hs_form_id", "_fivetran_synced"],
    "sync_run": ["id", "started_at", "ended_at", "event_types", "_fivetran_synced"],
    "audited_range": ["event_type", "range_start", "range_end", "audited_at", "late", "vanished", "whole", "_fivetran_synced"],
    "event_property": ["event_type", "name", "label", "options"], "rejected_event": ["id", "event_type", "reason"],
    "contact": ["id", "property_hs_merged_object_ids"],
}  # fmt: skip


@pytest.mark.parametrize("full", [False, True], ids=["incremental", "full"])
@pytest.mark.parametrize("kind", OUTPUTS)
def test_every_statement_is_of_the_dialect(kind, full, tmp_path):
    profile = {"hubspot_events": {"target": kind, "outputs": {kind: OUTPUTS[kind] | {"threads": 1}}}}  # fmt: skip
    (tmp_path / "profiles.yml").write_text(json.dumps(profile))
    (tmp_path / "columns.json").write_text(json.dumps(COLUMNS))
    done = subprocess.run(
        [
            DBT.with_name("python"), ROOT / "tests" / "dbt" / "offline.py", kind, tmp_path / "columns.json", tmp_path / "sent.json",
            "run", "--no-populate-cache", "--project-dir", ROOT / "dbt", "--profiles-dir", tmp_path,
            "--target-path", tmp_path / "target", "--log-path", tmp_path / "logs", *["--full-refresh"] * full,
            "--vars", '{"hubspot_events_bot_score": 30, "hubspot_events_conversions": ["e_form_submission_v_2", "pe_1_won"]}',
        ],
        capture_output=True, text=True, timeout=300, env=os.environ | {"DO_NOT_TRACK": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    sent = " ".join(json.loads((tmp_path / "sent.json").read_text())).lower()
    assert ("delete from" in sent) is not full
    assert all(f"{mart}" in sent for mart in ("page_visits", "sessions", "touches", "daily_website", "merged_contacts"))  # fmt: skip
    assert "jsonb_each" not in sent and "string_to_array" not in sent and CREATE
