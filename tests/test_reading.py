"""Reading a range of time: every event, and a watermark that has passed none, whatever HubSpot does that is not documented."""
import re
import threading
from concurrent.futures import wait
from itertools import chain, count, islice, product

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline import Client, Reader
from pipeline.client import Page
from pipeline.deliver import ask
from pipeline.errors import BadAnswer, Refused, Stopped, Unauthorized
from pipeline.moments import DAY, SECOND, to_ms
from pipeline.reading import plan
from pipeline.reading import reader as module
from simulator import Behaviour, Simulator, generated, listed
from simulator.history import SHAPES
from tests.pages import ORDERS, Memory, Overrun, at, event, ids
from tests.support import END, START, jumping

TYPE = "e_visited_page"
BASE = to_ms(START)
YEAR = 366 * DAY
SIMULATED = ("ascending", "descending", "shuffled", "ingested", "breaking")  # orders
law = settings(deadline=None)


def truth(history):
    return [history.event(i) for i in range(len(history))]


def times_of(history):
    return [history.time(i) for i in range(len(history))]


def reader_of(memory, concurrency=1, now=BASE + YEAR, **options):
    return Reader(memory, lambda: now, concurrency, **options)


def read(reader, span=(BASE, None)):
    with reader:
        return [event for page in reader.pages(span) for event in page["results"]]


def firsts(found):
    """The ids in the order in which they came first."""
    return list(dict.fromkeys(ids(found)))


class Watermark:
    """Holds a reader's position after each row against what is delivered by then: a kill would go on from there."""

    def __init__(self, reader, span, everything):
        self.reader, self.start, self.reached = reader, span[0], 0
        self.missing = sorted(((at(event), event["id"]) for event in everything if at(event) >= span[0]), reverse=True)
        self.delivered = set()

    def look(self, delivered=()):
        self.delivered.update(delivered)
        while self.missing and self.missing[-1][1] in self.delivered:
            self.missing.pop()
        position = self.reader.position
        assert position >= self.reached, "it has moved back"
        assert not self.missing or position <= self.missing[-1][0], "it has passed an event that is not delivered"
        assert position <= max(self.reader.now(), self.start), "it is in the future"
        self.reached = position


def read_checked(reader, span, everything):
    """All events, the watermark looked at after each; the events until then, if that ends in BadAnswer."""
    found, watermark = [], Watermark(reader, span, everything)
    with reader:
        try:
            for page in reader.pages(span):
                for event in page["results"]:
                    found.append(event)
                    watermark.look([event["id"]])
        finally:
            watermark.look()
    return found


@pytest.fixture(scope="module")
def sim():
    with Simulator({TYPE: generated(400, START, "2026-01-01T00:10:00Z", "uniform")}) as sim:
        yield sim


@pytest.fixture
def simulated(sim):
    """`simulated(limit, concurrency, history, **behaviour)` gives a Reader of the simulator, its requests counted from 0."""
    clients = []

    def reader(limit, concurrency=1, history=None, **behaviour):
        sim.requests.clear()
        sim.emptied.clear()
        sim.ended.clear()
        sim.continued, sim.behaviour = count(1), Behaviour(**behaviour)
        if history is not None:
            sim.histories = {TYPE: history}
        clients.append(Client("pat-na1-x", sim.url, "2026-03", connections=concurrency))
        client, fixed = clients[-1], {"eventType": TYPE, "limit": limit}

        def fetch(question, stop):
            if len(sim.requests) > 3_000:
                raise Overrun("more than 3,000 requests")
            return ask(client, fixed, question, stop)

        return Reader(fetch, client.clock.later, concurrency)

    kept = sim.histories
    yield reader
    sim.histories = kept
    for client in clients:
        client.__exit__()


# Every event, in order where the answers are


@pytest.mark.parametrize("concurrency", [1, 2, 4, 8])
@pytest.mark.parametrize("shape", SHAPES)
def test_ascending_answers_leave_in_order_but_for_what_a_window_cut_anew_repeats(shape, concurrency):
    memory = Memory(times_of(generated(1500, shape=shape)), 50)
    found = ids(read(reader_of(memory, concurrency)))
    assert list(dict.fromkeys(found)) == ids(memory.events)
    assert len(found) <= 1500 + plan.LONGEST_WALK * 50


