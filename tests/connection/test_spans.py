"""The time ranges that a sync reads, and the cursor: whatever syncs and start dates it has been
through, its claim is true.
"""

import json
from dataclasses import fields

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.connection.spans import advance, advance_gap, finish, finish_gap, gap_span, main_span
from pipeline.connection.state import Progress, migrate, progress_by_type, state_dict
from pipeline.timestamps import to_ms, to_text
from tests.support import TYPE

MS = st.integers(0, 60)
TEXTS = MS.map(to_text) | st.integers(0, 3).map(lambda second: f"1970-01-01T00:00:0{second}Z")
PROGRESS = st.builds(
    Progress,
    **dict.fromkeys([field.name for field in fields(Progress) if field.name != "fingerprint"], st.none() | TEXTS),
)


@given(PROGRESS, st.lists(st.tuples(st.sampled_from(["advance", "finish", "advance_gap", "finish_gap"]), MS, MS, MS)))
def test_the_cursor_never_moves_back(progress, steps):
    for step, start, occurred, read_at in steps:
        before = progress
        if step == "advance":
            progress = advance(progress, start, occurred, read_at)
            assert to_ms(progress.occurred) == max(occurred, to_ms(before.occurred or "1970-01-01"))
            assert progress == before or before.occurred is None or occurred >= to_ms(before.occurred)
        elif step == "finish":
            progress = finish(progress, start, read_at)
        elif step == "advance_gap":
            progress = advance_gap(progress, start, occurred)
            if before.gap_start and before.gap_occurred and before.gap_start <= to_text(start) <= before.gap_occurred:
                assert to_ms(progress.gap_occurred) >= to_ms(before.gap_occurred)
        else:
            progress = finish_gap(progress, start)
        if step != "advance":
            assert progress.occurred == before.occurred


INTERRUPTED = advance(Progress(), 0, 1_000, read_at=1_000_000)
FINISHED = finish(advance(Progress(), 0, 999_990, read_at=999_995), 0, read_at=1_000_000)
QUIET = finish(Progress(to_text(1_000), to_text(2_000), to_text(0)), 0, read_at=9_000)
FROM_THE_FUTURE = finish(advance(Progress(), 0, 9_000, read_at=90_000), 0, read_at=90_000)


@pytest.mark.parametrize("progress, start, now, begin", [
    (INTERRUPTED, 0, 2_000_000, 1_000),  # where it was
    (FINISHED, 0, 2_000_000, 999_500), (FINISHED, 999_800, 2_000_000, 999_800),
    (QUIET, 0, 20_000, 1_000),  # the last event is older than the look-back
    (FROM_THE_FUTURE, 0, 10_000, 9_000), (FROM_THE_FUTURE, 0, 9_100, 8_600),  # its clock was wrong
])  # fmt: skip
def test_a_sync_resumes_at_its_cursor_or_looks_back_from_when_the_last_one_began(progress, start, now, begin):
    assert main_span(progress, start, lookback=500, now=now) == (begin, None)


def test_a_start_date_moved_earlier_leaves_a_gap_that_is_read_first():
    progress = finish(advance(Progress(), 50, 80, 90), 50, 90)
    assert gap_span(progress, 50) is None and gap_span(progress, 60) is None
    assert gap_span(progress, 20) == (20, 50)
    begun = advance_gap(progress, 20, 30)
    assert gap_span(begun, 20) == (30, 50) and gap_span(begun, 25) == (30, 50)
    assert gap_span(begun, 10) == (10, 50) and gap_span(begun, 40) == (40, 50)
    done = finish_gap(begun, 25)
    assert gap_span(done, 20) is None and gap_span(done, 19) == (19, 20)
    assert main_span(done, 20, 0, 100) == main_span(progress, 20, 0, 100)


def test_a_start_date_moved_past_the_cursor_and_back_leaves_no_hole():
    progress = finish(advance(Progress(), 0, 30, 35), 0, 35)
    progress = advance(progress, 60, 70, 75)
    assert gap_span(progress, 10) == (10, 60)


# A model in which every millisecond is an event, and which knows the delivered ones

SYNC = st.tuples(
    MS,  # the start date
    st.integers(1, 15),  # how much later than the sync before
    st.booleans(),  # whether it is interrupted
    st.floats(0, 1),  # after which share of what it has to read
    st.lists(st.floats(0, 1), max_size=4),  # at which shares of a time range it saves
)


class Model:
    """A destination that holds the delivered milliseconds, with which every claim of the state is compared."""

    def __init__(self, progress, delivered):
        self.progress, self.delivered, self.now = progress, set(delivered), 60

    def sync(self, start, later, interrupted, share, saves, lookback):
        """Whether the sync is complete."""
        self.now += later
        before = self.progress
        gap = gap_span(before, start)
        low, high = main_span(before, start, lookback, self.now)
        assert high is None and start <= low
        spans = [("gap", *gap)] if gap else []
        spans.append(("main", low, max(low, self.now)))
        budget = int(share * sum(end - begin for _, begin, end in spans)) if interrupted else None
        for kind, begin, end in spans:
            stop = end if budget is None else min(end, begin + budget)
            self.read(kind, start, begin, stop, saves)
            if budget is not None:
                budget -= stop - begin
                if stop < end or budget <= 0:
                    return False
            self.step(finish_gap, start) if kind == "gap" else self.step(finish, start, self.now)
        return not interrupted

    def read(self, kind, start, begin, stop, saves):
        """Delivers [begin, stop) in order, and saves some cursors: everything before each is delivered then."""
        for cursor in sorted(begin + int(share * (stop - begin)) for share in saves):
            self.delivered.update(range(begin, cursor))
            if kind == "gap":
                self.step(advance_gap, start, cursor)
            else:
                self.step(advance, start, cursor, self.now)
        self.delivered.update(range(begin, stop))

    def step(self, change, *arguments):
        self.progress = change(self.progress, *arguments)
        saved = json.loads(json.dumps(state_dict({TYPE: self.progress})))
        self.progress = progress_by_type(saved)[TYPE]
        self.check()

    def check(self):
        claimed = self.progress
        for begin, end in ((claimed.start_date, claimed.occurred), (claimed.gap_start, claimed.gap_occurred)):
            if begin is not None and end is not None:
                assert self.delivered.issuperset(range(to_ms(begin), to_ms(end)))


@settings(max_examples=150)
@given(st.none() | MS, st.integers(0, 30), st.lists(SYNC, min_size=1, max_size=8))
def test_the_state_claims_only_what_is_delivered_and_a_complete_sync_delivers_everything(cursor, lookback, syncs):
    first = {} if cursor is None else progress_by_type(migrate({"start_date": to_text(cursor)})[0])
    model = Model(first.get(TYPE, Progress()), range(cursor or 0))
    for start, *rest in syncs:
        if model.sync(start, *rest, lookback):
            assert model.delivered.issuperset(range(start, model.now))
