"""connector.py through the SDK's real core into a real DuckDB file, through its command line, and out of its package."""
import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from datetime import datetime, timezone
from pathlib import Path

import duckdb
import pytest
from fivetran_connector_sdk import Logging
from fivetran_connector_sdk_cli import core_adapter
from fivetran_connector_sdk_common import constants

import connector
from simulator import Behaviour, Simulator, generated, listed
from tests.support import configuration

ROOT = Path(connector.__file__).parent
TOKEN = configuration(Simulator({}))["api_token"]
TYPE = "e_visited_page"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A home of its own, in which the SDK's core has just looked for a newer version of itself: no request leaves."""
    settings = tmp_path / "home" / constants.ROOT_LOCATION.replace("connector_sdk", "connector_sdk_core") / "_config.json"
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps({"lastVersionCheck": int(time.time())}))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DO_NOT_TRACK", "1")
    return settings.parents[2]


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


def run(project, configuration):
    """What `fivetran debug` does in a project, without its command line. The one place that uses the SDK's internals."""
    saved = project / "files" / "state.json"
    state = json.loads(saved.read_text()) if saved.exists() else {}
    before = constants.DEBUGGING, Logging.LOG_LEVEL
    constants.DEBUGGING, Logging.LOG_LEVEL = True, Logging.Level.DEBUG
    connector.connector.project_path = str(project)
    try:
        core_adapter.run(connector.connector, str(project), configuration, state)
    finally:
        connector.connector._print_debug_crash_report()
        constants.DEBUGGING, Logging.LOG_LEVEL = before


def rows(project, columns="id", table=TYPE):
    with duckdb.connect(str(project / "files" / "warehouse.db"), read_only=True) as database:
        return database.table(f"tester.{table}").project(columns).fetchall()


def served(events=300, **behaviour):
    return Simulator({TYPE: generated(events)}, Behaviour(**behaviour))


def everything_left(folder):
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def truth(sim):
    history = sim.histories[TYPE]
    return [history.event(i) for i in range(len(history))]


# Into DuckDB


def test_the_table_equals_the_truth(project):
    with served() as sim:
        run(project, configuration(sim, page_size="70"))
        events = truth(sim)
    found = rows(project, "id, object_id, event_type, object_type, occurred, hs_url")
    assert sorted(found) == sorted(
        (event["id"], event["objectId"], event["eventType"], event["objectType"], event["occurredAt"],
         event["properties"]["hs_url"]) for event in events
    )  # fmt: skip
    at = dict(rows(project, "id, epoch_ms(occurred_at)"))
    zulu = {event["id"]: datetime.fromisoformat(event["occurredAt"].replace("Z", "+00:00")) for event in events}
    epoch = datetime(1970, 1, 1, tzinfo=timezone.utc)
    assert at == {key: round((moment - epoch).total_seconds() * 1000) for key, moment in zulu.items()}


def test_columns_have_the_types_that_keep_what_hubspot_wrote(project):
    with served(20) as sim:
        run(project, configuration(sim))
    with duckdb.connect(str(project / "files" / "warehouse.db"), read_only=True) as database:
        described = database.execute("DESCRIBE tester.e_visited_page").fetchall()
    columns = {name: (kind, key) for name, kind, _, key, *_ in described}
    for text in ("id", "event_type", "occurred", "object_id", "object_type"):
        assert columns[text][0] == "VARCHAR"
    assert columns["occurred_at"][0].startswith("TIMESTAMP")
    assert [name for name, (_, key) in columns.items() if key == "PRI"] == ["id"]


def test_a_second_run_adds_nothing_and_the_state_is_saved(project):
    with served() as sim:
        run(project, configuration(sim))
        first = json.loads((project / "files" / "state.json").read_text())
        asked = len(sim.requests)
        run(project, configuration(sim))
        assert len(sim.requests) == asked + 1
        assert len(rows(project)) == len(set(rows(project))) == 300
        newest = truth(sim)[-1]["occurredAt"]
    second = json.loads((project / "files" / "state.json").read_text())
    assert first["event_types"][TYPE]["occurred"] == second["event_types"][TYPE]["occurred"] == newest


