"""The stages: lazy, in order, nothing lost to a name, nothing saved before it is delivered."""
import copy
import itertools
import json
import subprocess
import sys
import tracemalloc
from collections import Counter
from pathlib import Path

import orjson
import pytest
from fivetran_connector_sdk_core.renaming import Renaming
from hypothesis import given, settings
from hypothesis import strategies as st
from toolz import pipe

from pipeline.moments import to_ms
from pipeline.names import ADDED, OWN
from pipeline.stages import (
    checkpoint_every,
    dedupe_by_id,
    emit_upserts,
    fetch_pages,
    flatten,
    serialize_lists,
    set_aside,
    unwrap_results,
)

law = settings(deadline=None, max_examples=100)
RULE = Renaming(True).column


def ignore(*_):
    return None


# Lazy, in order


def event(n):
    return {"id": str(n), "occurredAt": "2026-05-21T01:36:04Z", "properties": {"n": n}}


def page(n):
    return {"results": [event(3 * n), event(3 * n + 1), event(3 * n + 2)]}


STAGES = {
    "fetch_pages": (fetch_pages(lambda n: iter([page(n)])), lambda n: n, 1),
    "unwrap_results": (unwrap_results, page, 3),
    "set_aside": (set_aside(ignore), event, 1),
    "flatten": (flatten, event, 1),
    "serialize_lists": (serialize_lists, event, 1),
    "dedupe_by_id": (dedupe_by_id(5), event, 1),
    "emit_upserts": (emit_upserts(ignore), event, 1),
    "checkpoint_every": (checkpoint_every(2, ignore), event, 1),
}


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_reads_an_endless_stream_no_further_than_it_must(name):
    stage, source, per_item = STAGES[name]
    read = []
    stream = stage(read.append(n) or source(n) for n in itertools.count())
    assert read == []
    assert len(list(itertools.islice(stream, 7))) == 7
    assert len(read) == -(-7 // per_item)


def test_the_stages_together_are_lazy_and_keep_the_order():
    read, upserted = [], []
    rows = pipe(
        (read.append(n) or n for n in itertools.count()),
        fetch_pages(lambda n: [page(n)]),
        unwrap_results,
        set_aside(ignore),
        flatten,
        serialize_lists,
        dedupe_by_id(5),
        emit_upserts(upserted.append),
        checkpoint_every(2, ignore),
    )
    assert [row["id"] for row in itertools.islice(rows, 7)] == list("0123456")
    assert read == [0, 1, 2] and [row["n"] for row in upserted] == [*range(7)]


# set_aside


BAD_EVENTS = {
    "not an object": [None, 5, "event", [], [{"id": "a"}]],
    "no id": [{}, {"id": ""}, {"id": None}, {"id": {}, "occurredAt": "2026-05-21T01:36:04Z"}],
    "no occurredAt": [{"id": "a"}, {"id": "a", "occurredAt": ""}, {"id": "a", "occurredAt": None}],
    "unreadable occurredAt": [{"id": "a", "occurredAt": text} for text in ("yesterday", "2026-13-01", 5, True)],
}


@pytest.mark.parametrize("reason", BAD_EVENTS)
def test_what_cannot_be_a_row_is_set_aside_with_the_reason(reason):
    bad, good, rejected = BAD_EVENTS[reason], event(1), []
    assert list(set_aside(lambda *why: rejected.append(why))([good, *bad, good])) == [good, good]
    assert rejected == [(each, reason) for each in bad]


@pytest.mark.parametrize("occurred", [[], {}, ["2026-05-21T01:36:04Z"], {"value": 5}], ids=str)
def test_an_occurred_at_that_is_a_list_or_an_object_is_set_aside_too(occurred):
    rejected = []
    assert not list(set_aside(lambda *why: rejected.append(why))([{"id": "a", "occurredAt": occurred}]))
    assert rejected == [({"id": "a", "occurredAt": occurred}, "unreadable occurredAt")]


# flatten


TRICKY = [
    "id", "ID", "eventType", "event_type", "EventType", "occurredAt", "occurred", "objectId", "object_type", "a", "b", "a_b",
    "aB", "a.b", "", "_", "_fivetran_deleted", "_fivetran_synced", "properties", "properties_id", "1", "_1", "é", "e",
]  # fmt: skip
NAMES = st.sampled_from(TRICKY) | st.text(max_size=4)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=8
)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=8)


@st.composite
def events(draw):
    own = {"id": draw(st.text(max_size=4)), "occurredAt": "2026-05-21T01:36:04Z", "eventType": "e_a", "objectId": "1"}
    extra = {name: value for name, value in draw(OBJECTS).items() if name not in own}
    return {**extra, **own, "properties": draw(OBJECTS | SCALARS | st.lists(SCALARS, max_size=2))}


def leaves(value):
    """Every value that nests no object, once for each time it occurs; {} is one."""
    if isinstance(value, dict) and value:
        return [leaf for inner in value.values() for leaf in leaves(inner)]
    return [repr(value)]


