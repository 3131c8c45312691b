"""Cursors of one account are not taken for another's: no events left out, no two accounts in one table."""
import copy
import json
import shutil
import socket
import sys
from types import SimpleNamespace

import pytest

from pipeline.connection.account import adopted, moved, portals_apart
from pipeline.errors import StateError
from pipeline.settings import HUBSPOT, read_settings
from simulator import Simulator, demo, generated
from simulator.server import HOST
from tests.support import Delivered, configuration, sync_into
from tests.test_connector import ROOT, home, rows, run  # noqa: F401 (a home of its own for the SDK)

TYPE = "e_visited_page"
LOCAL = "http://127.0.0.1:8000"


def made_against(url, *names):
    return {"version": 2, "event_types": {name: {} for name in names or (TYPE,)}} | ({"made_against": url} if url else {})


def account(events=60, **named):
    return Simulator({TYPE: generated(events)} | {name: generated(count, event_type=name) for name, count in named.items()})


def truth(sim, name=TYPE):
    history = sim.histories[name]
    return {history.event(i)["id"] for i in range(len(history))}


# The address


def test_each_checkpoint_says_which_address_it_was_made_against():
    with account() as sim:
        delivered = sync_into(Delivered(), sim, checkpoint_interval="10")
        assert len(delivered.states) > 1 and {state["made_against"] for state in delivered.states} == {sim.url}


@pytest.mark.parametrize(("before", "now"), [(LOCAL, HUBSPOT), (HUBSPOT, LOCAL), ("https://localhost", "https://proxy.example")])
def test_from_this_machine_to_hubspot_or_back_is_an_error_that_says_what_to_do(before, now):
    with pytest.raises(StateError) as error:
        moved(made_against(before), now)
    assert all(word in str(error.value) for word in (before, now, "api_base_url", "back", "re-sync", "fivetran reset"))


def test_the_error_comes_before_anything_is_asked_or_written():
    with account() as sim:
        delivered = sync_into(Delivered(), sim)
        state = delivered.state | {"made_against": HUBSPOT}
        kept, begin = copy.deepcopy(vars(delivered)), len(sim.requests)
        with pytest.raises(StateError, match="api_base_url"):
            sync_into(delivered, sim, state)
        assert len(sim.requests) == begin and vars(delivered) == kept and state["made_against"] == HUBSPOT


def test_after_a_trial_hubspot_is_asked_nothing(monkeypatch):
    monkeypatch.setattr(sys.modules["pipeline.sync"], "connect", lambda *_: pytest.fail("it was asked"))
    with account() as sim:
        delivered = Delivered(states=[made_against(sim.url)])
    with pytest.raises(StateError, match="this machine"):
        sync_into(delivered, SimpleNamespace(url=HUBSPOT))
    assert not delivered.rows and len(delivered.states) == 1


def test_another_port_of_this_machine_is_a_warning_once():
    with account() as first, account() as second:
        delivered = sync_into(Delivered(), first)
        assert delivered.warnings == []
        sync_into(delivered, second)
        (said,) = delivered.warnings
        assert "api_base_url" in said and first.url in said and second.url in said
        sync_into(delivered, second)
        assert len(delivered.warnings) == 1


def test_another_address_of_hubspot_is_a_warning():
    (said,) = moved(made_against(HUBSPOT), "https://api-eu1.hubapi.com")
    assert "api_base_url" in said and HUBSPOT in said


@pytest.mark.parametrize("same", [f"{HUBSPOT}/", f"{HUBSPOT}:443", "https://API.hubapi.com"])
def test_the_same_address_written_otherwise_is_the_same_account(same):
    for before, now in ((HUBSPOT, same), (same, HUBSPOT)):
        given = configuration(SimpleNamespace(url=now))
        assert moved(made_against(before), read_settings(given).api_base_url) == []


def test_a_new_token_and_a_trailing_slash_are_the_same_account():
    with account() as sim:
        delivered = sync_into(Delivered(), sim)
        sync_into(delivered, sim, api_token="pat-na1-another", api_base_url=f"{sim.url}/")
        assert delivered.warnings == [] and delivered.state["made_against"] == sim.url


