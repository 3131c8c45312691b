"""The simulator does what it claims: histories, paging, disorder, errors, faults, and a clean
stop.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import tracemalloc
from base64 import b64decode
from contextlib import suppress
from datetime import datetime
from urllib.parse import unquote

import hubspot
import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator import Behaviour, Simulator, generated, listed
from simulator.__main__ import _behaviour, _parser
from simulator.history import SHAPES
from simulator.instants import iso, milliseconds
from tests.sdk import ROOT
from tests.simulator.client import DATED, END, START, TYPE, V3, cursor_of, get, ids, pages, served, small, truth, walk

# Instants


@given(st.datetimes(min_value=datetime(1971, 1, 1)))
def test_an_instant_survives_text_and_back(moment):
    text = moment.isoformat(timespec="milliseconds") + "Z"
    assert milliseconds(iso(milliseconds(text)).decode()) == milliseconds(text)
    assert iso(milliseconds(text)).decode() == text.replace(".000Z", "Z")


def test_instants_in_other_zones_and_texts_that_are_not_instants():
    for text in ("2026-05-21T03:36:04.329+02:00", "2026-05-21T01:36:04.329Z"):
        assert milliseconds(text) == 1779327364329
    assert milliseconds("2026-05-21") == milliseconds("2026-05-21T00:00:00Z")
    for text in ("yesterday", "", "2026-13-01", "2026-05-21T25:00:00Z", None, 5, {}):
        assert milliseconds(text) is None


# Histories


@pytest.mark.parametrize("shape", SHAPES)
def test_times_are_monotone_and_rank_is_their_inverse(shape):
    for events in (0, 1, 6, 5_011):
        history = small(events, shape=shape)
        times = [history.time(i) for i in range(events)]
        assert len(history) == events and times == sorted(times)
        assert all(milliseconds(START) <= ms < milliseconds(END) for ms in times)
        near = {ms + more for ms in times[::97] for more in (0, 1)}
        for ms in {milliseconds(START) - 1, milliseconds(END), *near}:
            assert history.rank(ms) == sum(time < ms for time in times)
        assert events < 7 or len(set(times)) < len(times)


@given(st.sampled_from(SHAPES), st.integers(1, 3_000_000), st.integers(0, 9), st.booleans(), st.data())
@settings(deadline=None)
def test_any_event_of_any_history_lies_between_its_ranks(shape, events, seed, seconds_only, data):
    span = "2019-01-01", "2026-01-01T00:30:00Z"
    history = generated(events, *span, shape, seed, seconds_only=seconds_only)
    i = data.draw(st.integers(0, events - 1))
    ms, event = history.time(i), history.event(i)
    assert history.rank(ms) <= i < history.rank(ms + 1)
    assert i == 0 or history.time(i - 1) <= ms
    assert milliseconds(event["occurredAt"]) == ms and event["id"].endswith(f"-{ms}")
    assert not seconds_only or len(event["occurredAt"]) == len("2026-01-01T00:00:00Z")


def test_shapes_are_what_their_names_say():
    hour, sizes = 3_600_000, {}
    for shape in SHAPES:
        history = small(24_000, shape=shape)
        ranks = [history.rank(milliseconds(START) + n * hour) for n in range(25)]
        sizes[shape] = [after - before for before, after in zip(ranks, ranks[1:], strict=False)]
    assert set(sizes["uniform"]) <= {999, 1000, 1001}  # a tie may fall into the hour before
    assert sizes["rhythm"][14] > 10 * sizes["rhythm"][3]
    assert max(sizes["bursty"]) in range(11_999, 12_002)
    assert sizes["sparse"].count(0) == 19
    one_ms, one_second = (
        {history.time(i) for i in range(1000)}
        for history in (small(1000, shape="one_ms"), small(1000, shape="one_second"))
    )
    assert len(one_ms) == 1 == len({ms // 1000 for ms in one_second}) < len(one_second)


def test_a_million_events_take_no_memory_and_have_unique_ids():
    tracemalloc.start()
    history = generated(1_000_000)
    assert history.rank(history.time(500_000)) <= 500_000
    held = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert held < 3_000_000
    some = ids(history.event(i) for i in range(0, 1_000_000, 37))
    assert len(set(some)) == len(some)


def test_events_are_realistic_and_the_same_each_time():
    events, again = truth(small()), truth(small())
    assert events == again != truth(small(seed=1))
    own = {"id", "eventType", "objectId", "objectType", "occurredAt", "properties"}
    assert set(events[0]) == own
    assert all(isinstance(value, str) for event in events for value in event["properties"].values())
    assert any(value == "" for value in events[0]["properties"].values())
    assert all(event["objectId"].isdigit() for event in events)


def test_malformed_events_take_turns():
    history = small(malformed_every=10)
    broken = [history.event(i) for i in range(9, 50, 10)]
    assert not isinstance(broken[0], dict) and not isinstance(broken[4], dict)
    assert "id" not in broken[1] and "occurredAt" not in broken[2]
    assert milliseconds(broken[3]["occurredAt"]) is None
    assert all("id" in history.event(i) for i in range(9))


def test_listed_events_are_sorted_and_unreadable_ones_are_always_returned(session):
    surrogate = {"id": "\ud83d", "occurredAt": at(1), "properties": {"n": 10**40}}
    odd, last = [5, {"id": "u"}, surrogate], {"id": "b", "occurredAt": at(2)}
    first = {"id": "a", "occurredAt": "2026-01-05"}
    history = listed([last, *odd, first])
    assert truth(history) == [5, {"id": "u"}, first, surrogate, last]
    with served(history=history) as sim:
        asked = {"occurredAfter": at(1), "occurredBefore": "2026-02-01T00:00:00Z", "limit": 1}
        assert walk(session, sim, **asked) == [5, {"id": "u"}, last]


# Paging


@pytest.mark.parametrize("order", ["ascending", "descending", "shuffled"])
@pytest.mark.parametrize("path", [V3, V3 + "/", DATED, "/events/event-occurrences/2025-09/"])
def test_paging_gives_each_event_once_in_its_order(session, order, path):
    expected = truth(small(60))[:: -1 if order == "descending" else 1]
    with served(history=small(60), order=order) as sim:
        for limit in (1, 7, 60, 1000):
            found = walk(session, sim, path=path, limit=limit)
            assert sorted(ids(found)) == sorted(ids(expected))
            assert (found == expected) == (order != "shuffled")


@given(data=st.data())
@settings(deadline=None)
def test_bounds_select_exactly_what_they_say(shared, data):
    sim, history, session = shared
    grain = data.draw(st.sampled_from([1, 1000]))
    sim.behaviour = behaviour = Behaviour(
        after_inclusive=data.draw(st.booleans()), before_inclusive=data.draw(st.booleans()),
        resolution="second" if grain == 1000 else "millisecond", order=data.draw(st.sampled_from(ORDERS)),
    )  # fmt: skip
    near = st.integers(0, len(history) - 1).map(history.time)
    bound = st.none() | st.builds(sum, st.tuples(near, st.integers(-1001, 1001)))
    after, before = data.draw(bound), data.draw(bound)
    bounds = {"occurredAfter": after, "occurredBefore": before}
    query = {name: iso(ms).decode() for name, ms in bounds.items() if ms is not None}
    found = walk(session, sim, limit=data.draw(st.integers(3, 80)), **query)

    def inside(ms):
        since = 1 if after is None else ms // grain - after // grain
        until = 1 if before is None else before // grain - ms // grain
        return since >= (not behaviour.after_inclusive) and until >= (not behaviour.before_inclusive)

    expected = [event for event in truth(history) if inside(milliseconds(event["occurredAt"]))]
    assert sorted(ids(found)) == sorted(ids(expected))


@pytest.fixture(scope="module")
def shared():
    """One simulator for all examples of a property: (simulator, its history, a session)."""
    history = generated(60, START, "2026-01-05T00:00:20Z", shape="uniform")
    with Simulator({TYPE: history}) as sim, requests.Session() as session:
        session.trust_env = False
        session.headers["Authorization"] = "Bearer x"
        yield sim, history, session


def test_the_cursor_is_a_keyset_position_in_percent_encoded_base64(session):
    with served(cursor_padding=1) as sim:
        following = get(session, sim, limit=3).json()["paging"]["next"]
    after, link = following["after"], following["link"]
    fields = b64decode(unquote(after)).decode().split("|")
    assert after.endswith("%3D") and int(fields[0]) == small().time(2) and fields[1] == "0-1"
    assert link.startswith("https://api.hubapi.com/events/v3/events?")
    assert link.endswith("&after=" + after) and "%253D" not in link


def test_a_cursor_encoded_twice_finds_an_empty_page(session):
    with served(cursor_padding=1) as sim:
        encoded = get(session, sim).json()["paging"]["next"]["after"]
        assert get(session, sim, after=encoded).json() == {"results": []}
        sim.behaviour.cursor_decodes = "any"
        assert ids(get(session, sim, after=encoded).json()["results"]) == ids(truth(small())[20:40])


def test_strict_cursors_belong_to_their_query_but_not_to_its_limit(session):
    with served(cursors="strict") as sim:
        after = cursor_of(get(session, sim, limit=10))
        assert get(session, sim, limit=20, after=after).status_code == 200
        assert get(session, sim, after=after, occurredAfter=START).status_code == 400
        sim.behaviour.cursors = "lenient"
        found = get(session, sim, after=after, occurredAfter=START).json()["results"]
        assert found[0] == small().event(10)


def test_cursors_expire_and_garbage_is_refused(session):
    with served(cursor_ttl_requests=2) as sim:
        after = cursor_of(get(session, sim))
        assert [get(session, sim, after=after).status_code for _ in range(3)] == [200, 200, 400]
        for garbage in ("x", "AAAA", "zzzz====", "fHx8fA=="):
            answer = get(session, sim, after=garbage)
            assert answer.status_code == 400 and answer.json()["category"] == "VALIDATION_ERROR"


def test_limits(session):
    with served() as sim:
        assert len(get(session, sim).json()["results"]) == 20
        sim.behaviour.max_limit = 50
        refused = get(session, sim, limit=51)
        assert refused.status_code == 400
        assert "limit" in refused.json()["message"] and "50" in refused.json()["message"]
        assert [get(session, sim, limit=limit).status_code for limit in (0, -1, "x")] == [400] * 3
        sim.behaviour.limit_policy = "clamp"
        assert len(get(session, sim, limit=51).json()["results"]) == 50


@pytest.mark.parametrize("every", [1, 2, 3])
def test_an_empty_page_in_the_middle_has_the_events_when_asked_again(session, every):
    with served(empty_page_every=every) as sim:
        found = list(pages(session, sim, limit=20))
        assert ids(event for page in found for event in page["results"]) == ids(truth(small()))
        assert any(not page["results"] and "paging" in page for page in found)
        sim.emptied.clear()
        sim.behaviour.empty_page_every = 1
        after = unquote(found[0]["paging"]["next"]["after"])
        first, again = (get(session, sim, limit=20, after=after).json() for _ in "ab")
        assert first["results"] == [] and ids(again["results"]) == ids(truth(small())[20:40])


def test_events_become_visible_late_by_the_simulators_clock(session):
    history = small()
    now = history.time(100)
    with served(history=history, clock=lambda: now, hide_future=True) as sim:
        visible = history.rank(now + 1)
        assert len(walk(session, sim)) == visible
        date = f"Mon, 05 Jan 2026 {iso(now).decode()[11:19]} GMT"
        assert get(session, sim).headers["Date"] == date
        sim.behaviour.late = lambda index, occurred: 10**9 if index % 2 else 0
        assert ids(walk(session, sim, limit=7)) == ids(truth(history)[:visible:2])
        now += 10**9
        hidden = [i for i in range(1, 250, 2) if history.time(i) > history.time(100)]
        assert len(walk(session, sim)) == 250 - len(hidden)


def test_a_descending_sort_breaks_the_paging(session):
    with served() as sim:
        newest = get(session, sim, sort="-occurredAt").json()["results"]
        assert newest == truth(small())[:-21:-1]
        found = ids(walk(session, sim, sort="-occurredAt"))
        assert set(found) < set(ids(truth(small()))) and len(set(found)) < len(found)


def test_filters_page_through_what_matches(session):
    history = small(malformed_every=50)
    good = [event for event in truth(history) if isinstance(event, dict)]
    region, person = good[0]["properties"]["hs_region"], good[3]["objectId"]
    here = [event for event in good if event["properties"]["hs_region"] == region]
    theirs = [event for event in good if event["objectId"] == person]
    with served(history=history) as sim:
        assert walk(session, sim, limit=3, **{"property.hs_region": region}) == here
        assert walk(session, sim, limit=1, objectType="contact", objectId=person) == theirs
        assert walk(session, sim, id=[good[1]["id"], good[2]["id"]]) == good[1:3]
        selected = walk(session, sim, properties=["hs_url", "hs_title"])
        kept = [set(event["properties"]) for event in selected if isinstance(event, dict)]
        assert kept == [{"hs_url", "hs_title"}] * len(good)
        assert get(session, sim, objectId=person).status_code == 400


def test_an_object_type_alone_merges_all_event_types(session):
    parts = {"a": small(30, event_type="a"), "b": small(40, event_type="b", shape="one_ms")}
    with Simulator(parts) as sim:
        found = walk(session, sim, eventType=None, objectType="CONTACT", limit=7)
    everything = [event for part in parts.values() for event in truth(part)]
    moments = [milliseconds(event["occurredAt"]) for event in found]
    assert sorted(ids(found)) == sorted(ids(everything)) and moments == sorted(moments)


def test_event_types_and_unknown_ones(session):
    histories = {TYPE: small(), "pe1_signup": listed([])}
    with Simulator(histories, Behaviour(extra_event_types=("ae2_x",))) as sim:
        for path in (V3, DATED):
            answer = session.get(sim.url + path + "/event-types")
            assert answer.json() == {"eventTypes": [TYPE, "pe1_signup", "ae2_x"]}
        assert get(session, sim, eventType="pe1_signup").json() == {"results": []}
        assert "ae2_x" in get(session, sim, eventType="ae2_x").json()["message"]
        nothing = get(session, sim, eventType=None).json()["message"]
        assert nothing == "Must specify an eventType or objectType"


# Disorder: facts page, "Not known: be right either way"

ORDERS = ("ascending", "descending", "shuffled", "ingested", "breaking")
HOUR = 3_600_000


def late_among_many(index, occurred):
    """One in fifty is listed two hours late."""
    return 2 * HOUR if index % 50 == 10 else 0


def at(second):
    return f"2026-01-05T00:00:0{second}Z"


def event_at(text, n):
    return {"id": f"id-{n}", "eventType": TYPE, "occurredAt": text, "properties": {}}


@pytest.mark.parametrize("order", ["ingested", "breaking"])
def test_each_order_gives_each_event_once(session, order):
    behaviour = {"order": order, "ingested": late_among_many, "order_breaks_after": 3}
    with served(history=small(60), **behaviour) as sim:
        for limit in (1, 7, 100):
            assert sorted(ids(walk(session, sim, limit=limit))) == sorted(ids(truth(small(60))))


def test_in_the_order_of_ingestion_a_few_events_are_listed_late(session):
    history = small()
    times = [history.time(i) for i in range(250)]
    listed_at = [(ms + late_among_many(i, ms), ms) for i, ms in enumerate(times)]
    expected = sorted(range(250), key=lambda i: listed_at[i])
    with served(history=history, order="ingested", ingested=late_among_many) as sim:
        found = ids(walk(session, sim, limit=20))
        assert found == [history.event(i)["id"] for i in expected] != ids(truth(history))
        # by default an event is listed when it becomes visible
        sim.behaviour = Behaviour(order="ingested", late=late_among_many)
        assert ids(walk(session, sim, limit=20)) == found


def test_a_breaking_order_holds_for_some_pages(session):
    with served(order="breaking", order_breaks_after=3) as sim:
        found, expected = ids(walk(session, sim, limit=20)), ids(truth(small()))
    assert found[:60] == expected[:60] and found[60:80] != expected[60:80]
    assert sorted(found) == sorted(expected)


@pytest.mark.parametrize("order", ORDERS)
def test_bounds_that_are_ignored(session, order):
    history, moment = small(), small().time(125)
    middle, events = iso(moment).decode(), sorted(ids(truth(small())))
    before = sorted(ids(truth(history)[: history.rank(moment)]))
    after = sorted(ids(truth(history)[history.rank(moment + 1) :]))
    with served(history=history, order=order, order_breaks_after=3) as sim:

        def found(after_ignored, before_ignored, **bounds):
            behaviour = sim.behaviour
            behaviour.after_ignored, behaviour.before_ignored = after_ignored, before_ignored
            return sorted(ids(walk(session, sim, limit=20, **bounds)))

        both = {"occurredAfter": middle, "occurredBefore": middle}
        assert found(True, False, occurredAfter=START, occurredBefore=middle) == before
        assert found(True, False, occurredAfter=middle) == events
        assert found(False, True, **both) == after
        assert found(True, True, **both) == events


@given(
    moments=st.lists(st.integers(0, 9), min_size=1, max_size=30), late=st.sets(st.integers(0, 29)), data=st.data(),
    order=st.sampled_from(ORDERS[:4]),
)  # fmt: skip
@settings(deadline=None)
def test_a_walk_through_a_changing_history_meets_every_lasting_event_once(shared, moments, late, order, data):
    """Events appear, go and change on both sides of the cursor between two requests. The cursor is
    the key of the event after which its page begins.
    """
    sim, _, session = shared
    events = {n: event_at(at(moment), n) for n, moment in enumerate(moments)}
    sim.behaviour = Behaviour(order=order, ingested=lambda index, occurred: occurred * 7 % 11_000)
    stay = data.draw(st.sets(st.sampled_from(range(len(moments)))))
    there, found, after = {n: n not in late or n in stay for n in events}, [], {}
    while after is not None:
        sim.histories = {TYPE: listed(events[n] for n in events if there[n])}
        page = get(session, sim, limit=3, **after).json()
        found += ids(page["results"])
        after = {"after": unquote(page["paging"]["next"]["after"])} if "paging" in page else None
        there |= {n: data.draw(st.booleans()) for n in events if n not in stay}
        changed = {"properties": {"changed": str(len(found))}}
        events = {n: {**event, **changed} for n, event in events.items()}
    sim.histories = {TYPE: shared[1]}
    assert {f"id-{n}" for n in stay} <= set(found) and len(found) == len(set(found))


def test_ties_are_ordered_by_id_so_that_a_deletion_moves_no_cursor(session):
    same = [event_at("2026-01-05T00:00:00.500Z", n) for n in range(12)]
    with served(history=listed(same)) as sim:
        after = cursor_of(get(session, sim, limit=10))
        sim.histories = {TYPE: listed(same[:2] + same[5:9] + same[10:])}
        assert ids(get(session, sim, after=after).json()["results"]) == ["id-10", "id-11"]


def test_paging_returns_events_without_an_id_and_doubled_ones_too(session):
    odd = [{"occurredAt": START, "properties": {}}] * 4 + [event_at(START, 1)] * 3 + [5, None]
    with served(history=listed(odd)) as sim:
        assert len(walk(session, sim, limit=1)) == 9


def statuses_and_sizes(session, sim, cursor, times):
    answers = [get(session, sim, limit=20, after=cursor) for _ in range(times)]
    bodies = [(answer.status_code, answer.json()) for answer in answers]
    return [(status, len(body.get("results", "x")), "paging" in body) for status, body in bodies]


FULL, HOLLOW, REFUSED = (200, 20, True), (200, 0, False), (400, 1, False)


@pytest.mark.parametrize("behaviour, expected", [
    ({"ends_every": 1}, [HOLLOW] * 4),
    ({"ends_every": 3}, [FULL, FULL, HOLLOW, FULL]),
    ({"ends_once": True}, [HOLLOW, FULL, FULL, FULL]),
    ({"refuse_every": 2}, [FULL, REFUSED, FULL, REFUSED]),
    ({"refuse_every": 3, "ends_every": 2}, [FULL, HOLLOW, REFUSED, HOLLOW]),
])  # fmt: skip
def test_a_cursor_that_ends_early_or_is_refused(session, behaviour, expected):
    with served(**behaviour) as sim:
        cursor = cursor_of(get(session, sim, limit=20))
        assert statuses_and_sizes(session, sim, cursor, 4) == expected
        assert len(get(session, sim, limit=20).json()["results"]) == 20  # without a cursor


def test_a_fault_ends_a_walk_early(session):
    assert faulty(session, "ends").json() == {"results": []}
    page = faulty(session, "last").json()
    assert len(page["results"]) == 20 and "paging" not in page


def test_cursors_expire_by_the_clock(session):
    now = milliseconds(END)
    with served(cursor_ttl_ms=60_000, clock=lambda: now) as sim:
        cursor = cursor_of(get(session, sim, limit=20))
        now += 60_000
        assert statuses_and_sizes(session, sim, cursor, 1) == [FULL]
        now += 1
        answer = get(session, sim, limit=20, after=cursor)
        assert answer.status_code == 400 and answer.json()["message"] == "The cursor has expired"


def first_pages(session, sim, number):
    """(ids, cursor) of the first pages of a walk."""
    found, after = [], {}
    for _ in range(number):
        page = get(session, sim, limit=20, **after).json()
        found.append((ids(page["results"]), page["paging"]["next"]["after"]))
        after = {"after": unquote(found[-1][1])}
    return found


@pytest.mark.parametrize("order", ["ascending", "shuffled"])
@pytest.mark.parametrize("fresh", [True, False])
def test_cursors_that_go_in_a_circle_under_the_same_name_or_new_ones(session, order, fresh):
    with served(order=order) as sim:
        expected = [page for page, _ in first_pages(session, sim, 3)]
        for loop, after, meets in (
            ("first", 0, [0, 0, 0, 0, 0, 0]), ("page", 0, [0, 0, 0, 0, 0, 0]),
            ("first", 2, [0, 1, 2, 0, 1, 2]), ("page", 2, [0, 1, 2, 2, 2, 2]),
        ):  # fmt: skip
            circle = {"cursor_loop": loop, "cursor_loop_after": after, "cursor_fresh": fresh}
            sim.behaviour = Behaviour(order=order, **circle)
            found = first_pages(session, sim, 6)
            assert [page for page, _ in found] == [expected[n] for n in meets]
            assert len({cursor for _, cursor in found}) == (6 if fresh else len(set(meets[1:])))


@pytest.mark.parametrize("events", [250, 200, 0])
def test_an_open_end_is_marked_by_an_empty_page(session, events):
    with served(history=small(events), open_end=True) as sim:
        found = list(pages(session, sim, limit=20))
    assert ids(event for page in found for event in page["results"]) == ids(truth(small(events)))
    assert found[-1] == {"results": []} and all(page["results"] for page in found[:-1])


SHAPES_OF_PAGING = {
    "paging_null": None, "paging_object": {}, "paging_list": [], "paging_text": "next", "paging_number": 7,
    "next_null": {"next": None}, "next_object": {"next": {}}, "next_list": {"next": []},
    "after_null": {"next": {"after": None}}, "after_empty": {"next": {"after": ""}},
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES_OF_PAGING)
def test_paging_of_every_shape_on_one_answer_on_all_or_on_the_last_one(session, name):
    shape = SHAPES_OF_PAGING[name]

    def paging(**query):
        return get(session, sim, limit=200, **query).json()["paging"]

    with served(last_paging=name) as sim:
        first = paging()
        assert set(first["next"]) == {"after", "link"}
        assert paging(after=unquote(first["next"]["after"])) == shape
        for everywhere in ({"faults": {len(sim.requests) + 1: name}}, {"paging": name}):
            sim.behaviour = Behaviour(**everywhere)
            assert paging() == shape


def test_paging_with_a_link_alone_and_with_undocumented_fields(session):
    following = faulty(session, "link_only", limit=20).json()["paging"]["next"]
    assert list(following) == ["link"] and "&after=" in following["link"]
    with served(paging="paging_extra") as sim:
        whole = get(session, sim, limit=20).json()["paging"]
        assert set(whole) == {"next", "total"} and set(whole["next"]) == {"after", "link"}
        assert get(session, sim, limit=1000).json()["paging"] == {"total": 7}


def test_the_date_header_may_differ_from_the_clock_that_decides_visibility(session):
    now, offsets = small().time(100), (0, 86_400_000, -31_536_000_000)
    with served(clock=lambda: now, hide_future=True, date_offsets=offsets) as sim:
        answers = [get(session, sim, limit=1000) for _ in range(4)]
    assert {len(each.json()["results"]) for each in answers} == {small().rank(now + 1)}
    dates = [each.headers["Date"][5:16] for each in answers]
    assert dates == ["05 Jan 2026", "06 Jan 2026", "05 Jan 2025", "05 Jan 2026"]


def test_disorder_has_options_on_the_command_line():
    command = [
        "--order", "ingested", "--ingested-late", "50=600000", "--before-ignored", "--cursor-loop", "first", "--cursor-fresh",
        "--ends-every", "3", "--paging", "link_only", "--date-offset-ms", "5", "--date-offset-ms", "-7", "--cursor-ttl-ms", "9",
    ]  # fmt: skip
    behaviour = _behaviour(_parser().parse_args(command), {})
    assert behaviour.ingested(49, 0) == 600_000 and behaviour.ingested(50, 0) == 0
    expected = {
        "order": "ingested", "before_ignored": True, "after_ignored": False, "cursor_loop": "first", "cursor_fresh": True,
        "cursor_ttl_ms": 9, "ends_every": 3, "paging": "link_only", "date_offsets": (5, -7),
    }  # fmt: skip
    assert {name: getattr(behaviour, name) for name in expected} == expected


# Errors, quota, headers


def test_tokens(session):
    statuses = {
        "Bearer right": 200, "Bearer wrong": 401, "Basic right": 401, "Bearer ": 401, "Bearer a b": 530,
    }  # fmt: skip
    with served(token="right") as sim:
        for header, status in statuses.items():
            session.headers["Authorization"] = header
            assert get(session, sim).status_code == status
        del session.headers["Authorization"]
        assert get(session, sim).json()["category"] == "INVALID_AUTHENTICATION"


def test_paths_methods_and_bounds(session):
    with served() as sim:
        for path in ("/events/v4/events", "/", "/events/event-occurrences/2020-01"):
            assert get(session, sim, path).status_code == 404
        assert session.post(sim.url + V3, json={}).status_code == 405
        assert get(session, sim, occurredAfter="yesterday").status_code == 400
        assert get(session, sim, occurredAfter="2026-01-05T00:00:00+00:00").status_code == 200
        error = get(session, sim, occurredBefore="soon").json()
        assert {"status", "message", "category", "correlationId", "errors", "context"} <= set(error)


def test_forbidden_types_name_their_scopes(session):
    with served(forbidden={TYPE: ["some-scope"]}, missing_scopes="context") as sim:
        answer = get(session, sim)
        error, named = answer.json(), ["some-scope"]
        assert answer.status_code == 403 and error["context"]["requiredScopes"] == named
        assert error["errors"][0]["context"]["requiredGranularScopes"] == named
        sim.behaviour.forbidden = {TYPE: {"missingScopes": ["another"]}}
        assert get(session, sim).json()["context"] == {"missingScopes": ["another"]}
        sim.behaviour.forbidden = {"other"}
        assert get(session, sim).status_code == 200


def test_the_quota_is_a_rolling_window(session):
    now, statuses = 0, []
    with served(quota=(3, 10_000), clock=lambda: now) as sim:
        for now in (0, 4_000, 9_999, 9_999, 10_000, 10_000, 14_000):  # noqa: B007
            answer = get(session, sim)
            statuses.append((answer.status_code, int(answer.headers["X-HubSpot-RateLimit-Remaining"])))
        assert [status for status, _ in statuses] == [200, 200, 200, 429, 200, 429, 200]
        assert [remaining for _, remaining in statuses] == [2, 1, 0, 0, 0, 0, 0]
        refused = get(session, sim)
        assert refused.json()["policyName"] == "TEN_SECONDLY_ROLLING"
        assert refused.json()["errorType"] == "RATE_LIMIT"
        assert refused.headers["Retry-After"] == "6"
        sim.behaviour.retry_after_on_429 = False
        assert "Retry-After" not in get(session, sim).headers


def test_others_and_the_day_draw_on_the_quota_too(session):
    now = 86_400_000 * 5
    with served(quota=(10, 10_000), others_per_second=0.8, daily_quota=4, clock=lambda: now) as sim:
        assert [get(session, sim).status_code for _ in range(3)] == [200, 200, 429]
        now += 10_000
        answers = [get(session, sim) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert answers[2].json()["policyName"] == "DAILY"
        assert answers[2].headers["X-HubSpot-RateLimit-Daily-Remaining"] == "0"
        now += 86_400_000
        assert get(session, sim).status_code == 200


def test_headers_can_be_nonsense_or_absent(session):
    extra = {"X-HubSpot-RateLimit-Max": "many"}
    with served(quota=(100, 10_000), extra_headers=extra, date_header="garbage") as sim:
        headers = get(session, sim).headers
        assert (headers["X-HubSpot-RateLimit-Max"], headers["Date"]) == ("many", "garbage")
        sim.behaviour = Behaviour(quota=(100, 10_000), rate_headers=False, date_header=False)
        assert not {"Date", "X-HubSpot-RateLimit-Max"} & set(get(session, sim).headers)


# Faults


def faulty(session, kind, **query):
    with served(faults={1: kind}) as sim:
        answer = get(session, sim, **query)
        assert sim.requests[0].fault == kind and sim.requests[0].status == answer.status_code
        return answer


STATUSES = [
    400, 401, 403, 404, 405, 423, 429, 477, 500, 502, 503, 504, *range(520, 528), 530,
]  # fmt: skip


def test_each_status(session):
    with served(faults={n: str(status) for n, status in enumerate(STATUSES, 1)}) as sim:
        answers = [get(session, sim) for _ in STATUSES]
    assert [answer.status_code for answer in answers] == STATUSES
    own = [answer for answer in answers if answer.status_code <= 500]
    assert {answer.json()["status"] for answer in own} == {"error"}


def test_options_of_a_status(session):
    assert faulty(session, "429").headers["Retry-After"] == "1"
    assert "Retry-After" not in faulty(session, "429:no-retry-after").headers
    for status in ("429", "477"):
        answer = faulty(session, f"{status}:retry-after=86400")
        assert answer.headers["Retry-After"] == "86400"
    assert faulty(session, "429:daily").json()["policyName"] == "DAILY"


def test_answers_that_are_not_json(session):
    answer = faulty(session, "html")
    assert answer.status_code == 200 and answer.headers["Content-Type"].startswith("text/html")
    assert faulty(session, "empty").content == b""
    for broken in (answer, faulty(session, "cut_clean")):
        with pytest.raises(ValueError):
            broken.json()
    answer = faulty(session, "redirect")
    assert answer.status_code == 302 and answer.headers["Location"] == Behaviour().redirect_to


@pytest.mark.parametrize("kind, status", [("cut", 200), ("reset", None)])
def test_after_a_broken_connection_the_page_is_complete_when_asked_again(session, kind, status):
    with served(faults={1: kind}) as sim:
        with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
            get(session, sim)
        assert walk(session, sim) == truth(small())
        assert sim.requests[0].status == status


def test_a_hanging_answer_outlasts_the_client(session):
    with served(faults={1: "hang"}) as sim, pytest.raises(requests.Timeout):
        get(session, sim, timeout=0.2)


def test_a_dripping_answer_comes_byte_by_byte():
    with served(faults={1: "drip"}) as sim, socket.create_connection(("127.0.0.1", sim.port)) as us:
        us.sendall(b"GET /events/v3/events HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"".join(us.recv(100) for _ in range(6))[:6] == b"HTTP/1"


@pytest.mark.parametrize("kind", ["foreign_type", "outside", "unordered", "lone_surrogate", "huge_int", "duplicate"])
def test_faults_in_content_that_lose_no_event(session, kind):
    answer = faulty(session, kind, limit=20, occurredAfter=START, occurredBefore=END)
    found, expected = json.loads(answer.content)["results"], truth(small())[:20]
    assert set(ids(expected)) <= set(ids(found))
    assert (ids(found) == ids(expected)) == (kind in ("lone_surrogate", "huge_int"))
    strangers = [event for event in found if event["id"] not in ids(expected)]
    if kind == "foreign_type":
        assert [event["eventType"] for event in strangers] == ["e_foreign"]
    elif kind == "outside":
        assert [event["occurredAt"] < START for event in strangers] == [True]
    elif kind in ("lone_surrogate", "huge_int"):
        odd = found[0]["properties"].pop("hs_simulated")
        assert (odd == "\ud83d" or odd >= 10**39) and found == expected


def test_faults_in_content_that_hide_the_results(session):
    assert "results" not in faulty(session, "no_results").json()
    assert faulty(session, "results_null").json()["results"] is None
    assert faulty(session, "results_string").json()["results"] == "none"
    assert faulty(session, "deep").content.count(b'{"a":') == 2000


def test_cursors_that_lead_nowhere(session):
    with served() as plain:
        second = cursor_of(get(session, plain))
    with served(faults={2: "repeat_cursor", 4: "backward_cursor"}) as sim:
        asked = (None, second, second, second)
        one, two, three, four = (cursor_of(get(session, sim, after=after)) for after in asked)
    assert two == one and three != one and four == one


def test_faults_by_callable_and_by_chance(session):
    with served(fault=lambda asked: "500" if "after" in asked.query else None) as sim:
        assert [get(session, sim, **given).status_code for given in ({}, {"after": "x"})] == [200, 500]
    statuses = []
    for _ in "ab":
        with served(fault_rate=0.3, fault_kinds=("500", "429"), fault_seed=4) as sim:
            statuses.append([get(session, sim, limit=1).status_code for _ in range(60)])
    assert statuses[0] == statuses[1] and set(statuses[0]) == {200, 500, 429}
    assert 30 < statuses[0].count(200) < 55


def test_an_unknown_fault_is_an_error_at_once():
    for unknown in ({"faults": {1: "501"}}, {"fault_kinds": ("explode",)}):
        with pytest.raises(ValueError, match="no such fault"):
            Simulator({}, Behaviour(**unknown))


# From start to stop


def test_the_official_client_sees_every_event():
    with served() as sim:
        api = hubspot.Client.create(access_token="x", host=sim.url).events.events_api
        found, after = [], {}
        while after is not None:
            page = api.get_page(event_type=TYPE, limit=40, **after)
            found += [event.id for event in page.results]
            after = {"after": unquote(page.paging.next.after)} if page.paging else None
        assert api.get_types().event_types == [TYPE]
        api.api_client.close()
    assert found == ids(truth(small()))


def test_requests_are_recorded_in_order(session):
    with served() as sim:
        get(session, sim, limit=1)
        session.get(sim.url + DATED + "/event-types", headers={"X-Test": "é"})
        first, second = sim.requests
    assert (first.number, first.path, first.query["limit"], first.status) == (1, V3, ["1"], 200)
    assert (second.number, second.fault) == (2, None)
    assert second.headers["authorization"].startswith("Bearer")


def test_stopping_leaves_no_thread_and_no_socket(session):
    before, asked = set(threading.enumerate()), threading.Event()
    with served(fault=lambda _: asked.set() or "hang") as sim:
        address = ("127.0.0.1", sim.port)
        asking = (requests.ConnectionError, get, session, sim)
        hanging = threading.Thread(target=pytest.raises, args=asking, kwargs={"timeout": 60})
        hanging.start()
        idle = socket.create_connection(address)
        assert asked.wait(60)
    hanging.join()
    assert idle.recv(1) == b""
    idle.close()
    assert set(threading.enumerate()) == before
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)


def started(*command):
    given = {"stdout": subprocess.PIPE, "text": True, "cwd": ROOT}
    return subprocess.Popen([sys.executable, *command], **given)


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_the_command_prints_its_url_serves_and_stops(session, stop):
    command = "-m simulator --event-type e_visited_page=30 --fault 2=429:daily"
    with started(*command.split()) as process:
        url = process.stdout.readline().strip()
        statuses = [session.get(url + V3, params={"eventType": TYPE}).status_code for _ in range(2)]
        process.send_signal(stop)
        assert process.wait(10) == 0
    assert statuses == [200, 429]


IN_A_WAIT = """
import os, runpy, signal, sys, threading

def interrupt(frame, event, argument):
    if frame.f_code is threading.Condition.wait.__code__ and frame.f_back.f_back.f_code.co_name == "main":
        sys.setprofile(None)
        os.kill(os.getpid(), signal.SIGTERM)

sys.setprofile(interrupt)  # of the main thread alone
sys.argv = ["simulator", "--events", "5"]
runpy.run_module("simulator", run_name="__main__")
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM to send to oneself")
def test_a_signal_ends_the_command_whatever_lock_the_main_thread_holds():
    """It arrives while main waits with the lock of an event, if it does, and a little later."""
    with started("-c", IN_A_WAIT) as process:
        try:
            process.stdout.readline()
            with suppress(subprocess.TimeoutExpired):
                process.wait(1)
            process.terminate()
            assert process.wait(10) == 0
        finally:
            process.kill()