@pytest.mark.parametrize("concurrency", [1, 2, 4, 8])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("shape", SHAPES)
def test_every_event_of_any_history_is_found_in_any_order(shape, order, concurrency):
    memory = Memory(times_of(generated(600, shape=shape)), 30, (order,))
    found = read_checked(reader_of(memory, concurrency), (BASE, None), memory.events)
    assert set(ids(found)) == set(ids(memory.events))


UNKNOWNS = {"after_inclusive": (False, True), "before_inclusive": (False, True), "resolution": ("millisecond", "second"),
            "cursors": ("strict", "lenient"), "order": SIMULATED}  # fmt: skip


@pytest.mark.parametrize("answers", list(product(*UNKNOWNS.values())), ids=lambda answers: "-".join(map(str, answers)))
def test_whatever_is_not_documented_loses_nothing(simulated, sim, answers):
    behaviour, everything = dict(zip(UNKNOWNS, answers, strict=True)), truth(sim.histories[TYPE])
    found = read_checked(simulated(17, 3, **behaviour), (BASE, None), everything)
    assert set(ids(found)) == set(ids(everything))
    assert behaviour["order"] != "ascending" or firsts(found) == ids(everything)


@pytest.mark.parametrize("order", SIMULATED)
def test_a_limit_that_is_clamped_loses_nothing(simulated, sim, order):
    found = read(simulated(1000, 2, order=order, max_limit=30, limit_policy="clamp"))
    assert set(ids(found)) == set(ids(truth(sim.histories[TYPE])))


@pytest.mark.parametrize("ends", [{"after_inclusive": True, "before_inclusive": True}, {"resolution": "second"}, {}], ids=str)
@pytest.mark.parametrize("start, width", [(0, 0), (0, 1), (1, 999), (500, 1000), (999, 2), (1000, 1000), (1, 5000)])
def test_a_span_is_half_open_to_the_millisecond_whatever_the_bounds_are(simulated, start, width, ends):
    events = [event(BASE + ms, ms) for second in (0, 1000, 2000) for ms in (second, second + 1, second + 500, second + 999)]
    found = read(simulated(3, 2, listed(events), **ends), (BASE + start, BASE + start + width))
    assert sorted(ids(found)) == sorted(ids(e for e in events if start <= at(e) - BASE < start + width))


HISTORIES = st.sampled_from((0, 3, 2_500, 90_000, 10**8)).flatmap(
    lambda width: st.lists(st.integers(BASE, BASE + width), max_size=60)
)
NEAR = st.integers(-1_500, 4_000) | st.integers(0, 10**8)  # ms from BASE
MIXED = st.lists(st.sampled_from(ORDERS), min_size=1, max_size=4).map(tuple)
DISORDER = st.fixed_dictionaries(
    {"orders": MIXED, "inclusive": st.tuples(st.booleans(), st.booleans()), "grain": st.sampled_from((1, 1000))},
    optional={"turning": st.just(True)},
)


@given(HISTORIES, st.integers(1, 20), st.integers(1, 4), DISORDER, NEAR, st.none() | NEAR, NEAR | st.just(YEAR))
@example([BASE, BASE + 1000, BASE + 2000], 2, 1, {"orders": ("shuffled",)}, 0, None, 3000)
@settings(deadline=None, max_examples=300)
def test_the_union_of_the_pages_is_the_truth_and_the_watermark_never_passes_an_event(
    times, size, concurrency, disorder, start, width, now
):
    memory, start = Memory(times, size, **disorder), BASE + start
    end = None if width is None else max(start, start + width)
    span = [event for event in memory.events if at(event) >= start and (end is None or at(event) < end)]
    found = read_checked(reader_of(memory, concurrency, BASE + now), (start, end), span)
    assert set(ids(found)) == set(ids(span))
    if set(disorder["orders"]) == {"ascending"}:
        assert firsts(found) == ids(span)


@given(HISTORIES, st.integers(1, 20), st.integers(1, 4), DISORDER, st.lists(st.integers(0, 60), max_size=3))
@law
def test_syncs_killed_at_any_row_and_gone_on_with_from_the_watermark_lose_nothing(times, size, concurrency, disorder, kills):
    memory, delivered, start = Memory(times, size, **disorder), set(), BASE
    for rows in [*kills, None]:
        with reader_of(memory, concurrency) as reader:
            events = chain.from_iterable(page["results"] for page in reader.pages((start, None)))
            delivered.update(ids(islice(events, rows)))
        start = max(start, reader.position)
    assert delivered == set(ids(memory.events))


