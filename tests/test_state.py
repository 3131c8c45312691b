"""The saved cursors: what they claim is true, whatever syncs and start dates they have been through."""
import copy
import json
from dataclasses import fields

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.connection.state import (
    Progress,
    advance,
    advance_gap,
    finish,
    finish_gap,
    gap_span,
    main_span,
    migrate,
    read_state,
    read_under_way,
    write_state,
)
from pipeline.errors import StateError
from pipeline.moments import to_ms, to_text

TYPE = "e_visited_page"
law = settings(deadline=None)
MOMENTS = [field.name for field in fields(Progress) if field.name != "made_under"]
MS = st.integers(0, 60)
TEXTS = MS.map(to_text) | st.integers(0, 3).map(lambda second: f"1970-01-01T00:00:0{second}Z")


# Reading and writing


def test_an_empty_state_is_a_first_sync():
    assert read_state({}) == {}
    assert main_span(Progress(), 5, lookback=3, now=60) == (5, None) and gap_span(Progress(), 5) is None


def test_the_published_examples_state_is_the_cursor_of_its_one_table():
    progress = read_state({"start_date": "2026-05-21T01:36:04.329Z"})
    assert progress == {TYPE: Progress(occurred="2026-05-21T01:36:04.329Z")}
    assert main_span(progress[TYPE], 0, 60_000, to_ms("2027-01-01")) == (to_ms("2026-05-21T01:36:04.329Z"), None)


@pytest.mark.parametrize("version", [3, 99])
def test_a_newer_version_is_refused_with_what_to_do(version):
    with pytest.raises(StateError, match=rf"version {version}.*newer.*[Dd]eploy.*re-sync"):
        read_state({"version": version, "event_types": {}})


BROKEN = {
    "no version": {"event_types": {}},
    "no event types": {"version": 2},
    "no number": {"version": "2", "event_types": {}},
    "a bool": {"version": True, "event_types": {}},
    "too low": {"version": 0, "event_types": {}},
    "event types in a list": {"version": 2, "event_types": [TYPE]},
    "progress no object": {"version": 2, "event_types": {TYPE: "2026-05-21"}},
    "old progress no object": {"version": 1, "event_types": {TYPE: "2026-05-21"}},
    "made_against no text": {"version": 2, "event_types": {}, "made_against": 5},
    "made_under no text": {"version": 2, "event_types": {TYPE: {"made_under": 5}}},
    "the example with more": {"start_date": "2026-05-21T01:36:04Z", "end_date": "2026-05-21T01:36:04Z"},
    "the example without a date": {"start_date": "yesterday"},
    "something else": {"cursor": 5},
} | {
    f"{name} {value!r} in version {version}": {"version": version, "event_types": {TYPE: {name: value}}}
    for name in MOMENTS
    for value in ("soon", "", 5)
    for version in (1, 2)
}


@pytest.mark.parametrize("state", BROKEN.values(), ids=BROKEN)
def test_a_broken_state_is_refused_with_what_to_do(state):
    with pytest.raises(StateError, match="(?s)saved state cannot be used.*last good sync.*re-sync"):
        read_state(state)


@pytest.mark.parametrize("date", [[], {}, ["2026-05-21T01:36:04Z"]], ids=str)
def test_a_date_that_is_a_list_or_an_object_is_a_broken_state_too(date):
    for state in ({"start_date": date}, {"version": 2, "event_types": {TYPE: {"occurred": date}}}):
        with pytest.raises(StateError, match="last good sync"):
            read_state(state)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)
SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | TEXTS
SAVED = st.dictionaries(st.sampled_from(MOMENTS) | st.text(max_size=3), SCALARS)


STATES = st.dictionaries(st.text(max_size=3), JSON) | st.fixed_dictionaries(
    {"version": st.integers(-1, 4) | st.none(), "event_types": st.dictionaries(st.text(max_size=3), SAVED | SCALARS)},
    optional={"under_way": JSON, "made_against": JSON, "else": JSON},
)


