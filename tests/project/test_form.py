"""The setup form: twelve fields, and the whole of it through the real command line, inside the package."""

import json
import zipfile

import pytest
from fivetran_connector_sdk import form_field
from fivetran_connector_sdk_cli.form_field import PASSWORD

import connector
from pipeline.config.keys import KEYS
from pipeline.config.settings import read_settings
from simulator import Simulator, generated
from tests.sdk import everything_left, fivetran
from tests.support import TYPE, configuration

OTHER = "pe1_signup"
TOKEN, SALT = "pat-na1-0badc0de-1234", "pepper and salt"
FORM = connector.configuration_form().to_response()
FIELDS = {field.name: field for field in FORM.fields}
TESTS = {test.label: test.name for test in FORM.tests}


# The fields


def test_the_first_two_fields_are_required_and_all_others_are_marked_as_optional():
    """docs/configuration.md has them in this order, as test_docs.py holds."""
    required = [name for name, field in FIELDS.items() if field.required]
    assert required == list(FIELDS)[:2] == ["api_token", "initial_sync_start_date"]
    assert required == [name for name, field in FIELDS.items() if not field.label.endswith(" (optional)")]


def test_only_token_and_salt_are_passwords():
    passwords = [name for name, field in FIELDS.items() if field.text_field == PASSWORD]
    assert passwords == ["api_token", "hash_salt"] and form_field.TextField.password == PASSWORD
    assert not any(FIELDS[name].placeholder for name in passwords)


@pytest.mark.parametrize("name", FIELDS)
def test_each_field_states_its_default_and_a_list_of_choices_begins_with_it(name):
    field, default, keys = FIELDS[name], KEYS[name].default, configuration(Simulator({}))
    assert f"Default: {default}" in field.description if default else "Default" not in field.description
    choices = [option.value for option in field.dropdown_options or []]
    assert choices[:1] == [default] * (name == "table_layout")
    assert all(read_settings(keys | {name: choice}) for choice in choices)


# Through the command line, inside the package


def answers(sim, **given):
    keys = configuration(sim, api_token=TOKEN, **given)
    return "".join(keys.get(name, "") + "\n" for name in FIELDS)


def test_the_packaged_form_can_be_filled_in_and_tested(staged, tmp_path):
    # skips the check of requirements.txt, which test_connector.py covers
    fivetran(staged, "package", "--force")
    (package,) = (staged / "files").glob("*.zip")
    folder = tmp_path / "packaged"
    with zipfile.ZipFile(package) as archive:
        archive.extractall(folder)
    carried = (folder / "configuration_form.pb").read_bytes()
    assert all(name.encode() in carried for name in [*FIELDS, *TESTS, *TESTS.values()])

    with Simulator({TYPE: generated(20), OTHER: generated(20, event_type=OTHER)}) as sim:
        given = {"event_types": f"*, {OTHER}", "hash_columns": "hs_c*", "hash_salt": SALT, "table_layout": "single"}
        file = folder / "configuration.json"
        file.write_text(json.dumps({"api_base_url": sim.url}))
        asked = fivetran(folder, "configuration", "--yes", answers=answers(sim, **given))
        assert all(field.label in asked for field in FIELDS.values())
        saved = json.loads(file.read_text())
        assert saved["event_types"] == f"*, {OTHER}" and saved["page_size"] == ""
        # what else the file held is gone, as the last field says
        assert list(saved) == list(FIELDS) and "without them" in asked
        file.write_text(json.dumps(saved | {"api_base_url": sim.url}))
        passed = fivetran(folder, "configuration", "--test")
        assert "All tests passed" in passed
        assert all(f"{label}]: PASSED" in passed for label in TESTS)
        sim.behaviour.forbidden = {OTHER: ["signups.read"]}
        refused = fivetran(folder, "configuration", "--test", status=1)
        assert "signups.read" in refused and OTHER in refused
    left = everything_left(folder).decode("latin-1") + asked + passed + refused
    assert TOKEN not in left and SALT not in left