@law
@given(events())
def test_flatten_loses_no_value_and_no_name_to_another(event):
    (row,) = flatten([event])
    occurred = row.pop("occurred")
    assert occurred == event["occurredAt"]
    assert Counter(leaf for value in row.values() for leaf in leaves(value)) == Counter(
        leaf for name, value in event.items() if name != "properties" or value != {} for leaf in leaves(value)
    )
    destination = [RULE(name) for name in (*row, *ADDED)]
    assert len(set(destination)) == len(destination)
    assert all(row[name] == event[name] for name in OWN if name in event)
    assert not any(isinstance(value, dict) and value for value in row.values())


@law
@given(events(), st.randoms(use_true_random=False))
def test_flatten_changes_nothing_it_is_given_and_knows_no_order_of_keys(event, dice):
    before = copy.deepcopy(event)
    (row,) = flatten([event])
    assert event == before

    def shuffled(value):
        if not isinstance(value, dict):
            return value
        return {name: shuffled(value[name]) for name in dice.sample(list(value), len(value))}

    other, again, once_more = flatten([shuffled(event), {"id": "between", "properties": {"a": {"b": 1}}}, event])
    assert other == once_more == row and list(once_more) == list(row) and again["a_b"] == 1


@pytest.mark.parametrize(
    "properties, columns",
    [
        ({"id": 1, "objectType": 2}, {"properties_id": 1, "properties_objectType": 2}),
        ({"eventType": 1, "event_type": 2}, {"properties_eventType": 1, "properties_properties_event_type": 2}),
        ({"a": {"b": 1}, "a_b": 2}, {"properties_a_b": 1, "a_b": 2}),
        ({"a": {"b": {"c": 1}, "d": {}, "e": []}}, {"a_b_c": 1, "a_d": {}, "a_e": []}),
        ({"occurred": 1, "_fivetran_deleted": 2}, {"properties_occurred": 1, "properties__fivetran_deleted": 2}),
        ({"hs_url": "", "x": None}, {"hs_url": "", "x": None}),
        (None, {"properties": None}),
        ([1], {"properties": [1]}),
    ],
)  # fmt: skip
def test_properties_lie_beside_the_events_own_fields(properties, columns):
    (row,) = flatten([{"id": "a", "occurredAt": "2026-05-21", "properties": properties}])
    assert row == {"id": "a", "occurredAt": "2026-05-21", "occurred": "2026-05-21"} | columns


def test_an_event_without_properties_is_a_row():
    assert list(flatten([{"id": "a"}])) == [{"id": "a", "occurred": None}]


def nested(levels, kind):
    value = 1
    for _ in range(levels):
        value = {"a": value} if kind is dict else [value]
    return value


@pytest.mark.parametrize("kind", [dict, list])
@pytest.mark.parametrize("levels", [30, 33, 200, 260])
def test_deep_nesting_becomes_text_and_keeps_its_value(levels, kind):
    (row,) = serialize_lists(flatten([{"id": "a", "properties": {"deep": nested(levels, kind)}}]))
    (name,) = set(row) - {"id", "occurred"}
    text, value = row[name], nested(levels, kind)
    for _ in name.split("_")[1:]:
        value = value["a"]
    assert (json.loads(text) if isinstance(text, str) else text) == value
    assert len(name) < 200


@pytest.mark.parametrize("kind", [dict, list])
def test_what_can_be_read_can_be_written(kind):
    bodies = {dict: b'{"a":' * 1010 + b"1" + b"}" * 1010, list: b"[" * 1010 + b"]" * 1010}
    (row,) = serialize_lists(flatten([{"id": "a", "properties": {"deep": orjson.loads(bodies[kind])}}]))
    (name,) = set(row) - {"id", "occurred"}
    assert row[name].count("{" if kind is dict else "[") in range(900, 1011)


# serialize_lists


@law
@given(OBJECTS | st.dictionaries(NAMES, st.sampled_from([["\ud83d"], {"a": [2**70]}, ["é", None], [[[]]]])))
def test_lists_and_objects_become_json_that_reads_back(row):
    before = copy.deepcopy(row)
    (out,) = serialize_lists([row])
    assert row == before and list(out) == list(row)
    for name, value in row.items():
        assert (json.loads(out[name]) if isinstance(value, (list, dict)) else out[name]) == value
        assert not isinstance(out[name], (list, dict))


# dedupe_by_id


@law
@given(st.lists(st.integers(0, 9)), st.integers(0, 12))
def test_dedupe_drops_only_what_is_among_the_last_ids_and_keeps_the_order(ids, window):
    passed = []
    for key in ids:
        if key not in passed[len(passed) - min(window, len(passed)) :]:
            passed.append(key)
    assert [row["id"] for row in dedupe_by_id(window)([{"id": key} for key in ids])] == passed


def test_rows_without_an_id_pass():
    rows = [{}, {}, {"id": None}, {"id": None}]
    assert list(dedupe_by_id(5)(rows)) == rows


