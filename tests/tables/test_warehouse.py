"""The tables as they arrive in DuckDB through the SDK, in both layouts, whatever columns and event
types are called.
"""

import json

import duckdb
import pytest

from simulator import Simulator, generated, listed
from tests.accounts import OTHER, event, served
from tests.sdk import kinds, rows, run
from tests.support import TYPE, Delivered, configuration, sync_into


def sent(sim):
    return {history.event(i)["id"]: history.event(i) for history in sim.histories.values() for i in range(len(history))}


def keys(project, table):
    with duckdb.connect(str(project / "files" / "warehouse.db"), read_only=True) as database:
        described = database.execute("DESCRIBE tester." + table).fetchall()
    return [name for name, _, _, key, *_ in described if key == "PRI"]


# Into DuckDB


def test_text_that_looks_like_numbers_stays_text_if_it_is_declared(project):
    odd = {
        "hs_version": "1.10",
        "zip": "00420",
        "flag": "T",
        "free": "1.10",
        "geo": {"code": "-07"},
        "hs_page_id": "12",
    }
    with served(event(**odd), event(1, **odd)) as sim:
        run(project, configuration(sim, string_columns="hs_version, zip, flag, geo_code"))
    found = rows(project, "hs_version, zip, flag, geo_code, object_id")
    assert set(found) == {("1.10", "00420", "T", "-07", "007")}
    # undeclared: the test would prove nothing if it were text
    assert kinds(project)["free"] == "DOUBLE"
    assert kinds(project)["hs_page_id"] == "VARCHAR"  # the given list takes nothing away


def test_the_ids_that_hubspot_is_known_to_send_are_text_by_default(project):
    with served(event(hs_page_id="0012", hs_session_id="1e5"), event(1, hs_form_id="7")) as sim:
        run(project, configuration(sim))
    assert rows(project, "hs_page_id, hs_session_id, hs_form_id") == [("0012", "1e5", None), (None, None, "7")]


def test_renamed_columns_keep_their_type_and_displace_no_column_of_that_name(project):
    with served(event(hs_title="1.10", title="other", hs_url="/")) as sim:
        run(
            project,
            configuration(
                sim, rename_columns="hs_title=title, objectId=contact, hs_*=page_*", string_columns="hs_title"
            ),
        )
    assert rows(project, "title, properties_title, contact, page_url") == [("1.10", "other", "007", "/")]
    assert "hs_title" not in kinds(project) and "object_id" not in kinds(project)


def test_the_single_table_holds_the_properties_exactly_as_sent(project):
    odd = {
        "a": "1.10",
        "id": "x",
        "é": "ü\"'",
        "n": 1.5,
        "none": None,
        "of": [1, {"b": None}],
        "in": {"deep": {"er": []}},
    }
    events = [event(1, **odd), event(2), *(event(n, hs_url=f"/{n}") for n in range(3, 30))]
    with Simulator({TYPE: listed(events), OTHER: generated(40, event_type=OTHER)}) as sim:
        run(project, configuration(sim, event_types="*", table_layout="single", page_size="15"))
        events = sent(sim)
    found = rows(project, "id, event_type, object_id, object_type, occurred, properties::VARCHAR", "event")
    assert {row[0]: json.loads(row[5]) for row in found} == {key: each["properties"] for key, each in events.items()}
    assert {row[:5] for row in found} == {
        tuple(each[name] for name in ("id", "eventType", "objectId", "objectType", "occurredAt"))
        for each in events.values()
    }
    assert kinds(project, "event")["properties"] == "JSON" and keys(project, "event") == ["id", "event_type"]


def test_properties_of_another_shape_are_kept_as_sent(project):
    shapes = [["a", {"b": 1}], "text", None, 7, {}]
    with served(*(event(n) | {"properties": shape} for n, shape in enumerate(shapes))) as sim:
        run(project, configuration(sim, table_layout="single"))
    found = [text for _, text in sorted(rows(project, "id, properties::VARCHAR", "event"))]
    assert [None if text is None else json.loads(text) for text in found] == shapes


def test_an_event_without_its_type_is_a_row_too(project):
    bare = event()
    del bare["eventType"]
    with served(bare, event(1)) as sim:
        run(project, configuration(sim, table_layout="single"))
    assert sorted(rows(project, "id, event_type", "event")) == [("id-0", TYPE), ("id-1", TYPE)]


