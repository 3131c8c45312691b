"""Record batches hold every row and every column, in memory that does not grow, and become a DuckDB table whole or not
at all.
"""

import subprocess
import sys

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frames import as_table, batches, into_duckdb
from frames.batches import as_batches
from simulator import generated, listed
from tests.sdk import ROOT
from tests.support import configuration

VALUES = st.none() | st.text() | st.integers() | st.booleans() | st.floats(allow_nan=False) | st.lists(st.text())
ROWS = st.lists(st.dictionaries(st.sampled_from(["id", "hs_url", "hs_title", "n"]), VALUES), max_size=12)


@pytest.fixture
def database():
    with duckdb.connect() as connection:
        yield connection


def test_the_batches_of_an_account_become_a_table_and_loading_again_replaces_it(simulated, database):
    history = generated(700)
    keys = configuration(simulated(history), page_size="100")
    ids = {history.event(i)["id"]: history.time(i) for i in range(700)}
    for _ in range(2):
        assert into_duckdb(database, "visits", batches(keys)) == 700
        assert dict(database.sql("SELECT id, epoch_ms(occurred_at) FROM visits").fetchall()) == ids


def test_a_property_that_appears_later_is_a_column_from_then_on(database):
    rows = [{"id": "a", "hs_url": "/"}, {"id": "b", "hs_title": "x"}, {"id": "c"}]
    assert into_duckdb(database, 'odd " name', as_batches(rows, 1)) == 3
    assert database.sql('SELECT id, hs_url, hs_title FROM "odd "" name" ORDER BY id').fetchall() == [
        ("a", "/", None), ("b", None, "x"), ("c", None, None),
    ]  # fmt: skip


@given(ROWS, st.integers(1, 5))
def test_batches_keep_rows_and_columns(rows, size):
    table = as_table(as_batches(rows, size))
    assert table.num_rows == len(rows)
    assert set(table.column_names) >= {name for row in rows for name in row}
    for row, kept in zip(rows, table.to_pylist(), strict=True):
        for name, value in kept.items():
            assert (value is None) == (row.get(name) is None)
            assert not isinstance(row.get(name), str) or value == row[name]


def test_a_range_without_events_is_a_table_without_rows(simulated, database):
    with pytest.warns(UserWarning, match="e_visited_page: no row from "):
        assert into_duckdb(database, "visits", batches(configuration(simulated(listed([]))))) == 0
    names = [name for name, *_ in database.sql("DESCRIBE visits").fetchall()]
    assert names == ["id", "event_type", "occurred", "occurred_at", "object_id", "object_type"]


def test_a_read_that_fails_leaves_the_table_as_it_was(database):
    def failing():
        yield from as_batches([{"id": "new"}])
        raise RuntimeError

    into_duckdb(database, "visits", as_batches([{"id": "old"}]))
    with pytest.raises(RuntimeError):
        into_duckdb(database, "visits", failing())
    assert database.sql("SELECT id FROM visits").fetchall() == [("old",)]


def test_two_loads_of_one_table_at_once_keep_apart(database):
    one, other = (as_batches([{"id": f"{name}{n}"} for n in range(4)], 1) for name in "ab")
    loaded = []

    def interleaved():
        for number, batch in enumerate(one):
            if number == 2:
                loaded.append(into_duckdb(database.cursor(), "visits", other))
            yield batch

    assert into_duckdb(database, "visits", interleaved()) == 4 == loaded[0]
    assert sorted(database.sql("SELECT id FROM visits").fetchall()) == [(f"a{n}",) for n in range(4)]


def nothing_read():
    return iter(lambda: pytest.fail("something was read"), None)


def test_an_open_transaction_is_left_as_it_is(database):
    database.execute("CREATE TABLE mine (n INT)")
    database.begin()
    database.execute("INSERT INTO mine VALUES (1)")
    with pytest.raises(ValueError, match="open transaction"):
        into_duckdb(database, "visits", nothing_read())
    database.commit()
    assert database.sql("FROM mine").fetchall() == [(1,)]


def test_a_view_is_named_before_anything_is_read(database):
    database.execute("CREATE VIEW visits AS SELECT 1 AS n")
    with pytest.raises(ValueError, match="visits is a view"):
        into_duckdb(database, "visits", nothing_read())


def test_half_a_character_does_not_stop_a_read():
    assert as_table(as_batches([{"id": "a", "hs_title": "x\ud800"}])).column("hs_title").to_pylist() == ["x?"]


PEAK = """
import sys
from frames import batches
from pathlib import Path
configuration = {"api_token": "x", "api_base_url": sys.argv[1], "concurrency": "1"}
rows = sum(batch.num_rows for batch in batches(configuration, sys.argv[2], "2026-01-01"))
print(rows, Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
"""


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_ten_times_the_range_takes_the_same_memory(account):
    sizes, peaks = {"few": 10_000, "many": 100_000}, {}
    sim = account({name: generated(number, event_type=name) for name, number in sizes.items()})
    for name, number in sizes.items():
        command = [sys.executable, "-c", PEAK, sim.url, name]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
        rows, peaks[name] = map(int, done.stdout.split())
        assert rows == number
    # kB; the rows would be 300 MB
    assert peaks["many"] - peaks["few"] < 80_000
