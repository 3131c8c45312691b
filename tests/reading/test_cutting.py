"""The cost of reading a range of time, in requests and in memory."""

from concurrent.futures import Executor, Future, wait

import pytest

from pipeline.reading import cutting as cutting_module
from pipeline.reading import reader as reader_module
from pipeline.reading.cutting import MAX_WALK_PAGES
from pipeline.timestamps import DAY, SECOND
from simulator import generated
from simulator.history import SHAPES
from tests.reading.pages import ORDERS, FakeHubSpot, at, ids
from tests.reading.readers import YEAR, first_seen, read, read_checked, reader_of, times_of
from tests.support import BASE, END, START


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("events, requests", [(0, 1), (1, 1), (99, 1), (101, 2), (199, 2)])
def test_a_range_of_up_to_two_pages_costs_a_request_for_each(events, requests, shape, order, concurrency):
    hubspot = FakeHubSpot(times_of(generated(events, START, END, shape)), 100, (order,))
    assert len(read(reader_of(hubspot, concurrency))) == events
    assert len(hubspot.requests) == requests


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_history_of_any_shape_is_read_in_any_order_for_so_many_requests_per_full_page(shape, order, concurrency):
    """A third more and a few per worker, if answers are in order, and three if they are not."""
    hubspot = FakeHubSpot(times_of(generated(60 * 50 - 1, shape=shape)), 50, (order,))
    found = read_checked(reader_of(hubspot, concurrency), (BASE, None), hubspot.events)
    assert set(ids(found)) == set(ids(hubspot.events))
    assert len(found) <= len(hubspot.events) + MAX_WALK_PAGES * 50, "hardly any is released twice"
    if order == "ascending":
        assert first_seen(found) == ids(hubspot.events)
        assert len(hubspot.requests) <= 1.35 * 60 + 4 * (1 + concurrency)
    else:
        assert len(hubspot.requests) <= 3 * 60 + 4 + 8 * concurrency


class AtOnce(Executor):
    """Does each job when it is submitted, so that nothing depends on chance."""

    def submit(self, job, *arguments):
        done = Future()
        done.set_result(job(*arguments))
        return done


