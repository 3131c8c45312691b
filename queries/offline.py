"""dbt with an adapter that has no connection: what the warehouse would be sent is kept, what it would answer is made up.

It runs in dbt's own environment: `.venv-dbt/bin/python -m queries.offline ADAPTER DBT-ARGUMENTS…` checks that everything that
would be sent is SQL of the adapter's dialect, and prints it.
"""

import atexit
import io
import json
import shutil
import sys
import tempfile
from contextlib import redirect_stdout
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import agate
import sqlglot
from dbt.adapters.contracts.connection import AdapterResponse
from dbt.cli.main import dbtRunner

ROOT = Path(__file__).resolve().parent.parent
EVENT = ("id", "event_type", "object_id", "object_type", "occurred_at", "_fivetran_deleted", "_fivetran_synced")  # fmt: skip
COLUMNS: dict[str, tuple[str, ...]] = {
    "e_visited_page": (*EVENT, "hs_url", "hs_url_path", "hs_referrer", "hs_query_params", "hs_visit_source", "hs_cf_bot_score"),
    "e_form_submission_v_2": (*EVENT, "hs_form_id", "hs_query_params"),
    "sync_run": ("id", "started_at", "ended_at", "outcome", "event_types", "_fivetran_synced"),
    "audited_range": ("event_type", "range_start", "range_end", "audited_at", "late", "vanished", "whole", "_fivetran_synced"),
    "event_property": ("event_type", "name", "label", "description", "type", "options"),
    "rejected_event": ("id", "event_type", "reason", "raw", "rejected_at"),
    "contact": ("id", "property_hs_merged_object_ids"),
}  # fmt: skip
ANSWERS: dict[str, list[list[Any]]] = {  # by what a query asks
    "max(built_at)": [["2026-05-01 00:00:00.000+00:00"]],
    "first_day": [["2026-04-30", None], ["2026-02-01", "2026-02-02"]],
    "min(session_started_at)": [["2026-01-31", "2026-02-03"]],
    "count(*) from": [[1]],
    "changed_on": [["2026-02-05"]],
}
ADAPTERS = {"bigquery": "BigQueryAdapter", "duckdb": "DuckDBAdapter", "snowflake": "SnowflakeAdapter"}  # fmt: skip
OUTPUTS = {
    "bigquery": {"method": "oauth", "project": "warehouse"},
    "duckdb": {},
    "snowflake": {"account": "none", "user": "none", "password": "none", "warehouse": "none", "database": "warehouse"},
}  # fmt: skip


def dbt(kind: str, *arguments: str) -> tuple[Any, list[str]]:
    """Runs dbt so. Returns its result, and the statements. Raises RuntimeError if it fails."""
    sent: list[str] = []
    _disconnect(kind, sent)
    output = {"type": kind, "schema": "analytics", "threads": 1, **OUTPUTS[kind]}
    folder = _folder(kind)
    with redirect_stdout(io.StringIO()):
        profile = {"hubspot_events": {"target": kind, "outputs": {kind: output}}}
        (Path(folder) / "profiles.yml").write_text(json.dumps(profile))
        done = dbtRunner().invoke([
            *arguments, "--no-populate-cache", "--quiet", "--project-dir", str(ROOT / "dbt"), "--profiles-dir", folder,
            "--target-path", f"{folder}/target", "--log-path", f"{folder}/logs",
        ])  # fmt: skip
    if not done.success:
        raise RuntimeError(done.exception or [each.message for each in done.result])
    return done.result, sent


@cache
def _folder(kind: str) -> str:
    """A folder that lasts as long as the process, so that dbt parses the package once."""
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder)
    return folder


def _disconnect(kind: str, sent: list[str]) -> None:
    """Replaces what asks the warehouse in an adapter's class."""
    adapter = getattr(import_module(f"dbt.adapters.{kind}.impl"), ADAPTERS[kind])

    def execute(self: Any, sql: str, *_: Any, **__: Any) -> tuple[AdapterResponse, agate.Table]:
        sent.append(sql)
        rows = next((rows for asks, rows in ANSWERS.items() if asks in sql), [])
        kinds = [agate.Number() if isinstance(value, int) else agate.Text() for value in (rows or [[0]])[0]]
        return AdapterResponse("made up"), agate.Table(rows, [str(n) for n in range(len(kinds))], kinds)

    def relation(self: Any, database: str, schema: str, identifier: str) -> Any:
        is_view = identifier.startswith("stg_") or identifier == "complete_until"
        return self.Relation.create(
            database=database, schema=schema, identifier=identifier, type="view" if is_view else "table"
        )

    def columns(self: Any, relation: Any) -> list[Any]:
        return [self.Column.create(name, "text") for name in COLUMNS.get(relation.identifier.lower(), ())]

    adapter.execute, adapter.get_relation, adapter.get_columns_in_relation = (execute, relation, columns)
    adapter.list_schemas = lambda *_: []
    adapter.create_schema = adapter.drop_relation = adapter.rename_relation = lambda *_: None
    adapter.is_replaceable = lambda *_, **__: True  # BigQuery's
    adapter.ConnectionManager.open = classmethod(lambda cls, connection: connection)
    adapter.ConnectionManager.close = classmethod(lambda cls, connection: connection)


if __name__ == "__main__":
    _, statements = dbt(*sys.argv[1:])
    for statement in statements:
        for parsed in sqlglot.parse(statement, read=sys.argv[1]):
            if isinstance(parsed, sqlglot.exp.Command):  # what sqlglot does not understand
                sys.exit(f"This is not {sys.argv[1]}: {statement}")
    print(json.dumps(statements))
