"""The laws of tests/promises/worlds.py hold in any world (10,000 of them with HYPOTHESIS_PROFILE=long), and in single
worlds that once lost events without an error, or never ended.
"""

import os
import re

import pytest
from hypothesis import HealthCheck, given, settings

from pipeline.timestamps import DAY, MINUTE, SECOND
from tests.promises.worlds import FIRST, HOUR, Harness, Occurrence, Sync, World, late_worlds, lying_worlds, worlds
from tests.support import BASE, Quiet

YEAR = 365 * DAY
LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"
IGNORED = [HealthCheck.too_slow, HealthCheck.data_too_large]
PROFILE = settings(max_examples=10_000 if LONG else 200, suppress_health_check=IGNORED)
FAST = settings(PROFILE, max_examples=10_000 if LONG else 60)
SLOW = settings(PROFILE, max_examples=10_000 if LONG else 100)  # of many syncs each
WORKERS = pytest.mark.parametrize("concurrency", ["1", "4"])


def steady(number, begin=BASE, width=DAY, **fields):
    """So many events, evenly spread over a time range."""
    return [Occurrence(begin + n * width // number, **fields) for n in range(number)]


@pytest.fixture(scope="module")
def harness():
    with Quiet({}) as sim, pytest.MonkeyPatch.context() as patch:
        yield Harness(sim, patch)


@given(worlds())
@FAST
def test_the_laws_hold_in_some_worlds(harness, world):
    harness.run(world)


@pytest.mark.long
@given(worlds())
@PROFILE
def test_the_laws_hold_in_any_world(harness, world):
    harness.run(world)


@given(lying_worlds())
@FAST
def test_what_hubspot_lied_about_is_there_after_the_looks_of_three_days(harness, world):
    harness.run(world, must_complete=False, looks=(12 * HOUR,) * 7)


@pytest.mark.long
@given(late_worlds())
@SLOW
def test_what_came_late_is_there_once_it_is_as_old_again(harness, world):
    """Whatever happens in the life of a connection, kills inside looks included."""
    harness.run(world, looks=(60 * DAY, *(8 * DAY,) * 12))


# Single worlds


LATE = tuple(steady(100) + steady(60, FIRST - HOUR, HOUR) + steady(60, FIRST - HOUR, HOUR, late=20 * MINUTE))


@pytest.mark.parametrize("behaviour, local", [
    ({"date_offsets": (DAY,)}, 0), ({"date_offsets": (3 * YEAR,)}, 0), ({"date_offsets": (-3 * YEAR,)}, 0),
    ({"date_offsets": (DAY, 0, -YEAR)}, 0), ({"date_offsets": (DAY,)}, -YEAR), ({}, DAY), ({}, 3 * YEAR),
    ({"date_header": False}, 0), ({"date_header": "garbage"}, -YEAR),
], ids=str)  # fmt: skip
def test_wrong_clocks_and_late_events(harness, behaviour, local):
    syncs = (Sync(), Sync(10 * MINUTE), Sync(11 * MINUTE))
    ends = harness.run(World(LATE, syncs, behaviour, keys={"concurrency": "4"}, local=local), must_complete=True)
    assert ends == ["complete"] * 4


@pytest.mark.parametrize("order, behaviour", [
    ("ascending", {"after_ignored": True}), ("ascending", {"before_ignored": True}), ("descending", {"before_ignored": True}),
    ("shuffled", {"before_ignored": True}), ("ingested", {"before_ignored": True}), ("descending", {"after_ignored": True}),
    *((order, {"before_ignored": True, "after_ignored": True}) for order in ("ascending", "descending", "shuffled")),
], ids=str)  # fmt: skip
def test_an_ignored_bound(harness, order, behaviour):
    """Of an event a second, two are ingested later."""
    seconds = steady(600, width=600 * SECOND)
    displaced = tuple(each._replace(listed=2 * MINUTE * (n in (35, 255))) for n, each in enumerate(seconds))
    behaviour = {"order": order, **behaviour}
    world = World(displaced, (Sync(), Sync(HOUR)), behaviour, keys={"concurrency": "4"})
    for end in harness.run(world, must_complete=False):
        assert end == "complete" or re.search("range|bound|time|occurred(After|Before)", end)


@WORKERS
@pytest.mark.parametrize("size", ["1", "3"])
def test_small_pages(harness, concurrency, size):
    """The requests of a proof are not wasted, so they do not use up what a sync may waste. And if bounds are inclusive,
    the empty window before a crowded second lists it too: each piece of that window would list it once more.
    """
    keys, crowd = {"page_size": size, "concurrency": concurrency}, steady(7, FIRST - 2 * SECOND, 1)
    for events, behaviour in ((steady(17, width=HOUR), {"open_end": True}), (crowd, {"before_inclusive": True})):
        assert harness.run(World(tuple(events), behaviour=behaviour, keys=keys), must_complete=True)[0] == "complete"


@pytest.mark.parametrize("order", ["ascending", "descending"])
@pytest.mark.parametrize("requests", [1, 4])
def test_a_crowded_second_left_half_read_days_ago_hides_no_event_that_came_since(harness, order, requests):
    """All events share a millisecond, so nothing shows the order; HubSpot goes down while they are read."""
    events = tuple(steady(22, FIRST - DAY, 1) + steady(40, FIRST, 40 * HOUR))
    syncs, keys = (Sync(down_after=requests), Sync(2 * DAY)), {"page_size": "5", "checkpoint_interval": "3"}
    world = World(events, syncs, {"order": order}, keys=keys)
    assert harness.run(world, must_complete=True)[-1] == "complete"
