"""The saved state: its shape, its migrations from every older version, and what is refused."""

import copy
import json
from dataclasses import fields
from itertools import cycle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.connection.spans import main_span
from pipeline.connection.state import Progress, migrate, progress_by_type, read_under_way, state_dict
from pipeline.errors import StateError
from pipeline.timestamps import to_ms, to_text
from tests.support import TYPE

SIGNUP, URL = "pe1_signup", "https://api.hubapi.com"
PLACE = {
    "occurred": "2026-05-21T01:36:04.329Z", "read_at": "2026-05-21T01:40:00.000Z", "start_date": "2026-01-01T00:00:00.000Z",
}  # fmt: skip
DATES = [field.name for field in fields(Progress) if field.name not in ("fingerprint", "ledger")]
TEXTS = st.integers(0, 60).map(to_text) | st.integers(0, 3).map(lambda second: f"1970-01-01T00:00:0{second}Z")


def read(state):
    return progress_by_type(migrate(state)[0])


# What is refused


@pytest.mark.parametrize("version", [6, 99])
def test_a_newer_version_is_refused_with_what_to_do(version):
    with pytest.raises(StateError, match=rf"version {version}.*knows up to 5.*newer.*[Dd]eploy.*re-sync"):
        migrate({"version": version, "event_types": {}})


BROKEN = {
    "no version": {"event_types": {}},
    "no event types": {"version": 4},
    "a version that is a text": {"version": "3", "event_types": {}},
    "a version that is a bool": {"version": True, "event_types": {}},
    "a version that is too low": {"version": 0, "event_types": {}},
    "event types in a list": {"version": 4, "event_types": [TYPE]},
    "progress that is not an object": {"version": 4, "event_types": {TYPE: "2026-05-21"}},
    "progress of version 1 that is not an object": {"version": 1, "event_types": {TYPE: "2026-05-21"}},
    "api_base_url that is not a string": {"version": 4, "event_types": {}, "api_base_url": 5},
    "made_against that is not a string": {"version": 1, "event_types": {}, "made_against": 5},
    "fingerprint that is not a string": {"version": 4, "event_types": {TYPE: {"fingerprint": 5}}},
    "a ledger that is not a string": {"version": 5, "event_types": {TYPE: {"ledger": ["a"]}}},
    "version 2, never released": {"version": 2, "event_types": {TYPE: {}}},
    "version 3, never released": {"version": 3, "event_types": {TYPE: {}}},
    "made_under of version 1 that is not a string": {"version": 1, "event_types": {TYPE: {"made_under": 5}}},
    "the example's with more": {"start_date": "2026-05-21T01:36:04Z", "end_date": "2026-05-21T01:36:04Z"},
    "something else": {"cursor": 5},
} | {
    f"{name} {value!r}": {"version": version, "event_types": {TYPE: {name: value}}}
    for version, name in zip(cycle((1, 4, 5)), DATES, strict=False)
    for value in ("soon", "", 5, [], {}, ["2026-05-21T01:36:04Z"])
} | {
    f"the example's with the date {value!r}": {"start_date": value} for value in ("yesterday", [], {}, ["2026-05-21T01:36:04Z"])
}  # fmt: skip


@pytest.mark.parametrize("state", BROKEN.values(), ids=BROKEN)
def test_a_broken_state_is_refused_with_what_to_do(state):
    with pytest.raises(StateError, match="(?s)saved state cannot be used.*last good sync.*re-sync"):
        read(state)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)
SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | TEXTS


def states(versions, fingerprint, api_base_url):
    """States of these versions, which call two of their fields so, with valid, broken and unknown fields."""
    progress = st.dictionaries(
        st.sampled_from([*DATES, "rest"]) | st.text(max_size=3), SCALARS
    ) | st.fixed_dictionaries({}, optional=dict.fromkeys(DATES, TEXTS) | {fingerprint: SCALARS})
    return st.fixed_dictionaries(
        {"version": versions, "event_types": st.dictionaries(st.text(max_size=3), progress | SCALARS)},
        optional={"under_way": JSON, api_base_url: st.text(max_size=5) | JSON, "else": JSON},
    )


