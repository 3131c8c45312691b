"""The rate limit against an account that counts as HubSpot does and is shared with other integrations."""

from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.hubspot import rate_limit as module
from pipeline.hubspot.rate_limit import RateLimit
from tests.hubspot.clients import FakeClock


def headers(**limits):
    return {f"X-HubSpot-RateLimit-{name.replace('_', '-')}": str(limit) for name, limit in limits.items()}


class Account(FakeClock):
    """A clock that only waiting moves, and HubSpot's count of the requests in the last `interval` seconds by it."""

    def __init__(self):
        super().__init__()
        self.most, self.interval, self.others_per_second, self.counted, self.refused = 190, 10, 0.0, deque(), 0

    def answer(self):
        while self.counted and self.counted[0] <= self.seconds - self.interval:
            self.counted.popleft()
        used = len(self.counted) + int(self.others_per_second * self.interval)
        if used >= self.most:
            self.refused += 1
        else:
            self.counted.append(self.seconds)
        left = max(0, self.most - used - 1)
        return headers(Max=self.most, Remaining=left, Interval_Milliseconds=1000 * self.interval)


def backfill(clock, limit, seconds, each=0.02):
    """Sends requests as fast as the limit allows, `each` seconds apiece; returns how many were sent."""
    until, sent = clock.seconds + seconds, 0
    while clock.seconds < until:
        limit.acquire(clock)
        clock.seconds += each
        limit.update(clock.answer())
        sent += 1
    return sent


@pytest.fixture
def clock(monkeypatch):
    return Account().drives(monkeypatch, module)


@pytest.mark.parametrize("most, interval", [(60, 10), (190, 10), (40, 2)])
def test_a_long_backfill_uses_the_limit_less_the_reserve_and_is_never_refused(clock, most, interval):
    clock.most, clock.interval = most, interval
    sent = backfill(clock, RateLimit(0.1), 30 * interval)
    assert clock.refused == 0
    assert 0.95 * most * 0.9 * 30 <= sent <= most * 0.9 * 31


def test_the_first_requests_use_the_whole_burst(clock):
    assert backfill(clock, RateLimit(0.1), 171 * 0.02) >= 170


def test_it_slows_down_while_other_integrations_send_requests_and_speeds_up_again_once_they_stop(clock):
    limit = RateLimit(0.1)
    clock.others_per_second = 10.0
    assert backfill(clock, limit, 300) <= (190 * 0.9 - 100) * 31 and clock.refused == 0
    clock.others_per_second = 0.0
    backfill(clock, limit, 20)
    assert backfill(clock, limit, 100) >= 0.95 * 171 * 10


def test_others_that_use_up_the_limit_do_not_stop_it_for_good(clock):
    clock.others_per_second = 19.0
    assert backfill(clock, RateLimit(0.1), 120) > 1


@given(st.integers(1, 40), st.sampled_from((0.0, 0.1, 0.5)), st.lists(st.integers(0, 40), min_size=60, max_size=120))
@settings(deadline=None, max_examples=50)
def test_the_reserve_is_never_exceeded_however_few_requests_hubspot_has_counted(most, reserve, remaining):
    """Those under way are not counted yet."""
    limit, sent = RateLimit(reserve), []
    with pytest.MonkeyPatch.context() as patch:
        clock = Account().drives(patch, module)
        limit.update(headers(Max=most))
        for left in remaining:
            limit.acquire(clock)
            sent.append(clock.seconds)
            limit.update(headers(Max=most, Remaining=min(left, most)))
    share = max(1, int(most * (1 - reserve)))
    assert all(at - before > 10 for before, at in zip(sent, sent[share:], strict=False))


def test_the_longest_pause_counts(clock):
    limit = RateLimit(0.1)
    limit.hold_for(7.0)
    limit.hold_for(3.0)
    limit.acquire(clock)
    assert clock.seconds == pytest.approx(1007.0)


def test_without_headers_nothing_is_held_back_and_memory_stays_bounded(clock):
    limit = RateLimit(0.1)
    for _ in range(10_000):
        limit.acquire(clock)
        clock.seconds += 0.01
        limit.update({})
    assert clock.seconds == pytest.approx(1100.0)
    assert len(limit._sent) <= 1100


NAMES = st.sampled_from(["Max", "Remaining", "Interval_Milliseconds", "Daily"])
VALUES = st.text(max_size=8) | st.integers(-5, 10**9) | st.sampled_from(["0", "1", "190", "10000", "NaN"])


@given(st.lists(st.dictionaries(NAMES, VALUES), min_size=1, max_size=20))
@settings(deadline=None, max_examples=100)
def test_no_headers_hold_it_back_longer_than_an_interval(answers):
    limit = RateLimit(0.5)
    with pytest.MonkeyPatch.context() as patch:
        clock = Account().drives(patch, module)
        for limits in answers:
            before = clock.seconds
            limit.acquire(clock)
            limit.update(headers(**limits))
            assert clock.seconds - before <= module.MAX_INTERVAL / 1000 + 1
