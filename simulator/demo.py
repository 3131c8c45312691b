"""`python -m simulator.demo`: a simulated HubSpot, a real `fivetran debug` against it, and a look at what it made.

The sync runs in a folder of its own, build/demo, on a fresh copy of the connector: its table is in build/demo/files/warehouse.db,
its cursor in build/demo/files/state.json, apart from those of a real account. Run it again and it goes on from there.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import duckdb

from simulator import Simulator, generated
from simulator.server import HOST

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / "build" / "demo"
FILES = PLACE / "files"
PORT = PLACE / "port"  # the simulated account's, kept: its cursors say which address they were made against
LOG = PLACE / "debug.log"
EVENTS = 30_000
TOKEN = "pat-na1-demo-0000"  # noqa: S105 (the simulator takes any)


def main() -> int:
    """Sync the simulated account into build/demo/files/warehouse.db and show it; 0 if the sync succeeded."""
    _stage()
    history = generated(events=EVENTS, start="2026-01-01T00:00:00Z", end="2026-05-01T00:00:00Z")
    with Simulator({"e_visited_page": history}, port=_port()) as hubspot:
        PORT.write_text(str(hubspot.port), encoding="utf-8")
        print(f"A simulated HubSpot at {hubspot.url} holds {EVENTS:,} page visits of January to April.")
        print("Syncing them with `fivetran debug` (without internet its dependency check takes 12 s) ...", flush=True)
        succeeded = _debug(hubspot.url)
        requests = len(hubspot.requests)
    if not succeeded:
        print(f"The sync failed; the end of {LOG.relative_to(ROOT)}:")
        print("\n".join(LOG.read_text(encoding="utf-8").splitlines()[-5:]))
        return 1
    print(f"Done with {requests} request{'s' * (requests != 1)}; the log is {LOG.relative_to(ROOT)}.\n")
    _look()
    return 0


def _stage() -> None:
    """Copy the connector as it is now into the demo's place."""
    shutil.rmtree(PLACE / "pipeline", ignore_errors=True)
    shutil.copytree(ROOT / "pipeline", PLACE / "pipeline", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("connector.py", "requirements.txt"):
        shutil.copy(ROOT / name, PLACE / name)


def _port() -> int:
    """The port of the last demo if it is free; 0, which is any free one, if not."""
    try:
        port = int(PORT.read_text(encoding="utf-8"))
        with socket.create_server((HOST, port)):
            return port
    except (OSError, ValueError, OverflowError):
        return 0


def _debug(url: str) -> bool:
    """Run `fivetran debug` against a base URL, its output into LOG; whether it succeeded."""
    configuration = LOG.with_name("configuration.json")
    configuration.write_text(
        json.dumps({"api_token": TOKEN, "initial_sync_start_date": "2026-01-01T00:00:00Z", "api_base_url": url}),
        encoding="utf-8",
    )
    # The SDK looks for its helper programs on the PATH, which an environment that is not activated is not on.
    path = os.pathsep.join((os.path.dirname(sys.executable), os.environ.get("PATH", "")))
    environment = {**os.environ, "PATH": path, "DO_NOT_TRACK": "1", "PYTHONUTF8": "1"}
    fivetran = shutil.which("fivetran", path=path) or "fivetran"
    with LOG.open("w", encoding="utf-8") as log:
        finished = subprocess.run(  # noqa: S603 (our own command)
            [fivetran, "debug", "--configuration", str(configuration)],
            cwd=PLACE, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
    return finished.returncode == 0


def _look() -> None:
    """Print a short look at the table and the saved cursor."""
    with duckdb.connect(str(FILES / "warehouse.db"), read_only=True) as warehouse:
        rows, ids, first, last = warehouse.execute(
            "SELECT count(*), count(DISTINCT id), min(occurred), max(occurred) FROM tester.e_visited_page"
        ).fetchone() or (0, 0, None, None)
        print(f"{_shown('warehouse.db')}, table tester.e_visited_page: {rows:,} rows, {ids:,} ids, from {first} to {last}")
        pages = warehouse.execute(
            "SELECT hs_url, count(*) AS visits FROM tester.e_visited_page GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 3"
        ).fetchall()
    for url, visits in pages:
        print(f"  {visits:>6,} visits  {url[:80]}")
    print(f"{_shown('state.json')}, from which the next sync goes on:")
    print(f"  {(FILES / 'state.json').read_text(encoding='utf-8')}")


def _shown(name: str) -> str:
    return (FILES / name).relative_to(ROOT).as_posix()


if __name__ == "__main__":
    sys.exit(main())
