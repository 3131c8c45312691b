"""What a sync reports of itself in the log: a start and an end of each event type, progress between
them, and a summary.
"""

import re
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import ConnectorError, read_settings
from pipeline import sync as run_sync
from pipeline.connection import deliver, reporting
from pipeline.connection.reporting import PROGRESS_SECONDS, format_duration, format_progress, format_waits, throttle
from pipeline.timestamps import to_ms, to_text
from simulator import listed
from tests.accounts import OTHER, both, sized
from tests.support import START, TYPE, Delivered, Destination, configuration, sync_into


@pytest.fixture
def always(monkeypatch):
    """Progress is logged whenever it is made."""
    monkeypatch.setattr(deliver, "PROGRESS_SECONDS", 0.0)


def progress(lines):
    return [line for line in lines if "of the time range," in line]


def shares(lines):
    """How much is delivered, in %, by each of these lines."""
    return [int(re.search(r"(\d+)%(?: of the time range| is delivered)", line)[1]) for line in lines]


# Event types in the log


def test_a_type_has_a_line_at_its_start_and_one_at_its_end_and_a_record_none():
    with both((3000, 1000)) as sim:
        delivered = sync_into(Delivered(), sim, event_types="*")
    for name in (TYPE, OTHER):
        mine = [line for line in delivered.log if line.startswith(f"{name}: ")]
        assert len(mine) == 2 and "reading from" in mine[0] and START[:10] in mine[0]
        assert "complete" in mine[1] and delivered.state["event_types"][name]["occurred"] in mine[1]
    # a line more says that the definitions of OTHER are refused
    assert len(delivered.log) == 6 and "3,000 rows" in "\n".join(delivered.log)


def test_a_start_date_moved_earlier_is_a_time_range_with_its_own_line():
    with sized({TYPE: 300}) as sim:
        delivered = sync_into(Delivered(), sim, initial_sync_start_date="2026-03-01T00:00:00Z")
        delivered.log.clear()
        sync_into(delivered, sim)
    gap, _ = [line for line in delivered.log if "reading from" in line]
    assert "2026-01-01" in gap and "to 2026-03-01" in gap


def test_progress_is_logged_at_intervals_with_how_far_it_is(always):
    with sized({TYPE: 3000}) as sim:
        lines = progress(sync_into(Delivered(), sim, page_size="50").log)
    assert 30 <= len(lines) <= 200
    moments = [to_ms(re.search(r"up to (\S+Z)", line)[1]) for line in lines]
    assert moments == sorted(moments) and shares(lines) == sorted(shares(lines))
    assert all(0 <= share <= 100 for share in shares(lines))


def test_months_without_events_before_the_first_one_are_no_progress(always):
    with sized({TYPE: 3000}) as sim:
        delivered = sync_into(Delivered(), sim, page_size="50", initial_sync_start_date="2010-01-01")
    found = shares(progress(delivered.log))
    assert found == sorted(found) and found[0] < 10


def test_progress_is_throttled_to_every_thirty_seconds(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(reporting.time, "monotonic", lambda: now[0])
    calls = []
    throttled = throttle(PROGRESS_SECONDS, lambda: calls.append(now[0]))
    for _ in range(300):
        now[0] += 1
        throttled()
    assert PROGRESS_SECONDS == 30 and calls == [1000.0 + 30 * n for n in range(1, 11)]


def test_the_summary_names_each_type_with_news_and_counts_the_empty_and_the_refused_ones_in_one_line_each():
    with sized({TYPE: 1200} | {f"pe1_t{n}": 0 for n in range(30)}, forbidden=["pe1_t7"]) as sim:
        sim.histories["pe1_t8"] = listed([{"id": "", "occurredAt": START}])  # rejected, which is news
        last = sync_into(Delivered(), sim, event_types="*").log[-1]
    assert re.search(rf"{TYPE} +complete +1,200 ", last) and re.search("pe1_t8 +complete +0 +1 ", last)
    assert "Nothing new: 28 event types.\nRefused: 1 event type." in last and len(last.splitlines()) == 5


def test_a_failed_sync_ends_with_a_summary_too():
    delivered = Delivered()
    with sized({TYPE: 300}, fault=lambda request: "401") as sim, pytest.raises(ConnectorError):
        sync_into(delivered, sim)
    assert any("outcome" in line and "failed" in line for line in delivered.log)


MOMENTS = st.integers(0, 10**14)


@given(st.integers(0, 10**9), st.floats(0, 10**7), MOMENTS, MOMENTS, MOMENTS, MOMENTS)
def test_progress_is_one_line_for_any_figures(rows, seconds, since, begin, cursor, end):
    line = format_progress(rows, seconds, since, begin, cursor, end)
    assert f"{rows:,} row" in line and to_text(cursor) in line and "\n" not in line


@given(st.floats(0, 10**7), st.floats(0, 10**7), st.floats(0, 10**7))
def test_no_wait_is_longer_than_the_time_it_was_part_of(seconds, hubspot, destination):
    assert all(0 <= int(share) <= 100 for share in re.findall(r"(\d+)%", format_waits(seconds, hubspot, destination)))


def test_progress_names_what_the_sync_waits_for(monkeypatch, always):
    """Each upsert takes four seconds of this clock, everything else nothing."""
    now = [0.0]
    monkeypatch.setattr(deliver, "time", SimpleNamespace(monotonic=lambda: now[0]))

    def upsert(table, row):
        now[0] += 4

    with sized({TYPE: 300}) as sim:
        delivered = Delivered()
        run_sync(read_settings(configuration(sim, page_size="50")), {}, delivered.sink()._replace(upsert=upsert))
    last = progress(delivered.log)[-1]
    assert re.search(r"for the destination (9\d|100)%", last) and "waiting for HubSpot" in last


# After an interruption


def test_a_resumed_sync_says_so_and_counts_from_the_start_date(always):
    keys = {"page_size": "10", "checkpoint_interval": "10", "concurrency": "1"}
    with sized({TYPE: 300}) as sim:
        destination = Destination()
        for fuse, resumes in ((160, 0), (None, 1), (None, 0)):
            destination.log.clear()
            assert destination.sync(sim, fuse, **keys) == (fuse is None)
            resuming = [line for line in destination.log if "resuming" in line]
            assert len(resuming) == resumes
            if resuming:
                found = shares([*resuming, *progress(destination.log)])
                assert f"from {to_text(to_ms(START))} on" in resuming[0] and found == sorted(found) and found[0] > 0


@given(st.floats(0, 10**12))
def test_a_duration_is_exact_to_a_tenth_of_its_unit(seconds):
    number, unit = format_duration(seconds).split()
    size = {"s": 1, "min": 60, "h": 3600, "days": 86_400}[unit]
    assert abs(float(number) * size - seconds) <= 0.0500001 * size
