"""Warehouses on which dbt runs: a DuckDB file, and a PostgreSQL of its own on a Unix socket."""

import atexit
import json
import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import duckdb
import pytest

from tests.sdk import ROOT

DBT = ROOT / ".venv-dbt" / "bin" / "dbt"
NO_DBT = "dbt is not installed: make .venv-dbt/ready"
NO_POSTGRES = "PostgreSQL is not installed: apt-get install postgresql"
needs_dbt = pytest.mark.skipif(not DBT.exists(), reason=NO_DBT)


FORKING = """
import json, os, sys
from dbt.cli.main import dbtRunner
for line in sys.stdin:
    arguments, environment, out = json.loads(line)
    if not (child := os.fork()):
        os.environ.update(environment)
        os.dup2(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 1)
        done = dbtRunner().invoke(arguments)
        print(done.exception or "")
        sys.exit(not done.success)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@cache
def _forking():
    """A process that has imported dbt, which takes seconds, and runs it in a copy of itself for each line."""
    given = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
    process = subprocess.Popen([DBT.with_name("python"), "-c", FORKING], **given)
    atexit.register(process.communicate)
    return process


class Warehouse:
    """A warehouse with a folder for what dbt writes. `variables` are the package's."""

    def __init__(self, folder, target):
        self.folder, self.target, self.variables = folder, target, {}

    def dbt(self, *arguments):
        """Runs dbt, which must succeed."""
        given = [
            *arguments, "--project-dir", ROOT / "dbt", "--profiles-dir", self.profiles(), "--target", self.target,
            "--target-path", self.folder / "target", "--log-path", self.folder / "logs",
            "--vars", json.dumps(self.variables),
        ]  # fmt: skip
        out = self.folder / "dbt.out"
        _forking().stdin.write(json.dumps([[*map(str, given)], self.environment(), str(out)]) + "\n")
        assert _forking().stdout.readline() == "0\n", out.read_text()

    def mart(self, name):
        """The rows of a mart as dicts, times in ISO 8601."""
        return self.rows(f"SELECT * FROM {self.schema}_hubspot_events.{name}")  # noqa: S608


class DuckDB(Warehouse):
    schema = "main"

    def __init__(self, folder, file):
        super().__init__(folder, "duckdb")
        self.file = file

    def profiles(self):
        return ROOT / "dbt"

    def environment(self):
        return {"WAREHOUSE": str(self.file)}

    def execute(self, sql):
        with duckdb.connect(str(self.file)) as database:
            database.execute("SET TimeZone = 'UTC'")
            database.execute(sql)

    def rows(self, sql):
        with duckdb.connect(str(self.file)) as database:
            database.execute("SET TimeZone = 'UTC'")
            found = database.execute(f"SELECT to_json(row) FROM ({sql}) AS row").fetchall()  # noqa: S608
        return [json.loads(text) for (text,) in found]


class Postgres(Warehouse):
    schema = "public"

    def __init__(self, folder, socket):
        super().__init__(folder, "postgres")
        self.socket = socket

    def profiles(self):
        output = {
            "type": "postgres", "host": str(self.socket), "port": 5432, "user": "postgres", "password": "",
            "dbname": "postgres", "schema": "public", "threads": 1,
        }  # fmt: skip
        profile = {"hubspot_events": {"target": "postgres", "outputs": {"postgres": output}}}
        (self.folder / "profiles.yml").write_text(json.dumps(profile))
        return self.folder

    def environment(self):
        return {}

    def _psql(self, sql):
        command = ["psql", "-h", self.socket, "-U", "postgres", "-X", "-q", "-t", "-A", "-v", "ON_ERROR_STOP=1"]
        done = subprocess.run([*map(str, command)], input=sql, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def execute(self, sql):
        self._psql(sql)

    def rows(self, sql):
        said = self._psql(f"SET TimeZone = 'UTC'; SELECT row_to_json(row) FROM ({sql}) AS row;")  # noqa: S608
        return [json.loads(line) for line in said.splitlines()]


def _postgres_programs():
    """The folder of Debian's newest PostgreSQL, or that of the one on the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


def _run(log, *command):
    """Runs a command with its output in a file: a pipe would be held open by the server."""
    with log.open("a") as out:
        done = subprocess.run([*map(str, command)], cwd="/", stdout=out, stderr=out, timeout=120)
    assert done.returncode == 0, log.read_text()


@contextmanager
def postgres(folder):
    """A PostgreSQL on a socket in a folder of its own, which ends with the context; skips without."""
    programs = _postgres_programs()
    if programs is None or shutil.which("psql") is None:
        pytest.skip(NO_POSTGRES)
    # paths of sockets must be short
    place, log = (Path(tempfile.mkdtemp(prefix="pg-")), folder / "postgres.log")
    as_owner = []
    if os.getuid() == 0:  # PostgreSQL refuses to run as root
        shutil.chown(place, "postgres")
        as_owner = ["runuser", "-u", "postgres", "--"]
    data = ("-D", place / "data")
    control = (*as_owner, programs / "pg_ctl", *data, "-w")
    options = f"-k {place} -c listen_addresses= -c fsync=off -c timezone=America/New_York"
    try:
        _run(log, *as_owner, programs / "initdb", *data, "-U", "postgres", "-A", "trust", "-E", "UTF8")
        _run(log, *control, "-o", options, "start")
        try:
            yield Postgres(folder, place)
        finally:
            _run(log, *control, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(place, ignore_errors=True)
