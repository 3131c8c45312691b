"""What docs/operating.md says is done: each query runs on a warehouse that the SDK has filled, and does what it says."""

import ast
import hashlib
import json
import re
import shutil

import duckdb
import pytest

from pipeline.config.keys import KEYS
from pipeline.hubspot import clock
from pipeline.tables.sync_run import SCHEMA
from pipeline.timestamps import DAY, MINUTE
from simulator import Behaviour, Simulator, listed
from tests.sdk import ROOT, make_home, run
from tests.support import BASE, TYPE, configuration, event

PAGE = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
QUERIES = [re.sub(r"^   ", "", block, flags=re.MULTILINE) for block in re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)]
CUSTOM = "pe123_signup"
ADA, LONGER, SHORTER = "221021723238", "2210217232380", "22102172323"
HOUR = 60 * MINUTE
LOGS = {  # of Fivetran's Platform Connector, with the columns that its documentation names
    "log": ("time_stamp", "connection_id", "message_event", "message_data"),
    "connector_sdk_log": ("event_time", "connection_id", "level", "message"),
}


def query(*words):
    """The one query of the page that has these words."""
    (found,) = (text for text in QUERIES if all(word in text for word in words))
    return found


def warehouse(project):
    return duckdb.connect(str(project / "files" / "warehouse.db"))


def rows_of(project, sql):
    with warehouse(project) as database:
        return database.sql(sql).fetchall()


def erase(project, person=ADA):
    """Runs the statements that the page gives for the event tables and for rejected events."""
    with warehouse(project) as database:
        for (statement,) in database.sql(query("DELETE FROM ' || table_schema").replace(ADA, person)).fetchall():
            database.execute(statement)
        database.execute(query("DELETE FROM tester.rejected_event").replace(ADA, person))


def tables(project):
    """Every table of events as the texts of its rows, without the time at which they were written."""
    with warehouse(project) as database:
        found = database.sql("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'tester'").fetchall()
        names = [name for (name,) in found if name not in ("event_property", "sync_run")]
        select = "SELECT CAST(row AS VARCHAR) FROM (SELECT * EXCLUDE (_fivetran_synced) FROM tester.{}) AS row"
        return {name: {text for (text,) in database.sql(select.format(name)).fetchall()} for name in names}


ADAS = f"object_id = '{ADA}' AND object_type = 'CONTACT'"


def ids(project, where="true"):
    return {key for (key,) in rows_of(project, f"SELECT id FROM tester.{TYPE} WHERE {where}")}  # noqa: S608


def of(person, n, event_type=TYPE, object_type="CONTACT", /, **properties):
    """An event n hours after BASE."""
    sent = event(BASE + n * HOUR, n, **properties)
    return sent | {"objectId": person, "objectType": object_type, "eventType": event_type}


def undated(person, n, **properties):
    return {name: value for name, value in of(person, n, **properties).items() if name != "occurredAt"}


def account():
    """Ten days of visits, every tenth of them Ada's; sign-ups; and events that cannot be rows."""
    visits = [of(ADA if n % 10 == 0 else LONGER if n % 10 == 1 else SHORTER, n, hs_url="/") for n in range(240)]
    visits += [of(ADA, 100, TYPE, "COMPANY") | {"id": "of a company"}, undated(ADA, 301), undated(int(ADA), 302)]
    visits += [undated(LONGER, 303), undated(SHORTER, 304, linked=f"7;{ADA}")]
    signups = [of(ADA, 5, CUSTOM), of(LONGER, 6, CUSTOM, email="Ada.Lovelace@math"), of(SHORTER, 7, CUSTOM)]
    return {TYPE: visits, CUSTOM: signups}


class Life:
    """A connection to that account that syncs through the SDK, at a time of its own."""

    def __init__(self, project, monkeypatch):
        self.project, self.now, self.events = project, BASE + 10 * DAY + HOUR, account()
        monkeypatch.setattr(clock, "local_now", lambda: self.now)
        self.sim = Simulator({}, Behaviour(clock=lambda: self.now, hide_future=True))

    def sync(self, later=0):
        self.now += later
        self.sim.histories = {name: listed(events) for name, events in self.events.items()}
        run(self.project, configuration(self.sim, event_types=f"{TYPE}, {CUSTOM}"))

    def forget(self):
        """HubSpot erases the person."""
        for name, events in self.events.items():
            self.events[name] = [sent for sent in events if ADA not in re.findall(r"\d+", json.dumps(sent))]


