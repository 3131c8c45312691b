"""The cursors of one account are not used for another: no events are left out, and no table mixes two accounts."""

import copy

import pytest

from pipeline.connection.account import other_origin, other_portals, unknown_origin
from pipeline.errors import StateError
from pipeline.hubspot.address import HUBSPOT
from tests.accounts import sized
from tests.support import TYPE, Delivered, sync_into
from tests.support import truth as ids_of

LOCAL, PROXY = "http://127.0.0.1:8000", "https://proxy.example"


def made_at(url, event_types=(TYPE,)):
    """A state whose cursors were made at this address, None if it does not say where."""
    state = {"version": 4, "event_types": {name: {} for name in event_types}}
    return state | ({} if url is None else {"api_base_url": url})


def account():
    return sized({TYPE: 60})


# The address


@pytest.mark.parametrize(("before", "now"), [(LOCAL, HUBSPOT), (HUBSPOT, LOCAL), ("https://localhost", PROXY)])
def test_from_this_machine_to_hubspot_or_back_is_an_error_that_says_what_to_do(before, now):
    with pytest.raises(StateError) as error:
        other_origin(made_at(before), now)
    assert all(word in str(error.value) for word in (before, now, "api_base_url", "back", "re-sync", "fivetran reset"))


@pytest.mark.parametrize("key, version", [("api_base_url", 5), ("made_against", 1)])
def test_the_error_comes_before_any_request_or_row(key, version):
    state = {"version": version, "event_types": {TYPE: {}}, key: HUBSPOT}
    before, delivered = copy.deepcopy(state), Delivered()
    with account() as sim:
        with pytest.raises(StateError, match="this machine"):
            sync_into(delivered, sim, state)
        assert not sim.requests and delivered == Delivered() and state == before


def test_another_port_of_this_machine_is_one_warning():
    with account() as first, account() as second:
        delivered = sync_into(Delivered(), first)
        assert delivered.warnings == []
        sync_into(delivered, second)
        (warning,) = delivered.warnings
        assert "api_base_url" in warning and first.url in warning and second.url in warning
        sync_into(delivered, second)
        assert len(delivered.warnings) == 1


@pytest.mark.parametrize("before", [HUBSPOT, "", "http://[", "http://127.0.0.1:port", "nonsense"])
def test_another_address_is_a_warning_even_if_what_was_saved_is_none(before):
    warning = other_origin(made_at(before), PROXY)
    assert "api_base_url" in warning and before in warning and PROXY in warning


def test_a_new_token_and_a_trailing_slash_are_the_same_account_which_each_checkpoint_names():
    with account() as sim:
        delivered = sync_into(Delivered(), sim, checkpoint_interval="10")
        sync_into(delivered, sim, api_token="pat-na1-another", api_base_url=f"{sim.url}/")
        assert delivered.warnings == [] and {state["api_base_url"] for state in delivered.states} == {sim.url}


# States that do not say where they were made


def test_a_state_that_does_not_say_where_it_was_made_is_taken_for_this_account_with_a_line_in_the_log():
    with account() as sim:
        delivered = sync_into(Delivered(), sim)
        older = {key: value for key, value in delivered.state.items() if key != "api_base_url"}
        for state, lines in ((older, 1), (None, 0)):
            delivered.log.clear()
            sync_into(delivered, sim, state)
            assert len([line for line in delivered.log if "made at" in line and sim.url in line]) == lines
        assert delivered.warnings == [] and delivered.state["api_base_url"] == sim.url


@pytest.mark.parametrize("url", [None, LOCAL])
def test_a_state_without_event_types_belongs_to_any_account(url):
    state = made_at(url, event_types=())
    assert other_origin(state, HUBSPOT) is None and unknown_origin(state, HUBSPOT) is None


# The portal


def test_custom_events_of_another_portal_are_a_warning_that_names_the_token_and_the_types():
    with sized({TYPE: 60, "pe1_signup": 5, "pe2_signup": 7}) as sim:
        delivered = sync_into(Delivered(), sim, event_types=f"{TYPE}, pe1_*")
        sync_into(delivered, sim, event_types=f"{TYPE}, pe2_*")
        (warning,) = delivered.warnings
        assert "api_token" in warning and "event_types" in warning
        assert delivered.ids("pe2_signup") == ids_of(sim.histories["pe2_signup"])


@pytest.mark.parametrize(("before", "now"), [
    ([], ["pe2_a"]), ([TYPE], ["pe2_a"]), (["pe1_a"], [TYPE]), (["pe1_a"], ["pe1_b", "pe2_a"]), (["pet_a", "xpe1_a"], ["pe2_a"]),
])  # fmt: skip
def test_unknown_and_shared_portals_are_not_worth_a_warning(before, now):
    assert other_portals(before, now) is None
