"""`python -m bench.backfill` (needs backfill/requirements.txt): four workers against one, at 250 ms
per request and no quota.
"""

import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from dask.distributed import Client, LocalCluster

from backfill import backfill
from backfill.windows import HOUR
from bench.harness import EVENT_TYPE, START, simulated
from pipeline import read_settings
from pipeline.timestamps import local_now, to_ms

# 60 windows of a page or more
EVENTS, END, HOURS, LATENCY = (60_000, "2026-01-31T00:00:00Z", 12, 250)
ROUNDS = 3
WANTED = 3.2


def main() -> None:
    """Prints the median seconds for each number of workers, and their speedup over one worker in
    the same round.
    """
    # sets the simulator's clock; else the time since END would be windows too
    soon_after = to_ms(END) + 2 * HOUR - local_now()
    with simulated(EVENTS, end=END, latency_ms=LATENCY, clock_offset_ms=soon_after) as url:
        rounds = [{workers: measured(workers, url) for workers in (1, 2, 4)} for _ in range(ROUNDS)]
    for workers in rounds[0]:
        took, times = (median(one[workers] for one in rounds), median(one[1] / one[workers] for one in rounds))
        print(f"{workers} workers: {took:.1f} s, {EVENTS / took:,.0f} events/s, {times:.2f} times as fast as one")
    print(f"{'ok ' if times >= WANTED else 'NO '} four workers against one: at least {WANTED}")


def measured(workers: int, url: str) -> float:
    """The seconds of one backfill, without the start of the cluster."""
    settings = read_settings({"api_token": "pat-na1-bench", "initial_sync_start_date": START, "api_base_url": url})
    with (
        TemporaryDirectory() as folder,
        LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as dask,
    ):
        dask.run(__import__, "backfill")
        began = time.perf_counter()
        left = backfill(dask, settings, Path(folder), HOURS)
        took = time.perf_counter() - began
    assert left.rows == {EVENT_TYPE: EVENTS}, left  # noqa: S101
    return took


if __name__ == "__main__":
    main()