def test_a_failed_run_goes_on_where_it_was(project):
    with served() as sim:
        keys = configuration(sim, page_size="50", checkpoint_interval="50", concurrency="1", max_outage_minutes="0.001")
        sim.behaviour.fault = lambda asked: "500" if asked.number >= 5 else None
        with pytest.raises(BaseException, match="max_outage_minutes"):
            run(project, keys)
        sim.behaviour.fault = None
        assert 0 < len(rows(project)) < 300
        run(project, keys)
    assert len(rows(project)) == 300


def test_every_event_type_has_its_table(project):
    with Simulator({TYPE: generated(20), "pe1_form_v2": generated(30, event_type="pe1_form_v2")}) as sim:
        run(project, configuration(sim, event_types=f"{TYPE},pe1_form_v2"))
    assert len(rows(project)) == 20
    assert len(rows(project, table="pe_1_form_v_2")) == 30


def with_properties(**properties):
    event = generated(1).event(0)
    return Simulator({TYPE: listed([event | {"properties": properties}])})


@pytest.mark.parametrize("digits", ["7" * 4_301, "-" + "7" * 65_536, "7" * 70_000 + ".5"], ids=len)
def test_a_text_of_more_digits_than_python_counts_is_kept_as_it_is(project, digits):
    with with_properties(hs_number=digits) as sim:
        run(project, configuration(sim))
    assert rows(project, "hs_number::VARCHAR") in ([(digits,)], [(str(float(digits)),)] if "." in digits else [])


NAMELESS = ["", "\u0301", "\u0308\u0301"]
ODD_NAMES = ["_", "!", "日本", "properties_", "rowid", "select", '"', "'", ";--", "a b", "A_b", "9", "9.9", "\x00", "x" * 300]


@pytest.mark.parametrize("names", [*([name] for name in NAMELESS), [*NAMELESS, *ODD_NAMES]], ids=len)
def test_every_property_has_a_column_whatever_it_is_called(project, names):
    with with_properties(**{name: f"of {place}" for place, name in enumerate(names)}) as sim:
        run(project, configuration(sim))
    (values,) = rows(project, "COLUMNS(*)::VARCHAR")
    assert {value for value in values if str(value).startswith("of ")} == {f"of {place}" for place in range(len(names))}


def test_a_column_without_a_name_for_the_destination_can_be_declared(project):
    with with_properties(**{"\u0301": "1.10"}) as sim:
        run(project, configuration(sim, string_columns="\u0301, hs_form_id"))
    assert len(rows(project)) == 1


# Failures: what they name, and what they must not


def failure(project, capsys, configuration):
    """The text of a run's failure, having looked for the token in whatever the run leaves."""
    with pytest.raises(BaseException) as error:  # noqa: B017 (ConnectorTask is no Exception, so that nothing swallows it)
        run(project, configuration)
    printed = capsys.readouterr()
    for left in (str(error.value), printed.out, printed.err, everything_left(project).decode("latin-1")):
        assert configuration["api_token"].strip() not in left
    return str(error.value)


@pytest.mark.parametrize("key, value", [
    ("initial_sync_start_date", "yesterday"), ("initial_sync_start_date", ""), ("page_size", "0"), ("page_size", "100000"),
    ("page_size", "many"), ("event_types", "e_nothing"), ("event_types", "a b"), ("checkpoint_interval", "-1"),
    ("api_version", "v9"), ("api_base_url", "http://hubspot.example"), ("api_token", "pat na1 secret"),
])  # fmt: skip
def test_a_mistake_in_the_configuration_is_named_by_its_key(project, capsys, key, value):
    with served(5) as sim:
        assert key in failure(project, capsys, {**configuration(sim), key: value})


