"""Shared by all measured runs: a simulator in its own process, a fresh process per run, and the
internals of the SDK.

Nothing else in the project but the tests uses modules of the SDK that are not public.
"""

import gc
import json
import os
import resource
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import requests

ROOT = Path(__file__).resolve().parent.parent
EVENT_TYPE = "e_visited_page"
START, END = "2026-01-01T00:00:00Z", "2026-05-01T00:00:00Z"  # of the histories
FROM = "2025-12-31T00:00:00Z"  # the start date of the runs: a day earlier
MB = 1_000_000

Result = dict[str, Any]


# -- in the measuring process


@contextmanager
def simulated(events: int, **options: Any) -> Iterator[str]:
    """The base URL of a simulator in its own process. The options are those of `python -m
    simulator`, with _ for -; the events have 15 properties, as in earlier measurements, unless
    another profile is given.
    """
    options = {"events": events, "start": START, "end": END, "profile": "short", **options}
    words = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    command = [sys.executable, "-m", "simulator", *words]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)  # noqa: S603 (our own command)
    try:
        yield process.stdout.readline().strip()  # type: ignore[union-attr]
    finally:
        process.terminate()
        process.communicate()


def run(contender: str, sink: str, url: str, python: str = sys.executable, **configuration: Any) -> Result:
    """The result of one run of a contender (bench/contenders.py) in a fresh process."""
    job = {"contender": contender, "sink": sink, "url": url, "configuration": configuration}
    module = "bench.peer" if contender == "dlt" else "bench.contenders"
    environment = {**os.environ, "DO_NOT_TRACK": "1", "RUNTIME__DLTHUB_TELEMETRY": "false"}
    done = subprocess.run(  # noqa: S603 (our own command)
        [python, "-m", module, json.dumps(job)],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{job} failed:\n{done.stdout[-3000:]}")
    # the SDK may log after it
    line = next(line for line in reversed(done.stdout.splitlines()) if line.startswith('{"events"'))
    result: Result = json.loads(line)
    return result


def side_by_side(rounds: int, contenders: Mapping[str, Callable[[], Result]]) -> dict[str, Result]:
    """The median of each number over several rounds. Every contender runs once per round, so that
    load affects all alike.
    """
    results: dict[str, list[Result]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, once in contenders.items():
            results[name].append(once())
    return {
        name: {key: statistics.median(one[key] for one in many) for key in many[0]} for name, many in results.items()
    }


# -- in the measured process


def measure(work: Callable[[], int]) -> Result:
    """What `work` took, a function that returns how many records it delivered: seconds of wall time
    and of this process's CPU, peak memory, requests, requests refused with 429, and good answers
    per complete interval of ten seconds.
    """
    sent: list[tuple[float, int]] = []
    lock, send = threading.Lock(), requests.adapters.HTTPAdapter.send

    def counted(self: Any, request: Any, *arguments: Any, **options: Any) -> Any:
        at = time.monotonic()
        response = send(self, request, *arguments, **options)
        with lock:
            sent.append((at, response.status_code))
        return response

    requests.adapters.HTTPAdapter.send = counted
    gc.collect()
    gc.freeze()  # what exists before the run is not part of its cost
    base, began, cpu = _peak(), time.perf_counter(), _cpu()
    events = work()
    wall, cpu = time.perf_counter() - began, _cpu() - cpu
    return {
        "events": events, "wall": wall, "cpu": cpu, "base_mb": base, "peak_mb": _peak(), "requests": len(sent),
        "refused": sum(status == 429 for _, status in sent), "per_interval": _per_interval(sorted(sent)),
    }  # fmt: skip


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _peak() -> float:
    """The peak resident memory of this process so far, MB."""
    if sys.platform == "linux":  # where ru_maxrss starts at the memory of the parent process
        status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        return int(status["VmHWM"].split()[0]) * 1024 / MB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MB


def _per_interval(sent: list[tuple[float, int]], seconds: float = 10.0) -> float:
    """The average number of good answers in the complete intervals since the first request."""
    first = sent[0][0] if sent else 0.0
    complete = int((sent[-1][0] - first) / seconds) if sent else 0
    good = sum(status == 200 and at < first + complete * seconds for at, status in sent)
    return good / complete if complete else 0.0


class CountingSink:
    """Counts the records that the SDK's operations emit."""

    def __init__(self) -> None:
        self.records = 0

    def record(self, record: Any) -> None:
        self.records += 1

    def checkpoint(self, checkpoint: Any) -> None:
        pass

    def warning(self, warning: Any) -> None:
        print(warning.message)

    def truncate(self, truncate: Any) -> None:
        raise NotImplementedError

    def task(self, task: Any) -> None:
        raise RuntimeError(task.message)


def into_counter(update: Callable[..., None], configuration: dict[str, str]) -> int:
    """Runs update() with the SDK's encoding, as in production, and discards the records. Returns
    their number.
    """
    from fivetran_connector_sdk_cli import runtime, schema_processing

    from connector import schema

    sink = CountingSink()
    runtime.install(sink)
    schema_processing.process_tables(schema(configuration), {})
    update(configuration=configuration, state={})
    return sink.records


def into_duckdb(update: Callable[..., None], configuration: dict[str, str]) -> int:
    """Runs update() as `fivetran debug` does, into a temporary DuckDB file. Returns the number of
    records.
    """
    from fivetran_connector_sdk import Connector
    from fivetran_connector_sdk_cli import core_adapter
    from fivetran_connector_sdk_core import runner

    from connector import schema

    runner.check_newer_version = lambda version: None  # it asks the package index
    with TemporaryDirectory() as folder:
        return int(core_adapter.run(Connector(update=update, schema=schema), folder, configuration, {})["Upserts"])
