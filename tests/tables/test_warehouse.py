"""The tables as they arrive in DuckDB through the SDK, in both layouts, whatever columns and event types are called."""

import json

import pytest

from simulator import Simulator, listed
from tests.accounts import OTHER, event, served
from tests.sdk import kinds, rows, run
from tests.support import TYPE, Delivered, configuration, sync_into


def test_text_that_looks_like_numbers_stays_text_if_it_is_declared_or_known_to_be_an_id(project):
    given = {"my_version": "1.10", "zip": "00420", "flag": "T", "geo_code": "-07"}
    known = {"hs_hash_id": "0396065", "hs_leviathan_linked_vids": "221021723238", "hs_browser_version_major": "17.40",
             "hs_page_id": "0012", "hs_session_id": "1e5", "hs_form_id": "7"}  # fmt: skip
    nested = {name: given[name] for name in given if name != "geo_code"} | {"geo": {"code": given["geo_code"]}}
    with served(event(**nested, **known, free="1.10"), event(1, free="1.10")) as sim:
        run(project, configuration(sim, string_columns=", ".join(given)))
    found = rows(project, ", ".join(["object_id", *given, *known]))
    assert set(found) == {("007", *given.values(), *known.values()), ("007", *[None] * len(given | known))}
    assert kinds(project)["free"] == "DOUBLE"  # undeclared: the test would prove nothing if it were text


def test_the_single_table_holds_the_properties_of_any_shape_exactly_as_sent(project):
    """Also of two events with one id in two types, and of one that does not name its type."""
    odd = {"a": "1.10", "id": "x", "é": "ü\"'", "n": 1.5, "none": None, "of": [1, {"b": None}]}
    shapes = [odd | {"in": {"deep": {"er": []}}}, ["a", {"b": 1}], "text", None, 7, {}]
    sent = [event(n) | {"properties": shape} for n, shape in enumerate(shapes)]
    sent += [event(n, hs_url=f"/{n}") for n in range(len(shapes), 30)]
    of_other = [event(n, OTHER) for n in range(20, 60)]
    untyped = {name: value for name, value in event(30).items() if name != "eventType"}
    with Simulator({TYPE: listed([*sent, untyped]), OTHER: listed(of_other)}) as sim:
        run(project, configuration(sim, event_types="*", table_layout="single", page_size="15"))
    own = ("id", "eventType", "objectId", "objectType", "occurredAt")
    expected = {tuple(each[name] for name in own): each["properties"] for each in [*sent, event(30), *of_other]}
    found = rows(project, "id, event_type, object_id, object_type, occurred, properties::VARCHAR", "event")
    assert {tuple(row): text and json.loads(text) for *row, text in found} == expected and len(found) == len(expected)
    assert kinds(project, "event")["properties"] == "JSON"


# Event types whose names the destination makes equal


def rivals(*names):
    """An account whose event types have events with the same ids."""
    return Simulator({name: listed([event(n, name) for n in range(size)]) for size, name in enumerate(names, 3)})


ALIKE = ["e_a_b", "E_A_B", "e_a__b", "e_a.b", "sync_run", "rejected_event", "event", "Event"]


def test_similar_event_types_and_those_called_like_the_connectors_own_tables_get_a_table_each():
    with rivals(*ALIKE) as sim:
        delivered = sync_into(Delivered(), sim, event_types="*")
    assert len(delivered.rows.pop("sync_run")) == 1
    assert sorted(map(len, delivered.rows.values())) == list(range(3, 3 + len(ALIKE)))
    for table, found in delivered.rows.items():
        (name,) = {row["eventType"] for row in found.values()}
        assert name == table == "e_a_b" or any(f"{name} in {table}" in warning for warning in delivered.warnings)


TWINS = ["e_form_v2", "e_form_v_2", "e_form-v2"]


@pytest.mark.parametrize("first", TWINS)
def test_of_two_names_for_one_table_the_one_that_has_it_keeps_it_and_the_other_is_a_warning(first):
    with rivals(*TWINS) as sim:
        new = [sync_into(Delivered(), sim, event_types=",".join(names)) for names in (TWINS, reversed(TWINS))]
        assert new[0].rows.keys() == new[1].rows.keys() and len(new[0].rows) == 2, "the same one, in any order"
        delivered = sync_into(Delivered(), sim, event_types=first)
        sync_into(delivered, sim, event_types="*")
        assert set(delivered.rows) == {first, "sync_run"}
        for name in set(TWINS) - {first}:
            (sentence,) = [warning for warning in delivered.warnings if warning.startswith(f"{name} is not synced")]
            assert first in sentence and "table_layout" in sentence
        single_layout = sync_into(Delivered(), sim, event_types="*", table_layout="single")
        assert set(single_layout.rows) == {"event", "sync_run"} and not single_layout.warnings


def test_a_type_that_had_another_table_before_is_read_again_into_its_own():
    with rivals("E_A_B") as sim:
        delivered = sync_into(Delivered(), sim, event_types="E_A_B")
        (table,) = set(delivered.rows) - {"sync_run"}
        old = json.loads(json.dumps(delivered.state))
        del old["event_types"]["E_A_B"]["fingerprint"]
        again = sync_into(Delivered(), sim, old, event_types="E_A_B")
        assert len(again.ids(table)) == 3
        assert any("read again" in warning and table in warning for warning in again.warnings)
        later = sync_into(Delivered(), sim, again.state, event_types="E_A_B")
        assert not later.warnings
