"""Runs dbt with an adapter that has no connection, in dbt's own environment: what a warehouse would answer is made up,
and what it would be sent must be SQL of its dialect. `python offline.py ADAPTER COLUMNS OUT DBT-ARGUMENTS…`: COLUMNS is
a JSON file of the columns of each table, and OUT gets the statements as JSON.
"""

import json
import sys
from importlib import import_module
from pathlib import Path

import agate
import sqlglot
from dbt.adapters.contracts.connection import AdapterResponse
from dbt.cli.main import dbtRunner

ANSWERS = {  # by what a query asks
    "max(built_at)": [["2026-05-01 00:00:00.000+00:00"]],
    "first_day": [["2026-04-30", None], ["2026-02-01", "2026-02-02"]],
    "min(session_started_at)": [["2026-01-31", "2026-02-03"]],
    "count(*) from": [[1]],
    "changed_on": [["2026-02-05"]],
}


def patched(kind, columns, statements):
    """Replaces what asks the warehouse in an adapter's class."""
    module = import_module(f"dbt.adapters.{kind}.impl")
    adapter = getattr(
        module, {"snowflake": "SnowflakeAdapter", "bigquery": "BigQueryAdapter"}[kind]
    )
    manager = adapter.ConnectionManager

    def execute(self, sql, *_, **__):
        statements.append(sql)
        rows = next((rows for asks, rows in ANSWERS.items() if asks in sql), [])
        names = [str(n) for n in range(len(rows[0]))] if rows else ["none"]
        types = [
            agate.Number() if isinstance(value, int) else agate.Text()
            for value in (rows or [[0]])[0]
        ]
        return AdapterResponse("made up"), agate.Table(rows, names, types)

    def relation(self, database, schema, identifier):
        is_view = identifier.startswith("stg_") or identifier == "complete_until"
        kind = "view" if is_view else "table"
        return self.Relation.create(
            database=database, schema=schema, identifier=identifier, type=kind
        )

    def columns_of(self, relation):
        names = columns.get(relation.identifier.lower(), [])
        return [self.Column.create(name, "text") for name in names]

    adapter.execute = execute
    adapter.get_relation = relation
    adapter.get_columns_in_relation = columns_of
    adapter.list_schemas = lambda self, database: []
    adapter.create_schema = adapter.drop_relation = adapter.rename_relation = lambda *_: None
    adapter.is_replaceable = lambda *_, **__: True  # BigQuery's
    adapter.set_relations_cache = lambda *_, **__: None
    manager.open = manager.close = classmethod(lambda cls, connection: connection)


def main():
    kind, columns, out, *arguments = sys.argv[1:]
    statements = []
    patched(kind, json.loads(Path(columns).read_text()), statements)
    done = dbtRunner().invoke(arguments)
    Path(out).write_text(json.dumps(statements))
    for sql in statements:
        for parsed in sqlglot.parse(sql, read=kind):
            if isinstance(parsed, sqlglot.exp.Command):  # what sqlglot does not understand
                sys.exit(f"not {kind}: {sql}")
    if done.exception or not done.success:
        sys.exit(
            f"dbt failed: {done.exception or [each.message for each in done.result if each.message]}"
        )


main()
