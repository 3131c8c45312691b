"""Stretches: what they hold, when they are due, how they are merged and written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.audits.stretches import (
    ADOPTED,
    CELL,
    MODULUS,
    Stretch,
    complete_until,
    decode,
    encode,
    fingerprint,
    is_due,
    merge,
    midnight,
    next_age,
    split,
    uncounted,
)
from pipeline.timestamps import DAY

NOW = 400 * DAY + 5


AGES = st.sampled_from((ADOPTED, 1, 2, 64, 256))


@st.composite
def lists(draw, contiguous=True):
    begin, stretches = draw(st.integers(0, 300 * DAY)), []
    for _ in range(draw(st.integers(0, 30))):
        begin += 0 if contiguous else draw(st.sampled_from((0, 0, 7)))
        end = begin + draw(st.integers(1, 2 * CELL))
        age = draw(AGES)
        events, total = (
            (0, 0)
            if age == ADOPTED
            else (draw(st.integers(0, 2000)), draw(st.integers(0, MODULUS - 1)))
        )
        stretches.append(Stretch(begin, end, events, total, age))
        begin = end
    return stretches


@given(lists())
def test_stretches_are_written_and_read_as_they_are(stretches):
    assert decode(encode(stretches)) == stretches


@given(lists(contiguous=False))
def test_a_gap_is_read_as_a_stretch_that_was_not_counted(stretches):
    read = decode(encode(stretches))
    assert all(before.end == after.begin for before, after in zip(read, read[1:], strict=False))
    assert [stretch for stretch in read if stretch in stretches] == stretches
    assert all(not stretch.is_counted for stretch in read if stretch not in stretches)


@pytest.mark.parametrize(
    "text",
    ["x y", "1 2", "1 2.3.4", "1 2.3.AAAAAAAAAAc.!", "1 2.3.*.0", "ä", "1 2.3.AAAAAAAAAAc.0.9"],
)
def test_what_is_no_list_of_stretches_is_refused(text):
    with pytest.raises(ValueError):
        decode(text)


@given(lists(), st.integers(1, 40), st.integers(0, 500))
def test_merging_keeps_every_event_and_every_border_it_does_not_remove(stretches, most, fine):
    merged = merge(stretches, NOW, fine, most)
    assert sum(each.events for each in merged) == sum(each.events for each in stretches)
    assert (
        sum(each.total for each in merged) % MODULUS
        == sum(each.total for each in stretches) % MODULUS
    )
    assert {(each.begin, each.age) for each in merged} <= {
        (each.begin, each.age) for each in stretches
    }
    assert all(before.end == after.begin for before, after in zip(merged, merged[1:], strict=False))
    assert [each for each in merged if not each.is_counted] == [
        each for each in stretches if not each.is_counted
    ]
    for each in merged:
        inside = [stretch for stretch in stretches if each.begin <= stretch.begin < each.end]
        assert len(inside) == 1 or each.end - each.begin <= max(CELL, (NOW - each.end) / 4)


@pytest.mark.parametrize("per_cell", [0, 5, 100, 10_000])
def test_few_stretches_are_kept_whatever_the_volume(per_cell):
    """Of 256 days: the younger, the finer."""
    begins = range(144 * DAY, 400 * DAY, CELL)
    cells = [
        Stretch(begin, begin + CELL, per_cell, per_cell, next_age(begin + CELL, NOW))
        for begin in begins
    ]
    merged = merge(cells, NOW, 250, 60)
    assert len(merged) <= 60 and merged[-1].end - merged[-1].begin <= CELL
    widths = [each.end - each.begin for each in merged]
    assert max(widths[:5]) > 4 * max(widths[-5:])


def test_an_event_is_audited_at_each_age_once():
    """Whoever reads a stretch as soon as it is due reads it at an age of 1, 2, 4, … days, to the
    next midnight.
    """
    stretch, read_at = Stretch(0, 3 * CELL, 1, 1, next_age(3 * CELL, CELL * 4)), []
    for now in range(DAY, 300 * DAY, CELL):
        if is_due(stretch, now):
            read_at.append(now // DAY)
            stretch = stretch._replace(age=next_age(stretch.end, now))
    assert read_at == [2, 3, 5, 9, 17, 33, 65, 129, 257]


def test_ages_that_were_past_when_it_was_delivered_are_skipped():
    assert next_age(0, 100 * DAY) == 128


@given(lists())
def test_complete_until_is_the_beginning_of_the_first_that_is_due(stretches):
    until = complete_until(stretches, NOW, NOW)
    assert not any(is_due(each, NOW) for each in stretches if each.begin < until)
    assert until == NOW or any(each.begin == until and is_due(each, NOW) for each in stretches)


@given(lists(), st.integers(0, 400 * DAY))
def test_the_parts_of_a_split_stretch_differ_from_whatever_is_counted(stretches, at):
    for each in stretches:
        if each.begin < at < each.end:
            first, second = split(each, at)
            assert (first.begin, first.end, second.begin, second.end) == (
                each.begin,
                at,
                at,
                each.end,
            )
            for part in (first, second):
                assert not part.is_counted or (
                    part.is_unsettled and not part.holds_the_same_as(Stretch(0, 1, 0, 0, 1))
                )
                assert decode(encode([part])) == [part]


def test_time_that_was_not_counted_is_due_at_once():
    assert is_due(uncounted(0, 5), 5) and midnight(5 * DAY + 7) == 5 * DAY


def test_a_fingerprint_depends_on_id_and_object_and_survives_any_text():
    one, merged, other = (
        {"id": "a", "objectId": "1"},
        {"id": "a", "objectId": "2"},
        {"id": "b", "objectId": "1"},
    )
    assert len({fingerprint(each) for each in (one, merged, other)}) == 3
    assert fingerprint(one) == fingerprint({**one, "properties": {"x": "y"}}) < MODULUS
    assert fingerprint({"id": "\ud83d"}) and fingerprint({"id": 7}) and fingerprint({})
