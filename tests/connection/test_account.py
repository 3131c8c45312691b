"""The cursors of one account are not used for another: no events are left out, and no table mixes
two accounts.
"""

import copy
import sys
from types import SimpleNamespace

import pytest

from pipeline.config.settings import read_settings
from pipeline.connection.account import other_origin, other_portals, unknown_origin
from pipeline.errors import StateError
from pipeline.hubspot.address import HUBSPOT
from simulator import Simulator, generated
from tests.support import TYPE, Delivered, configuration, sync_into
from tests.support import truth as ids_of

LOCAL = "http://127.0.0.1:8000"


def made_at(url):
    """A state whose cursors were made at this address, None if it does not say where."""
    return {"version": 4, "event_types": {TYPE: {}}} | ({} if url is None else {"api_base_url": url})


def account(events=60, **named):
    return Simulator(
        {TYPE: generated(events)} | {name: generated(count, event_type=name) for name, count in named.items()}
    )


def truth(sim, name=TYPE):
    return ids_of(sim.histories[name])


# The address


def test_each_checkpoint_says_at_which_address_it_was_made():
    with account() as sim:
        delivered = sync_into(Delivered(), sim, checkpoint_interval="10")
        assert len(delivered.states) > 1 and {state["api_base_url"] for state in delivered.states} == {sim.url}


@pytest.mark.parametrize(
    ("before", "now"), [(LOCAL, HUBSPOT), (HUBSPOT, LOCAL), ("https://localhost", "https://proxy.example")]
)
def test_from_this_machine_to_hubspot_or_back_is_an_error_that_says_what_to_do(before, now):
    with pytest.raises(StateError) as error:
        other_origin(made_at(before), now)
    assert all(word in str(error.value) for word in (before, now, "api_base_url", "back", "re-sync", "fivetran reset"))


def test_the_error_comes_before_any_request_or_row():
    with account() as sim:
        delivered = sync_into(Delivered(), sim)
        state = delivered.state | {"api_base_url": HUBSPOT}
        kept, begin = copy.deepcopy(vars(delivered)), len(sim.requests)
        with pytest.raises(StateError, match="api_base_url"):
            sync_into(delivered, sim, state)
        assert len(sim.requests) == begin and vars(delivered) == kept and state["api_base_url"] == HUBSPOT


@pytest.mark.parametrize("key, version", [("api_base_url", 5), ("made_against", 1)])
def test_after_a_trial_nothing_is_asked_of_hubspot(monkeypatch, key, version):
    monkeypatch.setattr(sys.modules["pipeline.connection.sync"], "connect", lambda *_: pytest.fail("it was asked"))
    with account() as sim:
        delivered = Delivered(states=[{"version": version, "event_types": {TYPE: {}}, key: sim.url}])
    with pytest.raises(StateError, match="this machine"):
        sync_into(delivered, SimpleNamespace(url=HUBSPOT))
    assert not delivered.rows and len(delivered.states) == 1


def test_another_port_of_this_machine_is_one_warning():
    with account() as first, account() as second:
        delivered = sync_into(Delivered(), first)
        assert delivered.warnings == []
        sync_into(delivered, second)
        (warning,) = delivered.warnings
        assert "api_base_url" in warning and first.url in warning and second.url in warning
        sync_into(delivered, second)
        assert len(delivered.warnings) == 1


def test_another_address_of_hubspot_is_a_warning():
    warning = other_origin(made_at(HUBSPOT), "https://api-eu1.hubapi.com")
    assert warning is not None and "api_base_url" in warning and HUBSPOT in warning


@pytest.mark.parametrize("spelling", [f"{HUBSPOT}/", f"{HUBSPOT}:443", "https://API.hubapi.com"])
def test_another_spelling_of_an_address_is_the_same_account(spelling):
    for before, now in ((HUBSPOT, spelling), (spelling, HUBSPOT)):
        given = configuration(SimpleNamespace(url=now))
        assert other_origin(made_at(before), read_settings(given).api_base_url) is None


def test_a_new_token_and_a_trailing_slash_are_the_same_account():
    with account() as sim:
        delivered = sync_into(Delivered(), sim)
        sync_into(delivered, sim, api_token="pat-na1-another", api_base_url=f"{sim.url}/")
        assert delivered.warnings == [] and delivered.state["api_base_url"] == sim.url


@pytest.mark.parametrize("url", ["", "http://[", "http://127.0.0.1:port", "nonsense"])
def test_a_saved_text_that_is_not_an_address_counts_as_another_one(url):
    state = made_at(url)
    assert other_origin(state, "https://proxy.example") is not None
    if "127" not in url:
        with pytest.raises(StateError):
            other_origin(state, LOCAL)


# States that do not say where they were made


def test_a_state_that_does_not_say_where_it_was_made_is_taken_for_this_account_with_a_line_in_the_log():
    with account() as sim:
        delivered = sync_into(Delivered(), sim)
        older = {key: value for key, value in delivered.state.items() if key != "api_base_url"}
        delivered.log.clear()
        sync_into(delivered, sim, older)
        assert len([line for line in delivered.log if "made at" in line and sim.url in line]) == 1
        assert delivered.warnings == [] and delivered.state["api_base_url"] == sim.url
        delivered.log.clear()
        sync_into(delivered, sim)
        assert not [line for line in delivered.log if "made at" in line]


def test_a_state_without_event_types_belongs_to_any_account():
    for state in (made_at(None) | {"event_types": {}}, made_at(LOCAL) | {"event_types": {}}):
        assert other_origin(state, HUBSPOT) is None and unknown_origin(state, HUBSPOT) is None


# The portal


def test_custom_events_of_another_portal_are_a_warning_that_names_the_token_and_the_types():
    with account(pe1_signup=5, pe2_signup=7) as sim:
        delivered = sync_into(Delivered(), sim, event_types=f"{TYPE}, pe1_*")
        sync_into(delivered, sim, event_types=f"{TYPE}, pe2_*")
        (warning,) = delivered.warnings
        assert (
            "api_token" in warning
            and "event_types" in warning
            and delivered.ids("pe2_signup") == truth(sim, "pe2_signup")
        )


@pytest.mark.parametrize(("before", "now"), [
    ([], ["pe2_a"]), ([TYPE], ["pe2_a"]), (["pe1_a"], [TYPE]), (["pe1_a"], ["pe1_b", "pe2_a"]), (["pet_a", "xpe1_a"], ["pe2_a"]),
])  # fmt: skip
def test_unknown_and_shared_portals_are_not_worth_a_warning(before, now):
    assert other_portals(before, now) is None
