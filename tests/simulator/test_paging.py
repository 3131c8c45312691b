"""Which events a walk through the pages finds, in which order, and where its cursors lead: as documented, and in each
odd way that can be switched on.
"""

from urllib.parse import unquote

import hubspot
import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from simulator import Behaviour, Simulator, generated, listed
from simulator.cursor import Position, decode, encode
from simulator.instants import iso, milliseconds
from tests.simulator.client import END, START, TYPE, cursor_of, get, ids, pages, served, small, truth, walk

ORDERS = ("ascending", "descending", "shuffled", "ingested", "breaking")
HOUR = 3_600_000


@pytest.fixture(scope="module")
def shared():
    """One simulator for all examples of a property: (simulator, its history, a session)."""
    history = generated(60, START, "2026-01-05T00:00:20Z", shape="uniform")
    with Simulator({TYPE: history}) as sim, requests.Session() as session:
        session.trust_env = False
        session.headers["Authorization"] = "Bearer x"
        yield sim, history, session


def at(second):
    return f"2026-01-05T00:00:0{second}Z"


def event_at(text, n):
    return {"id": f"id-{n}", "eventType": TYPE, "occurredAt": text, "properties": {}}


# Which events


@given(data=st.data())
def test_bounds_select_exactly_what_they_say(shared, data):
    sim, history, session = shared
    grain = data.draw(st.sampled_from([1, 1000]))
    sim.behaviour = behaviour = Behaviour(
        after_inclusive=data.draw(st.booleans()), before_inclusive=data.draw(st.booleans()),
        after_ignored=data.draw(st.booleans()), before_ignored=data.draw(st.booleans()),
        resolution="second" if grain == 1000 else "millisecond", order=data.draw(st.sampled_from(ORDERS)),
    )  # fmt: skip
    near = st.integers(0, len(history) - 1).map(history.time)
    bound = st.none() | st.builds(sum, st.tuples(near, st.integers(-1001, 1001)))
    after, before = data.draw(bound), data.draw(bound)
    bounds = {"occurredAfter": after, "occurredBefore": before}
    query = {name: iso(ms).decode() for name, ms in bounds.items() if ms is not None}
    found = walk(session, sim, limit=data.draw(st.integers(3, 80)), **query)

    def inside(ms):
        since = 1 if after is None or behaviour.after_ignored else ms // grain - after // grain
        until = 1 if before is None or behaviour.before_ignored else before // grain - ms // grain
        return since >= (not behaviour.after_inclusive) and until >= (not behaviour.before_inclusive)

    expected = [event for event in truth(history) if inside(milliseconds(event["occurredAt"]))]
    assert sorted(ids(found)) == sorted(ids(expected))


