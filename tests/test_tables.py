"""The tables as schema() declares them and as they arrive, in both layouts; filters; what a change of either does."""
import json

import duckdb
import pytest

import connector
from pipeline import ConnectorError, read_settings, sync
from pipeline.connection.state import read_state
from pipeline.moments import to_ms, to_text
from pipeline.names import destination_name
from pipeline.tables import declare
from simulator import Behaviour, Simulator, generated, listed
from tests.support import START, Delivered, configuration, sync_into
from tests.test_connector import home, project, rows, run, truth  # noqa: F401 (fixtures)
from tests.test_sync import Destination

TYPE, OTHER = "e_visited_page", "pe1_signup"
BASE = to_ms(START)


def event(n=0, event_type=TYPE, /, **properties):
    at = to_text(BASE + n * 1000)
    own = {"id": f"id-{n}", "eventType": event_type, "occurredAt": at, "objectId": "007", "objectType": "CONTACT"}
    return {**own, "properties": properties}


def served(*events, **behaviour):
    return Simulator({TYPE: listed(events)}, Behaviour(**behaviour))


def both(sizes=(60, 70)):
    return Simulator({TYPE: generated(sizes[0]), OTHER: generated(sizes[1], event_type=OTHER)})


def sent(sim):
    return {history.event(i)["id"]: history.event(i) for history in sim.histories.values() for i in range(len(history))}


def queries(sim, begin=0):
    return [request.query for request in sim.requests[begin:] if "eventType" in request.query]


def kinds(project, table=TYPE):  # noqa: F811
    """The columns of a table in the warehouse: name to type."""
    with duckdb.connect(str(project / "files" / "warehouse.db"), read_only=True) as database:
        question = "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = ?"
        return dict(database.execute(question, [table]).fetchall())


def keys(project, table):  # noqa: F811
    with duckdb.connect(str(project / "files" / "warehouse.db"), read_only=True) as database:
        described = database.execute("DESCRIBE tester." + table).fetchall()
    return [name for name, _, _, key, *_ in described if key == "PRI"]


def tables_of(**given):
    """What schema() declares without anybody to ask: table to columns."""
    nowhere = configuration(Simulator({}), max_outage_minutes="0.0001", string_columns="hs_form_id")
    return {table["table"]: table for table in connector.schema(nowhere | given)}


# Declared


def test_every_table_is_declared_with_its_key_and_nothing_that_needs_no_force():
    declared = tables_of(event_types=f"{TYPE}, {OTHER}")
    assert set(declared) == {TYPE, OTHER, "rejected_event", "sync_run"}
    assert all(table["primary_key"] == ["id"] for table in declared.values())
    columns = ["id", "eventType", "occurred", "objectId", "objectType", "hs_form_id"]
    assert declared[TYPE]["columns"] == dict.fromkeys(columns, "STRING")
    assert set(tables_of(sync_metrics="false")) == {TYPE, "rejected_event"}


def test_the_single_layout_is_one_table_with_properties_as_one_json_column():
    declared = tables_of(table_layout="single", event_types="*")
    assert set(declared) == {"event", "rejected_event", "sync_run"}
    assert declared["event"]["primary_key"] == ["id", "eventType"] and declared["event"]["columns"]["properties"] == "JSON"


@pytest.mark.parametrize("broken", [{"page_size": "0"}, {"api_token": ""}, {}, {"event_types": "e a"}], ids=str)
def test_schema_never_fails_and_leaves_what_is_wrong_to_update(broken):
    given = {} if not broken else configuration(Simulator({})) | broken
    assert [table["table"] for table in connector.schema(given)] == ["rejected_event"]


@pytest.mark.parametrize("behaviour", [
    {"token": "another"}, {"fault": lambda request: "403"}, {"fault": lambda request: "reset"},
])  # fmt: skip
def test_where_hubspot_does_not_answer_schema_declares_what_needs_no_answer(behaviour):
    with served(event(), **behaviour) as sim:
        soon = configuration(sim, event_types=f"{TYPE}, pe*", max_outage_minutes="0.001")
        declared = declare(soon | {"string_columns": "hs_*, hs_x"})
    assert [table["table"] for table in declared] == [TYPE, "rejected_event", "sync_run"]
    assert "hs_x" in declared[0]["columns"]


