"""Histories: when their events occur, what their properties say, and how late they are."""

import re
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator import generated
from simulator.bodies import OWN
from simulator.history import SHAPES
from simulator.instants import milliseconds
from simulator.lateness import converting
from tests.simulator.client import START, ids, small, truth

HOUR = 3_600_000

# Moments


@given(st.sampled_from(SHAPES), st.integers(1, 3_000_000), st.integers(0, 9), st.data())
def test_any_event_of_any_history_lies_between_its_ranks(shape, events, seed, data):
    history = generated(events, "2019-01-01", "2026-01-01T00:30:00Z", shape, seed)
    i = data.draw(st.integers(0, events - 1))
    ms, event = history.time(i), history.event(i)
    assert history.rank(ms) <= i < history.rank(ms + 1)
    assert i == 0 or history.time(i - 1) <= ms
    assert milliseconds(event["occurredAt"]) == ms and event["id"].endswith(f"-{ms}")


def test_shapes_are_what_their_names_say():
    sizes = {}
    for shape in SHAPES:
        history = small(24_000, shape=shape)
        ranks = [history.rank(milliseconds(START) + n * HOUR) for n in range(25)]
        sizes[shape] = [after - before for before, after in zip(ranks, ranks[1:], strict=False)]
    assert set(sizes["uniform"]) <= {999, 1000, 1001}  # a tie may fall into the hour before
    assert sizes["rhythm"][14] > 10 * sizes["rhythm"][3]
    assert max(sizes["bursty"]) in range(11_999, 12_002)
    assert sizes["sparse"].count(0) == 19
    for shape, unit in {"one_ms": 1, "one_second": 1000}.items():
        history = small(1000, shape=shape)
        assert len({history.time(i) // unit for i in range(1000)}) == 1


def test_a_history_is_the_same_each_time_and_has_unique_ids():
    events = truth(small(5_000))
    assert events == truth(small(5_000)) != truth(small(5_000, seed=1))
    assert len(set(ids(events))) == 5_000


# Properties


@pytest.mark.parametrize("event_type", [*OWN, "pe7_order", "ae7_webinar", "100%"])
def test_properties_are_texts_that_name_no_host_but_loopback(event_type):
    some = truth(small(600, event_type=event_type))
    assert all(event["eventType"] == event_type and event["properties"] for event in some)
    values = {value for event in some for value in event["properties"].values()}
    assert all(isinstance(value, str) for value in values)
    assert not [value for value in values if "%%" in value or "%(" in value]  # fields of a format that were not filled
    assert {host for value in values for host in re.findall("https?://([^/]*)", value)} <= {"127.0.0.1"}


# Lateness


def test_a_visitor_who_becomes_a_contact_brings_the_earlier_visits_along():
    """They come at one moment, and the later ones at once."""
    history = small()
    late = converting(history, 2, 6 * HOUR)
    by_visitor = defaultdict(list)
    for i, event in enumerate(truth(history)):
        moment = history.time(i)
        by_visitor[event["objectId"]].append((moment, moment + late(i, moment)))
    for number, came in enumerate(by_visitor.values(), 1):
        conversion = came[0][0] + 6 * HOUR if number % 2 == 0 else 0
        assert came == [(moment, max(moment, conversion)) for moment, _ in came]
    assert any(len({shown for _, shown in came}) > 1 for came in list(by_visitor.values())[1::2])
