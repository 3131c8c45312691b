"""Reading a range of time: no event is lost, and the watermark passes none, whatever HubSpot does
that is not documented.
"""

import re
import threading
from contextlib import suppress
from itertools import count

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline import Client, Reader
from pipeline.errors import BadAnswer, Refused, Stopped, Unauthorized
from pipeline.reading import reader as reader_module
from pipeline.reading.fetch import fetch_page
from pipeline.timestamps import DAY, SECOND
from simulator import generated, listed
from tests.reading.pages import FALSE_ENDS, ODDITIES, ORDERS, FakeHubSpot, Overrun, at, event, ids, page_of
from tests.reading.readers import DISORDER, TIMES, YEAR, first_seen, read, read_checked, reader_of
from tests.support import BASE, START, TYPE

HISTORY = generated(400, START, "2026-01-01T00:10:00Z", "uniform")
EVENTS = [HISTORY.event(i) for i in range(len(HISTORY))]
thorough = settings(max_examples=150)


@pytest.fixture
def simulated_reader(sim):
    """`simulated_reader(limit, concurrency, history, **behaviour)`: a Reader of a simulator without earlier requests."""
    clients = []

    def reader(limit, concurrency=1, history=HISTORY, **behaviour):
        sim.renew({TYPE: history}, **behaviour)
        query, client = {"eventType": TYPE, "limit": limit}, Client("x", sim.url, "2026-03", connections=concurrency)
        clients.append(client)

        def fetch(request, stop):
            if len(sim.requests) > 3_000:
                raise Overrun("more than 3,000 requests")
            return fetch_page(client, query, request, stop)

        return Reader(fetch, client.clock.later, concurrency)

    yield reader
    for client in clients:
        client.__exit__()


# No event is lost


EXPIRIES = [{"cursor_ttl_requests": 1}, {"cursor_ttl_requests": 3}, {"refuse_every": 10}, {"refuse_every": 2}]
EMPTY = [{"empty_page_every": 1}, {"empty_page_every": 2}, {"ends_once": True}, {"ends_every": 9}]
UNCLEAR = [{"open_end": True}, {"last_paging": "paging_text"}]
UNDOCUMENTED = [
    {}, {"after_inclusive": True}, {"before_inclusive": True, "resolution": "second"},
    {"after_inclusive": True, "before_inclusive": True, "resolution": "second", "cursors": "strict"},
    {"max_limit": 11, "limit_policy": "clamp"}, *EXPIRIES, *EMPTY, *UNCLEAR,
    *({"fault": lambda request, kind=kind: None if request.number % 3 else kind} for kind in ("unordered", "duplicate")),
]  # fmt: skip


@pytest.mark.parametrize("order, concurrency", [("ascending", 3), ("descending", 1), ("shuffled", 3), ("breaking", 1)])
@pytest.mark.parametrize("behaviour", UNDOCUMENTED, ids=["-".join(b) or "none" for b in UNDOCUMENTED])
def test_no_undocumented_behavior_loses_events(simulated_reader, behaviour, order, concurrency):
    reader = simulated_reader(17, concurrency, order=order, **behaviour)
    found = read_checked(reader, (BASE, None), EVENTS)
    assert set(ids(found)) == set(ids(EVENTS))
    if order == "ascending" and "fault" not in behaviour:
        assert first_seen(found) == ids(EVENTS)


def at_request(number, oddity):
    """The answer to that request is distorted."""
    numbers = count(1)
    return lambda step: oddity if next(numbers) == number else None


