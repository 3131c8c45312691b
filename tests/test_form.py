"""The setup form: every key, and tests that tell a person what to change; through the real command line too."""
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from fivetran_connector_sdk import form_field
from fivetran_connector_sdk_cli.form_field import PASSWORD

import connector
from pipeline import checks
from pipeline.settings import KEYS, read_settings
from simulator import Behaviour, Simulator, generated
from tests.support import configuration
from tests.test_connector import everything_left, fivetran, home, project, staged  # noqa: F401 (fixtures)

TYPE, OTHER = "e_visited_page", "pe1_signup"
TOKEN, SALT = "pat-na1-0badc0de-1234", "pepper and salt"
FORM = connector.configuration_form().to_response()
FIELDS = {field.name: field for field in FORM.fields}
TESTS = {test.label: test.name for test in FORM.tests}


def account(**behaviour):
    return Simulator({TYPE: generated(20), OTHER: generated(20, event_type=OTHER)}, Behaviour(**behaviour))


def outcomes(sim, **given):
    """What each setup test says of a configuration: label to failure, None where it passes."""
    keys = configuration(sim, api_token=TOKEN, **given)
    form = connector.configuration_form()
    said = {test.label: form._get_test_function_by_name(test.name)(keys).failure for test in FORM.tests}
    assert not [text for text in said.values() if text is not None and (TOKEN in text or SALT in text)]
    return said


def failures(sim, **given):
    return {label: said for label, said in outcomes(sim, **given).items() if said is not None}


# The fields


def test_every_key_has_a_field_and_those_without_a_default_come_first():
    assert list(FIELDS) == list(KEYS)
    assert list(FIELDS)[:3] == ["api_token", "initial_sync_start_date", "event_types"]
    assert [name for name, field in FIELDS.items() if field.required] == ["api_token", "initial_sync_start_date"]
    assert list(FIELDS)[-1] == "api_base_url"


def test_token_and_salt_are_passwords_and_nothing_else_is():
    assert [name for name, field in FIELDS.items() if field.text_field == PASSWORD] == ["api_token", "hash_salt"]
    assert form_field.TextField.password == PASSWORD
    assert FIELDS["hash_salt"].placeholder is None and FIELDS["api_token"].placeholder is None


@pytest.mark.parametrize("name", FIELDS)
def test_each_help_text_says_what_a_blank_means(name):
    field, default = FIELDS[name], KEYS[name].default
    assert field.label and field.description and not field.toggle  # a switch has no third state, blank
    assert f"Default: {default}" in field.description if default else "Default" not in field.description


def test_what_is_chosen_from_a_list_is_a_list_and_holds_the_default():
    choices = {name: field.dropdown_options or [] for name, field in FIELDS.items()}
    lists = {name: [option.value for option in options] for name, options in choices.items() if options}
    assert set(lists) == {"table_layout", "sync_metrics", "api_version"}
    assert all(options[0] == KEYS[name].default for name, options in lists.items())
    keys = configuration(Simulator({}))
    assert all(read_settings(keys | {name: option}) for name, options in lists.items() for option in options)


def test_a_form_left_blank_means_the_defaults():
    keys = configuration(Simulator({}))
    assert read_settings(dict.fromkeys(FIELDS, "") | keys) == read_settings(keys)


# The tests


@pytest.mark.parametrize("given", [
    {}, {"event_types": "*"}, {"event_types": f"{TYPE}, pe*, !x*"}, {"hash_columns": "a", "hash_salt": SALT},
    {"property_filters": "hs_city=são paulo", "object_type": "CONTACT"}, {"api_version": "v3"},
], ids=str)  # fmt: skip
def test_a_right_configuration_passes_every_test(given):
    with account() as sim:
        assert failures(sim, **given) == {}
        assert len(sim.requests) < 10


