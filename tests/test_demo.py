"""The demo shows one of each thing that a report is to find, in a place of its own, from which nothing reaches the
real account; and its account can be tried.
"""

import json
import re
import shutil
import signal
import socket
import subprocess
import sys
from datetime import datetime, timezone

import pytest

from pipeline.__main__ import main as command
from report.facts import gather
from report.page import verdict
from simulator import Simulator, demo, example, generated
from simulator.server import HOST
from tests.sdk import ROOT, rows, run
from tests.support import TYPE, configuration, truth

FORMS = "e_form_submission_v_2"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A copy of the project, in which the demo runs; its syncs go through the SDK's core without the command line."""
    root, place = tmp_path / "project", tmp_path / "project" / "build" / "demo"
    shutil.copytree(ROOT / "pipeline", root / "pipeline")
    for name in ("connector.py", "requirements.txt"):
        shutil.copy(ROOT / name, root)
    monkeypatch.setattr(demo, "ROOT", root)
    monkeypatch.setattr(demo, "PLACE", place)
    monkeypatch.setattr(demo, "_debug", lambda keys, log: run(place, json.loads(keys.read_text())) is None)
    monkeypatch.setattr(example, "VISITS_A_DAY", 25)
    return root


def facts():
    now = datetime.now(timezone.utc).replace(tzinfo=None)
    return gather(demo.PLACE / "files" / "warehouse.db", now)


def test_the_report_finds_what_is_amiss_and_after_a_second_demo_what_came_late(project, capfd):
    saved = demo.PLACE / "files" / "state.json"  # of a demo whose account is not known
    saved.parent.mkdir(parents=True)
    saved.write_text('{"start_date": "2026-01-01T00:00:00Z"}')
    assert demo.main() == 0 and "start_date" not in json.loads(saved.read_text())
    shown = capfd.readouterr().out
    (visits, forms), found = (re.search(r"holds ([\d,]+) page visits and (\d+) forms", shown).groups(), facts())
    assert f"  e_visited_page: {visits} events (" in shown
    assert f"table e_visited_page: {visits} rows" in shown
    assert f"table {FORMS}: {int(forms) - 2} rows" in shown  # one cannot be a row, one is late
    assert verdict(found) == "Failing: e_opened_email_v2." and "marketing-email" in str(found["failing"])
    assert (found["rejected"], found["audits"]["all"]["all_late"]) == (1, 0)
    for _ in range(2):
        assert demo.main() == 0
        requests = re.search(r"Done with (\d+) requests;", capfd.readouterr().out)
        found = facts()
        assert int(requests[1]) < 10
        assert verdict(found) == "Failing: e_opened_email_v2."
        assert (found["rejected"], found["audits"]["all"]["all_late"]) == (1, 1)
        assert len(rows(demo.PLACE, table=FORMS)) >= int(forms) - 1


def test_a_second_demo_is_of_the_same_account_whatever_else_was_synced_and_changed(project):
    assert demo.main() == 0 and not (project / "files").exists()
    account, stale = demo.PLACE / "account.json", demo.PLACE / "pipeline" / "stale.py"
    first, visits = json.loads(account.read_text())["port"], len(rows(demo.PLACE))
    with Simulator({TYPE: generated(300)}) as real:
        run(project, configuration(real, event_types=TYPE))
        assert {key for (key,) in rows(project)} == truth(real.histories[TYPE])
    kept = (project / "files" / "state.json").read_bytes()
    stale.touch()
    (project / "pipeline" / "own.py").touch()
    with socket.create_server((HOST, first)):
        assert demo.main() == 0
    port = json.loads(account.read_text())["port"]
    state = json.loads((demo.PLACE / "files" / "state.json").read_text())
    assert port != first and state["api_base_url"].endswith(f":{port}")
    assert visits <= len(rows(demo.PLACE)) < visits + 10
    assert (project / "files" / "state.json").read_bytes() == kept and len(rows(project)) == 300
    assert not stale.exists() and (demo.PLACE / "pipeline" / "own.py").exists()


@pytest.mark.parametrize("text", ["{", '{"shown": 7}', '{"shown": "now"}', '{"began": 1}', "[]"])
def test_an_account_that_cannot_be_read_or_is_over_is_not_gone_on_with(tmp_path, text):
    (tmp_path / "account.json").write_text(text)
    assert example.kept(tmp_path / "account.json") is None


@pytest.mark.skipif(sys.platform == "win32", reason="there, no process can be sent Ctrl-C")
def test_the_account_can_be_tried_until_ctrl_c_and_what_was_changed_is_kept(tmp_path, capfd):
    shutil.copytree(ROOT / "simulator", tmp_path / "simulator")
    written = tmp_path / "build" / "try" / "configuration.json"
    command_line, bases = [sys.executable, "-m", "simulator.foreground"], set()
    for _ in range(2):
        process = subprocess.Popen(command_line, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
        try:
            said = "".join(process.stdout.readline() for _ in range(6))
            keys = json.loads(written.read_text())
            bases.add(keys["api_base_url"])
            assert f" is at {keys['api_base_url']} until" in said
            assert "fivetran debug --configuration build/try/configuration.json\n" in said
            assert command(["event-types", "--configuration", str(written)]) == 0
            written.write_text(json.dumps(keys | {"page_size": "70"}))
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=30)
        assert process.returncode == 0
    assert keys["page_size"] == "70" and len(bases) == 1
    assert "e_visited_page        more than 70 events" in capfd.readouterr().out