STATES = (
    states(st.just(1), "made_under", "made_against")
    | states(st.sampled_from([4, 5]), "fingerprint", "api_base_url")
    | states(st.integers(-1, 6) | st.none(), "fingerprint", "made_against")
)
EXAMPLES = (TEXTS | JSON).map(lambda date: {"start_date": date})


@given(STATES | EXAMPLES | st.dictionaries(st.text(max_size=3), JSON))
def test_any_state_is_refused_or_read_and_says_of_each_field_that_is_left_out(state):
    """And is never changed. What is written then reads the same, and needs no migration."""
    before = copy.deepcopy(state)
    try:
        migrated, sentences = migrate(state)
        progress, under_way = progress_by_type(migrated), read_under_way(migrated)
    except StateError as error:
        assert "re-sync" in str(error)
        return
    finally:
        assert repr(state) == repr(before)
    written = state_dict(progress, under_way, migrated.get("api_base_url"))
    assert migrate(written) == (written, []) and written["version"] == migrated["version"] == 5
    assert (progress_by_type(written), read_under_way(written)) == (progress, under_way)
    if "version" in state:
        assert_nothing_is_lost_in_silence(state, written, " ".join(sentences))


def assert_nothing_is_lost_in_silence(state, written, log):
    is_renamed = state["version"] not in (4, 5)
    names = {"made_under": "fingerprint", "made_against": "api_base_url"} if is_renamed else {}
    for event_type, saved in state["event_types"].items():
        for key, value in saved.items():
            kept = written["event_types"][event_type].get(names.get(key, key)) == value
            assert kept or (event_type if key == "rest" else key) in log or len(log) > 400
    for key in set(state) - {"version", "event_types", "under_way"}:
        assert written.get(names.get(key, key)) == state[key] or key in log or len(log) > 400


# This version


OTHERS = dict.fromkeys(("fingerprint", "ledger"), st.none() | st.text())
PROGRESS = st.builds(Progress, **dict.fromkeys(DATES, st.none() | TEXTS), **OTHERS)


@given(
    st.dictionaries(st.text(max_size=3), PROGRESS, min_size=1, max_size=3), st.none() | st.text(), st.none() | st.text()
)
def test_a_written_state_survives_json_and_is_read_as_it_was(progress, under_way, api_base_url):
    written = state_dict(progress, under_way, api_base_url)
    saved = json.loads(json.dumps(written))
    assert migrate(saved) == (written, []) and saved["version"] == 5
    read_again = progress_by_type(saved), read_under_way(saved), saved.get("api_base_url")
    assert read_again == (progress, under_way, api_base_url)


@pytest.mark.parametrize("version, key", [
    (1, "mood"), (4, "mood"), (5, "mood"), (4, "rest"), (5, "rest"), (5, "made_under"), (5, "stretches"),
])  # fmt: skip
def test_an_unknown_field_is_left_out_and_logged_and_one_of_an_older_version_is_unknown_in_a_later_one(version, key):
    state = {"version": version, "event_types": {TYPE: PLACE | {key: "good"}}, "else": {}}
    assert read(state) == {TYPE: Progress(**PLACE)}
    (sentence,) = migrate(state)[1]
    assert f"{key} of {TYPE}" in sentence and "else" in sentence


# From version 0: the published example's, or none at all


def test_an_empty_state_is_a_first_sync():
    assert migrate({}) == ({"version": 5, "event_types": {}}, [])


def test_the_state_of_the_published_example_becomes_the_cursor_of_its_one_table():
    state, sentences = migrate({"start_date": "2026-05-21T01:36:04.329Z"})
    assert state == {"version": 5, "event_types": {TYPE: {"occurred": "2026-05-21T01:36:04.329Z"}}}
    (sentence,) = sentences
    assert "before 2026-05-21T01:36:04.329Z counts as delivered" in sentence and "read-again" in sentence
    span = main_span(progress_by_type(state)[TYPE], 0, 60_000, to_ms("2027-01-01"))
    assert span == (to_ms("2026-05-21T01:36:04.329Z"), None)


