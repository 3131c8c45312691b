"""Which event types names, patterns and exclusions select."""

from fnmatch import fnmatchcase

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config.event_types import needs_list, select
from pipeline.names.patterns import is_pattern

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
