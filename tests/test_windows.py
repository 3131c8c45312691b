"""Reading spans of time: every event once and in order, whatever HubSpot does that nobody has documented."""
import threading
from itertools import product
from zlib import crc32

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from toolz import pipe

from pipeline import Client, Reader, checkpoint_every, unwrap_results
from pipeline.client import Page
from pipeline.deliver import ask, true_cursor
from pipeline.errors import BadAnswer, Refused, Stopped
from pipeline.moments import to_ms, to_text
from simulator import Behaviour, Simulator, generated, listed
from simulator.history import SHAPES
from tests.support import END, START, jumping

TYPE = "e_visited_page"
BASE = to_ms(START)
YEAR = 366 * 86_400_000
ORDERS = ("ascending", "descending", "shuffled")


class Memory:
    """HubSpot's events in memory, as the facts page tells of them: `fetch(window, stop)` for a Reader. A cursor given with
    other bounds than those it came from is refused."""

    def __init__(self, times, size, order="ascending", inclusive=(False, False), grain=1):
        self.events = [event(ms, n) for n, ms in enumerate(sorted(times))]
        self.size, self.order, self.inclusive, self.grain = size, order, inclusive, grain
        self.asked = []

    def __call__(self, window, stop):
        self.asked.append(window)
        chosen = self.within(*window.asked)
        made_for, _, start = (window.after or "|0").rpartition("|")
        if made_for and made_for != str(window.asked):
            raise Refused("The cursor was issued for another query")
        end = int(start) + self.size
        return Page(chosen[int(start) : end], f"{window.asked}|{end}" if end < len(chosen) else None, 1000)

    def within(self, after, before):
        def inside(ms):
            ms //= self.grain
            low, high = after // self.grain, before // self.grain if before is not None else None
            return (ms > low or (ms == low and self.inclusive[0])) and (
                high is None or ms < high or (ms == high and self.inclusive[1])
            )

        chosen = [event for event in self.events if inside(at(event))]
        if self.order == "shuffled":
            chosen.sort(key=lambda event: crc32(event["id"].encode()))
        return chosen[::-1] if self.order == "descending" else chosen


def event(ms, n=0):
    return {"id": f"{ms}-{n}", "occurredAt": to_text(ms)}


def at(event):
    return to_ms(event["occurredAt"])


def ids(events):
    return [event["id"] for event in events]


def truth(history):
    return [history.event(i) for i in range(len(history))]


def read(reader, span):
    with reader:
        return [event for page in reader.pages(span) for event in page["results"]]


def read_checked(reader, span, everything):
    """All events, having held the cursor that is saved after each row against what is delivered by then."""
    missing = {event["id"]: at(event) for event in everything if at(event) >= span[0]}
    delivered = []

    def deliver(events):
        for event in events:
            delivered.append(event)
            missing.pop(event["id"], None)
            yield {**event, "occurred": event["occurredAt"]}

    def save(occurred):
        cursor = to_ms(true_cursor(reader, occurred, 0)[0])
        undelivered = min(missing.values(), default=cursor)
        assert cursor <= undelivered, "the saved cursor has passed an event"
        assert cursor <= max(reader.now(), span[0]), "the saved cursor is in the future"

    with reader:
        for _ in pipe(reader.pages(span), unwrap_results, deliver, checkpoint_every(1, save)):
            pass
    return delivered


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
        sim.behaviour = Behaviour(**behaviour)
        if history is not None:
            sim.histories = {TYPE: history}
        clients.append(Client("pat-na1-x", sim.url, "2026-03", connections=concurrency))
        fixed = {"eventType": TYPE, "limit": limit}
        return Reader(lambda window, stop: ask(clients[-1], fixed, window, stop), clients[-1].now, concurrency)

    kept = sim.histories
    yield reader
    sim.histories = kept
    for client in clients:
        client.__exit__()


# Every event once, in order


@pytest.mark.parametrize("concurrency", [1, 2, 4, 8])
@pytest.mark.parametrize("shape", SHAPES)
def test_pages_leave_in_the_order_of_time_and_hold_each_event_once(simulated, shape, concurrency):
    history = generated(1500, shape=shape)
    found = read(simulated(50, concurrency, history), (to_ms(START), None))
    assert sorted(ids(found)) == sorted(ids(truth(history)))
    assert list(map(at, found)) == sorted(map(at, found))


UNKNOWNS = {"after_inclusive": (False, True), "before_inclusive": (False, True), "resolution": ("millisecond", "second"),
            "cursors": ("strict", "lenient"), "order": ORDERS}  # fmt: skip


@pytest.mark.parametrize("answers", list(product(*UNKNOWNS.values())), ids=lambda answers: "-".join(map(str, answers)))
def test_whatever_is_not_documented_loses_nothing(simulated, sim, answers):
    behaviour, history = dict(zip(UNKNOWNS, answers, strict=True)), sim.histories[TYPE]
    found = read(simulated(17, 3, **behaviour), (BASE, None))
    assert set(ids(found)) == set(ids(truth(history)))
    assert behaviour["order"] != "ascending" or found == truth(history)