def test_two_events_with_one_id_in_two_types_are_two_rows_of_the_single_table(project):
    with Simulator({TYPE: listed([event()]), OTHER: listed([event(0, OTHER)])}) as sim:
        run(project, configuration(sim, event_types="*", table_layout="single"))
    assert sorted(rows(project, "id, event_type", "event")) == [("id-0", TYPE), ("id-0", OTHER)]


# Event types whose names the destination makes equal


def tables_in(project):
    """The event types and their numbers of rows in each table of a warehouse."""
    with duckdb.connect(str(project / "files" / "warehouse.db"), read_only=True) as database:
        names = database.execute("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'tester'").fetchall()
        counted = {
            name: database.execute(
                f"SELECT event_type, count(*) FROM tester.{name} GROUP BY ALL"  # noqa: S608
            ).fetchall()
            for (name,) in names
            if name not in ("sync_run", "rejected_event", "event_property")
        }
    return {name: counts for name, counts in counted.items() if counts}


def rivals(*names):
    """An account whose event types have events with the same ids."""
    return Simulator({name: listed([event(n, name) for n in range(size)]) for size, name in enumerate(names, 3)})


ALIKE = ["e_a_b", "E_A_B", "e_a__b", "e_a.b", "sync_run", "rejected_event", "event", "Event"]


def test_similar_event_types_and_those_called_like_the_connectors_own_tables_get_a_table_each(project, capsys):
    with rivals(*ALIKE) as sim:
        run(project, configuration(sim, event_types="*"))
    found = tables_in(project)
    assert sorted(counts for ((_, counts),) in found.values()) == list(range(3, 3 + len(ALIKE)))
    assert found["e_a_b"] == [("e_a_b", 3)]
    assert len(rows(project, "id", "sync_run")) == 1
    printed = capsys.readouterr().out
    assert all(f"{name} in {table}" in printed for table, ((name, _),) in found.items() if name != "e_a_b")


def test_the_table_of_an_event_type_does_not_depend_on_which_others_are_selected():
    with rivals(*ALIKE) as sim:
        together = sync_into(Delivered(), sim, event_types="*")
        alone = [sync_into(Delivered(), sim, event_types=name) for name in ALIKE]
    assert {table for each in alone for table in each.rows} == set(together.rows)


TWINS = ["e_form_v2", "e_form_v_2", "e_form-v2"]


@pytest.mark.parametrize("first", TWINS)
def test_of_two_names_for_one_table_the_one_that_has_it_keeps_it_and_the_other_is_a_warning(first):
    with rivals(*TWINS) as sim:
        delivered = sync_into(Delivered(), sim, event_types=first)
        sync_into(delivered, sim, event_types="*")
        assert set(delivered.rows) == {first, "sync_run"}
        for name in set(TWINS) - {first}:
            (sentence,) = [warning for warning in delivered.warnings if warning.startswith(f"{name} is not synced")]
            assert first in sentence and "table_layout" in sentence
        single_layout = sync_into(Delivered(), sim, event_types="*", table_layout="single")
        assert set(single_layout.rows) == {"event", "sync_run"} and not single_layout.warnings


def test_of_two_new_names_for_one_table_the_same_one_gets_it_in_any_order():
    with rivals(*TWINS) as sim:
        found = [sync_into(Delivered(), sim, event_types=",".join(names)) for names in (TWINS, reversed(TWINS))]
    assert found[0].rows.keys() == found[1].rows.keys() and len(found[0].rows) == 2


def test_a_type_that_had_another_table_before_is_read_again_into_its_own():
    with rivals("E_A_B") as sim:
        delivered = sync_into(Delivered(), sim, event_types="E_A_B")
        (table,) = set(delivered.rows) - {"sync_run"}
        old = json.loads(json.dumps(delivered.state))
        del old["event_types"]["E_A_B"]["fingerprint"]
        again = sync_into(Delivered(), sim, old, event_types="E_A_B")
        assert len(again.ids(table)) == 3 and any(
            "read again" in warning and table in warning for warning in again.warnings
        )
        later = sync_into(Delivered(), sim, again.state, event_types="E_A_B")
        assert not later.warnings
