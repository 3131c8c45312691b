"""The measurements: each function measures one table of the report, with the figures that have
limits.

Every run is its own process. A figure is (name, value, limit, "at least" or "at most"). A table's
rows start with what was varied and put ratios before absolute numbers.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from bench.harness import ROOT, Result, run, side_by_side, simulated

PEER = ROOT / ".venv-dlt" / "bin" / "python"
LATENCIES = {0: 80, 50: 80, 250: 80, 1000: 16}  # ms per request: pages of 1,000 events (fewer where they take too long)
CONCURRENCIES = (1, 2, 4, 8, 16)
AGAINST = (
    "run | floor's wall / its wall | floor's CPU / its CPU | events/s on half a CPU | µs an event, "
    "wall | µs an event, CPU | "
    "events"
)
SPANS = {"4 months": "2026-01", "2 years": "2024-05", "6 years": "2020-05"}  # from here to the end of the histories

Table = dict[str, Any]


def _table(title: str, columns: str, rows: list[list[Any]], figures: list[tuple[Any, ...]], note: str = "") -> Table:
    return {"title": title, "columns": columns.split(" | "), "rows": rows, "figures": figures, "note": note}


def floor(_: Mapping[str, Any]) -> Table:
    """Against the least that any connector can take: finished rows straight into op.upsert."""
    events, counted = 30_000, 50_000
    with simulated(events) as url:
        whole = side_by_side(3, {
            "floor": partial(run, "floor", "duckdb", url), "connector": partial(run, "connector", "duckdb", url),
        })  # fmt: skip
    with simulated(counted) as url:
        count = side_by_side(9, {
            "floor": partial(run, "floor", "counter", url), "connector": partial(run, "connector", "counter", url),
            "pipeline": partial(run, "connector", "plain", url),
        })  # fmt: skip

    half = count["connector"]["events"] / (2 * count["connector"]["cpu"])
    return _table(
        "Against the SDK's own floor",
        AGAINST,
        [
            _against("floor into DuckDB", whole["floor"], whole["floor"]),
            _against("connector into DuckDB", whole["connector"], whole["floor"]),
            _against("floor, counted", count["floor"], count["floor"]),
            _against("connector, counted", count["connector"], count["floor"]),
            _against("pipeline without the SDK, counted", count["pipeline"], count["floor"]),
        ],
        [
            (
                "whole sync into DuckDB, against the floor",
                whole["floor"]["wall"] / whole["connector"]["wall"],
                0.90,
                "at least",
            ),
            (
                "CPU of pipeline and SDK, against the floor's",
                count["floor"]["cpu"] / count["connector"]["cpu"],
                0.55,
                "at least",
            ),
            ("events/s on half a CPU (CPU seconds doubled)", half, 10_000, "at least"),
        ],
        "A checkpoint every 10,000 rows; concurrency 4; medians of 3 into DuckDB, of 9 counted. "
        "CPU is that of the one process, "
        "the simulator has its own.",
    )


def _against(name: str, measured: Result, base: Result) -> list[Any]:
    """A row of AGAINST."""
    each = 1e6 / measured["events"]
    return [
        name, base["wall"] / measured["wall"], base["cpu"] / measured["cpu"], measured["events"] / (2 * measured["cpu"]),
        measured["wall"] * each, measured["cpu"] * each, measured["events"],
    ]  # fmt: skip


def live(_: Mapping[str, Any]) -> Table:
    """The throughput with the properties of a live page visit, beside that with the properties of
    all other tables.
    """
    rows = []
    for profile, properties in {"short": 15, "live": 38}.items():
        with simulated(30_000, profile=profile) as url:
            measured = side_by_side(5, {
                "floor": partial(run, "floor", "counter", url), "connector": partial(run, "connector", "counter", url),
            })  # fmt: skip
        rows += [_against(f"{name}, {properties} properties", one, measured["floor"]) for name, one in measured.items()]
    return _table(
        "The live shape of a page visit",
        AGAINST,
        rows,
        [],
        "A live page visit has 38 properties. All other tables are measured with 15, as they "
        "always were, to stay comparable. "
        "Counted, with the SDK's encoding; concurrency 4; medians of 5.",
    )


def latency(_: Mapping[str, Any]) -> Table:
    """Against a walk that requests one page after another."""
    rows, key = [], 0.0
    for ms, pages in LATENCIES.items():
        with simulated(pages * 1000, latency_ms=ms) as url:
            rounds = 2 if ms == 250 else 1
            measured = side_by_side(rounds, {
                "walk": partial(run, "walk", "counter", url), "8": partial(run, "connector", "counter", url, concurrency=8),
            })  # fmt: skip
            for workers in CONCURRENCIES:
                ours = measured["8"] if workers == 8 else run("connector", "counter", url, concurrency=workers)
                times = measured["walk"]["wall"] / ours["wall"]
                rows.append(
                    [ms, workers, times, ours["requests"] / pages, measured["walk"]["wall"], ours["wall"], pages]
                )
                key = times if (ms, workers) == (250, 8) else key
            if ms == 250:
                plain = run("walk", "plain", url)["wall"] / run("connector", "plain", url, concurrency=8)["wall"]
    return _table(
        "Against the sequential walk",
        ("ms a request | concurrency | times as fast | requests a page | walk, s | connector, s | pages"),
        rows,
        [
            ("250 ms, concurrency 8, against the walk", key, 4.5, "at least"),
            ("the same without the SDK's encoding in both", plain, 4.5, "at least"),
        ],
        (
            "Counting sink, with the SDK's encoding in both. The walk has the same stages and only "
            "waits for each request."
        ),
    )


def burst(_: Mapping[str, Any]) -> Table:
    """Half of the events in one hour."""
    with simulated(80_000, latency_ms=250, shape="bursty") as url:
        walk = run("walk", "counter", url)
        ours = run("connector", "counter", url, concurrency=8)
    times = walk["wall"] / ours["wall"]
    return _table(
        "Half of the events in one hour",
        ("ms a request | concurrency | times as fast | requests a page | walk, s | connector, s | pages"),
        [[250, 8, times, ours["requests"] / 80, walk["wall"], ours["wall"], 80]],
        [("a burst, 250 ms, concurrency 8, against the walk", times, 4.5, "at least")],
    )


def memory(options: Mapping[str, Any]) -> Table:
    """Peak memory by the size of the history. The largest is measured only with --full; else its
    last result is kept.
    """
    sizes = [10_000, 100_000, 1_000_000, *([10_000_000] if options["full"] else [])]
    rows = [row for row in options["earlier"].get("rows", []) if row[0] not in sizes and row[1] == 8]
    for events in sizes:
        with simulated(events) as url:
            rows.append(_memory(run("connector", "counter", url, concurrency=8), 8, 1000))
    rows.sort()
    first, last = rows[-2], rows[-1]
    growth = (last[3] - first[3]) * 1e6 / (last[0] - first[0])
    with simulated(200_000, max_limit=10_000) as url:
        large = _memory(run("connector", "counter", url, concurrency=16, page_size=3_000), 16, 3_000)
    return _table(
        "Memory",
        ("events | concurrency | page_size | peak, MB | before the sync, MB | CPU, s | µs an event, CPU | requests"),
        [*rows, large],
        [
            (f"peak at {last[0]:,} events, concurrency 8, MB", last[3], 200, "at most"),
            (f"growth from {first[0]:,} to {last[0]:,}, bytes an event", growth, 5, "at most"),
            ("peak with pages of 2 MB, concurrency 16, MB", large[3], 250, "at most"),
        ],
        (
            "Counting sink, with the SDK's encoding. 10,000,000 events are measured by `make bench "
            "FULL=1` and kept since."
        ),
    )


def _memory(measured: Result, workers: int, page_size: int) -> list[Any]:
    each = measured["cpu"] * 1e6 / measured["events"]
    return [
        int(measured["events"]), workers, page_size, measured["peak_mb"], measured["base_mb"], measured["cpu"], each,
        measured["requests"],
    ]  # fmt: skip


def quota(_: Mapping[str, Any]) -> Table:
    """The share of the account's rate limit, less the reserve of 10%, that a backfill of more than
    a minute uses.
    """

    def one(most: int) -> list[Any]:
        allowed = int(most * 0.9)
        with simulated(allowed * 65 * 5, quota=most) as url:  # six and a half intervals
            measured = run("connector", "plain", url, concurrency=8, page_size=50)
        share, refused = (measured["per_interval"] / allowed, measured["refused"] / measured["requests"])
        return [most, share, refused, measured["per_interval"], measured["requests"], measured["wall"]]

    with ThreadPoolExecutor(3) as pool:  # they mostly wait
        rows = list(pool.map(one, (60, 100, 190)))
    return _table(
        "The account's quota",
        ("quota in 10 s | share used of the quota less 10 % | share of 429 | requests in 10 s | requests | wall, s"),
        rows,
        [
            ("share used of the quota less the reserve, least", min(row[1] for row in rows), 0.95, "at least"),
            ("share of 429, most", max(row[2] for row in rows), 0.01, "at most"),
        ],
        "Requests in complete intervals of 10 s since the first; concurrency 8.",
    )


def shapes(_: Mapping[str, Any]) -> Table:
    """The requests that windows cost, by the distribution of events over time: 100 full pages, at
    20 ms per request.
    """
    limits = {"uniform": 120, "rhythm": 135, "bursty": 135, "sparse": 135}
    cases = [(shape, span, workers) for shape in limits for span in SPANS for workers in (4, 8)]

    def requests(case: tuple[str, str, int]) -> list[Any]:
        shape, span, workers = case
        sent = []
        for seed in range(3):
            start = f"{SPANS[span]}-01T{7 * seed:02}:{11 * seed:02}:{13 * seed:02}Z"
            start_date = f"{SPANS[span]}-01T00:00:00Z"
            with simulated(10_000, shape=shape, start=start, seed=seed, latency_ms=20) as url:
                measured = run(
                    "connector", "plain", url, concurrency=workers, page_size=100, initial_sync_start_date=start_date
                )
                sent.append(measured["requests"])
        return [shape, span, workers, max(sent) / 100, *sent]

    with ThreadPoolExecutor(2) as pool:
        rows = list(pool.map(requests, cases))
    most = {shape: max(max(row[4:]) for row in rows if row[0] == shape) for shape in limits}
    return _table(
        "Requests for 100 full pages",
        "shape | span | concurrency | requests a full page, most | seed 0 | seed 1 | seed 2",
        rows,
        [
            (f"requests for 100 full pages, {shape}, most", most[shape], limit, "at most")
            for shape, limit in limits.items()
        ],
        ("page_size 100 to be quick. Each seed has other ids, and a start some hours, minutes and seconds later."),
    )


def shaping(_: Mapping[str, Any]) -> Table:
    """The cost of all transformations at once."""
    every = {
        "drop_columns": "hs_ip*, *screen*", "hash_columns": "*email*, hs_user_agent, hs_session_id", "hash_salt": "salt",
        "rename_columns": "hs_url=page_url, hs_utm_*=utm_*", "string_columns": ("hs_page_id, "
            "hs_session_id, hs_utm_campaign"),
    }  # fmt: skip
    rows = []
    for sink, rounds in (("counter", 5), ("duckdb", 1)):
        with simulated(30_000) as url:
            measured = side_by_side(rounds, {
                "none": partial(run, "connector", sink, url), "all": partial(run, "connector", sink, url, **every),
            })  # fmt: skip
        none, all_on = measured["none"], measured["all"]
        rows.append([sink, none["wall"] / all_on["wall"], none["cpu"] / all_on["cpu"], none["wall"], all_on["wall"]])
    return _table(
        "All transformations",
        "sink | throughput against none | CPU against none | none, s | all, s",
        rows,
        [(f"events a CPU second with all transformations, {row[0]}", row[2], 0.85, "at least") for row in rows],
        "Dropping by two patterns, hashing two columns of each event, renaming two, declaring "
        "three; 30,000 events. By CPU: it "
        "limits half a CPU, and the wall also waits for the simulator.",
    )


def peer(_: Mapping[str, Any]) -> Table:
    """Against dlt's rest_api source for the same endpoint, into DuckDB."""
    events, few = 200_000, 40_000
    with simulated(events) as url, simulated(few) as small:
        measured = {
            "connector": run("connector", "duckdb", url), "notebook": run("notebook", "duckdb", url),
            "its batches, counted": run("notebook", "plain", url),
            "a fifth of them": run("notebook", "plain", small),
            "dlt": run("dlt", "duckdb", url, python=str(PEER)),
        }  # fmt: skip
    dlt, notebook, shown = (measured["dlt"], measured["notebook"], ("wall", "cpu", "peak_mb", "requests", "events"))
    rows = [
        [
            name,
            _rate(one, "wall") / _rate(dlt, "wall"),
            _rate(one, "cpu") / _rate(dlt, "cpu"),
            *(one[key] for key in shown),
        ]
        for name, one in measured.items()
    ]
    more = measured["its batches, counted"]["peak_mb"] - measured["a fifth of them"]["peak_mb"]
    return _table(
        "Beside dlt",
        (
            "run | events a second / dlt's | events a CPU second / dlt's | wall, s | CPU, s | "
            "peak, "
            "MB "
            "| requests | events"
        ),
        rows,
        [
            (
                "events/s of a notebook into DuckDB, against dlt's",
                _rate(notebook, "wall") / _rate(dlt, "wall"),
                5,
                "at least",
            ),
            ("MB more that the batches take for five times the events", more, 50, "at most"),
        ],
        "Without latency. A notebook says `into_duckdb(file, table, batches(configuration))`; the "
        "connector goes through the "
        "SDK's local tester, which is most of its time.",
    )


def _rate(one: Result, seconds: str) -> float:
    return float(one["events"] / one[seconds])


ALL = {
    "floor": floor, "live": live, "latency": latency, "burst": burst, "memory": memory, "quota": quota, "shapes": shapes,
    "shaping": shaping, "peer": peer,
}  # fmt: skip
# these measure requests and memory, so they may run at the same time
ANY_LOAD = ("memory", "quota", "shapes")
