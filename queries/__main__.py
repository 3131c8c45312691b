"""`.venv-dbt/bin/python -m queries`: compiles each answer from the models of the dbt package into one query in plain SQL,
for DuckDB, Snowflake and BigQuery. What is not asked for is left out.
"""

import json
import re
import sys
from pathlib import Path

from sqlglot import exp, parse_one
from sqlglot.optimizer.eliminate_ctes import eliminate_ctes
from sqlglot.optimizer.eliminate_subqueries import eliminate_subqueries
from sqlglot.optimizer.merge_subqueries import merge_subqueries
from sqlglot.optimizer.pushdown_projections import pushdown_projections
from sqlglot.optimizer.qualify import qualify

from queries.offline import ADAPTERS, COLUMNS, ROOT, dbt

ANSWERS = {  # by mart: its columns, and the order of the rows
    "sessions": (
        "session_id, person_id, session_started_at, session_ended_at, page_visits, landing_page_path, exit_page_path, "
        "visit_source",
        "person_id, session_started_at",
    ),
    "touches": (
        "conversion_id, person_id, converted_at, position, visit_id, touched_at, page_path, visit_source",
        "converted_at, conversion_id, position",
    ),
    "complete_until": ("event_type, complete_until, as_of", "event_type"),
    "merged_contacts": ("object_id, person_id", "object_id"),
}  # fmt: skip


def compiled(kind: str, mart: str) -> str:
    """The answer of a mart as one query in a dialect."""
    columns, order = ANSWERS[mart]
    inline = f"select {columns} from {{{{ ref('{mart}') }}}} order by {order}"  # noqa: S608
    told = json.dumps({"hubspot_events_one_query": True})
    result, _ = dbt(kind, "compile", "--inline", inline, "--vars", told)
    tree = parse_one(result.results[0].node.compiled_code, read=kind)
    sql = slim(tree, kind).sql(kind, pretty=True, comments=False, normalize_functions="lower")
    return re.sub(r"\b(\w+) AS \1\b", r"\1", re.sub("__dbt__cte__", "", sql, flags=re.IGNORECASE))


def slim(tree: exp.Expression, kind: str) -> exp.Expression:
    """The same query without the columns that nothing uses, and with fewer steps."""
    for table in tree.find_all(exp.Table):
        table.set("catalog", None)
        for name in table.parts:
            name.set("quoted", False)
    schema = {name: dict.fromkeys(columns, "text") for name, columns in COLUMNS.items()}
    known = {"tester": schema, "hubspot": schema}
    tree = qualify(tree, schema=known, dialect=kind, quote_identifiers=False, validate_qualify_columns=False)
    for step in (pushdown_projections, eliminate_subqueries, merge_subqueries, eliminate_ctes, pushdown_projections):
        tree = step(tree)
    for each in tree.find_all(exp.With):
        each.set(
            "recursive",
            any(cte.alias == table.name for cte in each.expressions for table in cte.this.find_all(exp.Table)),
        )
    return tree


def main(into: Path) -> None:
    """Writes the answers into folders named by dialect."""
    for kind in ADAPTERS:
        (into / kind).mkdir(exist_ok=True)
        for mart in ANSWERS:
            first, *_ = (ROOT / f"dbt/models/marts/{mart}.sql").read_text("utf-8").splitlines()
            head = f"{first}\n-- Compiled from dbt/models: python -m queries\n\n"
            (into / kind / f"{mart}.sql").write_text(head + compiled(kind, mart) + "\n", "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else ROOT / "queries")
