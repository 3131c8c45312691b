"""What a backfill has written, and the clock of the account that it reads."""

import time
from collections import Counter

import duckdb

from pipeline.timestamps import to_ms
from tests.support import TYPE


def clock_at(now, later=0):
    """A clock that goes on from there."""
    offset = to_ms(now) + later - time.time_ns() // 1_000_000
    return lambda: time.time_ns() // 1_000_000 + offset


def lake(folder):
    """How often each id is in the files of the page visits."""
    read = duckdb.read_parquet(f"{folder}/{TYPE}/*/*.parquet")
    return Counter(key for (key,) in read.project("id").fetchall())