@pytest.mark.parametrize("order", ORDERS)
def test_a_limit_that_is_clamped_loses_nothing(simulated, sim, order):
    found = read(simulated(1000, 2, order=order, max_limit=30, limit_policy="clamp"), (BASE, None))
    assert set(ids(found)) == set(ids(truth(sim.histories[TYPE])))


HISTORIES = st.sampled_from((0, 3, 2_500, 90_000, 10**8)).flatmap(
    lambda width: st.lists(st.integers(BASE, BASE + width), max_size=60)
)
NEAR = st.integers(-1_500, 4_000) | st.integers(0, 10**8)  # ms from BASE


@given(
    times=HISTORIES, size=st.integers(1, 20), concurrency=st.integers(1, 4), order=st.sampled_from(ORDERS),
    inclusive=st.tuples(st.booleans(), st.booleans()), grain=st.sampled_from((1, 1000)), start=NEAR, width=st.none() | NEAR,
    now=NEAR | st.just(YEAR),
)  # fmt: skip
@example(times=[BASE, BASE + 1000, BASE + 2000], size=2, concurrency=1, order="shuffled", inclusive=(False, False), grain=1,
         start=0, width=None, now=3000)  # fmt: skip
@settings(deadline=None, max_examples=400)
def test_the_union_of_the_pages_is_the_truth_and_the_cursor_never_passes_an_event(
    times, size, concurrency, order, inclusive, grain, start, width, now
):
    memory, start = Memory(times, size, order, inclusive, grain), BASE + start
    end = None if width is None else max(start, start + width)
    span = [event for event in memory.events if at(event) >= start and (end is None or at(event) < end)]
    found = read_checked(Reader(memory, lambda: BASE + now, concurrency), (start, end), span)
    assert set(ids(found)) == set(ids(span))
    if order == "ascending":
        assert found == span


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("size", [1, 7])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_cursor_is_true_at_every_row(simulated, shape, size, order):
    history = generated(70, START, "2026-01-02T00:00:00Z", shape)
    found = read_checked(simulated(size, 2, history, order=order), (BASE, None), truth(history))
    assert set(ids(found)) == set(ids(truth(history)))


# What HubSpot may do to a page


EXPIRIES = {
    "after a request": {"cursor_ttl_requests": 1},
    "after 3 requests": {"cursor_ttl_requests": 3},
    "every 10th": {"fault": lambda asked: "400" if "after" in asked.query and asked.number % 10 == 0 else None},
}


@pytest.mark.parametrize("expiry", EXPIRIES)
@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize("order", ORDERS)
def test_a_page_cursor_that_expires_restarts_its_window(simulated, sim, order, concurrency, expiry):
    reader = simulated(20, concurrency, order=order, **EXPIRIES[expiry])
    found = read_checked(reader, (BASE, None), truth(sim.histories[TYPE]))
    assert set(ids(found)) == set(ids(truth(sim.histories[TYPE])))


@given(HISTORIES, st.integers(1, 20), st.integers(1, 4), st.sampled_from(ORDERS), st.integers(0, 60))
@settings(deadline=None)
def test_a_cursor_refused_once_at_any_page_loses_nothing(times, size, concurrency, order, refused):
    memory, continued = Memory(times, size, order), iter(range(10**6))

    def fetch(window, stop):
        if window.after is not None and next(continued) == refused:
            raise Refused("The cursor has expired")
        return memory(window, stop)

    found = read_checked(Reader(fetch, lambda: BASE + 10**8, concurrency), (BASE, None), memory.events)
    assert set(ids(found)) == set(ids(memory.events))


@pytest.mark.parametrize("every", [1, 2, 5])
@pytest.mark.parametrize("order", ORDERS)
def test_an_empty_page_in_the_middle_loses_nothing(simulated, sim, order, every):
    found = read_checked(simulated(20, 2, order=order, empty_page_every=every), (BASE, None), truth(sim.histories[TYPE]))
    assert set(ids(found)) == set(ids(truth(sim.histories[TYPE])))


@pytest.mark.parametrize("size", [1, 5, 100])
@pytest.mark.parametrize("order", ORDERS)
def test_an_event_of_the_future_is_delivered_and_does_not_carry_the_cursor_there(simulated, order, size):
    now = to_ms("2026-01-03T00:00:00Z")
    events = [event(BASE + n * 3_600_000, n) for n in range(48)] + [event(to_ms("2035-01-01T00:00:00Z"), 48)]
    reader = simulated(size, 2, listed(events), order=order, clock=lambda: now)
    found = read_checked(reader, (BASE, None), events)
    assert set(ids(found)) == set(ids(events))
    assert to_ms(true_cursor(reader, "2035-01-01T00:00:00Z", 0)[0]) < now + 60_000


CLOCKS = [{"clock": lambda: to_ms("1999-01-01")}, {"clock": lambda: to_ms("2071-01-01")}, {"date_header": "garbage"},
          {"date_header": False}, {"clock": jumping("2026-05-02", "1999-01-01", "2071-01-01", "2026-05-03")}]  # fmt: skip