@given(
    moments=st.lists(st.integers(0, 9), min_size=1, max_size=30), late=st.sets(st.integers(0, 29)), data=st.data(),
    order=st.sampled_from(ORDERS[:4]),
)  # fmt: skip
def test_a_walk_through_a_changing_history_meets_every_lasting_event_once(shared, moments, late, order, data):
    """Events appear, go and change on both sides of the cursor between two requests. The cursor is the key of the
    event after which its page begins.
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
        after = {"after": cursor_of(page)} if "paging" in page else None
        there |= {n: data.draw(st.booleans()) for n in events if n not in stay}
        changed = {"properties": {"changed": str(len(found))}}
        events = {n: {**event, **changed} for n, event in events.items()}
    sim.histories = {TYPE: shared[1]}
    assert {f"id-{n}" for n in stay} <= set(found) and len(found) == len(set(found))


def late_among_many(index, occurred):
    """One in fifty is listed two hours late."""
    return 2 * HOUR if index % 50 == 10 else 0


def test_each_order_is_what_its_name_says(session):
    history, in_time = small(), ids(truth(small()))
    listed_at = [history.time(i) + late_among_many(i, 0) for i in range(250)]
    by_listing = [in_time[i] for i in sorted(range(250), key=lambda i: (listed_at[i], history.time(i)))]
    with served(order_breaks_after=3, ingested=late_among_many) as sim:

        def found(order):
            sim.behaviour.order = order
            return ids(walk(session, sim, limit=20))

        assert found("ascending") == in_time and found("descending") == in_time[::-1]
        assert found("ingested") == by_listing != in_time
        breaking, shuffled = found("breaking"), found("shuffled")
        assert breaking[:60] == in_time[:60] and breaking[60:80] != in_time[60:80]
        assert shuffled[:20] not in (in_time[:20], in_time[:-21:-1])
        assert sorted(breaking) == sorted(shuffled) == sorted(in_time)
        # by default an event is listed when it becomes visible
        sim.behaviour = Behaviour(order="ingested", late={TYPE: late_among_many})
        assert ids(walk(session, sim, limit=20)) == by_listing


def test_events_become_visible_late_by_the_simulators_clock_though_dates_differ_from_it(session):
    history, offsets = small(), (0, 86_400_000, -31_536_000_000)
    now = history.time(100)
    with served(history, clock=lambda: now, hide_future=True, date_offsets=offsets) as sim:
        visible = history.rank(now + 1)
        answers = [get(session, sim, limit=1000) for _ in range(4)]
        assert {len(each.json()["results"]) for each in answers} == {visible}
        dates = [each.headers["Date"][5:16] for each in answers]
        assert dates == ["05 Jan 2026", "06 Jan 2026", "05 Jan 2025", "05 Jan 2026"]
        sim.behaviour.late = {TYPE: lambda index, occurred: 10**9 if index % 2 else 0}
        assert ids(walk(session, sim, limit=7)) == ids(truth(history)[:visible:2])
        now += 10**9
        hidden = [i for i in range(1, 250, 2) if history.time(i) > history.time(100)]
        assert len(walk(session, sim)) == 250 - len(hidden)
        sim.behaviour.date_header = "garbage"
        assert get(session, sim).headers["Date"] == "garbage"
        sim.behaviour.date_header = False
        assert "Date" not in get(session, sim).headers


# Where cursors lead


@given(st.builds(Position, *[st.integers(0, 2**64)] * 9), st.text(), st.none() | st.integers(0, 2))
def test_a_cursor_is_its_position_however_it_looks(position, event_type, padding):
    """In base64, percent-encoded once."""
    cursor = encode(position, event_type, padding)
    assert decode(unquote(cursor)) == position
    assert padding in (None, cursor.count("%3D")) and cursor.count("%") == sum(map(cursor.count, ("%3D", "%2F", "%2B")))


def test_a_cursor_encoded_twice_finds_an_empty_page(session):
    with served(cursor_padding=1) as sim:
        encoded = get(session, sim).json()["paging"]["next"]["after"]
        assert get(session, sim, after=encoded).json() == {"results": []}
        sim.behaviour.cursor_decodes = "any"
        assert ids(get(session, sim, after=encoded).json()["results"]) == ids(truth(small())[20:40])


FULL, HOLLOW, REFUSED = (200, 20, True), (200, 0, False), (400, 1, False)


def outcomes(session, sim, cursor, times=1, **query):
    """The status of each answer, how many events it has, and whether a page follows."""
    answers = [get(session, sim, limit=20, after=cursor, **query) for _ in range(times)]
    bodies = [(answer.status_code, answer.json()) for answer in answers]
    return [(status, len(body.get("results", "x")), "paging" in body) for status, body in bodies]


@pytest.mark.parametrize("behaviour, expected", [
    ({"ends_every": 1}, [HOLLOW] * 4),
    ({"ends_every": 3}, [FULL, FULL, HOLLOW, FULL]),
    ({"ends_once": True}, [HOLLOW, FULL, FULL, FULL]),
    ({"refuse_every": 2}, [FULL, REFUSED, FULL, REFUSED]),
    ({"refuse_every": 3, "ends_every": 2}, [FULL, HOLLOW, REFUSED, HOLLOW]),
    ({"cursor_ttl_requests": 2}, [FULL, FULL, REFUSED, REFUSED]),
])  # fmt: skip
def test_a_cursor_that_ends_early_expires_or_is_refused(session, behaviour, expected):
    with served(**behaviour) as sim:
        cursor = cursor_of(get(session, sim, limit=20).json())
        assert outcomes(session, sim, cursor, 4) == expected
        assert len(get(session, sim, limit=20).json()["results"]) == 20  # without a cursor


def test_cursors_expire_by_the_clock_too_and_strict_ones_belong_to_their_query(session):
    now = milliseconds(END)
    with served(cursor_ttl_ms=60_000, clock=lambda: now, cursors="strict") as sim:
        cursor = cursor_of(get(session, sim, limit=10).json())
        now += 60_000
        assert outcomes(session, sim, cursor) == [FULL]
        assert outcomes(session, sim, cursor, occurredAfter=START) == [REFUSED]
        now += 1
        assert outcomes(session, sim, cursor) == [REFUSED]
        for garbage in ("x", "AAAA", "zzzz====", "fHx8fA==", "é"):
            assert outcomes(session, sim, garbage) == [REFUSED]


@pytest.mark.parametrize("order", ["ascending", "shuffled"])
@pytest.mark.parametrize("fresh", [True, False])
def test_cursors_that_go_in_a_circle_under_the_same_name_or_new_ones(session, order, fresh):
    def first_pages(number):
        """(ids, cursor) of the first pages of a walk."""
        found = [page for _, page in zip(range(number), pages(session, sim, limit=20), strict=False)]
        return [(ids(page["results"]), cursor_of(page)) for page in found]

    with served(order=order) as sim:
        expected = [page for page, _ in first_pages(3)]
        for loop, after, meets in (
            ("first", 0, [0, 0, 0, 0, 0, 0]), ("page", 0, [0, 0, 0, 0, 0, 0]),
            ("first", 2, [0, 1, 2, 0, 1, 2]), ("page", 2, [0, 1, 2, 2, 2, 2]),
        ):  # fmt: skip
            circle = {"cursor_loop": loop, "cursor_loop_after": after, "cursor_fresh": fresh}
            sim.behaviour = Behaviour(order=order, **circle)
            found = first_pages(6)
            assert [page for page, _ in found] == [expected[n] for n in meets]
            assert len({cursor for _, cursor in found}) == (6 if fresh else len(set(meets[1:])))


def test_an_empty_page_in_the_middle_has_the_events_when_asked_again(session):
    with served(empty_page_every=2) as sim:
        found = list(pages(session, sim, limit=20))
        assert ids(event for page in found for event in page["results"]) == ids(truth(small()))
        assert any(not page["results"] and "paging" in page for page in found)


@pytest.mark.parametrize("events", [250, 200, 0])
def test_an_open_end_is_marked_by_an_empty_page(session, events):
    with served(small(events), open_end=True) as sim:
        found = list(pages(session, sim, limit=20))
    assert ids(event for page in found for event in page["results"]) == ids(truth(small(events)))
    assert found[-1] == {"results": []} and all(page["results"] for page in found[:-1])


def test_paging_has_an_odd_shape_on_one_answer_on_all_or_on_the_last_one(session):
    def paging(**query):
        return get(session, sim, limit=200, **query).json()["paging"]

    with served(last_paging="next_null") as sim:
        first = paging()
        assert set(first["next"]) == {"after", "link"}
        assert paging(after=unquote(first["next"]["after"])) == {"next": None}
        sim.behaviour = Behaviour(paging="paging_extra")
        assert paging() == {**first, "total": 7}
        sim.behaviour = Behaviour(faults={len(sim.requests) + 1: "link_only"})
        assert paging() == {"next": {"link": first["next"]["link"]}}


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