# The watermark


@pytest.mark.parametrize("order", SIMULATED)
@pytest.mark.parametrize("size", [1, 7])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_watermark_is_true_at_every_row(simulated, shape, size, order):
    history = generated(70, START, "2026-01-02T00:00:00Z", shape)
    found = read_checked(simulated(size, 2, history, order=order), (BASE, None), truth(history))
    assert set(ids(found)) == set(ids(truth(history)))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("end", [None, BASE + 500 * SECOND], ids=["open", "closed"])
def test_the_watermark_of_a_range_that_was_read_is_its_latest_event(order, end):
    memory = Memory(range(BASE, BASE + 100 * SECOND, SECOND), 10, (order,))
    reader = reader_of(memory, 2)
    read(reader, (BASE, end))
    assert reader.position == BASE + 99 * SECOND


@pytest.mark.parametrize("end", [None, BASE + DAY], ids=["open", "closed"])
def test_the_watermark_of_a_range_without_events_stays_at_its_start(end):
    reader = reader_of(Memory([], 10))
    assert read(reader, (BASE, end)) == [] and reader.position == BASE


@pytest.mark.parametrize("order", ORDERS)
def test_a_moment_that_fills_more_than_a_page_is_passed_once_it_is_read(order):
    """Or each sync would read all of it again, until something follows."""
    reader = reader_of(Memory([BASE + 500] * 25, 10, (order,)))
    read(reader)
    assert reader.position == BASE + SECOND


def test_a_moment_that_fills_more_than_a_page_is_not_passed_into_the_future():
    reader = reader_of(Memory([BASE + 500] * 25, 10), now=BASE + 700)
    read(reader)
    assert reader.position == BASE + 700


def test_a_window_that_is_not_whole_holds_the_watermark_however_much_of_it_has_gone_out():
    memory = Memory(range(BASE, BASE + 40 * SECOND, SECOND), 10)
    with reader_of(memory, now=BASE + 40 * SECOND) as reader:
        pages = reader.pages((BASE, None))
        for _ in range(4):
            next(pages)
            assert reader.position == BASE
        assert list(pages) == [] and reader.position == BASE + 39 * SECOND


@pytest.mark.parametrize("size", [1, 5, 100])
@pytest.mark.parametrize("order", SIMULATED)
def test_an_event_of_the_future_is_delivered_and_does_not_carry_the_watermark_there(simulated, order, size):
    now = to_ms("2026-01-03T00:00:00Z")
    events = [event(BASE + n * 3_600_000, n) for n in range(48)] + [event(to_ms("2095-01-01T00:00:00Z"), 48)]
    reader = simulated(size, 2, listed(events), order=order, clock=lambda: now)
    found = read_checked(reader, (BASE, None), events)
    assert set(ids(found)) == set(ids(events))
    assert reader.position == at(events[47])


@pytest.mark.parametrize("order", ORDERS)
def test_the_watermark_of_a_range_that_begins_in_the_future_stays_there(order):
    memory = Memory(range(BASE, BASE + 100 * SECOND, SECOND), 10, (order,))
    reader = reader_of(memory, now=BASE - DAY)
    assert len(read_checked(reader, (BASE, None), memory.events)) >= 100
    assert reader.position == BASE


# What HubSpot may do to a page


EXPIRIES = {
    "after a request": {"cursor_ttl_requests": 1},
    "after 3 requests": {"cursor_ttl_requests": 3},
    "every 10th": {"refuse_every": 10},
    "every 2nd": {"refuse_every": 2},
}


@pytest.mark.parametrize("expiry", EXPIRIES)
@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize("order", SIMULATED)
def test_page_cursors_that_expire_lose_nothing(simulated, sim, order, concurrency, expiry):
    reader = simulated(20, concurrency, order=order, **EXPIRIES[expiry])
    found = read_checked(reader, (BASE, None), truth(sim.histories[TYPE]))
    assert set(ids(found)) == set(ids(truth(sim.histories[TYPE])))


KINDS = ("empty", "hollow", "refused", "repeat", "first", "unclear")
ODD = st.dictionaries(st.tuples(st.integers(0, 4), st.integers(0, 1)), st.sampled_from(KINDS), min_size=1, max_size=5)


