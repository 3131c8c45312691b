"""The connector through the SDK's real core and its command line, for every test that wants the real thing."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import duckdb
from fivetran_connector_sdk import Logging
from fivetran_connector_sdk_cli import core_adapter
from fivetran_connector_sdk_common import constants

import connector
from simulator import Behaviour, Simulator, generated
from tests.support import TYPE, configuration

ROOT = Path(connector.__file__).parent


def make_home(folder):
    """Makes a home in which the SDK's core has just looked for a newer version of itself, so that no request leaves."""
    settings = folder / constants.ROOT_LOCATION.replace("connector_sdk", "connector_sdk_core") / "_config.json"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(json.dumps({"lastVersionCheck": int(time.time())}))
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


def kinds(project, table=TYPE):
    """The types of a table's columns in the warehouse, by name."""
    with duckdb.connect(str(project / "files" / "warehouse.db"), read_only=True) as database:
        query = "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = ?"
        return dict(database.execute(query, [table]).fetchall())


def served(events=300, **behaviour):
    return Simulator({TYPE: generated(events)}, Behaviour(**behaviour))


def everything_left(folder):
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def truth(sim):
    history = sim.histories[TYPE]
    return [history.event(i) for i in range(len(history))]


def fivetran(staged, *arguments, answers="", status=0):
    """Runs `fivetran` in a folder without a terminal; returns its whole output."""
    scripts = Path(sys.executable).parent
    given = {"cwd": staged, "env": os.environ | {"PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"}}
    given |= {"input": answers, "capture_output": True, "text": True, "timeout": 120, "start_new_session": True}
    done = subprocess.run([scripts / "fivetran", *arguments], **given)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def outcomes(sim, **given):
    """What each setup test reports on a configuration: label to failure, None if it passes. No secret is ever in it."""
    keys = configuration(sim, **given)
    form = connector.configuration_form()
    reported = {
        test.label: form._get_test_function_by_name(test.name)(keys).failure for test in form.to_response().tests
    }
    secrets = [keys[name] for name in ("api_token", "hash_salt") if keys.get(name)]
    assert not [text for text in reported.values() if text is not None and any(secret in text for secret in secrets)]
    return reported


def failures(sim, **given):
    return {label: failure for label, failure in outcomes(sim, **given).items() if failure is not None}
