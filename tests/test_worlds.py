"""In any world the laws of tests/worlds.py hold; HYPOTHESIS_PROFILE=long lives in 10,000 of them. Then the lines of a table, each
of which has lost events in silence, or never come to an end, once."""
import os
import re

import pytest
from hypothesis import HealthCheck, given, settings

from tests.test_sync import Quiet
from tests.worlds import BASE, DAY_MS, FIRST, HOUR, MINUTE, SECOND, YEAR, Happening, Stage, Sync, World, worlds

LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"
PROFILE = settings(
    max_examples=10_000 if LONG else 200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
WORKERS = pytest.mark.parametrize("concurrency", ["1", "2", "4", "8"])


@pytest.fixture(scope="module")
def stage():
    with Quiet({}) as sim, pytest.MonkeyPatch.context() as patch:
        yield Stage(sim, patch)


@pytest.mark.long
@given(worlds())
@PROFILE
def test_the_laws_hold_in_any_world(stage, world):
    stage.live(world)


# The table


def steady(number, begin=BASE, width=DAY_MS, **fields):
    """So many happenings, evenly over a span of time."""
    return [Happening(begin + n * width // number, **fields) for n in range(number)]


def displaced(numbers, ms, number=5000):
    """One a second, of which some are listed so much later than they occurred."""
    return tuple(each._replace(listed=ms * (n in numbers)) for n, each in enumerate(steady(number, width=number * SECOND)))


ONE, TEN = (2495,), tuple(range(280, 5000, 500))
BOUNDS = [{}, {"after_inclusive": True, "before_inclusive": True}, {"resolution": "second"}]


@WORKERS
@pytest.mark.parametrize("numbers, kills", [(ONE, ()), (ONE, (2700,)), (TEN, ()), (TEN, (700, 900))], ids=str)
@pytest.mark.parametrize("bounds", BOUNDS, ids=["exclusive", "inclusive", "to the second"])
def test_answers_that_are_almost_ascending(stage, concurrency, numbers, kills, bounds):
    """Killed when the cursor would have passed the late one, and nothing is read twice that it has passed."""
    keys = {"page_size": "100", "concurrency": concurrency, "checkpoint_interval": "100", "lookback_minutes": "0"}
    syncs = tuple(Sync(fuse=fuse) for fuse in kills) or (Sync(),)
    world = World(displaced(numbers, 10 * MINUTE), syncs, {"order": "ingested", **bounds}, keys=keys)
    assert stage.live(world, must=True)[-1] == "complete"


@WORKERS
@pytest.mark.parametrize("order", ["ascending", "descending", "shuffled", "ingested"])
@pytest.mark.parametrize("nature", [{"ends_every": 5}, {"ends_every": 2}, {"ends_once": True}, {"ends_every": 1}], ids=str)
def test_a_page_cursor_that_answers_with_an_empty_page_and_no_next(stage, concurrency, order, nature):
    world = World(displaced({35, 255}, 2 * MINUTE, 600), nature={"order": order, **nature}, keys={"concurrency": concurrency})
    stage.live(world, must="ends_once" in nature)


@WORKERS
@pytest.mark.parametrize("number", [1, 4])
@pytest.mark.parametrize(
    "shape", ["paging_list", "paging_text", "paging_number", "next_list", "next_object", "after_null", "after_empty", "link_only"]
)
def test_paging_that_is_no_object_or_a_next_without_a_cursor_on_one_answer(stage, concurrency, number, shape):
    world = World(tuple(steady(400)), odd={number: shape}, keys={"concurrency": concurrency})
    assert stage.live(world, must=True)[0] == "complete"


LATE = tuple(steady(100) + steady(60, FIRST - HOUR, HOUR) + steady(60, FIRST - HOUR, HOUR, late=20 * MINUTE))


@WORKERS
@pytest.mark.parametrize("nature, local", [
    ({"date_offsets": (DAY_MS,)}, 0), ({"date_offsets": (3 * YEAR,)}, 0), ({"date_offsets": (-3 * YEAR,)}, 0),
    ({"date_offsets": (DAY_MS, 0, -YEAR)}, 0), ({"date_offsets": (DAY_MS,)}, -YEAR), ({}, DAY_MS), ({}, 3 * YEAR),
    ({"date_header": False}, 0), ({"date_header": "garbage"}, -YEAR),
], ids=str)  # fmt: skip
def test_a_clock_that_is_off_and_events_that_become_visible_late(stage, concurrency, nature, local):
    syncs = (Sync(), Sync(10 * MINUTE), Sync(11 * MINUTE))
    ends = stage.live(World(LATE, syncs, nature, keys={"concurrency": concurrency}, local=local), must=True)
    assert ends == ["complete"] * 4


@WORKERS
@pytest.mark.parametrize("order, nature", [
    ("ascending", {"after_ignored": True}), ("ascending", {"before_ignored": True}), ("descending", {"before_ignored": True}),
    ("shuffled", {"before_ignored": True}), ("ingested", {"before_ignored": True}), ("descending", {"after_ignored": True}),
    ("ascending", {"before_ignored": True, "after_ignored": True}),
], ids=str)  # fmt: skip
def test_a_bound_that_is_ignored(stage, concurrency, order, nature):
    nature = {"order": order, **nature}
    world = World(displaced({35, 255}, 2 * MINUTE, 600), (Sync(), Sync(HOUR)), nature, keys={"concurrency": concurrency})
    for end in stage.live(world, must=False):
        assert end == "complete" or re.search("range|bound|time|occurred(After|Before)", end)


@WORKERS
@pytest.mark.parametrize("start", [300, 900])
@pytest.mark.parametrize("pages", [5, 15])
def test_a_range_that_begins_inside_a_busy_second_while_each_ninth_cursor_is_refused(stage, concurrency, start, pages):
    """Of fifteen pages no walk meets the last: then a sentence is as good."""
    busy = tuple(steady(pages * 20, BASE, SECOND) + steady(200, BASE + SECOND))
    world = World(busy, (Sync(start=BASE + start),), {"refuse_every": 9}, keys={"concurrency": concurrency})
    stage.live(world, must=pages == 5)


@WORKERS
@pytest.mark.parametrize("order", ["ascending", "shuffled"])
@pytest.mark.parametrize("loop", ["first", "page"])
@pytest.mark.parametrize("after", [0, 3])
def test_the_first_page_for_ever_always_under_a_new_cursor(stage, concurrency, order, loop, after):
    nature = {"order": order, "cursor_loop": loop, "cursor_loop_after": after, "cursor_fresh": True}
    ends = stage.live(World(tuple(steady(300)), nature=nature, keys={"concurrency": concurrency}), must=False)
    assert after or "complete" not in ends


@pytest.mark.parametrize("concurrency", ["1", "4"])
@pytest.mark.parametrize("size", ["1", "2", "3", "5"])
def test_each_end_that_has_to_be_proved(stage, concurrency, size):
    """A proof is no loss: a sync of many small windows, each with an end that is not plain, is followed."""
    keys = {"page_size": size, "concurrency": concurrency}
    world = World(tuple(steady(17, width=HOUR)), nature={"open_end": True}, keys=keys)
    assert stage.live(world, must=True)[0] == "complete"
