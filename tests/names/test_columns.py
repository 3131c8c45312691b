"""Column names: no two values share one, and the name of a value depends on nothing but what
competes for it. A destination name is the one that Fivetran makes.
"""

import random

import pytest
from fivetran_connector_sdk_core.renaming import Renaming
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.hubspot.events_api import FIELDS
from pipeline.names.columns import ADDED, column_names
from pipeline.names.destination import destination_name
from pipeline.names.shapes import by_shape

RULE = Renaming(True).column
TRICKY = [
    *FIELDS, *ADDED, "event_type", "EventType", "eventTYPE", "EVENT_TYPE", "object_id", "occurred_at", "ID", "Id", "_id", "__id",
    "i_d", "properties_id", "propertiesId", "properties__id", "properties_properties_id", "Properties_Id", "properties", "_", "",
    "__", "!", "a", "b", "a_b", "aB", "A_B", "a.b", "a b", "a-b", "é", "e", "1", "_1", "a1", "a_1", "1a", "properties_",
    "properties_a_b", "_fivetran_deleted", "fivetran_deleted", "_fivetranDeleted", "properties_occurred", "Occurred", "日本",
]  # fmt: skip
NAMES = st.sampled_from(TRICKY) | st.text(max_size=6) | st.text("aAbB1_é.", max_size=6)
PATHS = NAMES | st.lists(NAMES, min_size=2, max_size=3).map(tuple)
OWNS = st.lists(PATHS, unique=True, max_size=6).map(lambda more: tuple(dict.fromkeys([*FIELDS, *more])))
PROPERTIES = st.lists(PATHS, unique=True, max_size=12).map(tuple)
law = settings(deadline=None)


@settings(deadline=None, max_examples=300)
@given(st.text() | st.text("aZéÀß09٣²_-. !\u0301\u0307İǅ", max_size=12) | st.sampled_from(TRICKY))
@example("")
@example("İI")
@example("9a\n")
def test_a_name_becomes_what_fivetran_makes_of_it(name):
    assert destination_name(name) == RULE(name)


@law
@given(OWNS, PROPERTIES)
@example(FIELDS, ("", "\u0301", ("", "")))
def test_no_two_values_share_a_destination_name(own, properties):
    """Nor does any take that of an added column, or have none; and own fields keep their names."""
    columns = column_names(own, properties)
    names = set(map(RULE, columns))
    assert len(names) == len(columns) == len(own) + len(properties)
    assert "" not in names and not set(map(RULE, ADDED)) & names
    by_path = dict(zip(own, columns, strict=False))
    assert all(by_path[name] == name for name in FIELDS)


@law
@given(OWNS, PROPERTIES, st.randoms(use_true_random=False))
def test_names_do_not_depend_on_the_order_of_keys(own, properties, dice):
    shuffled_own, shuffled = (tuple(dice.sample(paths, len(paths))) for paths in (own, properties))
    columns, again = column_names(own, properties), column_names(shuffled_own, shuffled)
    whose = [*((0, path) for path in own), *((1, path) for path in properties)]
    shuffled_whose = [*((0, path) for path in shuffled_own), *((1, path) for path in shuffled)]
    assert dict(zip(whose, columns, strict=True)) == dict(zip(shuffled_whose, again, strict=True))


def bare(path):
    """What paths compete for: the destination name without the prefixes that a collision or a property may add."""
    name = RULE(path if isinstance(path, str) else "_".join(path)).lstrip("_")
    while name.startswith("properties_"):
        name = name.removeprefix("properties_").lstrip("_")
    return name


@law
@given(PROPERTIES)
def test_a_name_depends_on_nothing_but_what_competes_for_it(properties):
    columns = column_names(FIELDS, properties)[len(FIELDS) :]
    for path, column in zip(properties, columns, strict=True):
        rivals = tuple(other for other in properties if bare(other) == bare(path))
        assert column_names(FIELDS, rivals)[len(FIELDS) + rivals.index(path)] == column


@pytest.mark.parametrize("properties, columns", [
    (("id",), ("properties_id",)), (("objectType",), ("properties_objectType",)), (("occurred",), ("properties_occurred",)),
    (("_fivetran_deleted",), ("properties__fivetran_deleted",)), (("properties_id",), ("properties_properties_id",)),
    (("id", "properties_id"), ("properties_id", "properties_properties_id")), ((("a", "b"), "a_b"), ("properties_a_b", "a_b")),
    (("eventType", "event_type"), ("properties_eventType", "properties_properties_event_type")),
    *(((path,), (path,)) for path in ("hs_url", "hsUrl", "a b", "é", "1a", "fivetran")), ((("geo", "lat"),), ("geo_lat",)),
])  # fmt: skip
def test_the_loser_of_a_collision_is_prefixed_and_a_name_without_a_rival_stays_as_it_is(properties, columns):
    assert column_names(FIELDS, properties)[len(FIELDS) :] == columns


def test_a_long_chain_of_collisions_ends():
    names = ["a", *("properties_" * n + "a" for n in range(1, 30))]
    random.Random(0).shuffle(names)
    nested = [("properties",) * n + ("a",) for n in range(1, 30)]
    columns = column_names(FIELDS, (*names, *nested))
    assert len(set(map(RULE, columns))) == len(columns)


SHAPE = st.lists(st.sampled_from(["a", "b", ("a", "b")]), unique=True, max_size=3)


@given(st.lists(st.tuples(SHAPE, SHAPE)))
def test_each_shape_gets_its_own_plan_which_is_made_once(shapes):
    """Never is one taken for another's."""
    made = []

    def plan_for(own, properties):
        made.append((own, properties))
        return own, properties

    plan = by_shape(plan_for)
    wanted = [(tuple(own), tuple(properties)) for own, properties in shapes]
    assert [plan(dict.fromkeys(own), dict.fromkeys(properties)) for own, properties in shapes] == wanted
    assert made == list(dict.fromkeys(wanted))
