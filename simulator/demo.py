"""`python -m simulator.demo`: sync a simulated HubSpot with a real `fivetran debug` and show the
result.

The sync runs on a copy of the connector in build/demo, apart from the files of a real account: its
tables are in build/demo/files/warehouse.db, its cursors in build/demo/files/state.json. Run it
again and it resumes from there.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import duckdb

from simulator import Simulator, generated, submissions
from simulator.follow import progress_lines
from simulator.server import HOST

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / "build" / "demo"
FILES = PLACE / "files"
# kept from run to run, since the state names the address that its cursors were made at
PORT = PLACE / "port"
LOG = PLACE / "debug.log"
VISITS, FORMS = "e_visited_page", "e_form_submission_v2"
TABLES = VISITS, "e_form_submission_v_2"  # as Fivetran writes their names
EVENTS = 30_000  # page visits
EVERY = 33  # of them is followed by a form
TOKEN = "any-access-token"  # noqa: S105 (the simulator accepts any)


def main() -> int:
    """Syncs the simulated account into build/demo/files/warehouse.db and shows it. Returns the exit
    status.
    """
    _stage()
    visits = generated(events=EVENTS, start="2026-01-01T00:00:00Z", end="2026-05-01T00:00:00Z")
    forms = submissions(visits, EVERY)
    with Simulator({VISITS: visits, FORMS: forms}, port=_port()) as hubspot:
        PORT.write_text(str(hubspot.port), encoding="utf-8")
        held = f"{EVENTS:,} page visits and {len(forms):,} forms"
        print(f"A simulated HubSpot at {hubspot.url} holds {held} from January to April.")
        _preview(hubspot.url)
        hubspot.requests.clear()
        print(
            (
                "Syncing them with `fivetran debug` (without internet its dependency check takes "
                "12 "
                "s) "
                "..."
            ),
            flush=True,
        )
        succeeded = _debug(hubspot.url)
        requests = len(hubspot.requests)
    if not succeeded:
        print(f"The sync failed; the end of {LOG.relative_to(ROOT)}:")
        print("\n".join(LOG.read_text(encoding="utf-8").splitlines()[-5:]))
        return 1
    print(
        f"Done with {requests} request{'s' * (requests != 1)}; the log is "
        f"{LOG.relative_to(ROOT)}.\n"
    )
    _show()
    return 0


def _stage() -> None:
    """Copies the connector into build/demo."""
    shutil.rmtree(PLACE / "pipeline", ignore_errors=True)
    shutil.copytree(
        ROOT / "pipeline", PLACE / "pipeline", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name in ("connector.py", "requirements.txt"):
        shutil.copy(ROOT / name, PLACE / name)


def _port() -> int:
    """The port of the last demo if it is free; else 0, which picks a free one."""
    try:
        port = int(PORT.read_text(encoding="utf-8"))
        with socket.create_server((HOST, port)):
            return port
    except (OSError, ValueError, OverflowError):
        return 0


def configuration(url: str) -> dict[str, str]:
    """The connector's configuration for the simulated account at a base URL."""
    return {
        "api_token": TOKEN, "initial_sync_start_date": "2026-01-01T00:00:00Z", "api_base_url": url,
        "event_types": f"{VISITS}, {FORMS}",
    }  # fmt: skip


def _preview(url: str) -> None:
    """Prints three lines of a preview at a base URL."""
    written = LOG.with_name("configuration.json")
    written.write_text(json.dumps(configuration(url)), encoding="utf-8")
    command = [sys.executable, "-m", "pipeline", "preview", "--configuration", str(written)]
    environment = {**os.environ, "PYTHONUTF8": "1"}
    page = subprocess.run(  # noqa: S603 (our own command)
        command, cwd=PLACE, env=environment, capture_output=True, encoding="utf-8"
    ).stdout
    print("`python -m pipeline preview` says of it, from a few dozen requests:")
    print("\n".join(re.findall(rf"^  (?:{VISITS}: |{FORMS}: |[\d,]+ rows, \d).*", page, re.M)))


def _debug(url: str) -> bool:
    """Runs `fivetran debug` at a base URL, with its output in LOG. Returns whether it succeeded."""
    written = LOG.with_name("configuration.json")
    written.write_text(json.dumps(configuration(url)), encoding="utf-8")
    # The SDK looks for its helper programs on the PATH, which lacks them in an environment that is
    # not activated.
    path = os.pathsep.join((os.path.dirname(sys.executable), os.environ.get("PATH", "")))
    environment = {**os.environ, "PATH": path, "DO_NOT_TRACK": "1", "PYTHONUTF8": "1"}
    fivetran = shutil.which("fivetran", path=path) or "fivetran"
    with LOG.open("w", encoding="utf-8") as log:
        command = [fivetran, "debug", "--configuration", str(written)]
        with subprocess.Popen(  # noqa: S603 (our own command)
            command,
            cwd=PLACE,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        ) as running:
            for line in progress_lines(LOG, lambda: running.poll() is None):
                print(f"  {line}", flush=True)
    return running.returncode == 0


def _show() -> None:
    """Prints a summary of the tables, and the saved state."""
    print(f"{_path('warehouse.db')}, schema tester:")
    with duckdb.connect(str(FILES / "warehouse.db"), read_only=True) as warehouse:
        for table in TABLES:
            rows, ids, first, last = warehouse.table(f"tester.{table}").aggregate(
                "count(*), count(DISTINCT id), min(occurred), max(occurred)"
            ).fetchone() or (0, 0, None, None)  # fmt: skip
            print(f"  table {table}: {rows:,} rows, {ids:,} ids, from {first} to {last}")
        pages = warehouse.execute(
            "SELECT hs_url, count(*) AS visits FROM tester.e_visited_page WHERE hs_url <> '' "
            "GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 3"
        ).fetchall()
    for url, visits in pages:
        print(f"  {visits:>6,} visits  {url[:80]}")
    print(f"{_path('state.json')}, from which the next sync resumes:")
    state = (FILES / "state.json").read_text(encoding="utf-8")
    print("  " + re.sub(r'("ledger":"[^"]{10})[^"]*', r"\1…", state))  # what audits compare is long


def _path(name: str) -> str:
    """A file of the sync, as a path in the project."""
    return (FILES / name).relative_to(ROOT).as_posix()


if __name__ == "__main__":
    sys.exit(main())