@given(HISTORIES, st.integers(1, 20), st.integers(1, 4), DISORDER, ODD)
@law
def test_a_first_walk_that_anything_happens_to_loses_nothing(times, size, concurrency, disorder, odd):
    """Through each window: what happens is drawn by the page of the walk, and how often that was asked for."""
    memory = Memory(times, size, odd=lambda step: odd.get(step[1:]) if step.walk == 0 else None, **disorder)
    found = read_checked(reader_of(memory, concurrency), (BASE, None), memory.events)
    assert set(ids(found)) == set(ids(memory.events))


@given(HISTORIES, st.integers(1, 20), st.integers(1, 4), DISORDER, st.integers(0, 3), st.sampled_from(KINDS))
@settings(deadline=None, max_examples=300)
def test_what_happens_to_a_page_of_every_walk_ends_in_every_event_or_in_an_error(times, size, concurrency, disorder, page, kind):
    memory = Memory(times, size, odd=lambda step: kind if step.page == page else None, **disorder)
    reader = reader_of(memory, concurrency)
    try:
        found = read_checked(reader, (BASE, None), memory.events)
    except BadAnswer as error:
        assert re.search(r"come to no end .* (Start|try) .*support", str(error))
    else:
        assert set(ids(found)) == set(ids(memory.events))


@pytest.mark.parametrize(
    "nature",
    [*({"empty_page_every": n} for n in (1, 2, 5)), {"ends_once": True}, {"ends_every": 9}, {"open_end": True}],
    ids=str,
)
@pytest.mark.parametrize("order", SIMULATED)
def test_empty_pages_with_and_without_a_next_lose_nothing(simulated, sim, order, nature):
    found = read_checked(simulated(20, 1, order=order, **nature), (BASE, None), truth(sim.histories[TYPE]))
    assert set(ids(found)) == set(ids(truth(sim.histories[TYPE])))


def test_an_empty_page_that_stays_empty_is_gone_past_and_told_once():
    said = []
    memory = Memory(range(BASE, BASE + 100 * SECOND, SECOND), 10, odd=lambda step: "hollow" if step.time < 2 else None)
    found = read(reader_of(memory, warn=said.append))
    assert set(ids(found)) == set(ids(memory.events))
    assert len(said) == 1 and "empty page" in said[0]


@pytest.mark.parametrize("order", ORDERS)
def test_a_busy_second_whose_cursors_are_refused_now_and_then_is_walked_again(order):
    refused = {(0, 2, 0), (0, 2, 1), (1, 5, 0), (1, 5, 1), (2, 1, 0), (2, 1, 1)}
    times = range(BASE, BASE + SECOND, 10)
    memory = Memory(times, 12, (order,), odd=lambda step: "refused" if step in refused else None)
    assert set(ids(read_checked(reader_of(memory, 2), (BASE, None), memory.events))) == set(ids(memory.events))


@pytest.mark.parametrize("order", SIMULATED)
def test_a_busy_second_whose_cursors_live_for_one_request_is_read_with_nothing_else_under_way(simulated, order):
    busy = [event(BASE + 500 * SECOND + n, n) for n in range(100)]
    events = [event(BASE + n * SECOND, n) for n in range(1000)] + [{**each, "id": f"busy {each['id']}"} for each in busy]
    found = read_checked(simulated(12, 4, listed(events), order=order, cursor_ttl_requests=1), (BASE, None), events)
    assert set(ids(found)) == set(ids(events))


@pytest.mark.parametrize("kind", ["empty", "refused", "repeat", "first", "unclear"])
@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_busy_second_that_no_walk_gets_through_ends_in_an_error_that_says_where(kind, concurrency):
    memory = Memory([BASE + ms for ms in range(0, 1000, 10)], 12, odd=lambda step: kind if step.page == 2 else None, most=200)
    reader = reader_of(memory, concurrency)
    with pytest.raises(BadAnswer, match=r"2026-01-01T00:00:00\.000Z.*no end that can be believed.*page_size.*support"):
        read_checked(reader, (BASE, BASE + SECOND), memory.events)
    assert reader.position == BASE


def test_an_error_over_a_refused_cursor_repeats_what_hubspot_said():
    memory = Memory([BASE] * 30, 10, odd=lambda step: "refused" if step.page == 1 else None)
    with pytest.raises(BadAnswer, match="It said: The cursor has expired"):
        read(reader_of(memory))


