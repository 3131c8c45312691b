"""`python -m backfill`, as a person runs it."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from backfill.__main__ import main
from simulator import Behaviour, Simulator, generated
from tests.backfill.lake import clock_at, lake
from tests.backfill.processes import command, worker
from tests.sdk import rows
from tests.support import TYPE, configuration, truth

EVENTS = 3_000


@pytest.fixture
def sim():
    """Two months of events, of which the last days are still to come."""
    history = generated(EVENTS, "2026-01-01T00:00:00Z", "2026-03-01T00:00:00Z")
    with Simulator({TYPE: history}, Behaviour(clock=clock_at("2026-02-20T12:00:00Z"))) as sim:
        yield sim


def state_and_next(printed):
    """The state's file, and the next command, as they are printed."""
    *_, last = printed.splitlines()
    (state,) = re.findall(r"state-\S+\.json", last)
    return state, shlex.split(last)


@pytest.mark.long
def test_it_resumes_says_how_to_go_on_and_adds_what_has_happened_since(sim, staged):
    (staged / "configuration.json").write_text(json.dumps(configuration(sim)))
    with command("history", None, staged) as interrupted:
        sim.behaviour.fault = lambda asked: interrupted.send_signal(signal.SIGINT) if asked.number == 15 else None
        printed, said = interrupted.communicate(timeout=60)
    assert (interrupted.returncode, printed) == (130, "") and "The same command" in said
    history = staged / "history"
    there = len(lake(history))
    with command("history", None, staged) as resumed:
        printed, said = resumed.communicate(timeout=120)
    assert resumed.returncode == 0 and len(lake(history)) > there > 0
    first, *_, last = said.splitlines()
    assert re.match(r"[1-9]\d* of 50 windows, 0 rows, 0 rows/s, [1-9]\d*%, unknown time left", first)
    assert re.match(r"50 of 50 windows, [\d,]+ rows, [\d,]+ rows/s, 100%, about 0 s left", last)

    state, go_on = state_and_next(printed)
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(go_on, cwd=staged, env=environment, capture_output=True, text=True)
    assert "SYNC SUCCEEDED" in done.stdout, done.stdout + done.stderr
    assert not {key for (key,) in rows(staged)} & lake(history).keys()

    gone_on, sim.behaviour.clock = (staged / state).read_text(), clock_at("2026-03-02T12:00:00Z")
    with command("history", None, staged) as later:
        printed, _ = later.communicate(timeout=120)
    assert later.returncode == 0 and lake(history) == Counter(truth(sim.histories[TYPE]))
    assert state_and_next(printed)[0] != state and (staged / state).read_text() == gone_on


@pytest.mark.long
def test_it_works_on_the_cluster_of_a_scheduler(sim, dask, tmp_path):
    (tmp_path / "configuration.json").write_text(json.dumps(configuration(sim)))
    address = dask.scheduler.address
    with worker(address), command(tmp_path / "history", address, tmp_path) as running:
        printed, said = running.communicate(timeout=120)
    assert running.returncode == 0, said
    assert f"{TYPE}: {len(lake(tmp_path / 'history')):,} rows" in printed


@pytest.mark.parametrize(("content", "said"), [
    (None, "configuration.json"), ("[]", "configuration.json"), ("{", "configuration.json"),
    ('{"api_token": "x"}', "initial_sync_start_date"),
])  # fmt: skip
def test_what_it_cannot_use_is_said_in_a_line(content, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    if content is not None:
        Path("configuration.json").write_text(content)
    assert main(["history"]) == 1
    printed = capsys.readouterr()
    assert said in printed.err and printed.out == "" and "Traceback" not in printed.err
