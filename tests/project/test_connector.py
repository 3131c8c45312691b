"""connector.py through the SDK's real core into a real DuckDB file, through its command line, and from its package."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile

import pytest
from fivetran_connector_sdk_common import constants

from pipeline.config.keys import KEYS
from simulator import Simulator, generated, listed
from simulator.instants import milliseconds
from tests.sdk import ROOT, everything_left, fivetran, kinds, rows, run, served, truth
from tests.support import TYPE, configuration

TOKEN = configuration(Simulator({}))["api_token"]


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
    assert at == {event["id"]: milliseconds(event["occurredAt"]) for event in events}
    columns = kinds(project)
    assert {columns[name] for name in ("id", "event_type", "occurred", "object_id", "object_type")} == {"VARCHAR"}
    assert columns["occurred_at"].startswith("TIMESTAMP")
    assert rows(project, "id, event_type, reason, raw, rejected_at", "rejected_event") == []
    assert rows(project, "outcome, error, late_by_age", "sync_run") == [("complete", None, "{}")]


def test_a_failed_run_resumes_where_it_was_and_one_more_adds_nothing(project):
    with served() as sim:
        small = {"page_size": "50", "checkpoint_interval": "50", "concurrency": "1"}
        keys = configuration(sim, max_outage_minutes="0.001", **small)
        sim.behaviour.fault = lambda asked: "500" if asked.number >= 5 else None
        with pytest.raises(BaseException, match="max_outage_minutes"):
            run(project, keys)
        sim.behaviour.fault = None
        assert 0 < len(rows(project)) < 300
        run(project, keys)
        newest, asked = truth(sim)[-1]["occurredAt"], len(sim.requests)
        run(project, keys)
        assert len(sim.requests) == asked + 1
    assert len(rows(project)) == len(set(rows(project))) == 300
    state = json.loads((project / "files" / "state.json").read_text())
    assert state["event_types"][TYPE]["occurred"] == newest


def with_properties(**properties):
    event = generated(1).event(0)
    return Simulator({TYPE: listed([event | {"properties": properties}])})


DIGITS = ["7" * 4_301, "-" + "7" * 65_536, "7" * 70_000 + ".5"]


def test_a_text_of_more_digits_than_python_converts_is_kept_as_sent(project):
    names = [f"hs_{place}" for place in range(len(DIGITS))]
    with with_properties(**dict(zip(names, DIGITS, strict=True))) as sim:
        run(project, configuration(sim))
    (held,) = rows(project, ", ".join(f"{name}::VARCHAR" for name in names))
    assert held[:2] == tuple(DIGITS[:2]) and held[2] in (DIGITS[2], str(float(DIGITS[2])))


NAMELESS = ["", "\u0301", "\u0308\u0301"]
ODD_NAMES = [
    "_", "!", "日本", "properties_", "rowid", "select", '"', "'", ";--", "a b", "A_b", "9", "9.9", "\x00", "x" * 300,
]  # fmt: skip


@pytest.mark.parametrize("names", [[""], [*NAMELESS, *ODD_NAMES]], ids=len)
def test_every_property_has_a_column_whatever_its_name_and_can_be_declared(project, names):
    with with_properties(**{name: f"of {place}" for place, name in enumerate(names)}) as sim:
        run(project, configuration(sim, string_columns="\u0301, hs_form_id"))
    (values,) = rows(project, "COLUMNS(*)::VARCHAR")
    kept = {value for value in values if str(value).startswith("of ")}
    assert kept == {f"of {place}" for place in range(len(names))}


# The command line


def test_fivetran_debug_fills_the_table(staged):
    with served() as sim:
        (staged / "configuration.json").write_text(json.dumps(configuration(sim)))
        printed = fivetran(staged, "debug", "--configuration", "configuration.json")
    assert "SYNC SUCCEEDED" in printed and TOKEN not in printed
    assert len(rows(staged)) == 300
    assert TOKEN.encode() not in everything_left(staged / "files")


def test_python_connector_py_does_the_same_with_a_token_that_fivetran_has_encrypted(staged, tmp_path):
    command = [sys.executable, staged / "connector.py"]
    environment = os.environ | {"PATH": "/usr/bin:/bin"}  # as an editor starts it
    with served() as sim:
        keys, file = configuration(sim), staged / "configuration.json"
        answers = "".join(keys.get(name, "") + "\n" for name, key in KEYS.items() if key.label)
        fivetran(staged, "configuration", answers=answers)
        assert TOKEN not in file.read_text()
        file.write_text(json.dumps(json.loads(file.read_text()) | {"api_base_url": sim.url}))
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, env=environment)
    assert "SYNC SUCCEEDED" in done.stdout, done.stdout + done.stderr
    assert len(rows(staged)) == 300


SYNC = """
import json, sys
import connector
from pipeline import Sink, read_settings, sync
print(connector.__file__, connector.schema(json.loads(sys.argv[1]))[0]["table"])
sync(read_settings(json.loads(sys.argv[1])), {}, Sink(lambda table, row: print(row.get("id")), print, print, print))
"""


def assert_complete(folder, tmp_path):
    """A folder has connector.py, its requirements and every module of every sub-package, nothing else but the setup
    form, and no token; a sync with its code alone delivers every event.
    """
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "pipeline").rglob("*.py")}
    rooms = {path.name for path in (ROOT / "pipeline").iterdir() if (path / "__init__.py").exists()}
    needed = {"connector.py", "requirements.txt"} | modules
    assert rooms and {f"pipeline/{name}/__init__.py" for name in rooms} <= needed
    held = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert needed <= held and held - needed <= {"configuration_form.pb"}
    assert TOKEN.encode() not in everything_left(folder)
    with served() as sim:
        command = [sys.executable, "-c", SYNC, json.dumps(configuration(sim))]
        environment = os.environ | {"PYTHONPATH": str(folder)}
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, env=environment)
        assert done.returncode == 0, done.stderr
        ids = {event["id"] for event in truth(sim)}
        assert str(folder) in done.stdout and ids <= set(done.stdout.split())


@pytest.fixture
def with_secrets(staged):
    """The connector's folder with what a local run leaves in it."""
    (staged / "configuration.json").write_text(json.dumps(configuration(Simulator({}))))
    (staged / "files").mkdir()
    for name in ("state.json", "warehouse.db"):
        (staged / "files" / name).write_text(TOKEN)
    return staged