@pytest.mark.parametrize("order", SIMULATED)
@pytest.mark.parametrize("loop", ["page", "first"])
@pytest.mark.parametrize("fresh", [True, False], ids=["under ever new cursors", "under the same cursor"])
@pytest.mark.parametrize("after", [0, 3])
def test_the_same_page_for_ever_ends(simulated, sim, order, loop, fresh, after):
    reader = simulated(20, 2, order=order, cursor_loop=loop, cursor_fresh=fresh, cursor_loop_after=after)
    everything = truth(sim.histories[TYPE])
    try:
        found = read_checked(reader, (BASE, None), everything)
    except BadAnswer as error:
        assert "no end that can be believed" in str(error)
    else:
        assert set(ids(found)) == set(ids(everything))
    assert len(sim.requests) < 1000


@pytest.mark.parametrize("number", [1, 3])
@pytest.mark.parametrize("paging", ["paging_list", "paging_text", "next_list", "next_object", "after_null", "link_only"])
def test_paging_that_cannot_be_read_on_one_answer_loses_nothing(simulated, sim, paging, number):
    found = read_checked(simulated(20, 1, faults={number: paging}), (BASE, None), truth(sim.histories[TYPE]))
    assert ids(found) == ids(truth(sim.histories[TYPE]))


@pytest.mark.parametrize("kind", ["unordered", "duplicate", "outside"])
@pytest.mark.parametrize("concurrency", [1, 4])
def test_pages_with_a_fault_in_them_lose_nothing(simulated, sim, kind, concurrency):
    reader = simulated(20, concurrency, fault=lambda asked: kind if asked.number % 3 == 0 else None)
    found = read_checked(reader, (BASE, None), truth(sim.histories[TYPE]))
    strangers = {event["id"] for event in found if event["id"].startswith("leviathan-outside")}
    assert set(ids(found)) - strangers == set(ids(truth(sim.histories[TYPE])))
    assert bool(strangers) == (kind == "outside")


# What is not of the range


def with_stray(memory, stray):
    def fetch(question, stop):
        page = memory(question, stop)
        return page._replace(results=[*page.results, stray]) if question.after is None else page

    return fetch


@pytest.mark.parametrize("end", [None, BASE + 30 * SECOND], ids=["open", "closed"])
def test_an_event_from_outside_the_range_is_delivered_and_counted_and_moves_nothing(end):
    memory, stray = Memory(range(BASE, BASE + 20 * SECOND, SECOND), 50), event(BASE - DAY, 1)
    reader = reader_of(with_stray(memory, stray))
    assert read(reader, (BASE, end)) == [*memory.events, stray]
    assert reader.strays == 1 and reader.position == BASE + 19 * SECOND


def test_an_event_from_before_the_floor_is_not_delivered():
    memory = Memory(range(BASE, BASE + 20 * SECOND, SECOND), 50)
    reader = reader_of(with_stray(memory, event(BASE - DAY, 1)), floor=BASE)
    assert read(reader) == memory.events and reader.strays == 0


@pytest.mark.parametrize("order", ["ascending", "descending", "shuffled"])
def test_a_server_that_keeps_to_no_range_ends_in_an_error_that_says_so_or_in_every_event(simulated, sim, order):
    everything = truth(sim.histories[TYPE])
    reader = simulated(20, 2, order=order, after_ignored=True, before_ignored=True)
    try:
        found = read_checked(reader, (BASE + 300 * SECOND, None), everything)
    except BadAnswer as error:
        assert "time range" in str(error)
    else:
        assert set(ids(found)) >= {event["id"] for event in everything if at(event) >= BASE + 300 * SECOND}
    assert len(sim.requests) < 1000


@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize("broken", ["no object", {"id": "x"}, {"id": "x", "occurredAt": None}, {"id": [], "occurredAt": "soon"}])
def test_what_has_no_readable_moment_is_handed_on_and_moves_nothing(broken, concurrency):
    memory = Memory(range(BASE, BASE + 20 * SECOND, SECOND), 50)
    reader = reader_of(with_stray(memory, broken), concurrency)
    assert read(reader) == [*memory.events, broken]
    assert reader.strays == 0 and reader.position == BASE + 19 * SECOND


# Clocks


CLOCKS = [{"clock": lambda: to_ms("1999-01-01")}, {"clock": lambda: to_ms("2071-01-01")}, {"date_header": "garbage"},
          {"date_header": False}, {"clock": jumping("2026-05-02", "1999-01-01", "2071-01-01", "2026-05-03")}]  # fmt: skip


