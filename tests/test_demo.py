"""The demo: it has a place of its own, from which nothing reaches the real account synced after
it.
"""

import json
import shutil
import socket

import pytest

from simulator import Simulator, demo, generated
from simulator.server import HOST
from tests.sdk import ROOT, rows, run
from tests.support import TYPE, configuration, truth


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A copy of the project, in which the demo runs; its syncs go through the SDK's core without
    the command line.
    """
    root, place = tmp_path / "project", tmp_path / "project" / "build" / "demo"
    shutil.copytree(ROOT / "pipeline", root / "pipeline")
    for name in ("connector.py", "requirements.txt"):
        shutil.copy(ROOT / name, root)
    places = {"FILES": place / "files", "PORT": place / "port", "LOG": place / "debug.log"}
    for name, value in {"ROOT": root, "PLACE": place, "EVENTS": 3_000, **places}.items():
        monkeypatch.setattr(demo, name, value)
    monkeypatch.setattr(demo, "_debug", lambda url: run(place, demo.configuration(url)) is None)
    return root


def test_after_the_demo_the_real_account_is_read_completely_and_by_itself(project, capfd):
    assert demo.main() == 0
    shown = capfd.readouterr().out
    assert "3,000 page visits and 90 forms" in shown and not (project / "files").exists()
    assert "  e_visited_page: 3,000 events (all counted)" in shown and "  3,090 rows, " in shown
    with Simulator({TYPE: generated(300)}) as real:
        run(project, configuration(real, event_types=TYPE))
        assert {key for (key,) in rows(project)} == truth(real.histories[TYPE])
    kept = (project / "files" / "state.json").read_bytes()
    capfd.readouterr()
    assert demo.main() == 0
    assert "Done with 2 requests;" in capfd.readouterr().out
    assert (project / "files" / "state.json").read_bytes() == kept and len(rows(project)) == 300
    assert (
        len(rows(demo.PLACE)) == 3_000
        and len(rows(demo.PLACE, table="e_form_submission_v_2")) == 90
    )


def test_the_demo_takes_another_port_if_its_own_is_taken(project):
    assert demo.main() == 0
    first = int(demo.PORT.read_text())
    with socket.create_server((HOST, first)):
        assert demo.main() == 0
    assert int(demo.PORT.read_text()) != first
    state = json.loads((demo.FILES / "state.json").read_text())
    assert state["api_base_url"].endswith(demo.PORT.read_text()) and len(rows(demo.PLACE)) == 3_000


def test_the_demo_runs_the_connector_in_its_present_form(project):
    assert demo.main() == 0
    stale = demo.PLACE / "pipeline" / "stale.py"
    stale.touch()
    (project / "pipeline" / "own.py").write_text("")
    assert demo.main() == 0
    assert not stale.exists() and (demo.PLACE / "pipeline" / "own.py").exists()


def test_who_submits_a_form_in_the_demo_has_visited_before(project):
    assert demo.main() == 0
    visited = {}
    for visitor, at in rows(demo.PLACE, "object_id, occurred"):
        visited[visitor] = min(at, visited.get(visitor, at))
    forms = rows(demo.PLACE, "object_id, occurred", "e_form_submission_v_2")
    assert len(forms) == 90 and all(visited[visitor] < at for visitor, at in forms)
    assert len({visitor for visitor, _ in forms}) < len(visited)