def test_a_forbidden_type_costs_the_others_no_string_column():
    with both((5, 5)) as sim:
        sim.behaviour.forbidden = [OTHER]
        tables = declare(configuration(sim, event_types="*", string_columns="hs_*"))
    declared = {table["table"]: table["columns"] for table in tables}
    assert "hs_page_id" in declared[TYPE] and OTHER in declared and "hs_page_id" not in declared[OTHER]


def outcome(sim, declared, **given):
    """What a sync behind that schema() delivers, and how it ended."""
    delivered = Delivered()
    try:
        sync(read_settings(configuration(sim, **given)), {}, delivered.sink(), {table["table"] for table in declared})
    except ConnectorError as error:
        return delivered, str(error)
    return delivered, None


def test_a_type_whose_events_cannot_be_had_costs_the_others_neither_table_nor_sync():
    given = {"event_types": "*", "string_columns": "hs_*", "max_outage_minutes": "0.001"}
    with both((20, 5)) as sim:
        sim.behaviour.fault = lambda request: "500" if request.query.get("eventType") == [OTHER] else None
        declared = connector.schema(configuration(sim, **given))
        delivered, _ = outcome(sim, declared, **given)
    assert len(delivered.ids(TYPE)) == 20


def test_a_sync_behind_a_schema_that_could_not_ask_is_no_silent_success():
    given = {"event_types": "*", "max_outage_minutes": "0.001"}
    with both((20, 5)) as sim:
        sim.behaviour.fault = lambda request: "500"
        declared = connector.schema(configuration(sim, **given))
        sim.behaviour.fault = None
        delivered, error = outcome(sim, declared, **given)
    assert error or len(delivered.ids(TYPE)) == 20


PATTERNS = {"string_columns": "z?p*, hs_version", "max_outage_minutes": "0.001"}
ODD_TEXT = {"zip": "00420", "zip_4": "1.10", "hs_version": "1.10"}


def run_whose_sample_fails(project, sim, capsys, **given):  # noqa: F811
    """What a run says whose schema() has no answer to its questions for events, though update() then has."""
    failing = iter((True,))
    sim.behaviour.fault = lambda request: "500" if "eventType" in request.query and next(failing, False) else None
    run(project, configuration(sim, **PATTERNS | given))
    assert any(request.fault == "500" for request in sim.requests)
    return capsys.readouterr().out


def test_patterns_that_could_not_be_held_against_events_are_told(project, capsys):  # noqa: F811
    with served(event(**ODD_TEXT)) as sim:
        printed = run_whose_sample_fails(project, sim, capsys)
        assert "WARNING" in printed and f"string_columns: z?p* could not be held against the events of {TYPE}" in printed
        assert "500" in printed and "hs_version could" not in printed
        run(project, configuration(sim, **PATTERNS))
        assert "could not be held" not in capsys.readouterr().out


def test_columns_that_are_text_stay_so_where_patterns_could_not_be_held_against_events(project, capsys):  # noqa: F811
    with served(event(**ODD_TEXT)) as sim:
        run(project, configuration(sim, **PATTERNS))
        sim.histories[TYPE] = listed([event(n, **ODD_TEXT) for n in range(2)])
        assert "could not be held" in run_whose_sample_fails(project, sim, capsys)
    assert rows(project, "zip, zip_4, hs_version") == [("00420", "1.10", "1.10")] * 2


@pytest.mark.parametrize("given", [{}, {"string_columns": "zip, zip_4"}], ids=str)
def test_where_there_are_no_patterns_nothing_is_held_against_events(given):
    said = []
    with served(event(**ODD_TEXT), fault=lambda request: "500") as sim:
        declare(configuration(sim, max_outage_minutes="0.001", **given), said.append)
    assert said == []


def test_a_sentence_names_every_type_whose_events_could_not_be_had_but_not_those_that_are_refused():
    said = []
    with both((5, 5)) as sim:
        sim.histories["pe2_x"] = listed([event(0, "pe2_x")])
        sim.behaviour.fault = lambda request: {TYPE: "500", OTHER: "403"}.get(*request.query.get("eventType", [""]))
        declare(configuration(sim, event_types="*", **PATTERNS), said.append)
        (sentence,) = said
        assert TYPE in sentence and OTHER not in sentence and "pe2_x" not in sentence
        sim.behaviour.fault = lambda request: "500"
        declare(configuration(sim, event_types=f"{TYPE}, {OTHER}", **PATTERNS), said.append)
    assert TYPE in said[1] and OTHER in said[1]