@pytest.mark.parametrize("url", ["", "http://[", "http://127.0.0.1:port", "nonsense"])
def test_a_mark_that_is_no_address_is_another_one(url):
    state = made_against(None) | {"made_against": url}
    assert len(moved(state, "https://proxy.example")) == 1
    if "127" not in url:
        with pytest.raises(StateError):
            moved(state, LOCAL)


# Older states, and none


def test_an_older_state_is_adopted_with_a_line_in_the_log():
    with account() as sim:
        delivered = sync_into(Delivered(), sim)
        older = {key: value for key, value in delivered.state.items() if key != "made_against"}
        delivered.log.clear()
        sync_into(delivered, sim, older)
        assert len([line for line in delivered.log if "made against" in line and sim.url in line]) == 1
        assert delivered.warnings == [] and delivered.state["made_against"] == sim.url
        delivered.log.clear()
        sync_into(delivered, sim)
        assert not [line for line in delivered.log if "made against" in line]


def test_a_state_without_event_types_is_new():
    for state in (made_against(None) | {"event_types": {}}, made_against(LOCAL) | {"event_types": {}}):
        assert moved(state, HUBSPOT) == adopted(state, HUBSPOT) == []


# The portal


def test_custom_events_of_another_portal_are_a_warning_that_names_the_token_and_the_types():
    with account(pe1_signup=5, pe2_signup=7) as sim:
        delivered = sync_into(Delivered(), sim, event_types=f"{TYPE}, pe1_*")
        sync_into(delivered, sim, event_types=f"{TYPE}, pe2_*")
        (said,) = delivered.warnings
        assert "api_token" in said and "event_types" in said and delivered.ids("pe2_signup") == truth(sim, "pe2_signup")


@pytest.mark.parametrize(("before", "now"), [
    ([], ["pe2_a"]), ([TYPE], ["pe2_a"]), (["pe1_a"], [TYPE]), (["pe1_a"], ["pe1_b", "pe2_a"]), (["pet_a", "xpe1_a"], ["pe2_a"]),
])  # fmt: skip
def test_portals_that_are_not_known_or_shared_say_nothing(before, now):
    assert portals_apart(before, now) == []


# The demo, and the real account after it


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A copy of the project, in which the demo runs; its syncs go through the SDK's core without the command line."""
    root, place = tmp_path / "project", tmp_path / "project" / "build" / "demo"
    shutil.copytree(ROOT / "pipeline", root / "pipeline")
    for name in ("connector.py", "requirements.txt"):
        shutil.copy(ROOT / name, root)
    places = {"FILES": place / "files", "PORT": place / "port", "LOG": place / "debug.log"}
    for name, value in {"ROOT": root, "PLACE": place, "EVENTS": 3_000, **places}.items():
        monkeypatch.setattr(demo, name, value)
    monkeypatch.setattr(demo, "_debug", lambda url: run(place, configuration(SimpleNamespace(url=url))) is None)
    return root


def test_after_the_demo_the_real_account_is_read_whole_and_alone(project, capfd):
    assert demo.main() == 0
    assert not (project / "files").exists()
    with account(300) as real:
        run(project, configuration(real, event_types=TYPE))
        assert {key for (key,) in rows(project)} == truth(real)
    kept = (project / "files" / "state.json").read_bytes()
    capfd.readouterr()
    assert demo.main() == 0
    assert "Done with 1 request;" in capfd.readouterr().out
    assert (project / "files" / "state.json").read_bytes() == kept and len(rows(project)) == 300
    assert len(rows(demo.PLACE)) == 3_000


def test_the_demo_takes_another_port_where_its_own_is_taken(project):
    assert demo.main() == 0
    first = int(demo.PORT.read_text())
    with socket.create_server((HOST, first)):
        assert demo.main() == 0
    assert int(demo.PORT.read_text()) != first
    state = json.loads((demo.FILES / "state.json").read_text())
    assert state["made_against"].endswith(demo.PORT.read_text()) and len(rows(demo.PLACE)) == 3_000


def test_the_demo_runs_the_connector_as_it_is_now(project):
    assert demo.main() == 0
    stale = demo.PLACE / "pipeline" / "stale.py"
    stale.touch()
    (project / "pipeline" / "own.py").write_text("")
    assert demo.main() == 0
    assert not stale.exists() and (demo.PLACE / "pipeline" / "own.py").exists()
