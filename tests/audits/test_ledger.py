"""The ledger: what it holds is what was delivered behind the watermark, in stretches of a quarter
of a page or of a day.
"""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pipeline.audits.ledger import Ledger
from pipeline.audits.recount import Recount
from pipeline.audits.stretches import CELL, fingerprint
from pipeline.timestamps import DAY, to_text

NOW = 30 * DAY
EVENTS = st.lists(st.integers(0, 30 * DAY) | st.integers(0, 50) | st.just(CELL), max_size=80)


def event(n, ms):
    return {
        "id": f"id-{n}",
        "objectId": "1",
        "occurredAt": to_text(ms),
        "properties": {"hs_long": "x" * 50, "hs_s": "1"},
    }


def ledger(stretches=(), begin=0, fine=4, most=500, before=NOW):
    return Ledger(list(stretches), begin, NOW, fine, most, 0, lambda: before)


def truth(events, begin, end):
    inside = [fingerprint(each) for ms, each in events if begin <= ms < end]
    return len(inside), sum(inside) % 2**64


def assert_holds(stretches, events, begin, end):
    assert not stretches or (stretches[0].begin, stretches[-1].end) == (begin, end)
    assert all(before.end == after.begin for before, after in pairwise(stretches))
    for each in stretches:
        assert (each.events, each.total) == truth(events, each.begin, each.end)


@given(EVENTS, st.lists(st.integers(0, 30 * DAY), max_size=6), st.randoms())
def test_each_stretch_holds_what_was_added_of_it_in_any_order(moments, watermarks, random):
    events = [(ms, event(n, ms)) for n, ms in enumerate(moments)]
    kept, added = ledger(), []
    for watermark in [*sorted(watermarks), NOW]:
        batch = [each for each in events if each[0] < watermark and each not in added]
        ahead = [
            each
            for each in events
            if each[0] >= watermark and random.random() < 0.2 and each not in added
        ]
        for each in random.sample(batch + ahead, len(batch + ahead)):
            kept.add(each[1])
            added.append(each)
        kept.close(watermark)
        assert_holds(kept.until(watermark), events, 0, watermark)


@given(EVENTS, st.integers(0, 30 * DAY), st.integers(0, 5 * DAY))
def test_a_sync_continues_where_the_one_before_ended(moments, middle, lookback):
    """It reads the look-back again, and counts it once."""
    events = [(ms, event(n, ms)) for n, ms in enumerate(moments)]
    first = ledger()
    for ms, each in events:
        if ms < middle:
            first.add(each)
    earlier = first.until(middle)
    second = ledger(earlier, max(0, middle - lookback))
    for ms, each in events:
        if ms >= middle - lookback:
            second.add(each)
    assert second.until(middle) == earlier
    if middle < NOW:
        assert_holds(second.until(NOW), events, 0, NOW)


def test_a_stretch_is_a_quarter_of_a_day_or_as_many_events_as_fill_it():
    begin = NOW - 6 * CELL
    kept = ledger(begin=begin, fine=4)
    for n in range(10):
        kept.add(event(n, begin + n))
    kept.add(event(10, begin + 5 * CELL + 3))
    stretches = kept.until(NOW)
    assert [each.events for each in stretches[:3]] == [4, 4, 2] and sum(
        each.events for each in stretches
    ) == 11
    assert all(each.begin // CELL == (each.end - 1) // CELL for each in stretches[:3])


def test_what_the_next_sync_reads_again_is_not_counted_yet():
    kept = ledger(before=1000)
    for n, ms in enumerate((999, 1000, 1001)):
        kept.add(event(n, ms))
    assert [each.events for each in kept.until(1000)] == [1]


def test_what_the_api_repeats_is_counted_once():
    kept = ledger()
    for _ in range(3):
        kept.add(event(1, 5))
    assert sum(each.events for each in kept.until(NOW)) == 1


def test_what_is_older_than_any_audit_is_not_kept():
    kept = Ledger([], 0, NOW, 4, 500, NOW - 7 * DAY, lambda: NOW)
    for n in range(30):
        kept.add(event(n, n * DAY))
    assert kept.until(NOW)[0].begin == NOW - 7 * DAY


def test_a_property_with_a_short_value_is_remembered():
    kept = ledger()
    kept.add(event(1, 5))
    assert kept.small_property == "hs_s"


@given(EVENTS)
def test_a_recount_of_the_same_events_finds_the_same(moments):
    kept = ledger()
    for n, ms in enumerate(moments):
        kept.add(event(n, ms))
    stretches = kept.until(NOW)
    recount = Recount(stretches)
    for n, ms in reversed([*enumerate(moments)]):
        recount.add(event(n, ms))
        recount.add(event(n, ms))
    assert recount.stretches() == stretches
