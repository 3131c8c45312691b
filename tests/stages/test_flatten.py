"""From events to flat rows, and their lists to JSON: no value is lost to a name or to its depth."""

import copy
import json
from collections import Counter

import orjson
import pytest
from fivetran_connector_sdk_core.renaming import Renaming
from hypothesis import given
from hypothesis import strategies as st

from pipeline.hubspot.events_api import FIELDS
from pipeline.names.columns import ADDED
from pipeline.stages.flatten import flatten
from pipeline.stages.serialize import serialize_lists
from tests.stages.rows import NAMES, OBJECTS, SCALARS, law

destination_column = Renaming(True).column


@st.composite
def events(draw):
    own = {"id": draw(st.text(max_size=4)), "occurredAt": "2026-05-21T01:36:04Z", "eventType": "e_a", "objectId": "1"}
    extra = {name: value for name, value in draw(OBJECTS).items() if name not in own}
    return {**extra, **own, "properties": draw(OBJECTS | SCALARS | st.lists(SCALARS, max_size=2))}


def leaves(value):
    """Every value that is not inside a list, once for each time it occurs; {} is one."""
    if isinstance(value, dict) and value:
        return [leaf for inner in value.values() for leaf in leaves(inner)]
    return [repr(value)]


@law
@given(events())
def test_no_value_is_lost_and_no_two_columns_share_a_destination_name(event):
    (row,) = flatten([event])
    occurred = row.pop("occurred")
    assert occurred == event["occurredAt"]
    assert Counter(leaf for value in row.values() for leaf in leaves(value)) == Counter(
        leaf for name, value in event.items() if name != "properties" or value != {} for leaf in leaves(value)
    )
    destination = [destination_column(name) for name in (*row, *ADDED)]
    assert len(set(destination)) == len(destination)
    assert all(row[name] == event[name] for name in FIELDS if name in event)
    assert not any(isinstance(value, dict) and value for value in row.values())


@law
@given(events(), st.randoms(use_true_random=False))
def test_the_event_is_not_changed_and_the_order_of_its_keys_does_not_matter(event, dice):
    before = copy.deepcopy(event)
    (row,) = flatten([event])
    assert event == before

    def shuffled(value):
        if not isinstance(value, dict):
            return value
        return {name: shuffled(value[name]) for name in dice.sample(list(value), len(value))}

    other, again, once_more = flatten([shuffled(event), {"id": "between", "properties": {"a": {"b": 1}}}, event])
    assert other == once_more == row and list(once_more) == list(row) and again["a_b"] == 1


@pytest.mark.parametrize("properties, columns", [
    ({"a": {"b": 1}, "a_b": 2}, {"properties_a_b": 1, "a_b": 2}), ({"hs_url": "", "x": None}, {"hs_url": "", "x": None}),
    ({"a": {"b": {"c": 1}, "d": {}, "e": []}}, {"a_b_c": 1, "a_d": {}, "a_e": []}),
    (None, {"properties": None}), ([1], {"properties": [1]}),
])  # fmt: skip
def test_properties_are_columns_beside_the_own_fields(properties, columns):
    (row,) = flatten([{"id": "a", "occurredAt": "2026-05-21", "properties": properties}])
    assert row == {"id": "a", "occurredAt": "2026-05-21", "occurred": "2026-05-21"} | columns


def test_an_event_without_properties_is_a_row():
    assert list(flatten([{"id": "a"}])) == [{"id": "a", "occurred": None}]


@law
@given(OBJECTS | st.dictionaries(NAMES, st.sampled_from([["\ud83d"], {"a": [2**70]}, ["é", None], [[[]]]])))
def test_lists_and_objects_become_json_that_reads_back(row):
    before = copy.deepcopy(row)
    (out,) = serialize_lists([row])
    assert row == before and list(out) == list(row)
    for name, value in row.items():
        assert (json.loads(out[name]) if isinstance(value, (list, dict)) else out[name]) == value
        assert not isinstance(out[name], (list, dict))


def nested(levels, kind):
    value = 1
    for _ in range(levels):
        value = {"a": value} if kind is dict else [value]
    return value


@pytest.mark.parametrize("kind", [dict, list])
@pytest.mark.parametrize("levels", [30, 33, 200, 260])
def test_a_deeply_nested_value_becomes_text_and_is_kept(levels, kind):
    (row,) = serialize_lists(flatten([{"id": "a", "properties": {"deep": nested(levels, kind)}}]))
    (name,) = set(row) - {"id", "occurred"}
    text, value = row[name], nested(levels, kind)
    for _ in name.split("_")[1:]:
        value = value["a"]
    assert (json.loads(text) if isinstance(text, str) else text) == value
    assert len(name) < 200


@pytest.mark.parametrize("kind", [dict, list])
def test_a_value_as_deep_as_can_be_read_can_be_written(kind):
    bodies = {dict: b'{"a":' * 1010 + b"1" + b"}" * 1010, list: b"[" * 1010 + b"]" * 1010}
    (row,) = serialize_lists(flatten([{"id": "a", "properties": {"deep": orjson.loads(bodies[kind])}}]))
    (name,) = set(row) - {"id", "occurred"}
    assert row[name].count("{" if kind is dict else "[") in range(900, 1011)
