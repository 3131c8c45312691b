"""The two clocks of a sync: whichever is wrong, the earlier one counts for lateness and the later one for the future."""

from email.utils import formatdate
from types import SimpleNamespace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.hubspot import clock as module
from pipeline.hubspot.clock import Clock
from pipeline.timestamps import DAY, to_ms

HERE, BEGAN = to_ms("2026-05-21T12:00:00Z"), 5_000
YEARS = 3 * 365 * DAY // 1000
UNREADABLE = st.sampled_from([
    None, "", "garbage", "Thu, 99 Foo 0000 00:00:00 GMT", "9" * 400, "2026-05-21T12:00:00Z", "\x00", "1; 2",
    "Thu, 01 Jan 9999 00:00:00 -9999",
])  # fmt: skip
# how long after the one before it an answer came, and by how much its date was ahead of this machine's
ANSWERS = st.lists(st.tuples(st.integers(0, 3600), st.integers(-YEARS, YEARS) | UNREADABLE), max_size=6)


@given(ANSWERS)
@example([])
@example([(90, YEARS), (90, -60), (0, None)])
def test_clocks_run_steadily_from_when_they_were_read_whatever_the_dates_of_answers_and_of_this_machine(answers):
    """Of HubSpot's, the first date counts for lateness, so that one moment has one time whenever it
    is read, and the last one for the rest.
    """
    passed, offsets = 0, []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "time", SimpleNamespace(monotonic=lambda: BEGAN + passed))
        patch.setattr(module, "local_now", lambda: HERE - 7 * DAY * passed)  # it jumps back each second
        clock = Clock()
        for seconds, ahead in [*answers, (0.5, None)]:
            passed += seconds
            is_date = isinstance(ahead, int)
            clock.update(formatdate(HERE // 1000 + passed + ahead, usegmt=True) if is_date else ahead)
            offsets += [ahead * 1000] if is_date else []
            first, last = (offsets[0], offsets[-1]) if offsets else (0, 0)
            here = HERE + int(passed * 1000)
            assert clock.is_known() == bool(offsets) and clock.difference() == last
            assert (clock.now(), clock.later()) == (here + last, here + max(0, last))
            assert (clock.earlier(), clock.earlier(BEGAN - 1.5)) == (here + min(0, first), HERE - 1500 + min(0, first))