@pytest.mark.parametrize("clock", CLOCKS, ids=["1999", "2071", "garbage", "missing", "jumping"])
@pytest.mark.parametrize("order", SIMULATED)
def test_a_date_header_of_another_clock_loses_nothing(simulated, sim, order, clock):
    history = sim.histories[TYPE]
    found = read(simulated(20, 3, order=order, **clock))
    assert set(ids(found)) == set(ids(truth(history)))


@pytest.mark.parametrize("dates", [["1999-01-01"], ["2071-01-01"], ["2026-05-02", "1999-01-01", "2071-01-01"]], ids=str)
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_now_that_is_wrong_or_jumps_loses_nothing(shape, order, dates):
    memory = Memory(times_of(generated(300, shape=shape)), 20, (order,))
    found = read(Reader(memory, jumping(*dates), 2))
    assert set(ids(found)) == set(ids(memory.events))


# Requests


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("events", [0, 1, 99, 100])
def test_a_span_that_fits_a_page_costs_one_request(events, order, concurrency):
    memory = Memory(times_of(generated(events, START, END)), 100, (order,))
    assert len(read(reader_of(memory, concurrency))) == events
    assert len(memory.asked) == 1


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("events", [101, 200])
def test_a_span_of_two_pages_costs_two_requests(events, shape, order, concurrency):
    memory = Memory(times_of(generated(events, START, END, shape)), 100, (order,))
    assert len(read(reader_of(memory, concurrency))) == events
    assert len(memory.asked) == 2


def asked_of(shape, order, concurrency, size=50, pages=60):
    memory = Memory(times_of(generated(size * pages, shape=shape)), size, (order,))
    found = read(reader_of(memory, concurrency))
    assert set(ids(found)) == set(ids(memory.events))
    return len(memory.asked)


@pytest.mark.parametrize("concurrency", [1, 4, 8])
@pytest.mark.parametrize("shape", SHAPES)
def test_reading_what_ascends_costs_a_third_more_than_its_full_pages_and_a_few_a_worker(shape, concurrency):
    assert asked_of(shape, "ascending", concurrency) <= 1.35 * 60 + 4 * (1 + concurrency)


@pytest.mark.parametrize("concurrency", [1, 4, 8])
@pytest.mark.parametrize("order", ["descending", "shuffled", "late"])
@pytest.mark.parametrize("shape", SHAPES)
def test_reading_what_does_not_ascend_costs_at_most_three_times_its_full_pages_and_a_few_a_worker(shape, order, concurrency):
    assert asked_of(shape, order, concurrency) <= 3 * 60 + 4 + 8 * concurrency