@pytest.mark.parametrize("clock", CLOCKS, ids=["1999", "2071", "garbage", "missing", "jumping"])
@pytest.mark.parametrize("order", ORDERS)
def test_a_date_header_of_another_clock_loses_nothing(simulated, sim, order, clock):
    history = sim.histories[TYPE]
    found = read(simulated(20, 3, order=order, **clock), (BASE, None))
    assert set(ids(found)) == set(ids(truth(history)))


@pytest.mark.parametrize("order", ORDERS)
def test_a_clock_of_this_machine_that_jumps_loses_nothing(simulated, sim, order, monkeypatch):
    monkeypatch.setattr("pipeline.client.local_now", jumping("2026-05-02", "1999-01-01", "2071-01-01", "2026-05-03"))
    found = read(simulated(20, 3, order=order, date_header=False), (BASE, None))
    assert set(ids(found)) == set(ids(truth(sim.histories[TYPE])))


@pytest.mark.parametrize("kind", ["unordered", "duplicate", "outside"])
@pytest.mark.parametrize("concurrency", [1, 4])
def test_pages_with_a_fault_in_them_lose_nothing(simulated, sim, kind, concurrency):
    reader = simulated(20, concurrency, fault=lambda asked: kind if asked.number % 3 == 0 else None)
    found = read_checked(reader, (BASE, None), truth(sim.histories[TYPE]))
    strangers = {event["id"] for event in found if event["id"].startswith("leviathan-outside")}
    assert set(ids(found)) - strangers == set(ids(truth(sim.histories[TYPE])))


# Requests


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize("events", [0, 1, 100])
def test_a_span_that_fits_a_page_costs_one_request(simulated, sim, events, concurrency):
    history = generated(events, START, END)
    assert len(read(simulated(100, concurrency, history), (BASE, None))) == events
    assert len(sim.requests) == 1


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [1, 7, 100])
def test_a_walk_in_order_costs_its_full_pages_and_two_more(simulated, sim, shape, size):
    history = generated(90 + 9 * size, shape=shape)
    assert len(read(simulated(size, 1, history), (BASE, None))) == len(history)
    assert len(sim.requests) <= len(history) / size + 2


@pytest.mark.parametrize("concurrency", [2, 8])
@pytest.mark.parametrize("shape", SHAPES)
def test_reading_at_once_costs_at_most_twice_the_requests(simulated, sim, shape, concurrency):
    history = generated(3000, shape=shape)
    assert len(read(simulated(50, concurrency, history), (BASE, None))) == 3000
    assert len(sim.requests) <= 2 * 3000 / 50 + 2


# Errors, and the end


class Broken(Memory):
    """Its answer fails where a page would hold the event of index `broken`."""

    def __init__(self, *args, broken):
        super().__init__(*args)
        self.broken = self.events[broken]["id"]

    def __call__(self, window, stop):
        page = super().__call__(window, stop)
        if any(event["id"] == self.broken for event in page.results):
            raise BadAnswer("no further")
        return page


def read_until_broken(times, size, concurrency, broken):
    memory, found = Broken(times, size, broken=broken), []
    with Reader(memory, lambda: BASE + YEAR, concurrency) as reader, pytest.raises(BadAnswer, match="no further"):
        for page in reader.pages((BASE, None)):
            found += page["results"]
    return found, memory.events


ERRORS = given(HISTORIES.filter(bool), st.integers(1, 20), st.integers(1, 4), st.integers(0, 59))


@ERRORS
@settings(deadline=None)
def test_an_error_is_raised_before_anything_that_lies_behind_it(times, size, concurrency, broken):
    broken %= len(times)
    found, events = read_until_broken(times, size, concurrency, broken)
    assert found == events[: len(found)] and len(found) <= broken


@ERRORS
@settings(deadline=None)
def test_an_error_is_raised_after_every_whole_page_before_it(times, size, concurrency, broken):
    broken %= len(times)
    found, _ = read_until_broken(times, size, concurrency, broken)
    assert len(found) > broken - size


@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize("leave", ["early", "by an exception"])
def test_leaving_ends_requests_under_way_and_leaves_no_thread(concurrency, leave):
    memory, before = Memory(range(BASE, BASE + 500_000, 1000), 10), set(threading.enumerate())

    def fetch(window, stop):
        if len(memory.asked) > 3:
            stop.wait()  # an answer that never comes
            raise Stopped("stopped")
        return memory(window, stop)

    class Downstream(Exception):
        pass

    with pytest.raises(Downstream), Reader(fetch, lambda: BASE + YEAR, concurrency) as reader:
        for _ in reader.pages((BASE, None)):
            if leave == "early":
                break
            raise Downstream
        raise Downstream
    asked = len(memory.asked)
    assert set(threading.enumerate()) <= before
    assert len(memory.asked) == asked <= 4


def test_leaving_early_reads_ahead_no_more_than_the_jobs_under_way(simulated, sim):
    with simulated(10, 4, generated(4000, shape="uniform")) as reader:
        for _ in reader.pages((BASE, None)):
            break
    asked = len(sim.requests)
    assert asked <= 1 + 4 * 8