@pytest.mark.parametrize("behaviour, named", [
    ({"token": "pat-na1-another"}, "api_token"), ({"fault": lambda asked: "530"}, "api_token"),
    ({"forbidden": {TYPE: ["behavioral_events.event_definitions.read"]}}, "behavioral_events.event_definitions.read"),
    ({"max_limit": 100}, "page_size"), ({"fault": lambda asked: "404"}, "api_version"),
    ({"fault": lambda asked: "redirect"}, "api_base_url"), ({"fault": lambda asked: "429:daily"}, "page_size"),
], ids=["token", "530", "scope", "limit", "404", "redirect", "daily"])  # fmt: skip
def test_a_refusal_of_hubspot_names_the_cure(project, capsys, behaviour, named):
    with served(5, **behaviour) as sim:
        assert named in failure(project, capsys, configuration(sim))


def test_a_good_run_prints_and_leaves_no_token(project, capsys):
    with served(fault=lambda asked: "500" if asked.number == 2 else None) as sim:
        run(project, configuration(sim, page_size="50"))
    printed = capsys.readouterr()
    assert TOKEN not in printed.out + printed.err
    assert TOKEN.encode() not in everything_left(project)


def test_a_bug_in_this_code_leaves_a_crash_report_without_the_token(project, capsys, monkeypatch):
    def broken(*_, **__):
        raise ZeroDivisionError

    monkeypatch.setattr(connector, "sync", broken)
    with served(5) as sim:
        assert "ZeroDivisionError" in failure(project, capsys, configuration(sim))
    assert b"ZeroDivisionError" in everything_left(project / constants.CRASH_REPORTS_DIR)


# The command line


@pytest.fixture
def staged(project):
    shutil.copytree(ROOT / "pipeline", project / "pipeline", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("connector.py", "requirements.txt"):
        shutil.copy(ROOT / name, project)
    return project


def fivetran(staged, *arguments):
    scripts = Path(sys.executable).parent
    environment = os.environ | {"PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"}
    command = [scripts / "fivetran", *arguments]
    done = subprocess.run(command, cwd=staged, capture_output=True, text=True, timeout=120, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_fivetran_debug_fills_the_table(staged):
    with served() as sim:
        (staged / "configuration.json").write_text(json.dumps(configuration(sim)))
        printed = fivetran(staged, "debug", "--configuration", "configuration.json")
    assert "SYNC SUCCEEDED" in printed and TOKEN not in printed
    assert len(rows(staged)) == 300
    assert TOKEN.encode() not in everything_left(staged / "files")


SYNC = """
import json, sys
import connector
from pipeline import Sink, read_settings, sync
print(connector.__file__, connector.schema(json.loads(sys.argv[1]))[0]["table"])
sync(read_settings(json.loads(sys.argv[1])), {}, Sink(lambda table, row: print(row["id"]), print, print, print))
"""


def test_the_package_holds_what_it_needs_and_nothing_else(staged, tmp_path):
    with served() as sim:
        (staged / "configuration.json").write_text(json.dumps(configuration(sim)))
        (staged / "files").mkdir()
        for name in ("state.json", "warehouse.db"):
            (staged / "files" / name).write_text(TOKEN)
        fivetran(staged, "package", "--force")  # without the look at requirements.txt that debug has had
        (package,) = (staged / "files").glob("*.zip")
        elsewhere = tmp_path / "elsewhere"
        with zipfile.ZipFile(package) as archive:
            archive.extractall(elsewhere)
        held = {str(path.relative_to(elsewhere)) for path in elsewhere.rglob("*") if path.is_file()}
        modules = {str(path.relative_to(ROOT)) for path in (ROOT / "pipeline").rglob("*.py")}
        needed = {"connector.py", "requirements.txt"} | modules
        assert needed <= held and held - needed <= {"configuration_form.pb"}
        assert TOKEN.encode() not in everything_left(elsewhere)
        command = [sys.executable, "-c", SYNC, json.dumps(configuration(sim))]
        environment = os.environ | {"PYTHONPATH": str(elsewhere)}
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, env=environment)
        assert done.returncode == 0, done.stderr
        assert str(elsewhere) in done.stdout and {event["id"] for event in truth(sim)} <= set(done.stdout.split())
