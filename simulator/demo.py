"""`python -m simulator.demo`: sync a simulated HubSpot with a real `fivetran debug` and show the
result.

The sync runs on a copy of the connector in build/demo, apart from the files of a real account: its
tables are in build/demo/files/warehouse.db, its cursors in build/demo/files/state.json. Run it
again and it resumes from there, as if a day had passed.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb

from pipeline.audits.text import decode, encode
from simulator.example import FORMS, VISITS, Example, keep, kept, now, visible
from simulator.follow import progress_lines
from simulator.instants import DAY_MS

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / "build" / "demo"
TABLES = VISITS, "e_form_submission_v_2"  # as Fivetran writes their names


def main() -> int:
    """Syncs the simulated account into build/demo/files/warehouse.db and shows it. Returns the exit
    status.
    """
    files, account = PLACE / "files", PLACE / "account.json"
    _stage()
    example = kept(account)
    if example is None:
        shutil.rmtree(files, ignore_errors=True)  # of another account
        example = Example(now())
    is_first = not (files / "state.json").exists()
    with example.open(with_late=not is_first) as hubspot:
        keep(account, example, hubspot)
        held = f"{visible(hubspot, VISITS):,} page visits and {visible(hubspot, FORMS):,} forms"
        print(f"A simulated HubSpot at {hubspot.url} holds {held}, from {example.start} to now.")
        configuration = PLACE / "configuration.json"
        configuration.write_text(json.dumps(example.configuration(hubspot.url)), encoding="utf-8")
        if is_first:
            _preview(configuration)
        else:
            _pass_a_day(files / "state.json")
        hubspot.requests.clear()
        print("Syncing them with `fivetran debug` (without internet its dependency check takes 12 s) ...", flush=True)
        log = PLACE / "debug.log"
        succeeded, requests = _debug(configuration, log), len(hubspot.requests)
    if not succeeded:
        print(f"The sync failed; the end of {_path(log)}:")
        print("\n".join(log.read_text(encoding="utf-8").splitlines()[-5:]))
        return 1
    print(f"Done with {requests} request{'s' * (requests != 1)}; the log is {_path(log)}.\n")
    _show(files)
    print(f"Next: {'make demo, as if a day had passed; ' * is_first}make report, what is amiss.")
    return 0


def _stage() -> None:
    """Copies the connector into build/demo."""
    shutil.rmtree(PLACE / "pipeline", ignore_errors=True)
    shutil.copytree(ROOT / "pipeline", PLACE / "pipeline", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("connector.py", "requirements.txt"):
        shutil.copy(ROOT / name, PLACE / name)


def _pass_a_day(saved: Path) -> None:
    """What the forms' cells wait for is due today, as if a day had passed since they were read."""
    state = json.loads(saved.read_text(encoding="utf-8"))
    forms = state["event_types"].get(FORMS, {})
    if "ledger" not in forms:
        return
    today = now() // DAY_MS
    cells = [cell._replace(due=min(cell.due, today)) for cell in decode(forms["ledger"])]
    saved.write_text(
        json.dumps(state | {"event_types": state["event_types"] | {FORMS: forms | {"ledger": encode(cells)}}}),
        encoding="utf-8",
    )
    print(
        "As if a day had passed: the second look at the forms is due (the demo has moved it to today, "
        "in the saved state), and a form of three days before is visible by now."
    )


def _preview(configuration: Path) -> None:
    """Prints three lines of a preview."""
    command = [sys.executable, "-m", "pipeline", "preview", "--configuration", str(configuration)]
    environment = {**os.environ, "PYTHONUTF8": "1"}
    page = subprocess.run(  # noqa: S603 (our own command)
        command, cwd=PLACE, env=environment, capture_output=True, encoding="utf-8"
    ).stdout
    print("`python -m pipeline preview` says of it, from a few dozen requests:")
    print("\n".join(re.findall(rf"^  (?:{VISITS}: |{FORMS}: |[\d,]+ rows, \d).*", page, re.M)))


def _debug(configuration: Path, log: Path) -> bool:
    """Runs `fivetran debug`, with its output in a log. Returns whether it succeeded."""
    # The SDK looks for its helper programs on the PATH, which lacks them in an environment that is
    # not activated.
    path = os.pathsep.join((os.path.dirname(sys.executable), os.environ.get("PATH", "")))
    environment = {**os.environ, "PATH": path, "DO_NOT_TRACK": "1", "PYTHONUTF8": "1"}
    fivetran = shutil.which("fivetran", path=path) or "fivetran"
    with log.open("w", encoding="utf-8") as output:
        command = [fivetran, "debug", "--configuration", str(configuration)]
        with subprocess.Popen(  # noqa: S603 (our own command)
            command, cwd=PLACE, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        ) as running:
            for line in progress_lines(log, lambda: running.poll() is None):
                print(f"  {line}", flush=True)
    return running.returncode == 0


def _show(files: Path) -> None:
    """Prints a summary of the tables, and the saved state."""
    print(f"{_path(files / 'warehouse.db')}, schema tester:")
    with duckdb.connect(str(files / "warehouse.db"), read_only=True) as warehouse:
        for table in TABLES:
            rows, ids, first, last = warehouse.table(f"tester.{table}").aggregate(
                "count(*), count(DISTINCT id), min(occurred), max(occurred)"
            ).fetchone() or (0, 0, None, None)  # fmt: skip
            print(f"  table {table}: {rows:,} rows, {ids:,} ids, from {first} to {last}")
        pages = warehouse.execute(
            "SELECT hs_url_path, count(*) AS visits FROM tester.e_visited_page "
            "WHERE hs_url_path <> '' GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 3"
        ).fetchall()
    for page, visits in pages:
        print(f"  {visits:>6,} visits  {page}")
    print(f"{_path(files / 'state.json')}, from which the next sync resumes:")
    state = (files / "state.json").read_text(encoding="utf-8")
    print("  " + re.sub(r'("ledger":"[^"]{10})[^"]*', r"\1…", state))  # what audits compare is long


def _path(file: Path) -> str:
    """A file as a path in the project."""
    return file.relative_to(ROOT).as_posix()


if __name__ == "__main__":
    sys.exit(main())
