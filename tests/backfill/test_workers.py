"""Workers that join late, leave and die, as real processes."""

import re
import signal
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from backfill import backfill
from pipeline import ConnectorError, read_settings
from pipeline.timestamps import DAY, to_ms
from simulator import Behaviour, Simulator, generated
from tests.backfill.lake import clock_at, lake
from tests.backfill.processes import worker
from tests.support import END, TYPE, configuration, truth

pytestmark = pytest.mark.long
EVENTS = 3_000


def account():
    """Four months of events, seen soon after the last."""
    return Simulator({TYPE: generated(EVENTS)}, Behaviour(clock=clock_at(END, DAY // 4)))


def missing(sim, folder):
    """The ids that are not there once, but less or more often."""
    expected, found = Counter(truth(sim.histories[TYPE])), lake(folder)
    return (expected - found) + (found - expected)


def test_every_row_is_there_once_though_workers_join_leave_and_die(dask, tmp_path):
    """Of two workers the second is killed while both are asking, a third joins half way, and then the first is told to
    leave.
    """
    with account() as sim, ExitStack() as stack:
        first, second = [stack.enter_context(worker(dask.scheduler.address)) for _ in range(2)]
        dask.wait_for_workers(2)
        both_are_asking = threading.Barrier(2, second.kill)
        half_way, joined = threading.Event(), threading.Event()

        def fault(asked):
            if asked.number in (20, 21):
                both_are_asking.wait(60)
            if asked.number > 60:
                half_way.set()
                joined.wait(60)

        def join_and_leave():
            half_way.wait(60)
            stack.enter_context(worker(dask.scheduler.address))
            second.wait()
            dask.wait_for_workers(2)
            first.send_signal(signal.SIGTERM)
            joined.set()

        sim.behaviour.fault = fault
        joining = threading.Thread(target=join_and_leave)
        joining.start()
        left = backfill(dask, read_settings(configuration(sim)), tmp_path)
        joining.join()
        assert first.wait(60) == 0 and second.wait() == -signal.SIGKILL
    assert left.rows[TYPE] == EVENTS and not missing(sim, tmp_path)


DEADLY = "2026-02-02"
# in each worker: one window ends it
PRELOAD = f"""
import os
from backfill import worker
alive = worker.__dict__.setdefault("alive", worker.write_rows)

def deadly(window, *given):
    return os._exit(1) if window.start == {to_ms(DEADLY)} else alive(window, *given)

worker.write_rows = deadly
"""


def kept_alive(scheduler, stop):
    """Starts a worker, and another in its place whenever one dies, as a cluster's manager does."""
    while not stop.is_set():
        with worker(scheduler, preload=PRELOAD) as running:
            while running.poll() is None and not stop.wait(0.1):
                pass


def test_a_window_that_kills_four_workers_is_named_and_the_others_finish(dask, tmp_path):
    stop = threading.Event()
    with account() as sim, ThreadPoolExecutor(2) as managers:
        settings = read_settings(configuration(sim))
        try:
            for _ in range(2):
                managers.submit(kept_alive, dask.scheduler.address, stop)
            dask.wait_for_workers(2)
            with pytest.raises(ConnectorError, match="Four workers died") as told:
                backfill(dask, settings, tmp_path)
        finally:
            stop.set()
        named = re.findall(rf"{TYPE} from (\S+)", str(told.value))
        assert [to_ms(start) for start in named] == [to_ms(DEADLY)]
        lost, times = missing(sim, tmp_path), map(sim.histories[TYPE].time, range(EVENTS))
        assert lost.total() == sum(0 <= time - to_ms(DEADLY) < DAY for time in times) > 0
        with worker(dask.scheduler.address):
            left = backfill(dask, settings, tmp_path)
    assert left.rows[TYPE] == EVENTS and not missing(sim, tmp_path)
