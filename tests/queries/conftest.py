"""What two syncs leave, as the demo does: page visits and forms in DuckDB, beside contacts of Fivetran's HubSpot connector."""
import shutil
from types import SimpleNamespace

import duckdb
import pytest

from simulator import Behaviour, Simulator, generated, submissions
from tests.sdk import ROOT, make_home, run
from tests.support import TYPE, configuration

FORMS, REFUSED = "e_form_submission_v2", "e_opened_email_v2"
FIRST = 221_000_000_000  # the first contact that the simulator knows
CONTACTS = [  # id, address, ids that were merged into it, whether it was deleted; there is none for FIRST + 9
    *((FIRST + n, f"contact-{n}", None, False) for n in (0, 8)),
    (FIRST + 1, "merged once", "", False), (501, "its heir", f"{FIRST + 1}", False),
    (FIRST + 2, "merged twice", None, False), (502, "the next", f"{FIRST + 2}", False), (503, "its heir", f"{FIRST + 2};502", False),
    (FIRST + 3, "merged thrice", None, True), (504, "the next", f"{FIRST + 3}", False), (505, "the one after", "504", True),
    (506, "its heir", f"505; {FIRST + 4};506", False), (FIRST + 4, "merged", None, False),
    (FIRST + 5, "deleted", None, True),
    *((FIRST + n, f"contact-{n}", None, False) for n in (6, 7)),
]  # fmt: skip
HEIRS = {FIRST + 1: 501, FIRST + 2: 503, FIRST + 3: 506, FIRST + 4: 506, FIRST + 9: None}  # written down by hand


@pytest.fixture(scope="session")
def synced(tmp_path_factory):
    """A warehouse after two syncs, of which the second was refused one of the event types and never had another, and the events
    that the simulator sent."""
    folder = tmp_path_factory.mktemp("queries")
    visits = generated(4_000, end="2026-01-21T00:00:00Z")
    histories = {TYPE: visits, FORMS: submissions(visits, 33), REFUSED: generated(5, event_type=REFUSED)}
    with pytest.MonkeyPatch.context() as patch, Simulator(histories, Behaviour(forbidden=[REFUSED])) as sim:
        patch.setenv("HOME", str(make_home(folder / "home")))
        patch.setenv("DO_NOT_TRACK", "1")
        run(folder, configuration(sim, event_types=f"{TYPE}, {FORMS}"))
        sim.behaviour.forbidden = [REFUSED, FORMS]
        run(folder, configuration(sim, event_types=f"{TYPE}, {FORMS}, {REFUSED}"))
    events = {name: [history.event(i) for i in range(len(history))] for name, history in histories.items()}
    return SimpleNamespace(file=folder / "files" / "warehouse.db", **{"visits": events[TYPE], "forms": events[FORMS]})


@pytest.fixture
def warehouse(synced, tmp_path):
    """A copy of that warehouse, with the contacts."""
    with duckdb.connect(shutil.copy(synced.file, tmp_path)) as database:
        database.execute("CREATE SCHEMA hubspot; CREATE TABLE hubspot.contact (id BIGINT, property_email VARCHAR, "
                         "property_hs_merged_object_ids VARCHAR, _fivetran_deleted BOOLEAN)")  # fmt: skip
        database.executemany("INSERT INTO hubspot.contact VALUES (?, ?, ?, ?)", CONTACTS)
        yield database


@pytest.fixture
def answer(warehouse):
    """What one of the queries answers, as dicts; times are in ms UTC."""

    def ask(name):
        return read(warehouse.sql((ROOT / "queries" / f"{name}.sql").read_text("utf-8")))

    return ask


def read(relation):
    """The rows of a relation as dicts; times are in ms UTC."""
    columns = [f"epoch_ms({name})" if "TIME" in str(kind) else name for name, kind in zip(relation.columns, relation.types, strict=True)]
    return [dict(zip(relation.columns, row, strict=True)) for row in relation.project(", ".join(columns)).fetchall()]
