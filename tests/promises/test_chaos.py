"""Syncs killed with SIGKILL lose nothing, double nothing and repeat little; tests/promises/chaos.py does the killing."""

import os
import random

import pytest

from pipeline.timestamps import DAY, to_ms
from simulator import Behaviour, Simulator, generated
from tests.promises.chaos import TYPE, Chaos, Nest
from tests.support import END

pytestmark = pytest.mark.long

MILLISECOND = int(os.environ.get("MILLISECOND_EVENTS", "50000"))
KEYS = {"page_size": "20", "checkpoint_interval": "100", "concurrency": "3", "lookback_minutes": "1440"}


@pytest.fixture(scope="module")
def nest():
    with Nest() as nest:
        yield nest


def is_exact(chaos):
    return chaos.lost_and_doubled() == (0, 0)


def test_a_backfill_killed_at_random_loses_and_doubles_nothing_and_repeats_little(nest, tmp_path):
    with Simulator({TYPE: generated(6_000)}, Behaviour(clock=lambda: to_ms(END) + 2 * DAY)) as sim:
        chaos = Chaos(nest, sim, tmp_path, random.Random(4), KEYS)
        assert chaos.until_it_ends(most_kills=10)
        assert chaos.kills >= 3
        assert is_exact(chaos)
    assert max(chaos.rework) <= chaos.bound()
    assert chaos.cursors() == sorted(chaos.cursors())


def test_the_cursor_does_not_move_back_when_a_sync_is_killed_in_its_look_back(nest, tmp_path):
    now = to_ms(END) - 2 * DAY
    behaviour = Behaviour(clock=lambda: now, hide_future=True, latency_ms=10)
    with Simulator({TYPE: generated(12_000, shape="uniform")}, behaviour) as sim:
        keys = {**KEYS, "lookback_minutes": "14400"}  # ten days of a thousand events
        chaos = Chaos(nest, sim, tmp_path, random.Random(5), keys)
        assert chaos.until_it_ends(most_kills=0)
        now += 3 * DAY
        assert chaos.until_it_ends(most_kills=5)
        assert chaos.kills >= 2 and sum(chaos.rework) > 500
        assert is_exact(chaos)
    assert chaos.cursors() == sorted(chaos.cursors())


def test_through_the_real_core_into_the_real_table(nest, tmp_path):
    with Simulator({TYPE: generated(2_000)}, Behaviour(latency_ms=5)) as sim:
        chaos = Chaos(nest, sim, tmp_path, random.Random(6), KEYS, real=True, mean=0.5)
        assert chaos.until_it_ends(most_kills=5)
        assert chaos.kills >= 2
        assert is_exact(chaos)


def test_a_crowded_millisecond_is_read_again_after_each_kill_and_completed_by_the_sync_that_lives(nest, tmp_path):
    """Fifty thousand events; MILLISECOND_EVENTS=1000000 for a million. A second is one window: it
    is complete, or read again.
    """
    keys = {**KEYS, "page_size": "250", "checkpoint_interval": "500"}
    with Simulator(
        {TYPE: generated(MILLISECOND, shape="one_ms")}, Behaviour(clock=lambda: to_ms(END) + 2 * DAY)
    ) as sim:
        chaos = Chaos(nest, sim, tmp_path, random.Random(7), keys, mean=MILLISECOND / 150_000)
        assert chaos.until_it_ends(most_kills=4)
        assert chaos.kills >= 2
        assert is_exact(chaos)
    assert chaos.cursors() == sorted(chaos.cursors())


def test_a_sync_killed_at_its_first_checkpoint_keeps_the_progress_of_the_one_before(nest, tmp_path):
    keys = {**KEYS, "page_size": "50", "checkpoint_interval": "50"}
    with Simulator({TYPE: generated(10_000)}, Behaviour(clock=lambda: to_ms(END) + 2 * DAY)) as sim:
        chaos = Chaos(nest, sim, tmp_path, random.Random(8), keys)
        for step in (5 * 80 + 1, 5 + 2, 0):  # 80 checkpoints, then one, then all
            chaos.sync(step=step)
        assert is_exact(chaos)
    assert max(chaos.rework) <= chaos.bound()