@pytest.fixture(scope="module")
def first_sync(tmp_path_factory):
    """What the first sync of that account leaves."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        home = make_home(tmp_path_factory.mktemp("home"))
        monkeypatch.setenv("HOME", str(home))
        life = Life(home, monkeypatch)
        with life.sim:
            life.sync()
    return home / "files"


@pytest.fixture
def life(project, first_sync, monkeypatch):
    shutil.copytree(first_sync, project / "files")
    life = Life(project, monkeypatch)
    with life.sim:
        yield life


def synced(project, forbidden=(), **keys):
    """A sync of that account, whenever it is."""
    with Simulator({name: listed(events) for name, events in account().items()}, Behaviour(forbidden=forbidden)) as sim:
        run(project, configuration(sim, **{"event_types": f"{TYPE}, {CUSTOM}", **keys}))


def last_run(project):
    (row,) = rows_of(project, "SELECT outcome, late, vanished FROM tester.sync_run ORDER BY started_at DESC LIMIT 1")
    return row


# Erase a person


def test_a_person_is_erased_from_every_table_and_nobody_else_is(life):
    before = tables(life.project)
    before.pop("audited_range", None)  # ranges of time, and nobody's id
    assert set(before) == {TYPE, "pe_123_signup", "rejected_event"}
    erase(life.project)
    after = tables(life.project)
    for name, rows in before.items():
        gone = {text for text in rows if ADA in re.findall(r"\d+", text) and "COMPANY" not in text}
        assert gone and after[name] == rows - gone
    assert any("COMPANY" in text for text in after[TYPE]) and len(after["rejected_event"]) == 1
    assert ADA not in (life.project / "files" / "state.json").read_text()
    assert ADA not in str(rows_of(life.project, "SELECT CAST(row AS VARCHAR) FROM tester.sync_run AS row"))


def test_in_the_single_layout_the_same_statements_erase(project):
    synced(project, table_layout="single")
    erase(project)
    left = tables(project)
    assert left["event"] and not [text for text in left["event"] if f"'{ADA}'" in text and "COMPANY" not in text]


def test_a_person_whose_id_is_hashed_is_erased_by_the_hash(project):
    synced(project, event_types=TYPE, hash_columns="objectId", hash_salt="pepper")
    hashed = hashlib.sha256(f"pepper{ADA}".encode()).hexdigest()
    assert ids(project, f"object_id = '{hashed}' AND object_type = 'CONTACT'")
    erase(project, hashed)
    assert ids(project, f"object_id = '{hashed}'") == {"of a company"}
    assert hashed not in " ".join(tables(project)["rejected_event"])


def test_nothing_that_other_columns_say_of_the_person_is_overlooked(life):
    places = []
    with warehouse(life.project) as database:
        for (statement,) in database.sql(query("ada.lovelace@")).fetchall():
            places += database.sql(statement).fetchall()
    assert places == [("pe_123_signup.email", 1)]


def test_a_deletion_at_the_destination_brings_nothing_back_though_audits_write_what_came_late(life):
    erase(life.project)
    late = of(SHORTER, 200) | {"id": "late", "occurredAt": "2026-01-09T08:30:00Z"}  # two days before the deletion
    life.events[TYPE].append(late)
    found = []
    for days in (1, 1, 2, 4):  # when looks are due
        life.sync(days * DAY)
        found.append(last_run(life.project))
        assert not ids(life.project, ADAS)
    assert sorted(found) == [("complete", 0, 0)] * 3 + [("complete", 1, 0)] and "late" in ids(life.project)


def test_a_sync_reads_the_look_back_again(life):
    life.events[TYPE].append(of(ADA, 241))
    life.sync()
    erase(life.project)
    life.sync()
    assert ids(life.project, ADAS) == {"id-241"}


def test_once_hubspot_has_erased_the_person_audits_say_so_and_bring_nothing_back(life):
    life.forget()
    kept = {sent["id"] for sent in life.events[TYPE] if "occurredAt" in sent}
    rows = ids(life.project, f"object_id = '{ADA}'")
    life.sync(3 * DAY)
    assert last_run(life.project) == ("complete", 0, 0), "one look may have lacked them"
    life.sync(DAY)
    outcome, late, vanished = last_run(life.project)
    assert (outcome, late) == ("complete", 0) and vanished > 0
    assert ids(life.project, f"object_id = '{ADA}'") == rows, "HubSpot's erasure alone erases nothing"
    erase(life.project)
    for days in (2, 4):
        life.sync(days * DAY)
    assert not ids(life.project, ADAS)
    assert kept <= ids(life.project)


def test_the_stage_that_keeps_a_person_out_yields_everyone_else():
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names = {}
    exec(code, names)  # noqa: S102 (our own documentation)
    sent = [of(ADA, 1), of(LONGER, 2), of(ADA, 3, TYPE, "COMPANY"), {"id": "without an object"}]
    assert list(names["without_erased"](sent)) == sent[1:]


# What to look at


def sentences():
    """Every text in the source of the pipeline, as one, with "…" for what is filled in."""
    for path in (ROOT / "pipeline").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                yield "".join(part.value if isinstance(part, ast.Constant) else "…" for part in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def test_the_messages_that_the_page_explains_are_those_of_the_pipeline():
    said = " ".join(sentences())
    section = PAGE.partition("## What the message means")[2].partition("\n## ")[0]
    messages = re.findall(r"(?<![*`])\*([^*`]+)\*(?![*`])", section.replace("\n  ", " "))
    assert len(messages) >= 30
    for message in messages:
        parts = [part.strip() for part in re.split(r"…|\d+", message)]
        assert not [part for part in parts if part not in said], message


def test_every_query_runs_on_a_synced_warehouse(life):
    with warehouse(life.project) as database:
        database.execute("CREATE SCHEMA fivetran_metadata")
        for name, columns in LOGS.items():
            database.execute(f"CREATE TABLE fivetran_metadata.{name} ({' TEXT, '.join(columns)} TEXT)")
        for status in ("SUCCESSFUL", "FAILURE_WITH_TASK"):
            row = ["2026-01-01", "mine", "sync_end", json.dumps({"status": status})]
            database.execute("INSERT INTO fivetran_metadata.log VALUES (?, ?, ?, ?)", row)
        for text in QUERIES:
            database.execute(text)
        ((*_, message),) = database.sql(query("sync_end")).fetchall()
        assert json.loads(message)["status"] == "FAILURE_WITH_TASK"


def test_the_event_types_that_failed_in_a_complete_sync_are_found(project):
    synced(project, forbidden=(CUSTOM,))
    assert last_run(project)[0] == "complete"
    assert [row[:2] for row in rows_of(project, query("json_each"))] == [(CUSTOM, "refused")]


def test_the_columns_and_keys_that_the_page_names_exist():
    section = PAGE.partition("## Which key to change")[2].partition("## Erase a person")[0]
    lines = re.findall(r"^- (`.*)$", section.replace("\n  ", " "), re.MULTILINE)
    assert len(lines) >= 10
    for shows, _, change in (line.partition(": ") for line in lines):
        named = re.findall(r"`([a-z_]+)`", shows)
        assert set(named) <= {*SCHEMA["columns"], *KEYS, "interrupted", "complete"}
        assert set(named) & set(SCHEMA["columns"])
        assert set(re.findall(r"`([a-z_]+)`", change)) <= {*KEYS, "rejected_event", "reason"}


def test_the_join_of_the_tables_page_counts_the_visits_before_a_sign_up(life):
    (join,) = re.findall(r"```sql\n(.*?)```", (ROOT / "docs" / "tables.md").read_text(encoding="utf-8"), re.DOTALL)
    assert dict(rows_of(life.project, join)) == {ADA: 1, LONGER: 1, SHORTER: 5}