@pytest.mark.parametrize("order", ["shuffled", "descending"])
@pytest.mark.parametrize("years", [3, 30])
def test_years_of_silence_before_a_few_days_cost_few_requests_in_any_order(order, years):
    first = BASE + years * YEAR
    memory = Memory(range(first, first + 5 * DAY, DAY // 100), 25, (order,))
    read(reader_of(memory, now=first + 6 * DAY))
    assert len(memory.asked) <= 3 * 20 + 20


# Errors, and the end


class Broken(Memory):
    """Its answer fails where a page would hold the event of index `broken`."""

    def __init__(self, *args, broken):
        super().__init__(*args)
        self.broken = self.events[broken]["id"]

    def __call__(self, question, stop):
        page = super().__call__(question, stop)
        if any(event["id"] == self.broken for event in page.results):
            raise BadAnswer("no further")
        return page


def read_until_broken(times, size, concurrency, broken):
    memory, found = Broken(times, size, broken=broken), []
    with reader_of(memory, concurrency) as reader, pytest.raises(BadAnswer, match="no further"):
        for page in reader.pages((BASE, None)):
            found += page["results"]
    assert reader.position <= at(memory.events[broken])
    return firsts(found), ids(memory.events)


ERRORS = given(HISTORIES.filter(bool), st.integers(1, 20), st.integers(1, 4), st.integers(0, 59))


@ERRORS
@law
def test_an_error_is_raised_before_anything_that_lies_behind_it(times, size, concurrency, broken):
    broken %= len(times)
    found, events = read_until_broken(times, size, concurrency, broken)
    assert found == events[: len(found)] and len(found) <= broken


@ERRORS
@law
def test_an_error_is_raised_after_every_whole_page_before_it(times, size, concurrency, broken):
    broken %= len(times)
    found, _ = read_until_broken(times, size, concurrency, broken)
    assert len(found) > broken - size


@pytest.mark.parametrize("error", [Unauthorized, Refused, Stopped, BadAnswer])
@pytest.mark.parametrize("concurrency", [1, 4])
def test_what_the_first_request_raises_is_raised_at_once(error, concurrency):
    asked = []

    def fetch(question, stop):
        asked.append(question)
        raise error("as it is")

    with reader_of(fetch, concurrency) as reader, pytest.raises(error, match="as it is"):
        next(reader.pages((BASE, None)))
    assert len(asked) == 1 and reader.position == BASE


@pytest.mark.parametrize("order", ORDERS)
def test_the_first_error_of_several_is_raised(order):
    memory = Memory(range(BASE, BASE + 2000 * SECOND, SECOND), 10, (order,))

    def fetch(question, stop):
        if question.asked[0] > BASE + 500 * SECOND:
            raise BadAnswer(f"{question.asked[0]}")
        return memory(question, stop)

    found = []
    with reader_of(fetch, 4) as reader, pytest.raises(BadAnswer) as raised:
        for page in reader.pages((BASE, None)):
            found += page["results"]
    failed = int(str(raised.value))
    assert {event["id"] for event in memory.events if at(event) < failed} <= set(ids(found))
    assert reader.position <= failed + SECOND


@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize("leave", ["early", "by an exception"])
def test_leaving_ends_requests_under_way_and_leaves_no_thread(concurrency, leave):
    memory, under_way, before = Memory(range(BASE, BASE + 500_000, 1000), 10), threading.Event(), set(threading.enumerate())

    def fetch(question, stop):
        if len(memory.asked) >= 2 and (question.after is not None or question.asked[0] > BASE):
            memory.asked.append(question)
            under_way.set()
            stop.wait(5)  # an answer that never comes
            raise Stopped("stopped")
        return memory(question, stop)

    class Downstream(Exception):
        pass

    with pytest.raises(Downstream), reader_of(fetch, concurrency) as reader:
        for _ in reader.pages((BASE, None)):
            assert under_way.wait(30)
            if leave == "early":
                break
            raise Downstream
        raise Downstream
    asked = len(memory.asked)
    assert set(threading.enumerate()) <= before
    assert len(memory.asked) == asked <= 3 + 2 * concurrency


def test_a_page_that_comes_while_the_consumer_decides_to_wait_is_not_waited_for(monkeypatch):
    memory = Memory(range(BASE, BASE + 500 * SECOND, SECOND), 10)

    class Unlucky(Reader):
        def _wait(self):
            wait([self._line[0].job])
            super()._wait()

    def at_once(jobs, return_when):
        assert not jobs or wait(jobs, timeout=0).done, "it waits, though the page that it needs has come"

    def fetch(question, stop):
        if question.asked[0] > BASE:
            stop.wait(5)
            raise Stopped("stopped")
        return memory(question, stop)

    monkeypatch.setattr(module, "wait", at_once)
    with Unlucky(fetch, lambda: BASE + YEAR, 4) as reader:
        assert next(reader.pages((BASE, None)))


def test_leaving_before_anything_is_read_asks_for_nothing():
    memory = Memory([BASE], 10)
    with reader_of(memory) as reader:
        reader.pages((BASE, None))
    assert memory.asked == []


@pytest.mark.parametrize("concurrency", [1, 4, 8])
@pytest.mark.parametrize("order", ["ascending", "shuffled"])
def test_what_is_read_ahead_is_bounded_in_bytes(monkeypatch, order, concurrency):
    pages = 40
    monkeypatch.setattr(module, "PARSED_AHEAD", pages * 1001)  # a page of ten events has 1001 bytes
    memory, handed = Memory(range(BASE, BASE + 4000 * SECOND, SECOND), 10, (order,)), 0
    with reader_of(memory, concurrency, now=BASE + 4000 * SECOND) as reader:
        for page in reader.pages((BASE, None)):
            waiting = sum(len(place.parts) + (place.job_pages if place.job else 0) for place in reader._line)
            assert waiting <= pages + plan.LONGEST_WALK
            handed += len(page["results"])
    assert handed >= 4000


def test_an_empty_answer_of_no_bytes_is_read_too():
    assert read(reader_of(lambda question, stop: Page([], None, 0))) == []
