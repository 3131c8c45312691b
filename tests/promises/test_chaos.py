"""Syncs killed with SIGKILL lose nothing, double nothing and repeat little; tests/promises/chaos.py does the killing."""

import random

import pytest

from pipeline.timestamps import DAY, to_ms
from simulator import Behaviour, Simulator, generated
from tests.promises.chaos import BROKEN, TYPE, Chaos, Nest, one_round
from tests.support import END

pytestmark = pytest.mark.long

KEYS = {"page_size": "20", "checkpoint_interval": "100", "concurrency": "3", "lookback_minutes": "1440"}


@pytest.fixture(scope="module")
def nest():
    with Nest() as nest:
        yield nest


def test_a_backfill_killed_at_random_loses_and_doubles_nothing_and_repeats_little(nest, tmp_path):
    with Simulator({TYPE: generated(6_000)}, Behaviour(clock=lambda: to_ms(END) + 2 * DAY)) as sim:
        chaos = Chaos(nest, sim, tmp_path, random.Random(4), KEYS)
        assert chaos.until_it_ends(most_kills=10)
        assert chaos.kills >= 3
        assert chaos.lost_and_doubled() == (0, 0)
    assert max(chaos.rework) <= chaos.bound()
    assert chaos.cursors() == sorted(chaos.cursors())


@pytest.mark.parametrize("number", [2, 3, 4, 23])
def test_a_round_of_make_chaos_breaks_no_promise(nest, tmp_path, number):
    """A history in bursts, one of a single second, one of a single millisecond; and a sparse one through the SDK's real
    core into the real table.
    """
    counts = one_round(nest, tmp_path, number, kills=6)
    assert counts["kills"] >= 2 and not any(counts[promise] for promise in BROKEN), counts
