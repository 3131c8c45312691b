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


def listing(sim, tmp_path, capsys, **keys):
    """The exit status, and what the command prints to each stream."""
    file = tmp_path / "configuration.json"
    file.write_text(json.dumps(configuration(sim, **keys)))
    status = main(["event-types", "--configuration", str(file)])
    return status, *capsys.readouterr()


def test_each_event_type_has_a_line_with_its_times_and_columns(account, tmp_path, capsys):
    status, printed, _ = listing(account(TYPES), tmp_path, capsys)
    lines = printed.splitlines()
    history = TYPES["e_form_submission_v2"]
    first, last = history.event(0)["occurredAt"][:19], history.event(39)["occurredAt"][:19]
    assert status == 0
    assert lines[0].startswith(f"e_form_submission_v2  40 events, {first}Z to {last}Z: hs_form_id, ")
    assert lines[1].startswith("e_visited_page        more than 1,000 events, 2026-01-01T")
    assert "Z to beyond 2026-" in lines[1]
    assert lines[2] == "pe123_signup          no events"
    assert lines[-1] == '  "event_types": "e_form_submission_v2, e_visited_page"'


def test_an_account_of_200_types_takes_202_requests_and_shows_progress(account, tmp_path, capsys):
    sim = account({f"pe1_type_{number:03}": generated(3, event_type=f"pe1_type_{number:03}") for number in range(200)})
    status, printed, progress = listing(sim, tmp_path, capsys)
    assert status == 0 and len(sim.requests) == 202
    assert sum(line.startswith("pe1_type_") for line in printed.splitlines()) == 200
    assert "Asked HubSpot for 100 of 200 event types." in progress


def test_event_types_have_labels_those_of_custom_events_if_the_token_may_read_them(account, tmp_path, capsys):
    given = account(TYPES, definitions=[defined("pe123_signup", "Signed up\nfor a trial")])
    _, printed, _ = listing(given, tmp_path, capsys)
    forms, visits, signup = printed.splitlines()[:3]
    assert forms.endswith(" (Form submission)") and visits.endswith(" (Page visit)")
    assert signup == "pe123_signup          no events (Signed up for a trial)"


def test_refused_types_are_grouped_by_the_cause_and_not_suggested(account, tmp_path, capsys):
    sim = account(TYPES, forbidden={"pe123_signup": ("some.scope",), "e_visited_page": ("some.scope",)})
    status, printed, _ = listing(sim, tmp_path, capsys)
    assert status == 0
    assert printed.count("cannot be read, see below") == 2
    assert printed.count("cannot be read: ") == 1
    assert "some.scope" in printed
    assert printed.splitlines()[-1] == '  "event_types": "e_form_submission_v2"'


def test_the_filters_of_the_configuration_hide_nothing(account, tmp_path, capsys):
    sim = account({"e_a": listed([event(BASE, 1) | {"eventType": "e_a"}])})
    _, printed, _ = listing(sim, tmp_path, capsys, object_type="DEAL", properties="x", event_types="e_b")
    assert printed.startswith("e_a  1 event, ")


def test_a_wrong_token_is_one_message(account, tmp_path, capsys):
    status, printed, said = listing(account(TYPES, token="right"), tmp_path, capsys)  # noqa: S106
    assert status == 1 and not printed and "401" in said and "pat-na1-secret" not in said


@pytest.mark.parametrize("content", [None, "{", "[]", "{}"])
def test_a_broken_configuration_is_one_message(tmp_path, capsys, content):
    file = tmp_path / "configuration.json"
    if content is not None:
        file.write_text(content)
    assert main(["event-types", "--configuration", str(file)]) == 1
    said = capsys.readouterr().err
    assert "Traceback" not in said and ("configuration.json" in said or "api_token" in said)


@pytest.mark.parametrize(
    ("command", "option", "others"),
    [
        (["event-types"], "--configuration", "--state"),
        (["preview"], "--configuration", "--state"),
        (["read-again", "e_a"], "--state", "--configuration"),
    ],
)
def test_a_missing_file_is_named_with_the_option_that_the_command_has(tmp_path, capsys, command, option, others):
    assert main([*command, option, str(tmp_path / "no.json")]) == 1
    said = capsys.readouterr().err
    assert f"no file {tmp_path / 'no.json'}. Name the right one with {option}, or" in said
    assert others not in said


def test_names_that_the_configuration_does_not_take_are_listed_and_not_suggested(account, tmp_path, capsys):
    names = ["e_a", "with, comma", "line\nbreak", "e_*"]
    sim = account({name: listed([event(BASE, 1) | {"eventType": name}]) for name in names})
    _, printed, _ = listing(sim, tmp_path, capsys)
    assert printed.splitlines()[-1] == '  "event_types": "e_a"'
    assert "line break" in printed and "with, comma" in printed


def test_neither_a_start_date_nor_event_types_are_needed(account, tmp_path, capsys):
    status, printed, _ = listing(account(TYPES), tmp_path, capsys, initial_sync_start_date="", event_types="!broken")
    assert status == 0 and "pe123_signup" in printed


def test_one_type_that_fails_for_ever_holds_up_nothing(account, tmp_path, capsys):
    sim = account(TYPES)
    sim.behaviour.fault = lambda asked: "500" if asked.query.get("eventType") == ["pe123_signup"] else None
    status, printed, _ = listing(sim, tmp_path, capsys, max_outage_minutes="0.001")
    assert status == 0 and "pe123_signup cannot be read: HubSpot" in printed


def test_events_without_a_date_or_properties_are_counted(account, tmp_path, capsys):
    sim = account({"e_a": listed([{"id": "1"}, 7]), "e_b": listed([{"id": "1", "occurredAt": END}])})
    _, printed, _ = listing(sim, tmp_path, capsys)
    assert "e_a  2 events without a date" in printed and "no properties" in printed


def test_a_token_that_fivetran_has_encrypted_is_named_as_such(tmp_path, capsys):
    file = tmp_path / "configuration.json"
    file.write_text('{"api_token": "fivetran_encrypted:c2VjcmV0", "initial_sync_start_date": "2026-01-01"}')
    assert main(["event-types", "--configuration", str(file)]) == 1
    said = capsys.readouterr().err
    assert "only `fivetran` commands can read this encrypted value" in said and "c2VjcmV0" not in said


@pytest.mark.parametrize("value", [0, [], ["2026-01-01"], 5, False], ids=str)
@pytest.mark.parametrize("key", ["initial_sync_start_date", "event_types", "page_size", "api_token"])
def test_a_value_that_is_no_text_is_told_with_its_key(account, tmp_path, capsys, key, value):
    sim = account(TYPES)
    status, _, said = listing(sim, tmp_path, capsys, **{key: value})
    assert status == 1 and f"- {key}:" in said and "is a string" in said and not sim.requests
