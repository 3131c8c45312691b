"""What the warehouse of these tests holds beside the events, and how its rows are read."""

from tests.sdk import ROOT

FORMS, REFUSED = "e_form_submission_v2", "e_opened_email_v2"
FIRST = 221_000_000_000  # the first contact that the simulator knows
# id, address, ids that were merged into it, whether it was deleted; HEIRS is written down by hand
CONTACTS = [
    *((FIRST + n, f"contact-{n}", None, False) for n in (0, 8)),
    (FIRST + 1, "merged once", "", False), (501, "its heir", f"{FIRST + 1}", False),
    (FIRST + 2, "merged twice", None, False), (502, "the next", f"{FIRST + 2}", False),
    (503, "its heir", f"{FIRST + 2};502", False),
    (FIRST + 3, "merged thrice", None, True), (504, "the next", f"{FIRST + 3}", False), (505, "the one after", "504", True),
    (506, "its heir", f"505; {FIRST + 4};506", False), (FIRST + 4, "merged", None, False),
    (FIRST + 5, "deleted", None, True),
    *((FIRST + n, f"contact-{n}", None, False) for n in (6, 7)),
]  # fmt: skip
HEIRS = {FIRST + 1: 501, FIRST + 2: 503, 502: 503, FIRST + 3: 506, FIRST + 4: 506, 504: 506, 505: 506}


def read(relation):
    """The rows of a relation as dicts; times are in ms UTC."""
    kinds = zip(relation.columns, relation.types, strict=True)
    columns = ", ".join(f"epoch_ms({name})" if "TIME" in str(kind) else name for name, kind in kinds)
    return [dict(zip(relation.columns, row, strict=True)) for row in relation.project(columns).fetchall()]


def text_of(name):
    """A query for DuckDB: one written by hand, or one compiled from the dbt package."""
    by_hand = ROOT / "queries" / f"{name}.sql"
    path = by_hand if by_hand.exists() else ROOT / "queries" / "duckdb" / f"{name}.sql"
    return path.read_text("utf-8")
