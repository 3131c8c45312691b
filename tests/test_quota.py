import threading
from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import quota
from pipeline.quota import Quota

PREFIX = "X-HubSpot-RateLimit-"


class Time:
    """A clock that only waiting moves, and HubSpot's count of what came in the last ten seconds by it."""

    def __init__(self, most: int = 190, others_per_second: float = 0.0):
        self.now = 1000.0
        self.most = most
        self.others_per_second = others_per_second
        self.came: deque[float] = deque()
        self.refused = 0

    def monotonic(self) -> float:
        return self.now

    def is_set(self) -> bool:
        return False

    def wait(self, seconds: float) -> None:
        self.now += seconds

    def answer(self) -> dict[str, str]:
        while self.came and self.came[0] <= self.now - 10:
            self.came.popleft()
        drawn = len(self.came) + int(self.others_per_second * 10)
        if drawn >= self.most:
            self.refused += 1
        else:
            self.came.append(self.now)
        remaining = max(0, self.most - drawn - 1)
        return {
            PREFIX + "Max": str(self.most), PREFIX + "Remaining": str(remaining), PREFIX + "Interval-Milliseconds": "10000",
        }  # fmt: skip


def backfill(time: Time, limit: Quota, seconds: float, each: float = 0.02) -> int:
    """Asks as fast as the quota lets, each request taking `each` seconds; how many went."""
    until, went = time.now + seconds, 0
    while time.now < until:
        limit.take(time)
        time.now += each
        limit.note(time.answer())
        went += 1
    return went


@pytest.fixture
def clock(monkeypatch):
    time = Time()
    monkeypatch.setattr(quota.time, "monotonic", time.monotonic)
    return time


@pytest.mark.parametrize("most", [60, 100, 190])
def test_a_long_backfill_uses_the_quota_less_the_reserve_and_is_never_refused(clock, most):
    clock.most = most
    went = backfill(clock, Quota(0.1), 300)
    assert clock.refused == 0
    assert 0.95 * most * 0.9 * 30 <= went <= most * 0.9 * 31


def test_the_first_requests_use_the_burst_that_is_there(clock):
    assert backfill(clock, Quota(0.1), 171 * 0.02) >= 170


def test_it_slows_down_when_the_headers_show_that_others_draw_too(clock):
    clock.others_per_second = 10.0
    went = backfill(clock, Quota(0.1), 300)
    assert went <= (190 * 0.9 - 100) * 31
    assert clock.refused == 0


def test_it_speeds_up_again_when_the_others_have_left(clock):
    limit = Quota(0.1)
    clock.others_per_second = 15.0
    backfill(clock, limit, 60)
    clock.others_per_second = 0.0
    backfill(clock, limit, 20)
    assert backfill(clock, limit, 100) >= 0.95 * 171 * 10


def test_others_that_draw_everything_do_not_stop_it_for_good(clock):
    clock.others_per_second = 19.0
    assert backfill(clock, Quota(0.1), 120) > 1


def test_after_a_429_nobody_asks_before_the_wait_is_over(clock):
    limit = Quota(0.1)
    limit.pause(7.0)
    limit.pause(3.0)
    limit.take(clock)
    assert clock.now == pytest.approx(1007.0)


def test_without_headers_nothing_is_held_back_and_nothing_piles_up(clock):
    limit = Quota(0.1)
    for _ in range(10_000):
        limit.take(clock)
        clock.now += 0.01
        limit.note({})
    assert clock.now == pytest.approx(1100.0)
    assert len(limit._sent) <= 1100


def test_a_sync_that_stops_does_not_wait():
    stop = threading.Event()
    stop.set()
    limit = Quota(0.1)
    limit.pause(3600)
    limit.take(stop)


@given(
    headers=st.lists(
        st.dictionaries(
            st.sampled_from([PREFIX + name for name in ("Max", "Remaining", "Interval-Milliseconds", "Daily")]),
            st.one_of(st.text(max_size=8), st.integers(-5, 10**9).map(str), st.sampled_from(["0", "1", "190", "10000", "NaN"])),
        ),
        min_size=1,
        max_size=20,
    )
)
@settings(deadline=None, max_examples=200)
def test_no_nonsense_in_headers_stops_it_for_longer_than_an_interval(headers):
    time, limit = Time(), Quota(0.5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quota.time, "monotonic", time.monotonic)
        for each in headers:
            before = time.now
            limit.take(time)
            limit.note(each)
            assert time.now - before <= quota.LONGEST_INTERVAL / 1000 + 1