BAD = {
    "a wrong token": ({"token": "another"}, {}, "token", ["401", "api_token"]),
    "a malformed token": ({"fault": lambda request: "530"}, {}, "token", ["530", "api_token"]),
    "a scope": ({"forbidden": {TYPE: ["events.read"], OTHER: ["signups.read"]}}, {"event_types": "*"}, "scopes",
                ["events.read", "signups.read", TYPE, OTHER]),
    "one scope of two types": ({"forbidden": {OTHER: ["signups.read"]}}, {"event_types": "*"}, "scopes", ["signups.read", OTHER]),
    "an unknown type": ({}, {"event_types": f"{TYPE},e_visited_pag"}, "event types", ["e_visited_pag", TYPE, "event_types"]),
    "two unknown types": ({}, {"event_types": "e_a, e_b"}, "event types", ["'e_a'", "'e_b'"]),
    "patterns alone that match nothing": ({}, {"event_types": "x*"}, "event types", ["event_types"]),
    "a start date": ({}, {"initial_sync_start_date": "yesterday"}, "start date", ["initial_sync_start_date", "yesterday"]),
    "no start date": ({}, {"initial_sync_start_date": ""}, "start date", ["initial_sync_start_date", "missing"]),
    "a redirect": ({"fault": lambda request: "redirect"}, {}, None, ["api_base_url"]),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_fails_the_test_that_is_about_it_with_the_cure(case):
    behaviour, given, about, named = BAD[case]
    with account(**behaviour) as sim:
        said = failures(sim, **given)
    assert said and (about is None or any(about in label for label in said))
    text = "\n".join(said.values() if about is None else [said[label] for label in said if about in label])
    assert all(name in text for name in named)


@pytest.mark.parametrize("case", ["a wrong token", "a scope", "an unknown type"])
def test_the_tests_before_it_pass(case):
    """fivetran stops at the first failure: it must be the one that tells most."""
    behaviour, given, about, _ = BAD[case]
    with account(**behaviour) as sim:
        said = outcomes(sim, **given)
    first = next(label for label, failure in said.items() if failure is not None)
    assert about in first


def test_a_pattern_that_matches_nothing_beside_others_is_no_failure():
    """The sync warns about it; tomorrow it may match."""
    with account() as sim:
        assert failures(sim, event_types=f"{TYPE}, x*") == {}


def test_nobody_listening_fails_soon_and_says_so(monkeypatch):
    monkeypatch.setattr(checks, "PATIENCE", 50)
    sim = account()
    with sim:
        pass
    said = failures(sim)
    assert any("reached" in label for label in said) and "HubSpot gave no good answer" in next(iter(said.values()))
    assert not any("start date" in label for label in said)


def test_every_other_mistake_in_the_configuration_fails_a_test_too():
    with account() as sim:
        said = "\n".join(failures(sim, page_size="0", rename_columns="a", hash_columns="email").values())
    assert all(f"- {key}:" in said for key in ("page_size", "rename_columns", "hash_salt"))


@pytest.mark.parametrize("keys", [{}, {"api_token": None}, {"api_token": 5, "initial_sync_start_date": []}], ids=str)
def test_no_configuration_makes_a_test_fall_over(keys):
    form = connector.configuration_form()
    assert all(form._get_test_function_by_name(name)(keys).failure for name in TESTS.values())


# Through the command line, inside the package


def ask(folder, *arguments, answers=""):
    """`fivetran` with these arguments in a folder, nobody at the terminal: its exit status and all that it said."""
    scripts = Path(sys.executable).parent
    environment = os.environ | {"PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        [scripts / "fivetran", *arguments], cwd=folder, input=answers, capture_output=True, text=True, timeout=60,
        env=environment, start_new_session=True,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def answers(sim, **given):
    keys = configuration(sim, api_token=TOKEN, **given)
    return "".join(keys.get(name, "") + "\n" for name in FIELDS)


def test_the_form_is_answered_tested_and_synced_with_inside_the_package(staged, tmp_path):  # noqa: F811
    fivetran(staged, "package", "--force")  # without looking at requirements.txt, which test_connector.py has done
    (package,) = (staged / "files").glob("*.zip")
    folder = tmp_path / "packaged"
    with zipfile.ZipFile(package) as archive:
        archive.extractall(folder)
    carried = (folder / "configuration_form.pb").read_bytes()
    assert all(name.encode() in carried for name in [*FIELDS, *TESTS, *TESTS.values()])

    with account() as sim:
        given = {"event_types": "*", "hash_columns": "hs_c*", "hash_salt": SALT, "table_layout": "single"}
        status, said = ask(folder, "configuration", answers=answers(sim, **given))
        assert status == 0 and all(field.label in said for field in FIELDS.values())
        saved = json.loads((folder / "configuration.json").read_text())
        assert list(saved) == list(KEYS) and saved["event_types"] == "*" and saved["page_size"] == ""
        status, told = ask(folder, "configuration", "--test")
        assert status == 0 and "All tests passed" in told and all(f"{label}]: PASSED" in told for label in TESTS)
        sim.behaviour.forbidden = {OTHER: ["signups.read"]}
        status, refused = ask(folder, "configuration", "--test")
        assert status == 1 and "signups.read" in refused and OTHER in refused
    left = everything_left(folder).decode("latin-1") + said + told + refused
    assert TOKEN not in left and SALT not in left
