"""`python -m pipeline event-types` tells what an account holds, with one request for the list and
one for each event type.
"""

import json

import pytest

from pipeline.__main__ import main
from simulator import generated, listed
from simulator.definitions import defined
from tests.support import BASE, END, configuration, event

TYPES = {
    "e_visited_page": generated(1_500),
    "e_form_submission_v2": generated(40, event_type="e_form_submission_v2"),
    "pe123_signup": listed([]),
}


@pytest.fixture
def listing(account, tmp_path, capsys):
    """The exit status, and what the command prints to each stream, about an account."""

    def of(histories, behaviour=None, **keys):
        file = tmp_path / "configuration.json"
        file.write_text(json.dumps(configuration(account(histories, **behaviour or {}), **keys)))
        return main(["event-types", "--configuration", str(file)]), *capsys.readouterr()

    return of


def test_each_event_type_has_a_line_with_its_times_and_columns(listing):
    status, printed, _ = listing(TYPES)
    lines = printed.splitlines()
    history = TYPES["e_form_submission_v2"]
    first, last = history.event(0)["occurredAt"][:19], history.event(39)["occurredAt"][:19]
    assert status == 0
    assert lines[0].startswith(f"e_form_submission_v2  40 events, {first}Z to {last}Z: hs_form_id, ")
    assert lines[1].startswith("e_visited_page        more than 1,000 events, 2026-01-01T")
    assert "Z to beyond 2026-" in lines[1]
    assert lines[2] == "pe123_signup          no events"
    assert lines[-1] == '  "event_types": "e_form_submission_v2, e_visited_page"'


def test_an_account_of_200_types_takes_202_requests_and_shows_progress(listing, sim):
    names = [f"pe1_type_{number:03}" for number in range(200)]
    status, printed, progress = listing({name: generated(3, event_type=name) for name in names})
    assert status == 0 and len(sim.requests) == 202
    assert sum(line.startswith("pe1_type_") for line in printed.splitlines()) == 200
    assert "Asked HubSpot for 100 of 200 event types." in progress


def test_event_types_have_labels_those_of_custom_events_if_the_token_may_read_them(listing):
    _, printed, _ = listing(TYPES, {"definitions": [defined("pe123_signup", "Signed up\nfor a trial")]})
    forms, visits, signup = printed.splitlines()[:3]
    assert forms.endswith(" (Form submission)") and visits.endswith(" (Page visit)")
    assert signup == "pe123_signup          no events (Signed up for a trial)"


def test_types_that_cannot_be_read_are_grouped_by_the_cause_and_not_suggested(listing):
    """One of them fails for ever."""
    refused = {"forbidden": dict.fromkeys(("pe123_signup", "e_visited_page"), ("some.scope",))}
    refused["fault"] = lambda asked: "500" if asked.query.get("eventType") == ["e_down"] else None
    status, printed, _ = listing(TYPES | {"e_down": listed([])}, refused, max_outage_minutes="0.001")
    assert status == 0 and "some.scope" in printed and "e_down cannot be read: HubSpot" in printed
    assert printed.count("cannot be read, see below") == 3 and printed.count("cannot be read: ") == 2
    assert printed.splitlines()[-1] == '  "event_types": "e_form_submission_v2"'


def test_the_filters_of_the_configuration_hide_nothing_and_neither_a_start_date_nor_event_types_are_needed(listing):
    keys = {"object_type": "DEAL", "properties": "x", "initial_sync_start_date": ""}
    for event_types in ("e_b", "!broken"):
        _, printed, _ = listing(
            {"e_a": listed([event(BASE, 1) | {"eventType": "e_a"}])}, event_types=event_types, **keys
        )
        assert printed.startswith("e_a  1 event, ")


def test_a_wrong_token_is_one_message(listing):
    status, printed, said = listing(TYPES, {"token": "right"})
    assert status == 1 and not printed and "401" in said and "pat-na1-secret" not in said


@pytest.mark.parametrize("content, told", [
    ("{", "configuration.json"), ("[]", "configuration.json"), ("{}", "api_token"),
    ('{"api_token": "fivetran_encrypted:c2VjcmV0"}', "only `fivetran` commands can read this encrypted value"),
])  # fmt: skip
def test_a_broken_configuration_is_one_message(tmp_path, capsys, content, told):
    file = tmp_path / "configuration.json"
    file.write_text(content)
    assert main(["event-types", "--configuration", str(file)]) == 1
    said = capsys.readouterr().err
    assert told in said and "Traceback" not in said and "c2VjcmV0" not in said


@pytest.mark.parametrize(("command", "option", "others"), [
    (["event-types"], "--configuration", "--state"), (["preview"], "--configuration", "--state"),
    (["read-again", "e_a"], "--state", "--configuration"),
])  # fmt: skip
def test_a_missing_file_is_named_with_the_option_that_the_command_has(tmp_path, capsys, command, option, others):
    file = str(tmp_path / "no.json")
    assert main([*command, option, file]) == 1
    said = capsys.readouterr().err
    assert file in said and option in said and others not in said


def test_names_that_the_configuration_does_not_take_are_listed_and_not_suggested(listing):
    names = ["e_a", "with, comma", "line\nbreak", "e_*"]
    _, printed, _ = listing({name: listed([event(BASE, 1) | {"eventType": name}]) for name in names})
    assert printed.splitlines()[-1] == '  "event_types": "e_a"'
    assert "line break" in printed and "with, comma" in printed


def test_events_without_a_date_or_properties_are_counted(listing):
    _, printed, _ = listing({"e_a": listed([{"id": "1"}, 7]), "e_b": listed([{"id": "1", "occurredAt": END}])})
    assert "e_a  2 events without a date" in printed and "no properties" in printed
