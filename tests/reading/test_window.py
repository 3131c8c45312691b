"""A window asks for a little more than its half-open interval, and keeps only what lies in that."""

import pytest

from pipeline.reading.window import Window, part_of
from pipeline.timestamps import SECOND
from tests.reading.pages import at, event, page_of
from tests.support import BASE, START

HOUR = Window(BASE, BASE + 3_600_000)


def kept(events, window=HOUR, size=100):
    return part_of(window, page_of(events, size=size), window.bounds())


@pytest.mark.parametrize("start, end, bounds", [(0, 1000, (-1, 1000)), (999, 1001, (-1, 2000)), (1000, 1001, (999, 2000)),
                                                (2500, 2500, (1999, 3000)), (1, None, (-1, None))])  # fmt: skip
def test_a_window_asks_for_whole_seconds_and_a_millisecond_more(start, end, bounds):
    assert Window(start, end).bounds() == bounds


MOMENTS = [-5000, -1001, -1000, -1, 0, 1, 499, 500, 999, 1000, 1499, 1500, 1999, 2000, 2001, 3000, 3001, 9000]


@pytest.mark.parametrize("end", [1500, None])
def test_a_page_keeps_the_half_open_interval_and_separates_what_is_outside(end):
    window = Window(BASE + 500, None if end is None else BASE + end)
    part = kept([event(BASE + ms) for ms in MOMENTS], window)
    assert [at(event) - BASE for event in part.events] == [ms for ms in MOMENTS if 500 <= ms < (end or 10**9)]
    assert [at(event) - BASE for event in part.outside] == [-5000, *([] if end is None else [3001, 9000])]


BROKEN = ["no object", 7, None, [], {}, {"id": "x"}, {"occurredAt": START}, {"id": {}, "occurredAt": START},
          {"id": "x", "occurredAt": "soon"}, {"id": "x", "occurredAt": None}, {"id": "x", "occurredAt": 7}]  # fmt: skip


@pytest.mark.parametrize("broken", BROKEN, ids=str)
def test_a_malformed_event_is_kept_in_its_place(broken):
    events = [event(BASE - 9000), event(BASE), broken, event(BASE + 1)]
    part = kept(events)
    assert part.events == events[1:] and part.outside == events[:1]
    assert (part.earliest, part.latest, len(part.places)) == (BASE, BASE + 1, 4)


@pytest.mark.parametrize("seconds, ascending", [((0, 1, 2), True), ((0, 2, 2), True), ((2, 2, 0), False)])
def test_the_moments_of_a_page_and_its_order(seconds, ascending):
    part = kept([event(BASE + second * SECOND, n) for n, second in enumerate(seconds)], size=77)
    assert (part.earliest, part.latest) == (BASE + min(seconds) * SECOND, BASE + max(seconds) * SECOND)
    assert (part.ascending, len(part.places), part.byte_count) == (ascending, 3, 77)
    assert part.median == BASE + sorted(seconds)[1] * SECOND


def test_a_page_without_events_has_no_moments():
    part = kept([])
    assert (part.earliest, part.median, part.latest, part.events) == (None, None, None, [])
