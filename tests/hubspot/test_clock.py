"""The two clocks of a sync: whichever is wrong, the earlier one counts for lateness and the later
one for the future.
"""

from email.utils import formatdate
from types import SimpleNamespace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.hubspot import clock as module
from pipeline.hubspot.clock import Clock
from pipeline.timestamps import DAY, MINUTE, SECOND, to_ms

HERE = to_ms("2026-05-21T12:00:00Z")
YEAR = 365 * DAY


class Time:
    """The seconds on the monotonic clock, and this machine's date, which may jump."""

    def __init__(self, patch):
        self.seconds, self.here = 5_000.0, HERE
        patch.setattr(module, "time", SimpleNamespace(monotonic=lambda: self.seconds))
        patch.setattr(module, "local_now", lambda: self.here)


@pytest.fixture
def time(monkeypatch):
    return Time(monkeypatch)


def date(ms):
    return formatdate(ms / 1000, usegmt=True)


def clock_after(*offsets):
    """A clock after answers whose dates are that many ms ahead of this machine's."""
    clock = Clock()
    for offset in offsets:
        clock.update(date(HERE + offset))
    return clock


def test_before_any_answer_only_this_machines_clock_counts(time):
    clock = Clock()
    assert clock.now() == clock.earlier() == clock.later() == HERE
    assert clock.difference() == 0 and not clock.is_known()


@pytest.mark.parametrize("offset", [YEAR, DAY, MINUTE, SECOND, 0, -SECOND, -MINUTE, -DAY, -YEAR])
def test_earlier_and_later_pick_between_hubspots_clock_and_this_machines(time, offset):
    clock = clock_after(offset)
    assert clock.is_known() and clock.now() == HERE + offset and clock.difference() == offset
    assert clock.earlier() == HERE + min(0, offset) and clock.later() == HERE + max(0, offset)


@pytest.mark.parametrize("offset", [DAY, -DAY])
def test_all_clocks_run_steadily_even_if_this_machines_date_jumps(time, offset):
    clock = clock_after(offset)
    before = clock.now(), clock.earlier(), clock.later()
    time.seconds, time.here = time.seconds + 90.5, HERE - YEAR
    assert (clock.now(), clock.earlier(), clock.later()) == tuple(ms + 90_500 for ms in before)
    assert clock.difference() == offset


def test_now_goes_by_the_last_answer(time):
    clock = clock_after(DAY, -MINUTE)
    assert clock.now() == HERE - MINUTE and clock.difference() == -MINUTE and clock.later() == HERE


@pytest.mark.parametrize("jump", [YEAR, -YEAR, 0])
def test_the_earlier_clock_gives_one_moment_one_time_whenever_it_is_read(jump, time):
    """Dates that jump do not move it."""
    clock, began = clock_after(-MINUTE), time.seconds
    time.seconds += 3600
    clock.update(date(HERE + jump))
    assert clock.earlier(began) == HERE - MINUTE and clock.earlier() == HERE - MINUTE + 3_600_000
    assert clock.earlier(began - 1.5) == HERE - MINUTE - 1500


@pytest.mark.parametrize("header", [
    None, "", "garbage", "Thu, 99 Foo 0000 00:00:00 GMT", "9" * 400, "2026-05-21T12:00:00Z", "\x00", "1; 2",
], ids=repr)  # fmt: skip
def test_an_unreadable_date_changes_nothing(time, header):
    for clock, is_known, now in ((Clock(), False, HERE), (clock_after(DAY), True, HERE + DAY)):
        clock.update(header)
        assert (clock.is_known(), clock.now()) == (is_known, now)


@given(st.lists(st.integers(-3 * YEAR, 3 * YEAR) | st.text(max_size=40) | st.none(), max_size=6))
@example(["Thu, 01 Jan 9999 00:00:00 -9999"])
def test_the_earlier_clock_is_never_ahead_of_this_machines_and_the_later_never_behind(dates):
    with pytest.MonkeyPatch.context() as patch:
        Time(patch)
        clock = Clock()
        for each in dates:
            clock.update(date(HERE + each) if isinstance(each, int) else each)
            assert clock.earlier() <= HERE <= clock.later() and clock.now() <= clock.later()
            assert all(isinstance(ms, int) for ms in (clock.now(), clock.earlier(), clock.later(), clock.difference()))