class Watched(FakeHubSpot):
    """Remembers which events its answers held, and which requests were answered with a false silence."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.shown, self.silenced = set(), []

    def __call__(self, request, stop):
        page = super().__call__(request, stop)
        with self._lock:
            self.shown.update(ids(page.events))
        return page

    def _oddity(self, request, rest):
        odd = super()._oddity(request, rest)
        if odd == "silent":
            self.silenced += [event["id"] for event in self.within(*request.bounds)]
        return odd

    def hidden(self):
        """What only a second look can find: silence is plain where nothing was read before."""
        return set(self.silenced) - self.shown


@given(TIMES, st.integers(1, 20), st.integers(1, 4), DISORDER, st.sampled_from(FALSE_ENDS), st.integers(1, 40))
@thorough
def test_one_false_end_loses_only_what_was_silent_from_the_start(times, size, concurrency, disorder, false_end, nth):
    for span in (BASE, BASE + YEAR), (BASE, None):
        hubspot = Watched(times, size, odd=at_request(nth, false_end), **disorder)
        found = read(reader_of(hubspot, concurrency), span)
        assert set(ids(hubspot.events)) - set(ids(found)) <= hubspot.hidden()


@given(TIMES, st.integers(1, 5), st.integers(1, 4), DISORDER, st.sets(st.integers(1, 60), max_size=12))
@thorough
def test_whatever_an_answer_held_is_delivered(times, size, concurrency, disorder, nths):
    """However many answers are false: also if a window is cut anew."""
    numbers = count(1)

    def odd(step):
        number = next(numbers)
        return ("silent", "last", "refused")[number % 3] if number in nths else None

    hubspot = Watched(times, size, odd=odd, **disorder)
    with suppress(BadAnswer):
        found = read(reader_of(hubspot, concurrency))
        assert hubspot.shown <= set(ids(found))


HUNDREDS = range(BASE, BASE + 4000 * SECOND, 100 * SECOND)


def test_what_was_read_of_a_window_is_delivered_though_its_pieces_hide_it():
    """One walk of two, cut anew, and then not a word of it in any answer."""
    hubspot = Watched(
        HUNDREDS, 2, ("descending",),
        odd=lambda step: "silent" if len(hubspot.requests) > 3 else None,
    )  # fmt: skip
    found, counted = [], []
    with suppress(BadAnswer), reader_of(hubspot) as reader:
        for page in reader.pages((BASE, BASE + YEAR)):
            found += page["results"]
            counted += page["results"] if page.get("counted", True) else []
    assert hubspot.shown == set(ids(found)) and len(hubspot.shown) == 2 * 3
    assert not set(ids(counted)) & hubspot.shown, "a walk that proves nothing is not counted"


def test_what_was_read_of_a_window_is_delivered_before_the_error_that_its_piece_ends_in():
    hubspot, failed, found = Watched(HUNDREDS, 2, ("descending",)), [], []

    def fetch(request, stop):
        if len(hubspot.requests) == 4:  # walked on to its end, and then again
            failed.append(request.bounds)
            raise BadAnswer("no further")
        return hubspot(request, stop)

    with reader_of(fetch) as reader, pytest.raises(BadAnswer, match="no further"):
        for page in reader.pages((BASE, BASE + YEAR)):
            found += page["results"]
    read_before = hubspot.shown & set(ids(hubspot.within(*failed[0])))
    assert read_before and read_before <= set(ids(found))


OFFSETS = st.integers(-1_500, 4_000) | st.integers(0, 10**8)  # ms from BASE


@given(TIMES, st.integers(1, 20), st.integers(1, 4), DISORDER, OFFSETS, st.none() | OFFSETS, OFFSETS | st.just(YEAR))
@example([BASE, BASE + 1000, BASE + 2000], 2, 1, {"orders": ("shuffled",)}, 0, None, 3000)
@thorough
def test_the_pages_hold_exactly_the_events_of_the_range_and_the_watermark_passes_none(
    times, size, concurrency, disorder, start, width, now
):
    hubspot, start = FakeHubSpot(times, size, **disorder), BASE + start
    end = None if width is None else max(start, start + width)
    in_range = [event for event in hubspot.events if at(event) >= start and (end is None or at(event) < end)]
    found = read_checked(reader_of(hubspot, concurrency, BASE + now), (start, end), in_range)
    assert set(ids(found)) == set(ids(in_range))
    if set(disorder["orders"]) == {"ascending"}:
        assert first_seen(found) == ids(in_range)


# The watermark


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("end", [None, BASE + 500 * SECOND], ids=["open", "closed"])
def test_the_watermark_ends_at_the_latest_event(order, end):
    reader = reader_of(FakeHubSpot(range(BASE, BASE + 100 * SECOND, SECOND), 5, (order,)), 2)
    read(reader, (BASE, end))
    assert reader.position == BASE + 99 * SECOND


@pytest.mark.parametrize("end", [None, BASE + DAY], ids=["open", "closed"])
def test_the_watermark_stays_at_the_start_of_a_range_without_events(end):
    reader = reader_of(FakeHubSpot([], 10))
    assert read(reader, (BASE, end)) == [] and reader.position == BASE


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("now, reached", [(YEAR, SECOND), (700, 700)])
def test_the_watermark_passes_a_moment_that_fills_more_than_a_page_but_not_into_the_future(order, now, reached):
    """Otherwise each sync would read and write all of it again, until something follows."""
    reader = reader_of(FakeHubSpot([BASE + 500] * 25, 10, (order,)), now=BASE + now)
    read(reader)
    assert reader.position == BASE + reached


def test_a_window_that_is_not_whole_holds_the_watermark_however_many_of_its_pages_are_released():
    hubspot = FakeHubSpot(range(BASE, BASE + 39 * SECOND, SECOND), 10)
    with reader_of(hubspot, now=BASE + 40 * SECOND) as reader:
        pages = reader.pages((BASE, None))
        for number in range(4):
            next(pages)
            assert reader.position == BASE
            assert len(hubspot.requests) <= number + 2, "answers in order do not wait for the rest"
        assert list(pages) == [] and reader.position == BASE + 38 * SECOND


def test_the_pages_of_a_second_are_released_one_by_one_in_any_order():
    """It cannot be cut anew, and may hold any number of them."""
    hubspot = FakeHubSpot(range(BASE, BASE + SECOND, 5), 10, ("shuffled",))
    with reader_of(hubspot) as reader:
        for number, _ in zip(range(15), reader.pages((BASE, BASE + SECOND)), strict=False):
            assert len(hubspot.requests) <= number + 2


def test_a_full_last_page_is_proved_by_a_walk_with_pages_of_another_size():
    hubspot = FakeHubSpot(range(BASE, BASE + 40 * SECOND, SECOND), 10)
    reader = reader_of(hubspot, now=BASE + 40 * SECOND)
    assert set(ids(read(reader))) == set(ids(hubspot.events))
    assert [request.limit for request in hubspot.requests] == [None] * 4 + [9] * 5
    assert reader.position == BASE + 39 * SECOND


@pytest.mark.parametrize("live", [False, True])
def test_two_walks_are_compared_on_what_is_settled(live):
    """At the live end, each walk finds more than the one before it."""
    now, numbers = BASE + 1000 * SECOND, count()

    def fetch(request, stop):
        lately = now - 1 if live else BASE + SECOND
        events = [event(BASE + n, n) for n in range(10)]
        return page_of([*events, event(lately, next(numbers))], unclear=True)

    with reader_of(fetch, now=now) as reader:
        if live:
            assert len(list(reader.pages((BASE, None)))) == 2 and next(numbers) == 4
        else:
            with pytest.raises(BadAnswer, match="never came to a confirmed end"):
                list(reader.pages((BASE, None)))


@pytest.mark.parametrize("size, order", [(1, "ascending"), (5, "shuffled"), (100, "descending")])
def test_an_event_in_the_future_is_delivered_but_does_not_move_the_watermark_there(order, size):
    hubspot = FakeHubSpot([*range(BASE, BASE + 48 * SECOND, SECOND), BASE + 70 * YEAR], size, (order,))
    reader = reader_of(hubspot, 2, now=BASE + DAY)
    assert set(ids(read_checked(reader, (BASE, None), hubspot.events))) == set(ids(hubspot.events))
    assert reader.position == BASE + 47 * SECOND


# Page cursors and pages that fail


ODD = st.dictionaries(
    st.tuples(st.integers(0, 4), st.integers(0, 1)), st.sampled_from(ODDITIES), min_size=1, max_size=5
)


@given(TIMES, st.integers(1, 20), st.integers(1, 4), DISORDER, ODD)
def test_oddities_in_the_first_walk_through_a_window_lose_no_events(times, size, concurrency, disorder, odd):
    """They are drawn by the page of the walk, and by how often it was requested before."""
    hubspot = FakeHubSpot(times, size, odd=lambda step: odd.get(step[1:]) if step.walk == 0 else None, **disorder)
    found = read_checked(reader_of(hubspot, concurrency), (BASE, None), hubspot.events)
    assert set(ids(found)) == set(ids(hubspot.events))


@given(TIMES, st.integers(1, 20), st.integers(1, 4), DISORDER, st.integers(0, 3), st.sampled_from(ODDITIES))
@thorough
def test_an_oddity_in_every_walk_ends_in_all_events_or_in_an_error(times, size, concurrency, disorder, page, oddity):
    hubspot = FakeHubSpot(times, size, odd=lambda step: oddity if step.page == page else None, **disorder)
    reader = reader_of(hubspot, concurrency)
    try:
        found = read_checked(reader, (BASE, None), hubspot.events)
    except BadAnswer as error:
        assert re.search(r"came to a confirmed end.* (Start|try) .*Support", str(error))
    else:
        assert set(ids(found)) == set(ids(hubspot.events))


@pytest.mark.parametrize("behaviour", UNCLEAR, ids=str)
@pytest.mark.parametrize("order", ["ascending", "shuffled"])
def test_silence_is_passed_where_no_end_is_clear(simulated_reader, order, behaviour):
    """Each end needs a proof, which is a second walk: as many walks as there are windows are not wasted."""
    history = generated(600, shape="sparse")
    found = read(simulated_reader(10, 1, history, order=order, **behaviour))
    assert set(ids(found)) == {history.event(i)["id"] for i in range(600)}


def test_an_empty_page_that_stays_empty_is_passed_with_one_warning():
    warnings = []
    times = range(BASE, BASE + 100 * SECOND, SECOND)
    hubspot = FakeHubSpot(times, 10, odd=lambda step: "empty_next" if step.time < 2 else None)
    found = read(reader_of(hubspot, warn=warnings.append))
    assert set(ids(found)) == set(ids(hubspot.events))
    assert len(warnings) == 1 and "empty page" in warnings[0]


@pytest.mark.parametrize("order", ORDERS)
def test_a_busy_second_with_refused_page_cursors_is_walked_again(order):
    refused = {(0, 2, 0), (0, 2, 1), (1, 5, 0), (1, 5, 1), (2, 1, 0), (2, 1, 1)}
    times = range(BASE, BASE + SECOND, 10)
    hubspot = FakeHubSpot(times, 12, (order,), odd=lambda step: "refused" if step in refused else None)
    assert set(ids(read_checked(reader_of(hubspot, 2), (BASE, None), hubspot.events))) == set(ids(hubspot.events))


@pytest.mark.parametrize("order", ["ascending", "shuffled"])
def test_a_busy_second_whose_page_cursors_live_for_one_request_is_read_alone(simulated_reader, order):
    busy = [event(BASE + 500 * SECOND + n, f"busy {n}") for n in range(100)]
    events = [event(BASE + n * SECOND, n) for n in range(1000)] + busy
    reader = simulated_reader(12, 4, listed(events), order=order, cursor_ttl_requests=1)
    assert set(ids(read_checked(reader, (BASE, None), events))) == set(ids(events))


@pytest.mark.parametrize("oddity", sorted({*ODDITIES} - {"empty_next"}))
@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_busy_second_that_no_walk_gets_through_ends_in_an_error_with_its_time_and_a_cure(oddity, concurrency):
    times = range(BASE, BASE + SECOND, 10)
    hubspot = FakeHubSpot(times, 12, odd=lambda step: oddity if step.page == 2 else None, most=200)
    reader, said = reader_of(hubspot, concurrency), r"2026-01-01T00:00:00\.000Z.*confirmed end.*page_size.*Support"
    with pytest.raises(BadAnswer, match=said) as raised:
        read_checked(reader, (BASE, BASE + SECOND), hubspot.events)
    assert reader.position == BASE and str(raised.value).count("Cure:") == 1
    assert ("It said: The cursor has expired." in str(raised.value)) == (oddity == "refused")


# Events out of the range, and what is not an event


def adding(extra, hubspot):
    """A fetch with `extra` at the end of each first page."""

    def fetch(request, stop):
        page = hubspot(request, stop)
        return page._replace(answer={"results": [*page.events, extra]}) if request.cursor is None else page

    return fetch


@pytest.mark.parametrize("end", [None, BASE + 30 * SECOND], ids=["open", "closed"])
def test_an_event_out_of_range_is_delivered_and_counted_but_does_not_move_the_watermark(end):
    hubspot, outsider = (FakeHubSpot(range(BASE, BASE + 20 * SECOND, SECOND), 50), event(BASE - DAY, 1))
    reader = reader_of(adding(outsider, hubspot))
    assert read(reader, (BASE, end)) == [*hubspot.events, outsider]
    assert reader.out_of_range == 1 and reader.position == BASE + 19 * SECOND


@pytest.mark.parametrize("floor", [BASE, BASE - DAY])
def test_an_event_before_the_floor_is_not_delivered(floor):
    hubspot, early = FakeHubSpot(range(BASE, BASE + 20 * SECOND, SECOND), 50), event(BASE - DAY, 1)
    reader = reader_of(adding(early, hubspot), floor=floor)
    assert read(reader) == [*hubspot.events, early][: 20 + (floor < BASE)]
    assert reader.out_of_range == (floor < BASE)


def test_an_event_before_the_floor_is_not_delivered_out_of_turn_either(monkeypatch):
    monkeypatch.setattr(reader_module, "READ_AHEAD", 1)  # byte
    hubspot = FakeHubSpot(HUNDREDS, 2, ("descending",))
    reader = reader_of(adding(event(BASE - DAY, 1), hubspot), floor=BASE)
    assert set(ids(read(reader, (BASE, BASE + YEAR)))) == set(ids(hubspot.events))


@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize(
    "broken", ["no object", {"id": "x"}, {"id": "x", "occurredAt": None}, {"id": [], "occurredAt": "soon"}]
)
def test_an_event_without_a_readable_time_is_passed_on_but_does_not_move_the_watermark(broken, concurrency):
    hubspot = FakeHubSpot(range(BASE, BASE + 20 * SECOND, SECOND), 50)
    for now in (YEAR, 5 * SECOND):
        reader = reader_of(adding(broken, hubspot), concurrency, BASE + now)
        assert read(reader) == [*hubspot.events, broken]
        assert reader.out_of_range == 0 and reader.position == BASE + min(now, 19 * SECOND)


def test_an_empty_answer_of_no_bytes_is_the_end():
    assert read(reader_of(lambda request, stop: page_of([], size=0))) == []


# Errors


class Broken(FakeHubSpot):
    """Fails where a page would hold the event with the index `broken`."""

    def __init__(self, *args, broken):
        super().__init__(*args)
        self.broken = self.events[broken]["id"]

    def __call__(self, request, stop):
        page = super().__call__(request, stop)
        if self.broken in ids(page.events):
            raise BadAnswer("no further")
        return page


@given(TIMES.filter(bool), st.integers(1, 20), st.integers(1, 4), st.integers(0, 59))
def test_an_error_comes_after_every_whole_page_before_it_and_before_any_event_after(times, size, concurrency, broken):
    broken %= len(times)
    hubspot, found = Broken(times, size, broken=broken), []
    with reader_of(hubspot, concurrency) as reader, pytest.raises(BadAnswer, match="no further"):
        for page in reader.pages((BASE, None)):
            found += page["results"]
    assert reader.position <= at(hubspot.events[broken])
    released = first_seen(found)
    assert released == ids(hubspot.events)[: len(released)]
    assert broken - size < len(released) <= broken


@pytest.mark.parametrize("error", [Unauthorized, Refused, Stopped, BadAnswer])
@pytest.mark.parametrize("concurrency", [1, 4])
def test_an_error_of_the_first_request_is_raised_at_once(error, concurrency):
    requests = []

    def fetch(request, stop):
        requests.append(request)
        raise error("unchanged")

    with reader_of(fetch, concurrency) as reader, pytest.raises(error, match="unchanged"):
        next(reader.pages((BASE, None)))
    assert len(requests) == 1 and reader.position == BASE


@pytest.mark.parametrize("order", ORDERS)
def test_of_several_errors_the_first_in_time_is_raised(order):
    hubspot = FakeHubSpot(range(BASE, BASE + 2000 * SECOND, SECOND), 10, (order,))

    def fetch(request, stop):
        if request.bounds[0] > BASE + 500 * SECOND:
            raise BadAnswer(f"{request.bounds[0]}")
        return hubspot(request, stop)

    found = []
    with reader_of(fetch, 4) as reader, pytest.raises(BadAnswer) as raised:
        for page in reader.pages((BASE, None)):
            found += page["results"]
    failed = int(str(raised.value))
    assert {event["id"] for event in hubspot.events if at(event) < failed} <= set(ids(found))
    assert reader.position <= failed + SECOND


# Leaving, and waiting


@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize("leave", ["early", "by an exception"])
def test_leaving_ends_requests_under_way_and_leaves_no_thread_behind(concurrency, leave):
    hubspot = FakeHubSpot(range(BASE, BASE + 500_000, 1000), 10)
    under_way, before = threading.Event(), set(threading.enumerate())

    def fetch(request, stop):
        if len(hubspot.requests) >= 2 and (request.cursor is not None or request.bounds[0] > BASE):
            hubspot.requests.append(request)
            under_way.set()
            stop.wait(5)  # an answer that never comes
            raise Stopped("stopped")
        return hubspot(request, stop)

    class Downstream(Exception):
        pass

    with pytest.raises(Downstream), reader_of(fetch, concurrency) as reader:
        for _ in reader.pages((BASE, None)):
            assert under_way.wait(30)
            if leave == "early":
                break
            raise Downstream
        raise Downstream
    requests = len(hubspot.requests)
    assert set(threading.enumerate()) <= before
    assert len(hubspot.requests) == requests <= 3 + 2 * concurrency


def test_leaving_before_anything_is_read_sends_no_request():
    hubspot = FakeHubSpot([BASE], 10)
    with reader_of(hubspot) as reader:
        reader.pages((BASE, None))
    assert hubspot.requests == []