@pytest.mark.parametrize("given", [
    {"string_columns": "hs_ip, hsIp, HS_IP"}, {"string_columns": "object_id, eventType, occurred"},
    {"string_columns": "hs_url, *url", "rename_columns": "hs_url=link"},
], ids=str)  # fmt: skip
def test_no_column_is_declared_twice(given):
    with served(event(hs_url="/", hsIp="1")) as sim:
        (table, *_) = declare(configuration(sim, **given))
    names = [destination_name(name) for name in table["columns"]]
    assert len(set(names)) == len(names)


def test_a_dropped_column_is_not_declared():
    columns = tables_of(drop_columns="objectId, hs_form_id")[TYPE]["columns"]
    assert set(columns) == {"id", "eventType", "occurred", "objectType"}


# Into DuckDB


def test_text_that_looks_like_numbers_stays_text_where_it_is_declared(project):  # noqa: F811
    odd = {"hs_version": "1.10", "zip": "00420", "flag": "T", "free": "1.10", "geo": {"code": "-07"}, "hs_page_id": "12"}
    with served(event(**odd), event(1, **odd)) as sim:
        run(project, configuration(sim, string_columns="hs_version, z?p, fl*, geo_code"))
    found = rows(project, "hs_version, zip, flag, geo_code, object_id")
    assert set(found) == {("1.10", "00420", "T", "-07", "007")}
    assert kinds(project)["free"] == "DOUBLE"  # so that the proof proves something
    assert kinds(project)["hs_page_id"] != "VARCHAR"  # the given list replaces the default one


def test_the_ids_hubspot_is_known_to_send_stay_text_without_being_asked_for(project):  # noqa: F811
    with served(event(hs_page_id="0012", hs_session_id="1e5"), event(1, hs_form_id="7")) as sim:
        run(project, configuration(sim))
    assert rows(project, "hs_page_id, hs_session_id, hs_form_id") == [("0012", "1e5", None), (None, None, "7")]


def test_renamed_columns_arrive_with_their_type_and_beside_those_that_had_the_name(project):  # noqa: F811
    with served(event(hs_title="1.10", title="2.10", hs_url="/")) as sim:
        run(project, configuration(sim, rename_columns="hs_title=title, objectId=contact, hs_*=page_*", string_columns="*title"))
    assert rows(project, "title, properties_title, contact, page_url") == [("1.10", "2.10", "007", "/")]
    assert "hs_title" not in kinds(project) and "object_id" not in kinds(project)


def test_the_single_table_holds_the_properties_exactly_as_they_were_sent(project):  # noqa: F811
    odd = {"a": "1.10", "id": "x", "é": "ü\"'", "n": 1.5, "none": None, "of": [1, {"b": None}], "in": {"deep": {"er": []}}}
    events = [event(1, **odd), event(2), *(event(n, hs_url=f"/{n}") for n in range(3, 30))]
    with Simulator({TYPE: listed(events), OTHER: generated(40, event_type=OTHER)}) as sim:
        run(project, configuration(sim, event_types="*", table_layout="single", page_size="15"))
        events = sent(sim)
    found = rows(project, "id, event_type, object_id, object_type, occurred, properties::VARCHAR", "event")
    assert {row[0]: json.loads(row[5]) for row in found} == {key: each["properties"] for key, each in events.items()}
    assert {row[:5] for row in found} == {
        tuple(each[name] for name in ("id", "eventType", "objectId", "objectType", "occurredAt")) for each in events.values()
    }
    assert kinds(project, "event")["properties"] == "JSON" and keys(project, "event") == ["id", "event_type"]


@pytest.mark.parametrize("properties", [["a", {"b": 1}], "text", None, 7, {}], ids=str)
def test_properties_of_another_shape_are_kept_as_they_were_sent(project, properties):  # noqa: F811
    with served(event() | {"properties": properties}) as sim:
        run(project, configuration(sim, table_layout="single"))
    ((found,),) = rows(project, "properties::VARCHAR", "event")
    assert (None if found is None else json.loads(found)) == properties


