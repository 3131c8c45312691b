"""Filters reach HubSpot as given; a change of layout or filters reads the history again, once, and loses nothing."""

import pytest

from pipeline import read_settings
from pipeline.connection.state import progress_by_type
from pipeline.timestamps import to_ms
from simulator import Simulator
from tests.accounts import OTHER, both, event, served
from tests.support import BASE, START, TYPE, Delivered, Destination, configuration, sync_into, truth


def sent(sim):
    return set().union(*map(truth, sim.histories.values()))


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
    places = [("portland", "us"), ("portland", "uk"), ("berlin", "us"), ("portland", "us")]
    events = [event(n, hs_city=city, hs_country=country) for n, (city, country) in enumerate(places)]
    events += [events[0] | {"id": "id-8", "objectType": "COMPANY"}, events[0] | {"id": "id-9", "objectId": "8"}]
    keys = {"object_type": "CONTACT", "object_id": "007", "property_filters": "hs_city=portland; hs_country=us"}
    with served(*events) as sim:
        assert sync_into(Delivered(), sim, **keys).ids() == {"id-0", "id-3"}
        others = {"objectType": ["CONTACT"], "objectId": ["007"], "property.hs_country": ["us"]}
        assert queries(sim)[0].items() >= others.items()
        assert len(sync_into(Delivered(), sim).ids()) == 6
        assert set(queries(sim)[-1]) == {"eventType", "limit", "occurredAfter"}


def test_only_the_properties_asked_for_arrive():
    with both((20, 0)) as sim:
        delivered = sync_into(Delivered(), sim, properties="hs_url, hs_title")
        assert queries(sim)[0]["properties"] == ["hs_url", "hs_title"]
    assert all({"hs_url", "hs_title"} <= set(row) and "hs_city" not in row for row in delivered.rows[TYPE].values())


# A change of layout or filters


CHANGES = [
    {"table_layout": "single"}, {"object_type": "CONTACT"}, {"object_type": "CONTACT", "object_id": "1"},
    {"properties": "hs_url"}, {"property_filters": "hs_city=berlin"},
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_a_change_reads_the_history_again_once_and_is_told(change):
    with both() as sim:
        delivered = sync_into(Delivered(), sim, event_types="*")
        for keys in (change, {}):
            delivered.warnings.clear()
            begin = len(sim.requests)
            sync_into(delivered, sim, event_types="*", **keys)
            (said,) = delivered.warnings
            assert all(name in said for name in ("read again", TYPE, OTHER, START[:10], *list(keys)[:1]))
            assert sum(to_ms(query["occurredAfter"][0]) <= BASE for query in queries(sim, begin)) == 2
            sync_into(delivered, sim, event_types="*", **keys)
            assert delivered.warnings == [said]


@pytest.mark.parametrize("before, change", [
    ({"property_filters": "hs_city=berlin; hs_region=berlin", "properties": "hs_city,hs_url"},
     {"property_filters": "hs_region = berlin;hs_city=berlin;", "properties": " hs_url ,hs_city, hs_url"}),
    *(({}, change) for change in (
        {"page_size": "7"}, {"drop_columns": "hs_url"}, {"rename_columns": "hs_url=url"}, {"event_types": f"{TYPE},{OTHER}"},
        {"concurrency": "2"}, {"lookback_minutes": "5"},
    )),
], ids=str)  # fmt: skip
def test_another_spelling_of_the_same_filters_and_other_changes_read_nothing_again(before, change):
    with both() as sim:
        delivered = sync_into(Delivered(), sim, **before)
        cursor = progress_by_type(delivered.state)[TYPE]
        sync_into(delivered, sim, **change)
    assert not delivered.warnings
    assert progress_by_type(delivered.state)[TYPE].occurred == cursor.occurred


@pytest.mark.parametrize("fuse", [120, 200, 333, 470])
def test_a_kill_while_the_history_is_read_again_resumes_that_and_does_not_start_over(fuse):
    keys = {"event_types": "*", "page_size": "20", "checkpoint_interval": "20", "lookback_minutes": "0"}
    with both((300, 300)) as sim:
        destination = Destination()
        assert destination.sync(sim, **keys)
        before = len(destination.upserts)
        assert not destination.sync(sim, fuse=fuse, table_layout="single", **keys)
        (said,) = destination.warnings
        assert "read again" in said, "before it takes effect"
        assert destination.sync(sim, table_layout="single", **keys)
        assert destination.ids("event") == sent(sim)
    # 600 events, what a kill may repeat
    assert len(destination.upserts) - before <= 600 + 40 + 4 * 20
    assert destination.warnings == [said]


def test_a_type_that_was_away_while_the_layout_changed_is_read_again_when_it_is_back():
    with both() as sim:
        delivered = sync_into(Delivered(), sim, event_types="*")
        sync_into(delivered, sim, event_types=TYPE, table_layout="single")
        assert len(delivered.ids("event")) == 60
        sync_into(delivered, sim, event_types="*", table_layout="single")
        assert delivered.ids("event") == sent(sim)


def test_different_layouts_and_filters_have_different_fingerprints():
    base = configuration(Simulator({}))
    texts = [
        {"property_filters": "a=1, properties b"}, {"property_filters": "a=1", "properties": "b"}, {"properties": "a,b"}, {},
        {"property_filters": "a=1; b=2"}, {"property_filters": "a=1, b=2"}, {"properties": "ab"},
    ]  # fmt: skip
    fingerprints = [read_settings(base | given).fingerprint(TYPE) for given in texts]
    assert len(set(fingerprints)) == len(texts)
