"""Cells: when they are due, how they are joined and cut, and how they are written."""

from contextlib import suppress
from types import SimpleNamespace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.audits.cells import FEW, FULL, SETTLED, Cell, Kind, clip, complete_until, is_due, merge, splice, width
from pipeline.audits.count import Count, Found, Recount
from pipeline.audits.difference import to_write
from pipeline.audits.subject import with_possible_days
from pipeline.audits.text import decode, encode
from pipeline.fingerprints import EMPTY, MODULUS, MOST_BUCKETS, Sum, fingerprint
from pipeline.timestamps import DAY, MINUTE, to_text

NOW, QUARTER = 400 * DAY + 5, 15 * MINUTE


@st.composite
def lists(draw):
    """Contiguous cells, as they may be in a state."""
    begin, cells = draw(st.integers(0, 500)) * QUARTER + 100 * DAY, []
    for _ in range(draw(st.integers(0, 30))):
        end = begin + draw(st.sampled_from((1, QUARTER, DAY // 4, DAY)))
        kind, events = draw(st.sampled_from(Kind)), draw(st.sampled_from((0, 0, 1, 90, 3000)))
        is_counted = kind in (Kind.DELIVERED, Kind.FELL, Kind.LOOKED) and events
        total = Sum(events, draw(st.integers(0, MODULUS - 1))) if is_counted else EMPTY
        buckets = tuple(range(MOST_BUCKETS)) if is_counted else ()
        due = draw(st.integers(401, 403)) if kind in (4, 5, 6) else 0
        cells.append(Cell(begin, end, kind, due, total, buckets))
        begin = end
    return cells


def test_the_numbers_of_kinds_are_saved_so_they_stay():
    assert {kind.name: int(kind) for kind in Kind} == {
        "UNREAD": 0, "UNCOUNTED": 1, "LOST": 2, "SILENT": 3, "DELIVERED": 4, "FELL": 5, "LOOKED": 6, "DONE": 7,
    }  # fmt: skip


@given(lists())
def test_cells_are_written_and_read_as_they_are(cells):
    assert decode(encode(cells)) == cells


@given(lists(), st.data())
def test_a_text_that_was_changed_is_refused_or_read_as_it_was(cells, data):
    text = encode(cells)
    place = data.draw(st.integers(0, len(text) - 1))
    changed = text[:place] + data.draw(st.sampled_from("Aé.")) + text[place + 1 :]
    with suppress(ValueError):
        assert decode(changed) == cells


@given(lists(), st.integers(0, 4))
def test_joining_keeps_every_event_and_what_is_owed(cells, coarser):
    merged = merge(cells, NOW, 1000, coarser)
    assert all(one.end == other.begin for one, other in zip(merged, merged[1:], strict=False))
    assert sum(c.sum.events for c in merged) == sum(c.sum.events for c in cells)
    assert sum(c.sum.total for c in merged) % MODULUS == sum(c.sum.total for c in cells) % MODULUS
    for each in cells:
        if each.kind not in SETTLED:
            (at,) = [c for c in merged if c.begin <= each.begin < c.end]
            assert (at.kind, at.due) == (each.kind, each.due)


@pytest.mark.parametrize("each, cells", [(511, 1), (512, 2)])
def test_cells_of_few_events_are_longer(each, cells):
    """Of fewer than 32 for each quarter of a day in eight days."""
    begin, length = 96 * DAY, DAY // 4
    parts = [Cell(begin + n * length, begin + (n + 1) * length, Kind.LOOKED, 402, Sum(each, 7)) for n in range(2)]
    assert len(merge(parts, NOW, 1000)) == cells


@pytest.mark.parametrize("days, length, events, kept", [
    (1, QUARTER, FEW - 1, 0), (1, QUARTER, FEW, 8), (1, QUARTER, FULL, 8),
    (1, QUARTER // 3, FEW - 1, 8),  # a part of a cell may still join others
    (40, DAY // 4, FULL - 1, 8), (40, DAY // 4, FULL, 32),  # rows that are billed again
])  # fmt: skip
def test_so_many_buckets_are_kept_of_a_cell(days, length, events, kept):
    begin = 400 * DAY - days * DAY
    cell = Cell(begin, begin + length, Kind.LOOKED, 402, Sum(events, 7), tuple(range(1, 33)))
    (merged,) = merge([cell], NOW, 1000)
    assert merged.buckets == tuple(sum(range(1, 33)[n::kept]) for n in range(kept)) and merged.sum == cell.sum


def test_two_parts_join_only_if_both_were_looked_at_or_are_due_on_one_day():
    def joined(first, second):
        parts = [Cell(0, 9, *first, Sum(1, 1)), Cell(9, QUARTER, *second, Sum(1, 2))]
        merged = merge(parts, DAY, 256)
        assert merged[0].due == min(first[1], second[1]) or len(merged) == 2
        return len(merged) == 1

    assert joined((Kind.DELIVERED, 2), (Kind.DELIVERED, 2))
    assert not joined((Kind.DELIVERED, 2), (Kind.DELIVERED, 3))
    assert not joined((Kind.LOOKED, 2), (Kind.DELIVERED, 2))
    assert joined((Kind.LOOKED, 2), (Kind.LOOKED, 4)) and joined((Kind.LOOKED, 4), (Kind.LOOKED, 2))
    assert not joined((Kind.FELL, 2), (Kind.FELL, 2))


@given(lists(), st.integers(100 * DAY, 110 * DAY), st.integers(1, DAY))
def test_what_is_cut_is_lost_and_nothing_else_changes(cells, begin, length):
    parts = clip(cells, begin, begin + length)
    for part in parts:
        (whole,) = [c for c in cells if c.begin <= part.begin and part.end <= c.end]
        is_counted = whole.kind in (Kind.DELIVERED, Kind.FELL, Kind.LOOKED) and whole.sum.events
        assert part == whole or (part.kind == Kind.LOST if is_counted else part.kind == whole.kind)
    new = [Cell(begin, begin + length, Kind.DONE)]
    assert new[0] in splice(cells, new)


@pytest.mark.parametrize("end, latest", [(400, 402), (398, 404), (380, 422)])
def test_a_wrong_clock_sets_no_look_later_than_at_twice_the_age(end, latest):
    site = SimpleNamespace(today=lambda: 400)
    cells = [Cell(0, end * DAY, Kind.LOOKED, due) for due in (latest - 1, latest, latest + 9)]
    assert [cell.due for cell in with_possible_days(site, cells)] == [latest - 1, latest, latest]


@given(lists())
def test_complete_until_is_the_beginning_of_the_first_not_looked_at_twice_or_due(cells):
    until = complete_until(cells, NOW, 402)
    assert all(c.kind in SETTLED and not is_due(c, 402) for c in cells if c.begin < until)


def event(n, ms):
    return {"id": f"id-{n}", "objectId": "1", "occurredAt": to_text(ms)}


MOMENTS = st.lists(st.integers(0, 30 * DAY) | st.integers(0, 50) | st.just(QUARTER), max_size=80)


@given(MOMENTS, st.lists(st.integers(0, 30 * DAY), max_size=6), st.randoms())
def test_each_cell_holds_what_was_added_of_it_in_any_order(moments, watermarks, random):
    events = [(ms, event(n, ms)) for n, ms in enumerate(moments)]
    born = (Kind.DELIVERED, 31)
    count, once = (Count(0, lambda end: width(end, 30 * DAY, 256), lambda end: born, page=20) for _ in "ab")
    added = []
    for watermark in [*sorted(watermarks), 31 * DAY]:
        batch = [each for each in events if each[0] < watermark and each not in added]
        for each in random.sample(batch, len(batch)):
            count.add(each[1])
            count.add(each[1])
            once.add(each[1])
            added.append(each)
        count.close(watermark)
        once.close(watermark)
        cells = count.cells()
        assert cells == once.cells()
        assert not cells or (cells[0].begin, cells[-1].end) == (0, watermark)
        for cell in cells:
            inside = [fingerprint(e) for ms, e in events if cell.begin <= ms < cell.end]
            assert cell.sum == Sum(len(inside), sum(inside) % MODULUS)
            length = width(cell.begin, 30 * DAY, 256)
            assert not inside or (cell.end - 1) // length == cell.begin // length, "a calendar's"
    recount = Recount(cells)
    for _, each in reversed(events):
        recount.add(each)
        recount.add(each)
    for cell, found in zip(cells, recount.found(), strict=True):
        assert (cell.sum, cell.buckets) == (found.sum, found.buckets)


@pytest.mark.parametrize("page, ms, is_silence", [(20, 1_909_092, False), (20, 1_909_093, True), (23, DAY - 1, False)])
def test_a_gap_that_would_hold_a_page_at_the_density_of_the_rest_is_silence(page, ms, is_silence):
    """Of less than a page, no density is known."""
    count = Count(0, lambda end: DAY, lambda end: (Kind.DELIVERED, 31), page=page)
    for n, at in enumerate([*range(0, 950_001, 50_000), 1_000_000, ms]):
        count.add(event(n, at))
    count.close(ms + 1)
    assert any(cell.kind == Kind.SILENT for cell in count.cells()) == is_silence


@example(4_100, 1, 1, 0)  # one by one, however many there are
@given(st.integers(0, 400), st.integers(0, 40), st.sampled_from((0, 1, 8, 32)), st.integers())
def test_the_difference_tells_the_new_events_and_no_event_is_left_out(before, late, kept, seed):
    numbers = [fingerprint({"id": f"{seed}-{n}"}) for n in range(before + late)]
    old, new = set(numbers[:before]), set(numbers[before:])
    sums = Found(old)
    folded = tuple(sum(sums.buckets[n::kept]) % 2**32 for n in range(kept)) if kept and old else ()
    cell = Cell(0, QUARTER, Kind.LOOKED, 5, sums.sum, folded)
    written = to_write(cell, Found(old | new), is_fall=False)
    assert new <= written <= old | new
    if late <= 2:
        assert written == new


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "eJw=.AAAA", "ä.ö"])
def test_what_is_no_list_of_cells_is_refused(text):
    with pytest.raises(ValueError):
        decode(text)


def test_what_a_second_walk_repeats_counts_once_however_much_it_is():
    """A window is released while it is read, and may be walked again as a whole."""
    count = Count(0, lambda end: DAY, lambda end: (Kind.DELIVERED, 31))
    recount = Recount([Cell(0, 1000, Kind.DELIVERED)])
    for each in (count, recount):
        for n in [*range(50_000), *range(50_000)]:
            each.add(event(n, n % 1000))
    count.close(1000)
    (cell,), (found,) = count.cells(), recount.found()
    assert cell.sum == found.sum and cell.sum.events == 50_000