def make(project, target):
    """Runs a target of the Makefile in a copy of the project, with the programs of this environment."""
    if shutil.which("make") is None:
        pytest.skip("there is no make")
    shutil.copy(ROOT / "Makefile", project)
    if not (project / ".venv").exists():
        (project / ".venv").symlink_to(sys.prefix, target_is_directory=True)
    # .venv is not to be made, though the copy of requirements.txt is newer
    command = ["make", "--old-file=.venv/ready", target]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_make_package_holds_all_that_it_needs_and_nothing_else(with_secrets, tmp_path):
    strays = ("tests/test_x.py", "simulator/__init__.py", "pipeline/__pycache__/errors.pyc")
    for stray in strays:
        (with_secrets / stray).parent.mkdir(exist_ok=True)
        (with_secrets / stray).touch()
    make(with_secrets, "package")
    (package,) = (with_secrets / "build" / "package" / "files").glob("*.zip")
    with zipfile.ZipFile(package) as archive:
        archive.extractall(tmp_path / "elsewhere")
    assert_complete(tmp_path / "elsewhere", tmp_path)


# in the place of fivetran: it keeps its arguments and the folder it ran in
FIVETRAN = """#!/bin/sh
echo "$@" > "$0.arguments"
cp -R . "$0.folder"
"""


def test_make_deploy_deploys_a_folder_with_all_that_it_needs_and_takes_the_options_file_of_the_root(
    with_secrets, tmp_path
):
    programs = with_secrets / ".venv" / "bin"
    programs.mkdir(parents=True)
    (programs / "fivetran").write_text(FIVETRAN)
    (programs / "fivetran").chmod(0o755)
    make(with_secrets, "deploy")
    given = ["deploy", "--configuration", "../../configuration.json"]
    assert (programs / "fivetran.arguments").read_text().split() == given
    assert_complete(programs / "fivetran.folder", tmp_path)
    readme = (ROOT / "README.md").read_text("utf-8")
    (options,) = re.findall(r"```toml\n(.*?)```", readme, re.DOTALL)
    named = set(re.findall(r"^ *(\w+) = ", options, re.MULTILINE))
    assert named <= constants.MANAGED_OPTIONS_FIELDS
    (with_secrets / "options.toml").write_text(options)
    make(with_secrets, "deploy")
    assert (programs / "fivetran.arguments").read_text().split() == [*given, "--options-file", "../../options.toml"]
    assert not list(programs.rglob("options.toml"))
    assert "--options-file" in fivetran(with_secrets, "deploy", "--help")
