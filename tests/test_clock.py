"""The two clocks of a sync: whichever is wrong, lateness goes by the earlier and the future by the later one."""
from email.utils import formatdate
from types import SimpleNamespace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline import clock as module
from pipeline.clock import Clock
from pipeline.moments import DAY, MINUTE, SECOND, to_ms

HERE = to_ms("2026-05-21T12:00:00Z")
YEAR = 365 * DAY


class Passing:
    """The seconds that pass on the steady clock, and this machine's date, which may jump."""

    def __init__(self, patch):
        self.seconds, self.here = 5_000.0, HERE
        patch.setattr(module, "time", SimpleNamespace(monotonic=lambda: self.seconds))
        patch.setattr(module, "local_now", lambda: self.here)


@pytest.fixture
def passing(monkeypatch):
    return Passing(monkeypatch)


def date(ms):
    return formatdate(ms / 1000, usegmt=True)


def told(*offsets):
    """A clock that was told dates that are so many ms ahead of this machine's."""
    clock = Clock()
    for offset in offsets:
        clock.hear(date(HERE + offset))
    return clock


def test_before_any_answer_every_clock_is_this_machines(passing):
    clock = Clock()
    assert (clock.now(), clock.earlier(), clock.later(), clock.apart()) == (HERE, HERE, HERE, 0) and not clock.is_told()


@pytest.mark.parametrize("offset", [YEAR, DAY, MINUTE, SECOND, 0, -SECOND, -MINUTE, -DAY, -YEAR])
def test_the_earlier_clock_is_the_earlier_and_the_later_the_later_of_hubspots_and_this_machines(passing, offset):
    clock = told(offset)
    assert clock.is_told() and clock.now() == HERE + offset and clock.apart() == offset
    assert clock.earlier() == HERE + min(0, offset) and clock.later() == HERE + max(0, offset)


@pytest.mark.parametrize("offset", [DAY, -DAY])
def test_all_clocks_go_on_steadily_whatever_happens_to_this_machines_date(passing, offset):
    clock = told(offset)
    before = clock.now(), clock.earlier(), clock.later()
    passing.seconds, passing.here = passing.seconds + 90.5, HERE - YEAR
    assert (clock.now(), clock.earlier(), clock.later()) == tuple(ms + 90_500 for ms in before) and clock.apart() == offset


def test_now_is_what_the_last_answer_told(passing):
    clock = told(DAY, -MINUTE)
    assert clock.now() == HERE - MINUTE and clock.apart() == -MINUTE and clock.later() == HERE


def test_a_date_that_jumps_does_not_move_the_earlier_clock(passing):
    """Or what one moment was called would depend on when it was asked."""
    clock = told(-MINUTE)
    for offset in (YEAR, -YEAR, 0):
        clock.hear(date(HERE + offset))
        assert clock.earlier() == HERE - MINUTE


def test_the_earlier_clock_has_one_answer_for_a_moment_however_late_it_is_asked(passing):
    clock, began = told(-MINUTE), passing.seconds
    passing.seconds += 3600
    clock.hear(date(HERE + YEAR))
    assert clock.earlier(began) == HERE - MINUTE and clock.earlier() == HERE - MINUTE + 3_600_000
    assert clock.earlier(began - 1.5) == HERE - MINUTE - 1500


GARBAGE = [None, "", "garbage", "Thu, 99 Foo 0000 00:00:00 GMT", "9" * 400, "2026-05-21T12:00:00Z", "\x00", "1; 2"]


@pytest.mark.parametrize("header", GARBAGE, ids=repr)
def test_a_date_that_cannot_be_read_tells_nothing(passing, header):
    clock = Clock()
    clock.hear(header)
    assert not clock.is_told() and clock.now() == HERE
    clock = told(DAY)
    clock.hear(header)
    assert clock.now() == HERE + DAY


@given(st.lists(st.integers(-3 * YEAR, 3 * YEAR) | st.text(max_size=40) | st.none(), max_size=6))
@example(["Thu, 01 Jan 9999 00:00:00 -9999"])
def test_whatever_is_heard_the_earlier_clock_is_not_after_this_machines_and_the_later_not_before_it(heard):
    with pytest.MonkeyPatch.context() as patch:
        Passing(patch)
        clock = Clock()
        for each in heard:
            clock.hear(date(HERE + each) if isinstance(each, int) else each)
            assert clock.earlier() <= HERE <= clock.later() and clock.now() <= clock.later()
            assert all(isinstance(ms, int) for ms in (clock.now(), clock.earlier(), clock.later(), clock.apart()))
