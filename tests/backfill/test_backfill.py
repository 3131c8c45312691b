"""A history read on a Dask cluster (real processes), and the connector that resumes from the state it leaves."""

import itertools
import os
import re
import signal
import threading
from collections import Counter

import duckdb
import pytest

from backfill import backfill, windows
from backfill.marks import leave_mark
from backfill.windows import HOUR, Window, file_of, rejects_of
from backfill.worker import read_window
from frames.storage import HIDDEN, address_of
from frames.text import as_text
from pipeline import read_settings
from pipeline.connection.spans import main_span
from pipeline.connection.state import progress_by_type
from pipeline.errors import SettingsError, Unauthorized
from pipeline.names.destination import destination_name
from pipeline.names.tables import REJECTED_EVENT as REJECTED
from pipeline.timestamps import DAY, local_now, to_ms
from simulator import Behaviour, Simulator, generated
from tests.backfill.lake import clock_at, lake
from tests.backfill.processes import cluster
from tests.sdk import ROOT
from tests.support import TYPE, Delivered, configuration, sync_into

pytestmark = pytest.mark.long

SIGNUP = "pe1_signup"
# the configured start, and when the backfill runs
FROM, NOW = "2026-03-01T05:30:00Z", "2026-03-20T06:30:00Z"
END = "2026-03-20T00:00:00.000Z"  # where it ends
WORKERS = 3


@pytest.fixture(scope="module")
def dask():
    with cluster(WORKERS) as client:
        yield client


def hubspot(*types, events=1_000, malformed_every=0, **behaviour):
    """An account whose clock is at NOW, though it has events before FROM and after that."""
    span = "2026-02-27T00:00:00Z", "2026-03-23T00:00:00Z"
    histories = {
        name: generated(events, *span, event_type=name, malformed_every=malformed_every) for name in types or (TYPE,)
    }
    return Simulator(histories, Behaviour(clock=clock_at(NOW), **behaviour))


def settings_of(sim, **keys):
    return read_settings(configuration(sim, **{"initial_sync_start_date": FROM, "page_size": "20", **keys}))


def rows_of(folder, table=TYPE):
    """The rows of all files, read by column name, without nulls."""
    files = sorted(str(file) for file in folder.glob(f"{table}/*/*.parquet"))
    if not files:
        return []
    read = duckdb.sql("SELECT * FROM read_parquet(?, union_by_name = true, hive_partitioning = false)", params=[files])
    return [
        {name: value for name, value in zip(read.columns, row, strict=True) if value is not None}
        for row in read.fetchall()
    ]


def as_written(row):
    text = {destination_name(name): as_text(value) for name, value in row.items()}
    return {name: value for name, value in text.items() if value is not None}


def by_id(rows):
    return sorted(rows, key=lambda row: row["id"])


def test_backfill_and_connector_meet_without_gap_or_overlap_though_workers_are_killed(dask, tmp_path):
    victims = list(dask.run(os.getpid).values())[1:]
    all_are_asking = threading.Barrier(WORKERS, lambda: [os.kill(victim, signal.SIGKILL) for victim in victims])
    asked = itertools.count(1)

    def kill_in_the_middle(_):
        if 60 <= next(asked) < 60 + WORKERS:
            all_are_asking.wait(timeout=30)

    with hubspot(TYPE, SIGNUP, malformed_every=50, latency_ms=5) as sim:
        keys = {"event_types": f"{TYPE}, {SIGNUP}", "page_size": "20", "initial_sync_start_date": FROM}
        truth = sync_into(Delivered(), sim, **keys)
        sim.behaviour.fault = kill_in_the_middle
        left = backfill(dask, settings_of(sim, **keys), tmp_path)
        after = sync_into(Delivered(), sim, left.state, **keys)

    for name in (TYPE, SIGNUP):
        written, resumed = rows_of(tmp_path, name), list(map(as_written, after.rows[name].values()))
        assert main_span(progress_by_type(left.state)[name], to_ms(FROM), HOUR, local_now())[0] == to_ms(END)
        assert max(row["occurred"] for row in written) < END <= min(row["occurred"] for row in resumed)
        assert by_id([*written, *resumed]) == by_id(map(as_written, truth.rows[name].values()))
        assert left.rows[name] == len(written)
    rejected = rows_of(tmp_path, REJECTED) + list(after.rows[REJECTED].values())
    assert {row["id"] for row in rejected} == truth.ids(REJECTED)
    assert not list(tmp_path.rglob(".*"))


ODD = ["..", "../..", "/elsewhere", "a/b", "a\x00b", HIDDEN, REJECTED, "", "x" * 300, "E_A", "e_a"]


def test_windows_have_files_of_their_own_below_the_folder_whatever_their_event_types_are_called(tmp_path):
    folders = set()
    for name in ODD:
        window = Window(name, to_ms("2026-03-02"), to_ms("2026-03-03"))
        file, rejects = tmp_path / file_of(window), tmp_path / rejects_of(window)
        for path in (file, rejects):
            assert path.resolve().parents[2] == path.parents[2] == tmp_path
            assert path.parent.name == "day=2026-03-02"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        assert file.parents[1].name not in (REJECTED, HIDDEN) and rejects.parents[1].name == REJECTED
        folders.add(file.parents[1].name.lower())
    assert len(folders) == len(ODD)


