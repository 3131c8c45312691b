"""However a sync ends, it leaves no thread and no socket, and sends no further request."""

import gc
import os
import threading
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from pipeline import Client, ConnectorError, Reader, Sink, read_settings, sync
from pipeline.reading.fetch import fetch_page
from simulator import Simulator, generated
from tests.support import TYPE, Delivered, configuration, sync_into

KEYS = {"page_size": "20", "concurrency": "4", "checkpoint_interval": "50", "max_outage_minutes": "0.003"}
DESCRIPTORS = Path("/proc/self/fd")


def sockets():
    """The open sockets of this process; empty where the system does not list them."""
    links = set()
    for entry in DESCRIPTORS.iterdir() if DESCRIPTORS.exists() else ():
        with suppress(OSError):  # the descriptor that lists the others
            links.add(os.readlink(entry))
    return {link for link in links if link.startswith("socket:")}


def left_over(before):
    """The sockets beyond what there was before, once the simulator has noticed that its client left."""
    deadline = time.monotonic() + 30
    while (left := sockets() - before) and time.monotonic() < deadline:
        time.sleep(0.001)
    return left


@pytest.fixture
def served():
    """A simulator, and a check after the test that nothing is left: no thread and no socket that
    could send a further request.
    """
    gc.collect()
    with Simulator({TYPE: generated(600), "pe1_b": generated(100, event_type="pe1_b")}) as sim:
        threads, open_sockets = set(threading.enumerate()), sockets()
        yield sim
        assert not [
            thread for thread in set(threading.enumerate()) - threads if not thread.name.startswith("simulator")
        ]
        assert left_over(open_sockets) == set()
        # a socket closed only by the collector is a ResourceWarning, which is an error here
        gc.collect()


FAULTS = (
    "400", "401", "403", "404", "500", "503", "530", "429:daily", "477:retry-after=86400", "redirect", "html", "empty", "cut",
    "cut_clean", "reset", "no_results", "repeat_cursor", "hang", "unordered", None,
)  # fmt: skip


@pytest.mark.parametrize("kind, after", [*((kind, 10) for kind in FAULTS), ("401", 0), ("503", 0), ("reset", 0)])
def test_no_failure_leaves_anything(served, monkeypatch, kind, after):
    if kind == "hang":
        monkeypatch.setattr("pipeline.hubspot.client.TIMEOUTS", (1.0, 0.1))
    served.behaviour.fault = lambda asked: kind if asked.number > after else None
    try:
        delivered = sync_into(Delivered(), served, event_types=f"{TYPE},pe1_b", **KEYS)
        assert kind is not None or len(delivered.ids()) == 600
    except ConnectorError:
        assert kind not in ("unordered", None)


@pytest.mark.parametrize("keys, state", [
    ({"page_size": "many"}, {}), ({}, {"version": 99}), ({"event_types": "e_nothing"}, {}),
    ({}, {"version": 1, "event_types": {TYPE: {"rest": {"nonsense": 1}, "occurred": "2026-02-01T00:00:00Z"}}}),
])  # fmt: skip
def test_a_mistake_leaves_nothing(served, keys, state):
    delivered = Delivered()
    try:
        sync_into(delivered, served, state, **{**KEYS, **keys})
    except ConnectorError:
        assert set(delivered.rows) <= {"sync_run"}


class Full(Exception):
    pass


@pytest.mark.parametrize("operation", ["upsert", "checkpoint", "warn", "log"])
@pytest.mark.parametrize("error", [Full, KeyboardInterrupt, type("ConnectorTask", (BaseException,), {})])
def test_a_destination_that_fails_leaves_nothing(served, operation, error):
    def fail(*_):
        raise error

    # so that there is something to warn of
    served.histories[TYPE] = generated(600, malformed_every=100)
    sink = Delivered().sink()._replace(**{operation: fail})
    with pytest.raises(error):
        sync(read_settings(configuration(served, **KEYS)), {}, sink)


@pytest.mark.parametrize("pages", [0, 1, 7])
def test_a_consumer_that_stops_early_leaves_nothing(served, pages):
    with Client("pat-na1-x", served.url, "2026-03", connections=4) as client:
        with Reader(partial(fetch_page, client, {"eventType": TYPE, "limit": 20}), client.clock.later, 4) as reader:
            stream = reader.pages((0, None))
            for _ in range(pages):
                next(stream)
        del stream


def test_many_syncs_leave_no_more_objects_than_one(served):
    delivered = Delivered()
    sync_into(delivered, served, **KEYS)
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(20):
        sync_into(delivered, served, **KEYS)
        delivered.states[:-1], delivered.upserts[:], delivered.log[:] = [], [], []
    served.requests.clear()
    gc.collect()
    assert len(gc.get_objects()) < before + 2_000


@pytest.mark.parametrize("kind", ["503", "423", "429", "477", "reset"])
def test_a_destination_that_fails_ends_every_kind_of_wait(served, kind):
    faulty = threading.Event()

    def after_the_first_window(asked):
        begin = served.requests[0].query["occurredAfter"]
        if asked.number > 2 and ("after" in asked.query or asked.query["occurredAfter"] != begin):
            faulty.set()
            return kind
        return None

    def upsert(table, row):
        if table != TYPE:  # before the first request
            return
        assert faulty.wait(30)
        raise Full

    served.behaviour.fault = after_the_first_window
    patient = read_settings(configuration(served, **{**KEYS, "max_outage_minutes": "0.2"}))
    with pytest.raises(Full):
        sync(patient, {}, Sink(upsert, *[lambda _: None] * 3))
    assert len(served.requests) < 30