GROWING = [BASE + YEAR + n * n for n in range(1_000)] + [BASE + 2 * YEAR + n * DAY // 9 for n in range(999)]


def refused(step):
    """Page cursors live for three pages."""
    return "refused" if step.page > 2 else None


def unclear(step):
    return "unclear" if step.walk == 0 and step.page == 1 else None


@pytest.mark.parametrize("history, odd, requests", [  # in each order, for one worker and for four
    ("uniform", None, [(66, 69), (73, 71), (80, 74), (66, 69)]),
    ("rhythm", None, [(68, 73), (78, 76), (84, 84), (68, 73)]),
    ("bursty", None, [(74, 75), (108, 102), (103, 111), (78, 88)]),
    ("sparse", None, [(76, 84), (152, 148), (150, 144), (97, 106)]),
    ("one_ms", None, [(65, 66), (65, 66), (65, 66), (65, 66)]),
    ("one_second", None, [(65, 66), (84, 88), (91, 96), (75, 66)]),
    ("growing", None, [(50, 54), (94, 91), (94, 115), (56, 61)]),
    ("rhythm", refused, [(120, 117), (113, 114), (143, 113), (120, 117)]),
    ("sparse", refused, [(83, 102), (231, 215), (172, 184), (108, 155)]),
    ("sparse", unclear, [(106, 123), (172, 161), (199, 171), (127, 153)]),
])  # fmt: skip
def test_what_a_history_costs_to_the_request(history, odd, requests):
    """Of sixty pages. Whoever changes how windows are cut sees here what that costs, or saves, and renews the figures."""
    times = GROWING if history == "growing" else times_of(generated(60 * 50 - 1, shape=history))
    found = []
    for order in ORDERS:
        both = [FakeHubSpot(times, 50, (order,), odd=odd or (lambda step: None)) for _ in "14"]
        for hubspot, concurrency in zip(both, (1, 4), strict=True):
            assert len(set(ids(read(reader_of(hubspot, concurrency, BASE + 3 * YEAR, pool=AtOnce()))))) == len(times)
        found.append(tuple(len(hubspot.requests) for hubspot in both))
    assert found == requests


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_range_of_a_few_pages_that_are_known_is_read_uncut(shape, order):
    """Not even a burst is taken for more to come."""
    hubspot = FakeHubSpot(times_of(generated(395, START, END, shape)), 100, (order,))
    with reader_of(hubspot) as reader:
        assert len(list(reader.pages((BASE, BASE + YEAR), known_events=395))) == 4 == len(hubspot.requests)


@pytest.mark.parametrize("order", ["shuffled", "descending"])
@pytest.mark.parametrize("years", [3, 30])
def test_years_without_events_cost_few_requests_in_any_order(order, years):
    first = BASE + years * YEAR
    hubspot = FakeHubSpot(range(first, first + 5 * DAY, DAY // 100), 25, (order,))
    read(reader_of(hubspot, now=first + 6 * DAY))
    assert len(hubspot.requests) <= 3 * 20 + 20


@pytest.mark.parametrize("concurrency", [1, 4, 8])
@pytest.mark.parametrize("order", ["ascending", "shuffled"])
def test_prefetch_is_bounded_in_bytes(monkeypatch, order, concurrency):
    pages = 40
    # a page of ten events has 1001 bytes
    monkeypatch.setattr(reader_module, "READ_AHEAD", pages * 1001)
    hubspot, emitted = FakeHubSpot(range(BASE, BASE + 4000 * SECOND, SECOND), 10, (order,)), 0
    with reader_of(hubspot, concurrency, now=BASE + 4000 * SECOND) as reader:
        for page in reader.pages((BASE, None)):
            held = sum(len(task.pending) + (task.job_pages if task.job else 0) for task in reader._queue)
            assert held <= pages + MAX_WALK_PAGES
            emitted += len(page["results"])
    assert emitted >= 4000


def test_what_there_is_no_room_to_hold_of_a_window_cut_anew_is_released_at_once(monkeypatch):
    monkeypatch.setattr(reader_module, "READ_AHEAD", 1)  # byte
    hubspot = FakeHubSpot(range(BASE, BASE + 4000 * SECOND, 100 * SECOND), 2, ("descending",))
    with reader_of(hubspot) as reader:
        first, second, *_ = reader.pages((BASE, BASE + YEAR))
    assert ids(first["results"] + second["results"]) == ids(hubspot.events[-2:])
    assert not first["counted"] and not second["counted"]


@pytest.mark.parametrize("concurrency", [4, 16])
def test_prefetch_stays_bounded_when_pages_grow_and_the_consumer_is_slow(monkeypatch, concurrency):
    """Small pages that wait to be released do not let as many large ones in."""
    small, large, middle = 1_000, 100_000, BASE + 2000 * SECOND
    monkeypatch.setattr(reader_module, "READ_AHEAD", 10 * large)
    hubspot = FakeHubSpot(range(BASE, BASE + 4000 * SECOND, SECOND), 10)

    def fetch(request, stop):
        page = hubspot(request, stop)
        return page._replace(size=large if page.events and at(page.events[-1]) > middle else small)

    with reader_of(fetch, concurrency, now=BASE + 4000 * SECOND) as reader:
        for _ in reader.pages((BASE, None)):
            wait([task.job for task in reader._queue if task.job])
            held = sum(page.byte_count for task in reader._queue for page in task.pending)
            assert held <= (10 + concurrency * MAX_WALK_PAGES / 4) * large


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize("order", ["ascending", "descending", "shuffled"])
def test_after_a_page_that_is_too_large_fewer_events_are_asked_for(monkeypatch, order, concurrency):
    """Pages of 400 events would hold twice what may be read ahead: one does, then none."""
    for module in (reader_module, cutting_module):
        monkeypatch.setattr(module, "READ_AHEAD", 200 * 100)
    monkeypatch.setattr(cutting_module, "SMALL_PAGE", 50 * 100)
    hubspot, sizes = FakeHubSpot(range(BASE, BASE + 4000 * SECOND, SECOND), 400, (order,)), []

    def fetch(request, stop):
        page = hubspot(request, stop)
        sizes.append(page.size)
        return page

    found = read(reader_of(fetch, concurrency, now=BASE + 4000 * SECOND))
    assert set(ids(found)) == set(ids(hubspot.events))
    assert sizes[0] > 200 * 100 and max(sizes[1:]) <= 50 * 100


def test_one_huge_event_does_not_make_all_pages_small(monkeypatch):
    monkeypatch.setattr(cutting_module, "READ_AHEAD", 60_000)
    monkeypatch.setattr(cutting_module, "SMALL_PAGE", 20_000)
    hubspot = FakeHubSpot(range(BASE, BASE + 8000 * SECOND, SECOND), 400)
    huge = hubspot.events[100]

    def fetch(request, stop):
        page = hubspot(request, stop)
        return page._replace(size=20 * len(page.events) + 80_000 * (huge in page.events))

    found = read(reader_of(fetch, 4, now=BASE + 8000 * SECOND))
    assert set(ids(found)) == set(ids(hubspot.events))
    assert len(hubspot.requests) <= 3 * 8000 / 400