@law
@given(STATES | TEXTS.map(lambda text: {"start_date": text}) | JSON.map(lambda value: {"start_date": value}))
def test_no_state_raises_anything_but_a_state_error(state):
    kept = copy.deepcopy(state)
    for read in (read_state, migrate):
        try:
            read(state)
        except StateError as error:
            assert "re-sync" in str(error)
    assert isinstance(read_under_way(state), (str, type(None)))
    assert repr(state) == repr(kept)


PROGRESS = st.builds(Progress, **dict.fromkeys(MOMENTS, st.none() | TEXTS))


@law
@given(st.dictionaries(st.text(), PROGRESS, min_size=1))
def test_a_state_survives_json_and_back(progress):
    saved = json.loads(json.dumps(write_state(progress)))
    assert read_state(saved) == progress
    assert saved["version"] == 2


# Older versions

SECOND = {"occurred": "2026-05-21T01:36:04.329Z", "read_at": "2026-05-21T01:40:00.000Z", "start_date": "2026-01-01T00:00:00.000Z"}


def test_no_state_at_all_is_migrated_without_a_word():
    assert migrate({}) == ({"version": 2, "event_types": {}}, [])


def test_the_published_examples_state_is_taken_over_and_told_with_what_it_leaves_unread():
    state, said = migrate({"start_date": "2026-05-21T01:36:04.329Z"})
    assert state == {"version": 2, "event_types": {TYPE: {"occurred": "2026-05-21T01:36:04.329Z"}}}
    assert len(said) == 1 and "2026-05-21T01:36:04.329Z" in said[0] and "re-sync" in said[0]


def test_version_1_without_page_cursors_is_migrated_without_a_word():
    state = {"version": 1, "event_types": {TYPE: SECOND}, "under_way": TYPE}
    assert migrate(state) == (state | {"version": 2}, [])
    assert read_state(state) == {TYPE: Progress(**SECOND)} and read_under_way(state) == TYPE


def test_a_page_cursor_of_version_1_is_given_up_and_told_and_its_moment_is_read_again():
    rest = {"start": SECOND["occurred"], "after": "MTc0Mw=="}
    state, said = migrate({"version": 1, "event_types": {TYPE: SECOND | {"rest": rest}, "pe1_b": SECOND | {"rest": None}}})
    assert state == {"version": 2, "event_types": {TYPE: SECOND, "pe1_b": SECOND}}
    assert len(said) == 1 and TYPE in said[0] and "pe1_b" not in said[0] and "read again" in said[0]
    progress = read_state(state)[TYPE]
    assert main_span(progress, 0, 0, to_ms("2027-01-01")) == (to_ms(SECOND["occurred"]), None)


@pytest.mark.parametrize("version", [1, 2])
def test_what_is_not_known_is_left_out_and_told(version):
    state = {"version": version, "event_types": {TYPE: SECOND | {"mood": "good"}}, "else": {}}
    assert read_state(state) == {TYPE: Progress(**SECOND)}
    (sentence,) = migrate(state)[1]
    assert f"mood of {TYPE}" in sentence and "else" in sentence


def test_a_page_cursor_in_version_2_is_not_known_there():
    assert f"rest of {TYPE}" in migrate({"version": 2, "event_types": {TYPE: {"rest": {}}}})[1][0]


@law
@given(STATES | TEXTS.map(lambda text: {"start_date": text}))
def test_what_was_migrated_and_read_is_migrated_again_without_a_change_or_a_word(state):
    try:
        progress, under_way = read_state(state), read_under_way(state)
    except StateError:
        return
    written = write_state(progress, under_way)
    assert migrate(written) == (written, [])
    migrated, said = migrate(state)
    assert migrated["version"] == 2 and read_state(migrated) == progress and read_under_way(migrated) == under_way
    assert migrate(migrated)[0] == migrated and set(migrate(migrated)[1]) <= set(said)


@law
@given(STATES)
def test_nothing_of_a_state_is_dropped_in_silence(state):
    try:
        _, said = migrate(state)
        known = write_state(read_state(state))
    except StateError:
        return
    told = " ".join(said)
    for name, saved in state.get("event_types", {}).items():
        for key, value in saved.items():
            kept = known["event_types"][name].get(key)
            assert kept == value or (key in told if key != "rest" else name in told) or len(told) > 400
    for key in set(state) - {"version", "event_types", "start_date", "under_way"}:
        assert key in told or len(told) > 400


