"""From rows to the destination: each once, and no cursor is saved before the rows it covers are delivered."""

import itertools
import tracemalloc

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from toolz import pipe

from pipeline.stages.emit import checkpoint_every, dedupe_by_id, emit_upserts, first_by_id
from pipeline.timestamps import to_ms
from tests.stages.rows import law

# dedupe_by_id and first_by_id


@law
@given(st.lists(st.none() | st.integers(0, 9)), st.integers(0, 12))
def test_a_row_is_dropped_only_if_it_has_an_id_that_is_among_the_last(ids, window):
    passed = []
    for key in ids:
        known = [each for each in passed if each is not None]
        if key is None or key not in known[len(known) - min(window, len(known)) :]:
            passed.append(key)
    for stage in (dedupe_by_id(window), first_by_id(window)):
        assert [row["id"] for row in stage([{"id": key} for key in ids])] == passed


@law
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2))), st.booleans())
def test_of_rows_with_one_id_the_last_is_kept_by_one_stage_and_the_first_by_the_other(pairs, nested):
    rows = [{"id": key, "n": {"a": n} if nested else n} for key, n in pairs]
    assert {row["id"]: row for row in dedupe_by_id(5)(rows)} == {row["id"]: row for row in rows}
    first = list(first_by_id(5)(rows))
    assert {row["id"]: row for row in first} == {row["id"]: row for row in reversed(rows)}
    assert len(first) == len({row["id"] for row in rows})


def test_a_row_is_emitted_again_only_if_it_has_changed():
    of = ({"n": 1}, {"n": 1}, {"n": 2}, {"m": 2}, {"m": 2}, {"m": True}, {"m": 2**70})
    rows = [{"id": 1, **fields} for fields in of]
    assert list(dedupe_by_id(5)(rows)) == [rows[0], rows[2], rows[3], rows[5], rows[6]]


@pytest.mark.parametrize("stage", [dedupe_by_id, first_by_id])
def test_many_ids_take_no_more_memory_than_the_window(stage):
    """A megabyte, with what the threads of other tests allocate meanwhile; the ids alone would take five."""
    rows = stage(1_000)({"id": n} for n in range(110_000))
    for _ in itertools.islice(rows, 10_000):
        pass
    tracemalloc.start()
    try:
        assert sum(1 for _ in rows) == 100_000
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


# emit_upserts and checkpoint_every


def at(second):
    return {"id": str(second), "occurred": f"2026-05-21T01:36:{second:02}Z"}


def operations(n, rows):
    """The upserts and saves that a sink sees, and the rows that leave, in order; an error of the rows is one more."""
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


@pytest.mark.parametrize("ending", [iter, failing])
@pytest.mark.parametrize("n", [1, 2, 3, 5, 100])
def test_a_row_is_upserted_before_it_leaves_and_the_cursor_saved_every_n_rows_and_at_the_end(n, ending):
    expected = []
    for second in range(7):
        save = [("save", at(second)["occurred"])]
        expected += [("upsert", str(second)), *save * ((second + 1) % n == 0), ("out", str(second))]
        expected += save * (second == 6 and 7 % n > 0)
    assert operations(n, ending(map(at, range(7)))) == expected + [("error", None)] * (ending is failing)


@pytest.mark.parametrize("rows", [[], failing([]), [{"id": "a"}, {"id": "b", "occurred": None}]])
def test_nothing_is_saved_without_a_row_that_has_a_date(rows):
    assert [what for what, _ in operations(1, rows) if what == "save"] == []


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


SECONDS = st.integers(0, 3).map(lambda second: f"2026-05-21T01:36:0{second}")
ENDINGS = st.sampled_from(["Z", ".5Z", ".500Z", ".499Z", ".000Z", ".999999Z"])


@law
@given(st.lists(st.builds(str.__add__, SECONDS, ENDINGS)), st.integers(1, 4))
@example(["2026-05-21 23:00:00Z", "2026-05-21T01:00:00Z"], 1)
@example(["2026-05-21T23:00:00Z", "2026-05-21t01:00:00Z"], 1)
@example(["2026-05-21T01:36:04,900Z", "2026-05-21T01:36:04.100Z"], 1)
def test_the_saved_cursor_is_the_latest_however_dates_are_spelled_and_never_moves_back(texts, n):
    saved = []
    list(checkpoint_every(n, saved.append)([{"occurred": text} for text in texts]))
    moments = [to_ms(text) for text in texts]
    latest = [max(moments[:end]) for end in [*range(n, len(texts), n), len(texts)] if texts]
    assert [to_ms(text) for text in saved] == latest and set(saved) <= set(texts)
