"""Filters reach HubSpot as given; a change of layout or filters reads the history again, once, and
loses nothing.
"""

import pytest

from pipeline import ConnectorError, read_settings
from pipeline.connection.state import progress_by_type
from pipeline.timestamps import to_ms
from simulator import Simulator, generated
from tests.accounts import OTHER, both, event, served
from tests.support import BASE, START, TYPE, Delivered, Destination, configuration, sync_into


def sent(sim):
    return {history.event(i)["id"]: history.event(i) for history in sim.histories.values() for i in range(len(history))}


def queries(sim, begin=0):
    return [request.query for request in sim.requests[begin:] if "eventType" in request.query]


# Filters


ODD = [
    "são paulo", "R&D", "1+1=2", "100%", "50%25", "\"quoted\" 'text'", "a=b=c", "a, b", "#?/\\", "日本", "<>", "x\ty",
]  # fmt: skip


@pytest.mark.parametrize("value", ODD)
def test_a_filter_reaches_hubspot_as_given(value):
    others = [event(n, hs_city=other) for n, other in enumerate(ODD)]
    with served(*others, event(90), event(91, hs_town=value)) as sim:
        delivered = sync_into(Delivered(), sim, property_filters=f"hs_city={value}", page_size="1")
        assert all(query["property.hs_city"] == [value] for query in queries(sim))
    assert delivered.ids() == {f"id-{ODD.index(value)}"}


def test_all_filters_are_sent_and_apply_together():
    events = [event(n, hs_city=city, hs_country=country) for n, (city, country) in enumerate(
        [("portland", "us"), ("portland", "uk"), ("berlin", "us"), ("portland", "us")])]  # fmt: skip
    events += [events[0] | {"id": "id-8", "objectType": "COMPANY"}, events[0] | {"id": "id-9", "objectId": "8"}]
    with served(*events) as sim:
        of_one = {"object_type": "CONTACT", "object_id": "007"}
        delivered = sync_into(Delivered(), sim, property_filters="hs_city=portland; hs_country=us", **of_one)
        assert delivered.ids() == {"id-0", "id-3"}
        assert (
            queries(sim)[0].items()
            >= {"objectType": ["CONTACT"], "objectId": ["007"], "property.hs_country": ["us"]}.items()
        )
        nothing = sync_into(Delivered(), sim)
        assert len(nothing.ids()) == 6 and set(queries(sim)[-1]) == {"eventType", "limit", "occurredAfter"}


@pytest.mark.parametrize("layout, of", [("per_event_type", lambda row: {"hs_url", "hs_title"} & set(row)),
                                        ("single", lambda row: set(row["properties"]))])  # fmt: skip
def test_only_the_properties_asked_for_arrive(layout, of):
    with both((20, 0)) as sim:
        delivered = sync_into(Delivered(), sim, properties="hs_url, hs_title", table_layout=layout)
        assert queries(sim)[0]["properties"] == ["hs_url", "hs_title"]
    (table,) = set(delivered.rows) - {"sync_run"}
    assert all(of(row) == {"hs_url", "hs_title"} and "hs_city" not in row for row in delivered.rows[table].values())


def test_a_filter_that_hubspot_refuses_is_an_error_that_says_so():
    with served(event(), fault=lambda request: "400") as sim, pytest.raises(ConnectorError, match="400"):
        sync_into(Delivered(), sim, property_filters="a=b")


# A change of layout or filters


def cursor(delivered, name=TYPE):
    return progress_by_type(delivered.state)[name]


def single(delivered, rows_of="event"):
    return set(delivered.rows.get(rows_of, {}))


CHANGES = [
    {"table_layout": "single"}, {"object_type": "CONTACT"}, {"object_type": "CONTACT", "object_id": "1"},
    {"properties": "hs_url"}, {"property_filters": "hs_city=berlin"},
]  # fmt: skip


class InOneLog(Delivered):
    """Keeps the warnings among the other lines too, as a person reads them."""

    def sink(self):
        return (
            super().sink()._replace(warn=lambda sentence: (self.warnings.append(sentence), self.log.append(sentence)))
        )


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_a_change_is_told_before_it_takes_effect_and_reads_the_history_again_once(change):
    with both() as sim:
        delivered = sync_into(InOneLog(), sim, event_types="*")
        for keys_of_sync in (change, {}):
            logged, begin = len(delivered.log), len(sim.requests)
            sync_into(delivered, sim, event_types="*", **keys_of_sync)
            lines = delivered.log[logged:]
            again = next(place for place, line in enumerate(lines) if "read again" in line)
            assert again < next(place for place, line in enumerate(lines) if "reading from" in line)
            assert all(name in lines[again] for name in (TYPE, OTHER, START[:10], *list(keys_of_sync)[:1]))
            first = [query["occurredAfter"][0] for query in queries(sim, begin)]
            assert sum(to_ms(moment) <= BASE for moment in first) == 2
            logged = len(delivered.log)
            sync_into(delivered, sim, event_types="*", **keys_of_sync)
            assert not any("read again" in line for line in delivered.log[logged:])
    assert len([warning for warning in delivered.warnings if "read" in warning]) == 2


def test_another_spelling_of_the_same_filters_is_no_change():
    with both() as sim:
        delivered = sync_into(
            Delivered(), sim, property_filters="hs_city=berlin; hs_region=berlin", properties="hs_city,hs_url"
        )
        sync_into(
            delivered, sim, property_filters="hs_region = berlin;hs_city=berlin;", properties=" hs_url ,hs_city, hs_url"
        )
    assert not delivered.warnings


@pytest.mark.parametrize("change", [
    {"page_size": "7"}, {"drop_columns": "hs_url"}, {"rename_columns": "hs_url=url"}, {"event_types": f"{TYPE},{OTHER}"},
    {"concurrency": "2"}, {"lookback_minutes": "5"},
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
        # 600 events, what a kill may repeat
        assert len(destination.upserts) - before <= 600 + 40 + 4 * 20
    assert sum("read again" in warning for warning in destination.warnings) <= 1 and not destination.warnings[1:]


def test_a_type_that_was_away_while_the_layout_changed_is_read_again_when_it_is_back():
    with both() as sim:
        delivered = sync_into(Delivered(), sim, event_types="*")
        sync_into(delivered, sim, event_types=TYPE, table_layout="single")
        assert len(single(delivered)) == 60
        sync_into(delivered, sim, event_types="*", table_layout="single")
        assert single(delivered) == set(sent(sim))


def test_different_layouts_and_filters_have_different_fingerprints():
    base = configuration(Simulator({}))
    texts = [
        {"property_filters": "a=1, properties b"}, {"property_filters": "a=1", "properties": "b"}, {"properties": "a,b"}, {},
        {"property_filters": "a=1; b=2"}, {"property_filters": "a=1, b=2"}, {"properties": "ab"},
    ]  # fmt: skip
    fingerprints = [read_settings(base | given).fingerprint(TYPE) for given in texts]
    assert len(set(fingerprints)) == len(texts)