# Cursors


@law
@given(PROGRESS, st.lists(st.tuples(st.sampled_from(["advance", "finish", "advance_gap", "finish_gap"]), MS, MS, MS)))
def test_the_cursor_never_moves_back(progress, steps):
    for step, start, occurred, read_at in steps:
        before = progress
        if step == "advance":
            progress = advance(progress, start, occurred, read_at)
            assert to_ms(progress.occurred) == max(occurred, to_ms(before.occurred or "1970-01-01"))
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


def test_behind_the_cursor_nothing_changes():
    progress = Progress(occurred=to_text(50), read_at=to_text(60), start_date=to_text(0))
    assert advance(progress, 0, 40, read_at=90) == progress


def test_an_interrupted_backfill_goes_on_where_it_was_and_a_finished_sync_looks_back():
    interrupted = advance(Progress(), 0, 1_000, read_at=1_000_000)
    assert main_span(interrupted, 0, lookback=500, now=2_000_000) == (1_000, None)
    finished = finish(advance(interrupted, 0, 999_990, read_at=1_000_000), 0, read_at=1_000_000)
    assert main_span(finished, 0, lookback=500, now=2_000_000) == (999_500, None)
    assert main_span(finished, 999_800, lookback=500, now=2_000_000) == (999_800, None)


def test_a_sync_without_news_looks_back_from_when_it_was_made():
    progress = finish(Progress(to_text(1_000), to_text(2_000), to_text(0)), 0, read_at=9_000)
    assert progress.read_at == to_text(9_000) and main_span(progress, 0, lookback=500, now=20_000) == (1_000, None)


def test_a_sync_that_was_made_after_now_had_a_wrong_clock_and_the_look_back_goes_by_now():
    progress = finish(advance(Progress(), 0, 9_000, read_at=90_000), 0, read_at=90_000)
    assert main_span(progress, 0, lookback=500, now=10_000) == (9_000, None)
    assert main_span(progress, 0, lookback=500, now=9_100) == (8_600, None)


def test_a_start_date_moved_earlier_is_read_first():
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


# A model: every millisecond is an event, and the test keeps which of them have been delivered

SYNC = st.tuples(
    MS,  # the start date
    st.integers(1, 15),  # how much later than the sync before
    st.booleans(),  # whether it is interrupted
    st.floats(0, 1),  # where, of all it has to read
    st.lists(st.floats(0, 1), max_size=4),  # where it saves, of what it reads
)


class Model:
    """A destination: it holds the milliseconds delivered, and what the state claims is held against it."""

    def __init__(self, progress, delivered):
        self.progress, self.delivered, self.now = progress, set(delivered), 60

    def sync(self, start, later, interrupted, share, saves, lookback):
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
        """Delivers [begin, stop) in order, and saves the cursor now and then: what is before it is delivered then."""
        for cursor in sorted(begin + int(share * (stop - begin)) for share in saves):
            self.delivered.update(range(begin, cursor))
            if kind == "gap":
                self.step(advance_gap, start, cursor)
            else:
                self.step(advance, start, cursor, self.now)
        self.delivered.update(range(begin, stop))

    def step(self, change, *arguments):
        self.progress = change(self.progress, *arguments)
        saved = json.loads(json.dumps(write_state({TYPE: self.progress})))
        self.progress = read_state(saved)[TYPE]
        self.check()

    def check(self):
        claimed = self.progress
        for begin, end in ((claimed.start_date, claimed.occurred), (claimed.gap_start, claimed.gap_occurred)):
            if begin is not None and end is not None:
                assert self.delivered.issuperset(range(to_ms(begin), to_ms(end)))


@settings(deadline=None, max_examples=400)
@given(st.none() | MS, st.integers(0, 30), st.lists(SYNC, min_size=1, max_size=8))
def test_the_state_claims_nothing_that_is_not_delivered_and_a_whole_sync_delivers_everything(cursor, lookback, syncs):
    first = {} if cursor is None else read_state({"start_date": to_text(cursor)})
    model = Model(first.get(TYPE, Progress()), range(cursor or 0))
    for start, *rest in syncs:
        if model.sync(start, *rest, lookback):
            assert model.delivered.issuperset(range(start, model.now))