@pytest.mark.parametrize("window, most", [(0, 100_000), (1_000, 1_000_000)])
def test_a_million_ids_take_the_memory_of_the_window(window, most):
    rows = dedupe_by_id(window)({"id": n} for n in range(1_000_000))
    for _ in itertools.islice(rows, 10 * window):
        pass
    tracemalloc.start()
    try:
        assert sum(1 for _ in rows) == 1_000_000 - 10 * window
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()


# emit_upserts and checkpoint_every


def at(second):
    return {"id": str(second), "occurred": f"2026-05-21T01:36:{second:02}Z"}


def recorded(n, rows):
    """What a sink sees: upserts and saves, in order; an error from above is one more."""
    seen = []
    stream = pipe(
        rows,
        emit_upserts(lambda row: seen.append(("upsert", row["id"]))),
        checkpoint_every(n, lambda occurred: seen.append(("save", occurred))),
    )
    try:
        for row in stream:
            seen.append(("out", row["id"]))
    except ValueError:
        seen.append(("error", None))
    return seen


def failing(rows):
    yield from rows
    raise ValueError("from above")


def test_a_row_is_upserted_before_it_is_handed_on():
    taken = []
    stream = emit_upserts(taken.append)([at(1), at(2)])
    for n, row in enumerate(stream, start=1):
        assert len(taken) == n and taken[-1] is row


def test_a_row_that_cannot_be_upserted_is_not_handed_on_and_saves_nothing():
    saved = []
    stream = checkpoint_every(1, saved.append)(emit_upserts(lambda row: 1 // 0)([at(1)]))
    with pytest.raises(ZeroDivisionError):
        next(stream)
    assert saved == []


@pytest.mark.parametrize("ending", [iter, failing])
@pytest.mark.parametrize("n", [1, 2, 3, 5, 100])
def test_the_cursor_is_saved_after_the_upserts_it_covers_every_n_rows_and_at_the_end(n, ending):
    seen = recorded(n, ending([at(second) for second in range(7)]))
    saves = [position for position, (what, _) in enumerate(seen) if what == "save"]
    assert len(saves) == -(-7 // n)
    for number, position in enumerate(saves, start=1):
        upserted = [key for what, key in seen[:position] if what == "upsert"]
        assert len(upserted) == min(7, number * n) and seen[position][1] == at(int(upserted[-1]))["occurred"]
    assert (seen[-1][0] == "error") == (ending is failing)


@pytest.mark.parametrize("rows", [[], failing([])])
def test_without_a_row_nothing_is_saved(rows):
    assert [what for what, _ in recorded(1, rows) if what == "save"] == []


def test_rows_without_a_moment_alone_save_nothing():
    assert [what for what, _ in recorded(1, [{"id": "a"}, {"id": "b", "occurred": None}]) if what == "save"] == []


def test_a_consumer_that_leaves_early_has_its_rows_saved():
    saved = []
    stream = checkpoint_every(100, saved.append)([at(1), at(2), at(3)])
    next(stream), next(stream)
    stream.close()
    assert saved == [at(2)["occurred"]]


def test_a_save_that_fails_is_not_tried_again():
    calls = []

    def save(occurred):
        calls.append(occurred)
        raise ValueError

    with pytest.raises(ValueError):
        list(checkpoint_every(2, save)([at(1), at(2), at(3)]))
    assert calls == [at(2)["occurred"]]


MOMENTS = st.integers(0, 3).map(lambda second: f"2026-05-21T01:36:0{second}")
SHAPES = st.sampled_from(["Z", ".5Z", ".500Z", ".499Z", ".000Z", ".999999Z"])


def check_saved(texts, n):
    saved = []
    list(checkpoint_every(n, saved.append)([{"occurred": text} for text in texts]))
    moments = [to_ms(text) for text in texts]
    latest = [max(moments[:end]) for end in [*range(n, len(texts), n), len(texts)] if texts]
    assert [to_ms(text) for text in saved] == latest and set(saved) <= set(texts)


@law
@given(st.lists(st.builds(str.__add__, MOMENTS, SHAPES)), st.integers(1, 4))
def test_the_cursor_saved_is_the_latest_of_all_shapes_and_never_moves_back(texts, n):
    check_saved(texts, n)


@pytest.mark.parametrize(
    "texts",
    [
        ["2026-05-21 23:00:00Z", "2026-05-21T01:00:00Z"],
        ["2026-05-21T23:00:00Z", "2026-05-21t01:00:00Z"],
        ["2026-05-21T01:36:04,900Z", "2026-05-21T01:36:04.100Z"],
    ],
)
def test_the_cursor_does_not_move_back_for_another_spelling_of_iso_8601(texts):
    check_saved(texts, 1)


# Without the SDK


def test_every_stage_runs_without_the_sdk():
    script = (
        "import sys\n"
        "for part in ('', '_core', '_cli'): sys.modules['fivetran_connector_sdk' + part] = None\n"
        "from pipeline import *\n"
        "rows = serialize_lists(flatten([{'id': 'a', 'occurredAt': '2026-05-21', 'properties': {'b': [1]}}]))\n"
        "print([row['b'] for row in rows])\n"
    )
    answer = subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parents[1], capture_output=True, text=True)
    assert answer.stdout.strip() == "['[1]']", answer.stderr
