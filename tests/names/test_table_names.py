"""Table names: no event type's table is another's, or leads out of its folder."""

import re

import pytest
from fivetran_connector_sdk_core.renaming import Renaming
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.names.tables import OWN_TABLES, table_name

RULE = Renaming(True).table
LONG = st.text("a1_.", min_size=200, max_size=300)
EVENT_TYPES = st.text(max_size=12) | st.text("aA_-./\\1\x00é ", max_size=8) | LONG
ODD = ["", ".", "..", "../..", "a/b", "/etc", "a\\b", "C:", "\x00", "a\x00", ".unfinished", "日本", "\u0301", "_", "x" * 300,
       *OWN_TABLES, "rejected-event", "Sync_Run", "EVENT"]  # fmt: skip


@pytest.mark.parametrize("name", [
    "e_visited_page", "pe1_form_v2", "pe123_step_2", "ae2_x", "pe1_my-event", "e_a_b", "a",
])  # fmt: skip
def test_an_event_type_in_lower_case_words_is_its_own_table_name(name):
    assert table_name(name) == name


@pytest.mark.parametrize("name", ODD)
def test_an_odd_event_type_has_a_safe_table_name_that_is_not_the_connectors(name):
    table = table_name(name)
    assert re.fullmatch(r"[a-z0-9][a-z0-9_]{0,149}", table) and RULE(table) not in OWN_TABLES


def test_the_connectors_own_table_names_are_destination_names():
    assert set(OWN_TABLES) == set(map(RULE, OWN_TABLES))


@given(st.lists(EVENT_TYPES | st.sampled_from(ODD), unique=True, max_size=8))
@example(["e_a_b", "E_A_B", "e_a__b", "e_a_b_", "e.a.b", "e a b"])
def test_two_event_types_share_no_table_unless_both_are_their_own_table_names(names):
    tables = [RULE(table_name(name)) for name in names if table_name(name) != name]
    plain = {RULE(name) for name in names if table_name(name) == name}
    assert len(set(tables)) == len(tables) and not plain & set(tables)
    assert not plain & set(OWN_TABLES)