@pytest.mark.parametrize("layout", ["per_event_type", "single"])
def test_an_event_without_its_type_is_a_row_too(project, layout):  # noqa: F811
    bare = event()
    del bare["eventType"]
    with served(bare, event(1)) as sim:
        run(project, configuration(sim, table_layout=layout))
    assert sorted(rows(project, "id, event_type", "event" if layout == "single" else TYPE)) == [("id-0", TYPE), ("id-1", TYPE)]


def test_two_events_with_one_id_in_two_types_are_two_rows_of_the_single_table(project):  # noqa: F811
    with Simulator({TYPE: listed([event()]), OTHER: listed([event(0, OTHER)])}) as sim:
        run(project, configuration(sim, event_types="*", table_layout="single"))
    assert sorted(rows(project, "id, event_type", "event")) == [("id-0", TYPE), ("id-0", OTHER)]


# Event types whose names the destination makes one


def tables_in(project):  # noqa: F811
    """The tables of a warehouse: name to event types and number of rows."""
    with duckdb.connect(str(project / "files" / "warehouse.db"), read_only=True) as database:
        names = database.execute("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'tester'").fetchall()
        counted = {name: database.execute(f"SELECT event_type, count(*) FROM tester.{name} GROUP BY ALL").fetchall()  # noqa: S608
                   for (name,) in names if name not in ("sync_run", "rejected_event")}  # fmt: skip
    return {name: counts for name, counts in counted.items() if counts}


def rivals(*names):
    """An account whose event types have events with the same ids."""
    return Simulator({name: listed([event(n, name) for n in range(size)]) for size, name in enumerate(names, 3)})


ALIKE = ["e_a_b", "E_A_B", "e_a__b", "e_a.b", "sync_run", "rejected_event", "event", "Event"]


@pytest.mark.parametrize("chosen", ["*", ",".join(reversed(ALIKE))])
def test_event_types_alike_and_those_called_like_the_connector_s_tables_have_a_table_each(project, chosen, capsys):  # noqa: F811
    with rivals(*ALIKE) as sim:
        for _ in range(2):
            run(project, configuration(sim, event_types=chosen))
    found = tables_in(project)
    assert sorted(counts for ((_, counts),) in found.values()) == list(range(3, 3 + len(ALIKE)))
    assert found["e_a_b"] == [("e_a_b", 3)]
    assert len(rows(project, "id", "sync_run")) == 2
    printed = capsys.readouterr().out
    assert all(f"{name} in {table}" in printed for table, ((name, _),) in found.items() if name != "e_a_b")


def test_a_table_of_an_event_type_does_not_depend_on_which_others_are_chosen():
    with rivals(*ALIKE) as sim:
        together = sync_into(Delivered(), sim, event_types="*")
        alone = [sync_into(Delivered(), sim, event_types=name) for name in ALIKE]
    assert {table for each in alone for table in each.rows} == set(together.rows)


TWINS = ["e_form_v2", "e_form_v_2", "e_form-v2"]


@pytest.mark.parametrize("first", TWINS)
def test_of_two_names_for_one_table_the_one_that_has_it_keeps_it_and_the_other_is_told(project, first):  # noqa: F811
    with rivals(*TWINS) as sim:
        run(project, configuration(sim, event_types=first))
        with_first = tables_in(project)
        delivered = sync_into(Delivered(), sim, event_types=first)
        sync_into(delivered, sim, event_types="*")
        run(project, configuration(sim, event_types="*"))
        assert tables_in(project) == with_first == {"e_form_v_2": [(first, 3 + TWINS.index(first))]}
        assert set(delivered.rows) == {first, "sync_run"}
        for name in set(TWINS) - {first}:
            (said,) = [warning for warning in delivered.warnings if warning.startswith(f"{name} is not synced")]
            assert first in said and "table_layout" in said
        single_layout = sync_into(Delivered(), sim, event_types="*", table_layout="single")
        assert set(single_layout.rows) == {"event", "sync_run"} and not single_layout.warnings