def test_a_window_done_several_times_at_once_is_there_once(dask, tmp_path):
    window = Window(TYPE, to_ms("2026-03-02"), to_ms("2026-03-03"))
    address = address_of(tmp_path)
    with hubspot() as sim:
        given = window, settings_of(sim), address, leave_mark(address)
        tasks = [dask.submit(read_window, *given, pure=False) for _ in range(6)]
        assert len({report[file_of(window)] for report in dask.gather(tasks)}) == 1
    assert list(tmp_path.glob(f"{TYPE}/*/*")) == [tmp_path / file_of(window)]


def test_a_second_run_reads_only_what_is_missing_or_broken(dask, tmp_path):
    with hubspot() as sim:
        first = backfill(dask, settings_of(sim), tmp_path)
        broken, missing = sorted(tmp_path.glob(f"{TYPE}/*/*"))[:8:7]  # two Sundays, of one page each
        missing.unlink()
        broken.write_bytes(broken.read_bytes()[:-50])
        before = len(sim.requests)
        again = backfill(dask, settings_of(sim), tmp_path)
        assert again.rows == first.rows and len(rows_of(tmp_path)) == first.rows[TYPE]
        assert len(sim.requests) == before + 3  # the clock, and the two windows
        with pytest.raises(ValueError, match="another backfill"):
            backfill(dask, settings_of(sim), tmp_path, hours=8)


def test_all_workers_share_one_quota_and_an_event_out_of_its_window_is_rejected_and_kept(dask, tmp_path):
    with hubspot(events=3_000, quota=(30, 1000), faults={20: "outside"}) as sim:
        left = backfill(dask, settings_of(sim), tmp_path)
    assert sum(asked.status == 429 for asked in sim.requests) <= 0.01 * len(sim.requests)
    assert [row["reason"] for row in rows_of(tmp_path, REJECTED)] == ["out of the time range asked for"]
    assert left.rows[TYPE] == len({row["id"] for row in rows_of(tmp_path)})


def test_an_error_in_a_window_stops_the_backfill_and_leaves_only_complete_files(dask, tmp_path):
    with hubspot(fault=lambda asked: "401" if asked.number >= 30 else None) as sim:
        with pytest.raises(Unauthorized, match="api_token"):
            backfill(dask, settings_of(sim), tmp_path)
        sim.behaviour.fault = None
        left = backfill(dask, settings_of(sim), tmp_path)
        assert left.rows[TYPE] == len({row["id"] for row in rows_of(tmp_path)})


def test_patterns_that_match_nothing_are_an_error(dask, tmp_path):
    with hubspot(TYPE) as sim, pytest.raises(SettingsError, match="selects none of this account"):
        backfill(dask, settings_of(sim, event_types="nothing_like_*"), tmp_path)


def test_the_documented_iceberg_table_has_every_row_once_and_grows_with_the_next_backfill(dask, tmp_path, monkeypatch):
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "scale.md").read_text(), re.DOTALL)
    (code,) = [block for block in blocks if "pyiceberg" in block]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "warehouse").mkdir()
    rows = []
    with hubspot() as sim:
        for later in (0, 2 * DAY):
            sim.behaviour.clock = clock_at(NOW, later)
            left = backfill(dask, settings_of(sim), tmp_path / "history")
            given = {}
            exec(code, given)  # noqa: S102  # as a reader would paste it
            read = given["table"].scan().to_arrow()["id"].to_pylist()
            assert Counter(read) == lake(tmp_path / "history")
            rows.append(left.rows[TYPE])
    assert 0 < rows[0] < rows[1] == len(read)


@pytest.mark.parametrize("hours", [24 * 7, 24 * 5])
def test_a_day_is_a_folder_and_longer_windows_are_fewer_files_with_the_same_rows(dask, tmp_path, hours):
    lines, short, long = [], tmp_path / "day", tmp_path / "longer"
    with hubspot() as sim:
        by_day = backfill(dask, settings_of(sim), short, hours=12)
        given = dask, settings_of(sim, lookback_minutes="0"), long, hours
        longer, again = backfill(*given, tell=lines.append), backfill(*given)
        end = to_ms(progress_by_type(longer.state)[TYPE].occurred)
    assert again.rows == longer.rows
    assert to_ms(progress_by_type(again.state)[TYPE].occurred) == end
    assert end % (hours * HOUR) == 0
    rows = [row for row in rows_of(short) if to_ms(row["occurred"]) < end]
    assert by_id(rows) == by_id(rows_of(long))
    assert longer.rows[TYPE] == len(rows) <= by_day.rows[TYPE]
    files = list((long / TYPE).rglob("*.parquet"))
    assert len(files) <= 4 and {path.parent.name.partition("=")[0] for path in files} == {"from"}
    assert lines[-1].startswith(f"{len(files)} of {len(files)} windows, {len(rows):,} rows")

    days = {path.name.removeprefix("day="): path for path in (short / TYPE).iterdir()}
    assert all(len(list(path.iterdir())) == 2 for path in days.values())
    read = duckdb.read_parquet(f"{short}/{TYPE}/*/*.parquet", hive_partitioning=True).project(
        "day::VARCHAR, left(occurred, 10)"
    )
    assert {*read.fetchall()} == {(day, day) for day in days}


@pytest.mark.parametrize("hours", [0, 5, 36, -24, 25])
def test_windows_that_do_not_fit_into_days_are_refused(hours):
    with pytest.raises(ValueError, match="hours"):
        windows.plan([TYPE], 0, 10 * DAY, hours)
