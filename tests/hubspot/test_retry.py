"""Delays between attempts, what HubSpot asks for instead, and how an outage ends."""

import re
from email.utils import formatdate
from itertools import product

import pytest

from pipeline.errors import Unavailable
from pipeline.hubspot import retry as module
from pipeline.timestamps import to_ms
from tests.hubspot.clients import QUERY, T0, TRUTH, client_of, error_of, served


def test_delays_grow_exponentially_and_are_jittered(clock, monkeypatch):
    monkeypatch.setattr(module.backoff, "full_jitter", lambda most: most)
    with served(fault=lambda asked: "500") as sim, client_of(sim) as client, pytest.raises(Unavailable):
        client.page(QUERY, clock)
    assert clock.waits[:6] == [0.5, 1, 2, 4, 8, 16] and set(clock.waits[6:]) == {30}


WAITS = [
    *product(("423", "429", "477", "503"), [("7", 7), (formatdate(T0 / 1000 + 42, usegmt=True), 42)]),
    ("423", ("", 2)),
]


@pytest.mark.parametrize("status, asked", WAITS)
def test_hubspot_may_ask_for_a_wait_in_seconds_or_until_a_date_by_its_own_clock(status, asked, clock):
    """A lock for which it asks for none takes two seconds."""
    header, wait = asked
    behaviour = {"faults": {1: status}, "extra_headers": {"Retry-After": header}, "clock": clock.hubspot}
    with served(**behaviour) as sim, client_of(sim) as client:
        client.page(QUERY, clock)
    assert clock.waits == [wait]


@pytest.mark.parametrize("header", [
    "soon", "nan", "inf", "-inf", "-5", "", "9" * 400, "Thu, 99 Foo 0000 00:00:00 GMT", "1; 2",
])  # fmt: skip
def test_a_meaningless_retry_after_falls_back_to_a_delay(header, clock):
    with served(faults={1: "503"}, extra_headers={"Retry-After": header}) as sim, client_of(sim) as client:
        assert client.page(QUERY, clock).events == TRUTH[:50]
    assert len(clock.waits) == 1 and 0 <= clock.waits[0] <= 30


@pytest.mark.parametrize("header", ["0", "-1", formatdate(0, usegmt=True)])
def test_a_retry_after_of_zero_does_not_cause_a_storm_of_requests(header, clock):
    kinds = dict.fromkeys(range(1, 21), "503")
    with served(faults=kinds, extra_headers={"Retry-After": header}) as sim, client_of(sim) as client:
        client.page(QUERY, clock)
    assert sum(clock.waits) > 1


@pytest.mark.parametrize("status", ["429", "477", "503"])
@pytest.mark.parametrize("header, when", [("86400", "2035-01-02T00:00:00.000Z"), ("1e308", "2066-09-09T01:46:40.000Z")])
def test_a_wait_longer_than_an_outage_may_last_is_an_error_that_says_when_to_come_back(status, header, when, clock):
    behaviour = {"fault": lambda asked: status, "extra_headers": {"Retry-After": header}, "clock": clock.hubspot}
    with served(**behaviour) as sim:
        raised, text = error_of(sim, clock)
    assert raised is Unavailable and clock.waits == [] and when in text and len(sim.requests) == 1


@pytest.mark.parametrize("minutes", [1, 15])
def test_an_outage_ends_in_an_error_with_its_start_its_attempts_and_hubspots_words(minutes, clock):
    """And is logged once."""
    logged = []
    with served(fault=lambda asked: "500", clock=clock.hubspot) as sim:
        raised, text = error_of(sim, clock, max_outage=minutes * 60_000, log=logged.append)
    assert len(logged) == 1 and "500" in logged[0]
    assert raised is Unavailable and f"attempts: {len(sim.requests)}" in text
    assert "HubSpot answered 500: internal error" in text and "max_outage_minutes" in text
    # a Date header has whole seconds
    assert abs(to_ms(re.search(r"since (\S+Z)", text)[1]) - T0) <= 1000
    assert minutes * 60 - 30 <= sum(clock.waits) <= minutes * 60


def test_a_good_answer_ends_an_outage(clock):
    faults = dict.fromkeys((1, 3, 5), "503:retry-after=600")
    with served(faults=faults) as sim, client_of(sim) as client:
        for _ in range(3):
            assert client.page(QUERY, clock).events
    assert clock.waits == [600] * 3