def test_of_two_new_names_for_one_table_the_same_one_has_it_in_any_order():
    with rivals(*TWINS) as sim:
        found = [sync_into(Delivered(), sim, event_types=",".join(names)) for names in (TWINS, reversed(TWINS))]
    assert found[0].rows.keys() == found[1].rows.keys() and len(found[0].rows) == 2


def test_a_type_that_had_another_table_before_is_read_again_into_its_own():
    with rivals("E_A_B") as sim:
        delivered = sync_into(Delivered(), sim, event_types="E_A_B")
        (table,) = set(delivered.rows) - {"sync_run"}
        old = json.loads(json.dumps(delivered.state))
        del old["event_types"]["E_A_B"]["made_under"]
        again = sync_into(Delivered(), sim, old, event_types="E_A_B")
        assert len(again.ids(table)) == 3 and any("read again" in warning and table in warning for warning in again.warnings)
        later = sync_into(Delivered(), sim, again.state, event_types="E_A_B")
        assert not later.warnings


# A change of layout or filters


def cursor(delivered, name=TYPE):
    return read_state(delivered.state)[name]


def single(delivered, rows_of="event"):
    return set(delivered.rows.get(rows_of, {}))


CHANGES = [
    {"table_layout": "single"}, {"object_type": "CONTACT"}, {"object_type": "CONTACT", "object_id": "1"},
    {"properties": "hs_url"}, {"property_filters": "hs_city=berlin"},
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_a_change_is_noticed_said_before_it_starts_and_reads_the_history_again_once(change):
    with both() as sim:
        delivered = sync_into(Delivered(), sim, event_types="*")
        for keys_of_sync in (change, {}):
            told, begin = len(delivered.log), len(sim.requests)
            sync_into(delivered, sim, event_types="*", **keys_of_sync)
            said = next(place for place, line in enumerate(delivered.log[told:]) if "read again" in line)
            assert said < next(place for place, line in enumerate(delivered.log[told:]) if "reading from" in line)
            assert all(name in delivered.log[told + said] for name in (TYPE, OTHER, START[:10], *list(keys_of_sync)[:1]))
            first = [query["occurredAfter"][0] for query in queries(sim, begin)]
            assert sum(to_ms(moment) <= BASE for moment in first) == 2
            told = len(delivered.log)
            sync_into(delivered, sim, event_types="*", **keys_of_sync)
            assert not any("read again" in line for line in delivered.log[told:])
    assert len([warning for warning in delivered.warnings if "read" in warning]) == 2


def test_the_same_filters_written_otherwise_are_no_change():
    with both() as sim:
        delivered = sync_into(Delivered(), sim, property_filters="hs_city=berlin; hs_region=berlin", properties="hs_city,hs_url")
        sync_into(delivered, sim, property_filters="hs_region = berlin;hs_city=berlin;", properties=" hs_url ,hs_city, hs_url")
    assert not delivered.warnings


@pytest.mark.parametrize("change", [
    {"page_size": "7"}, {"drop_columns": "hs_url"}, {"rename_columns": "hs_url=url"}, {"event_types": f"{TYPE},{OTHER}"},
    {"sync_metrics": "false"}, {"lookback_minutes": "5"},
], ids=str)  # fmt: skip
def test_other_changes_read_nothing_again(change):
    with both() as sim:
        delivered = sync_into(Delivered(), sim)
        before = cursor(delivered).occurred
        sync_into(delivered, sim, **change)
    assert not delivered.warnings and cursor(delivered).occurred == before


def test_the_new_layout_is_complete_and_the_old_rows_stay():
    with both() as sim:
        delivered = sync_into(Delivered(), sim, event_types="*")
        sync_into(delivered, sim, event_types="*", table_layout="single")
        assert single(delivered) == set(sent(sim)) and len(delivered.ids(TYPE)) == 60
        sim.histories[TYPE] = generated(90)
        sync_into(delivered, sim, event_types="*")
        assert delivered.ids(TYPE) >= {generated(90).event(i)["id"] for i in range(90)}


@pytest.mark.parametrize("fuse", [120, 200, 333, 470])
def test_a_kill_while_the_history_is_read_again_resumes_that_and_does_not_start_over(fuse):
    given = {"event_types": "*", "page_size": "20", "checkpoint_interval": "20", "lookback_minutes": "0"}
    with both((300, 300)) as sim:
        destination = Destination()
        assert destination.sync(sim, **given)
        before = len(destination.upserts)
        assert not destination.sync(sim, fuse=fuse, table_layout="single", **given)
        assert destination.sync(sim, table_layout="single", **given)
        assert single(destination) == set(sent(sim))
        assert len(destination.upserts) - before <= 600 + 40 + 4 * 20  # the row under way, a checkpoint, and a window
    assert sum("read again" in warning for warning in destination.warnings) <= 1 and not destination.warnings[1:]


def test_a_type_that_was_away_while_the_layout_changed_is_read_again_when_it_is_back():
    with both() as sim:
        delivered = sync_into(Delivered(), sim, event_types="*")
        sync_into(delivered, sim, event_types=TYPE, table_layout="single")
        assert len(single(delivered)) == 60
        sync_into(delivered, sim, event_types="*", table_layout="single")
        assert single(delivered) == set(sent(sim))


def test_what_a_cursor_was_made_under_cannot_be_two_things():
    base = configuration(Simulator({}))
    texts = [
        {"property_filters": "a=1, properties b"}, {"property_filters": "a=1", "properties": "b"}, {"properties": "a,b"}, {},
        {"property_filters": "a=1; b=2"}, {"property_filters": "a=1, b=2"}, {"properties": "ab"},
    ]  # fmt: skip
    under = [read_settings(base | given).made_under(TYPE) for given in texts]
    assert len(set(under)) == len(texts)


# Filters


ODD = ["são paulo", "R&D", "1+1=2", "100%", "50%25", '"quoted" \'text\'', "a=b=c", "a, b", "#?/\\", "日本", "<>", "x\ty"]


@pytest.mark.parametrize("value", ODD)
def test_a_filter_reaches_hubspot_as_it_was_given(value):
    others = [event(n, hs_city=other) for n, other in enumerate(ODD)]
    with served(*others, event(90), event(91, hs_town=value)) as sim:
        delivered = sync_into(Delivered(), sim, property_filters=f"hs_city={value}", page_size="1")
        assert all(query["property.hs_city"] == [value] for query in queries(sim))
    assert delivered.ids() == {f"id-{ODD.index(value)}"}


def test_filters_are_all_sent_and_hold_together():
    events = [event(n, hs_city=city, hs_country=country) for n, (city, country) in enumerate(
        [("portland", "us"), ("portland", "uk"), ("berlin", "us"), ("portland", "us")])]  # fmt: skip
    events += [events[0] | {"id": "id-8", "objectType": "COMPANY"}, events[0] | {"id": "id-9", "objectId": "8"}]
    with served(*events) as sim:
        of_one = {"object_type": "CONTACT", "object_id": "007"}
        delivered = sync_into(Delivered(), sim, property_filters="hs_city=portland; hs_country=us", **of_one)
        assert delivered.ids() == {"id-0", "id-3"}
        assert queries(sim)[0].items() >= {"objectType": ["CONTACT"], "objectId": ["007"], "property.hs_country": ["us"]}.items()
        nothing = sync_into(Delivered(), sim)
        assert len(nothing.ids()) == 6 and set(queries(sim)[-1]) == {"eventType", "limit", "occurredAfter"}


@pytest.mark.parametrize("layout, of", [("per_event_type", lambda row: {"hs_url", "hs_title"} & set(row)),
                                        ("single", lambda row: set(row["properties"]))])  # fmt: skip
def test_only_the_properties_that_are_asked_for_arrive(layout, of):
    with both((20, 0)) as sim:
        delivered = sync_into(Delivered(), sim, properties="hs_url, hs_title", table_layout=layout)
        assert queries(sim)[0]["properties"] == ["hs_url", "hs_title"]
    (table,) = set(delivered.rows) - {"sync_run"}
    assert all(of(row) == {"hs_url", "hs_title"} and "hs_city" not in row for row in delivered.rows[table].values())


def test_a_filter_that_hubspot_refuses_is_an_error_that_says_so():
    with served(event(), fault=lambda request: "400") as sim, pytest.raises(ConnectorError, match="400"):
        sync_into(Delivered(), sim, property_filters="a=b")
