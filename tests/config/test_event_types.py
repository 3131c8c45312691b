"""Which event types a text of names, patterns and exclusions selects, and which texts are
refused.
"""

from fnmatch import fnmatchcase

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import read_settings
from pipeline.config.event_types import needs_list, select, unknown_event_type_message
from pipeline.errors import SettingsError
from pipeline.names.patterns import is_pattern
from simulator import Simulator
from tests.support import configuration

NAMES = st.sampled_from(["e_a", "e_b", "e_a_metadata", "pe1_a", "pe2_a", "ae1_b"])
PATTERNS = st.sampled_from(["*", "e_*", "pe?_a", "*_metadata", "x*", "e_x"])
ITEMS = st.lists(st.builds(str.__add__, st.sampled_from(["", "", "!"]), NAMES | PATTERNS), unique=True)


@settings(max_examples=150)
@given(ITEMS, st.lists(NAMES, unique=True))
def test_the_selection_is_the_set_that_the_items_define(items, known):
    patterns = [item for item in items if item[0] != "!" and is_pattern(item)]
    plain = {item for item in items if item[0] != "!" and not is_pattern(item)}
    excluded = {name for name in {*known, *plain} for item in items if item[0] == "!" and fnmatchcase(name, item[1:])}
    matched = {name for name in known for pattern in patterns if fnmatchcase(name, pattern)}
    selection = select(items, known)
    assert set(selection.names) == (matched | plain & set(known)) - excluded
    assert set(selection.unknown) == plain - set(known) - excluded
    assert set(selection.unmatched) == {each for each in patterns if not any(fnmatchcase(name, each) for name in known)}
    assert all(len(set(part)) == len(part) for part in selection)
    assert set(select(items).names) == plain - excluded
    assert not select(items).unknown
    assert not select(items).unmatched
    assert needs_list(items) == bool(patterns)


@pytest.mark.parametrize("text", [
    "e visited, page", "e_a b_c", "!e_a", "!e_a, !pe*", "! e_a, *", "!!e_a, *", "!", "e_a;e_b", "e_[ab]", "é*", "e_a/../b",
    "*&limit=1", "e_a, e_b!",
])  # fmt: skip
def test_a_text_that_is_not_a_list_of_event_types_is_refused_under_its_key(text):
    with pytest.raises(SettingsError, match="event_types: given") as error:
        read_settings(configuration(Simulator({}), event_types=text))
    assert str(error.value).count("\n- ") == 1


@pytest.mark.parametrize("text", [",", " , ,", ";"])
def test_empty_items_alone_are_not_taken_for_exclusions(text):
    with pytest.raises(SettingsError, match="event_types") as error:
        read_settings(configuration(Simulator({}), event_types=text))
    assert "exclusions alone" not in str(error.value)


def test_a_list_without_names_is_not_counted():
    assert unknown_event_type_message("e_a", []).endswith("; it lists none.")
