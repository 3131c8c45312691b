"""Column names: Fivetran's own rule, and no two values under one name."""
import random
import re

import pytest
from fivetran_connector_sdk_core.renaming import Renaming
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.metrics import TABLE as SYNC_RUN
from pipeline.names import ADDED, OWN, OWN_TABLES, column_names, destination_name, table_name
from pipeline.rejects import TABLE as REJECTED_EVENT
from pipeline.settings import SINGLE

RULE = Renaming(True).column
TABLE_RULE = Renaming(True).table
TRICKY = [
    *OWN, *ADDED, "event_type", "EventType", "eventTYPE", "EVENT_TYPE", "object_id", "occurred_at", "ID", "Id", "_id", "__id",
    "i_d", "properties_id", "propertiesId", "properties__id", "properties_properties_id", "Properties_Id", "properties", "_", "",
    "__", "!", "a", "b", "a_b", "aB", "A_B", "a.b", "a b", "a-b", "é", "e", "1", "_1", "a1", "a_1", "1a", "properties_",
    "properties_a_b", "_fivetran_deleted", "fivetran_deleted", "_fivetranDeleted", "properties_occurred", "Occurred", "日本",
]  # fmt: skip
NAMES = st.sampled_from(TRICKY) | st.text(max_size=6) | st.text("aAbB1_é.", max_size=6)
PATHS = NAMES | st.lists(NAMES, min_size=2, max_size=3).map(tuple)
OWNS = st.lists(PATHS, unique=True, max_size=6).map(lambda more: tuple(dict.fromkeys([*OWN, *more])))
PROPERTIES = st.lists(PATHS, unique=True, max_size=12).map(tuple)
law = settings(deadline=None, max_examples=300)


@settings(deadline=None, max_examples=2000)
@given(st.text() | st.text("aZéÀß09٣²_-. !\u0301\u0307İǅ", max_size=12) | st.sampled_from(TRICKY))
@example("")
@example("İI")
@example("9a\n")
def test_a_name_is_renamed_as_fivetran_does(name):
    assert destination_name(name) == RULE(name)


@law
@given(OWNS, PROPERTIES)
def test_no_two_values_have_one_name_for_the_destination(own, properties):
    columns = column_names(own, properties)
    assert len(columns) == len(own) + len(properties)
    assert len(set(map(RULE, columns))) == len(columns)


@law
@given(OWNS, PROPERTIES)
@example(OWN, ("", "\u0301", ("", "")))
def test_no_value_is_without_a_name_for_the_destination(own, properties):
    assert all(map(RULE, column_names(own, properties)))


@law
@given(OWNS, PROPERTIES)
def test_own_fields_keep_their_names_and_nobody_takes_those_that_are_added(own, properties):
    columns = column_names(own, properties)
    by_path = dict(zip(own, columns, strict=False))
    assert all(by_path[name] == name for name in OWN)
    assert not set(map(RULE, ADDED)) & set(map(RULE, columns))


@law
@given(OWNS, PROPERTIES, st.randoms(use_true_random=False))
def test_names_do_not_depend_on_the_order_of_keys(own, properties, dice):
    shuffled_own, shuffled = (tuple(dice.sample(paths, len(paths))) for paths in (own, properties))
    columns, again = column_names(own, properties), column_names(shuffled_own, shuffled)
    assert dict(zip(own, columns, strict=False)) == dict(zip(shuffled_own, again, strict=False))
    assert dict(zip(properties, columns[len(own) :], strict=True)) == dict(zip(shuffled, again[len(own) :], strict=True))


def bare(path):
    """What competes for one name: the destination's, without the prefixes that a collision or a property may bring."""
    name = RULE(path if isinstance(path, str) else "_".join(path)).lstrip("_")
    while name.startswith("properties_"):
        name = name.removeprefix("properties_").lstrip("_")
    return name


@law
@given(PROPERTIES)
def test_a_name_depends_on_nothing_but_what_competes_for_it(properties):
    columns = column_names(OWN, properties)[len(OWN) :]
    for path, column in zip(properties, columns, strict=True):
        rivals = tuple(other for other in properties if bare(other) == bare(path))
        assert column_names(OWN, rivals)[len(OWN) + rivals.index(path)] == column


@pytest.mark.parametrize("path", ["hs_url", "hsUrl", "a b", "é", "1a", "fivetran", ("geo", "lat")])
def test_a_name_nobody_else_wants_stays_as_it_is(path):
    assert column_names(OWN, (path,))[-1] == (path if isinstance(path, str) else "_".join(path))


@pytest.mark.parametrize(
    "properties, columns",
    [
        (("id",), ("properties_id",)),
        (("event_type",), ("properties_event_type",)),
        (("occurred",), ("properties_occurred",)),
        (("_fivetran_deleted",), ("properties__fivetran_deleted",)),
        (("properties_id",), ("properties_properties_id",)),
        (("id", "properties_id"), ("properties_id", "properties_properties_id")),
        (("eventType", "event_type"), ("properties_eventType", "properties_properties_event_type")),
        ((("a", "b"), "a_b"), ("properties_a_b", "a_b")),
    ],
)
def test_the_loser_of_a_name_is_prefixed(properties, columns):
    assert column_names(OWN, properties)[len(OWN) :] == columns


def test_a_long_dead_end_of_prefixes_ends():
    names = ["a", *("properties_" * n + "a" for n in range(1, 30))]
    random.Random(0).shuffle(names)
    nested = [("properties",) * n + ("a",) for n in range(1, 30)]
    columns = column_names(OWN, (*names, *nested))
    assert len(set(map(RULE, columns))) == len(columns)


# Tables

EVENT_TYPES = st.text(max_size=12) | st.text("aA_-./\\1\x00é ", max_size=8) | st.text("a1_.", min_size=200, max_size=300)
ODD = ["", ".", "..", "../..", "a/b", "/etc", "a\\b", "C:", "\x00", "a\x00", ".unfinished", "日本", "\u0301", "_", "x" * 300,
       *OWN_TABLES, "rejected-event", "Sync_Run", "EVENT"]  # fmt: skip


@pytest.mark.parametrize("name", ["e_visited_page", "pe1_form_v2", "pe123_step_2", "ae2_x", "pe1_my-event", "e_a_b", "a"])
def test_a_table_is_called_like_its_event_type_where_that_is_in_lower_case_words(name):
    assert table_name(name) == name


@pytest.mark.parametrize("name", ODD)
def test_no_event_type_has_a_table_of_the_connector_or_a_name_that_leads_elsewhere(name):
    table = table_name(name)
    assert re.fullmatch(r"[a-z0-9][a-z0-9_]{0,149}", table) and TABLE_RULE(table) not in OWN_TABLES


def test_the_connectors_own_tables_are_these():
    assert {SYNC_RUN, REJECTED_EVENT, SINGLE} == set(OWN_TABLES) == set(map(TABLE_RULE, OWN_TABLES))


@law
@given(st.lists(EVENT_TYPES | st.sampled_from(ODD), unique=True, max_size=8))
@example(["e_a_b", "E_A_B", "e_a__b", "e_a_b_", "e.a.b", "e a b"])
def test_two_event_types_are_two_tables_unless_both_are_called_like_their_table(names):
    tables = [TABLE_RULE(table_name(name)) for name in names if table_name(name) != name]
    plain = {TABLE_RULE(name) for name in names if table_name(name) == name}
    assert len(set(tables)) == len(tables) and not plain & set(tables)
    assert not plain & set(OWN_TABLES)