# From version 1, of release 1.0.0: a state that it saved when it was killed inside a millisecond of
# many pages

VERSION_1 = {
    "version": 1,
    "event_types": {
        TYPE: {
            "occurred": "2026-04-30T23:34:37.529Z", "read_at": "2026-05-02T13:43:48.997Z",
            "start_date": "2026-01-01T00:00:00.000Z", "finished_at": "2026-05-02T13:43:48.997Z",
            "made_under": "object_type CONTACT",
        },
        SIGNUP: {
            "occurred": "2026-03-02T00:00:00.000Z", "read_at": "2026-05-02T13:43:48.998Z",
            "start_date": "2026-01-01T00:00:00.000Z", "made_under": "object_type CONTACT",
            "rest": {"start": 1772409600000, "end": 1777729428998, "after": "MTc3MjQwOTYwMDAwMHwwLTF8MTM5", "restarts": 0},
        },
    },
    "under_way": SIGNUP,
}  # fmt: skip


def test_version_1_keeps_everything_but_its_page_cursors_which_are_logged():
    state, sentences = migrate(VERSION_1)
    names = {"made_under": "fingerprint"}
    kept = {
        event_type: {names.get(key, key): value for key, value in progress.items() if key != "rest"}
        for event_type, progress in VERSION_1["event_types"].items()
    }
    assert state == {"version": 5, "event_types": kept, "under_way": SIGNUP}
    (sentence,) = sentences
    assert SIGNUP in sentence and TYPE not in sentence and "read again" in sentence
    assert main_span(progress_by_type(state)[SIGNUP], 0, 0, to_ms("2027-01-01")) == (to_ms("2026-03-02"), None)


def test_version_1_without_page_cursors_is_migrated_without_a_line_in_the_log():
    state = {"version": 1, "event_types": {TYPE: PLACE, SIGNUP: PLACE | {"rest": None}}, "under_way": TYPE}
    assert migrate(state) == ({"version": 5, "event_types": {TYPE: PLACE, SIGNUP: PLACE}, "under_way": TYPE}, [])


@pytest.mark.parametrize("order", [1, -1])
def test_a_new_name_beside_the_old_one_is_left_out_and_reported(order):
    def ordered(old, new):
        return dict([*old.items(), *new.items()][::order])

    kept, lost = {"made_under": "object_type CONTACT"}, {"fingerprint": "another"}
    types = {TYPE: PLACE | ordered(kept, lost), SIGNUP: PLACE | lost}
    origin = ordered({"made_against": URL}, {"api_base_url": "https://another.example"})
    state, (sentence,) = migrate({"version": 1, "event_types": types, **origin})
    progress = progress_by_type(state)
    assert (progress[TYPE].fingerprint, state["api_base_url"]) == (kept["made_under"], URL)
    assert progress[SIGNUP].fingerprint == "another"
    assert "does not know" in sentence and f"fingerprint (beside made_under) of {TYPE}" in sentence
    assert "api_base_url (beside made_against)" in sentence and SIGNUP not in sentence


# From version 4, never released: what it counted is not read any more


def test_version_4_loses_what_it_counted_and_keeps_the_rest():
    kept = PLACE | {"fingerprint": "object_type CONTACT"}
    types = {TYPE: kept | {"stretches": "mjuohs00 1ffuo0.o.KwYRuxBn2jU.4"}, SIGNUP: kept}
    state, sentences = migrate({"version": 4, "event_types": types, "api_base_url": URL})
    assert state["event_types"] == {TYPE: kept | {"ledger": ""}, SIGNUP: kept}
    assert (state["version"], state["api_base_url"], sentences) == (5, URL, [])
