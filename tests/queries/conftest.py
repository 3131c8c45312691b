"""What two syncs leave, as the demo does: page visits and forms in DuckDB, beside contacts of Fivetran's HubSpot
connector.
"""

import shutil
from types import SimpleNamespace

import duckdb
import pytest

from simulator import Behaviour, Simulator, generated, submissions
from tests.queries.warehouse import CONTACTS, FORMS, REFUSED, read, text_of
from tests.sdk import make_home, run
from tests.support import TYPE, configuration


@pytest.fixture(scope="session")
def synced(tmp_path_factory):
    """A warehouse after two syncs, of which the second was refused one of the event types and never had another, and
    the events that the simulator sent.
    """
    folder = tmp_path_factory.mktemp("queries")
    visits = generated(1_300, end="2026-01-21T00:00:00Z")
    histories = {TYPE: visits, FORMS: submissions(visits, 12), REFUSED: generated(5, event_type=REFUSED)}
    with pytest.MonkeyPatch.context() as patch, Simulator(histories, Behaviour(forbidden=[REFUSED])) as sim:
        patch.setenv("HOME", str(make_home(folder / "home")))
        patch.setenv("DO_NOT_TRACK", "1")
        run(folder, configuration(sim, event_types=f"{TYPE}, {FORMS}"))
        sim.behaviour.forbidden = [REFUSED, FORMS]
        run(folder, configuration(sim, event_types=f"{TYPE}, {FORMS}, {REFUSED}"))
    events = {name: [history.event(i) for i in range(len(history))] for name, history in histories.items()}
    return SimpleNamespace(file=folder / "files" / "warehouse.db", visits=events[TYPE], forms=events[FORMS])


@pytest.fixture
def warehouse(synced, tmp_path):
    """A copy of that warehouse, with the contacts."""
    with duckdb.connect(shutil.copy(synced.file, tmp_path)) as database:
        database.execute("CREATE SCHEMA hubspot; CREATE TABLE hubspot.contact (id BIGINT, "
                         "property_email VARCHAR, "
                         "property_hs_merged_object_ids VARCHAR, _fivetran_deleted BOOLEAN)")  # fmt: skip
        database.executemany("INSERT INTO hubspot.contact VALUES (?, ?, ?, ?)", CONTACTS)
        yield database


@pytest.fixture
def answer(warehouse):
    """What one of the queries answers, as dicts; times are in ms UTC."""

    def ask(name):
        return read(warehouse.sql(text_of(name)))

    return ask
