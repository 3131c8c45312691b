"""What every measured run shares: a simulator in a process of its own, a fresh process for each run, and the SDK's insides.

Nothing else in the project names a module of the SDK that is not public.
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
FROM = "2025-12-31T00:00:00Z"  # what is asked for: a day more
MB = 1_000_000

Result = dict[str, Any]


# -- in the process that measures


@contextmanager
def simulated(events: int, **options: Any) -> Iterator[str]:
    """The base URL of a simulator in its own process; its options are those of `python -m simulator`, `-` written `_`."""
    options = {"events": events, "start": START, "end": END, **options}
    words = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    command = [sys.executable, "-m", "simulator", *words]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)  # noqa: S603 (our own command)
    try:
        yield process.stdout.readline().strip()  # type: ignore[union-attr]
    finally:
        process.terminate()
        process.communicate()


def run(contender: str, sink: str, url: str, python: str = sys.executable, **configuration: Any) -> Result:
    """One run of a contender (bench/contenders.py) in a fresh process: what it says it took."""
    job = {"contender": contender, "sink": sink, "url": url, "configuration": configuration}
    module = "bench.peer" if contender == "dlt" else "bench.contenders"
    environment = {**os.environ, "DO_NOT_TRACK": "1", "RUNTIME__DLTHUB_TELEMETRY": "false"}
    done = subprocess.run(  # noqa: S603 (our own command)
        [python, "-m", module, json.dumps(job)],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{job} failed:\n{done.stdout[-3000:]}")
    line = next(line for line in reversed(done.stdout.splitlines()) if line.startswith('{"events"'))  # the SDK logs after it
    result: Result = json.loads(line)
    return result


def side_by_side(rounds: int, contenders: Mapping[str, Callable[[], Result]]) -> dict[str, Result]:
    """The median of each number over some rounds, in each of which every contender runs once."""
    results: dict[str, list[Result]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, once in contenders.items():
            results[name].append(once())
    return {name: {key: statistics.median(one[key] for one in many) for key in many[0]} for name, many in results.items()}


# -- in the process that is measured


def measure(work: Callable[[], int]) -> Result:
    """What `work` took, which returns how many records it delivered: seconds by the clock and of this process's CPU, peak
    memory, requests, those answered 429, and the most that complete intervals of ten seconds held on average."""
    asked: list[tuple[float, int]] = []
    lock, send = threading.Lock(), requests.adapters.HTTPAdapter.send

    def counted(self: Any, request: Any, *arguments: Any, **options: Any) -> Any:
        at = time.monotonic()
        response = send(self, request, *arguments, **options)
        with lock:
            asked.append((at, response.status_code))
        return response

    requests.adapters.HTTPAdapter.send = counted
    gc.collect()
    gc.freeze()  # what is there before is nobody's cost
    base, began, cpu = _peak(), time.perf_counter(), _cpu()
    events = work()
    wall, cpu = time.perf_counter() - began, _cpu() - cpu
    return {
        "events": events, "wall": wall, "cpu": cpu, "base_mb": base, "peak_mb": _peak(), "requests": len(asked),
        "refused": sum(status == 429 for _, status in asked), "per_interval": _per_interval(sorted(asked)),
    }  # fmt: skip


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _peak() -> float:
    """The most memory this process has held until now (resident, MB)."""
    if sys.platform == "linux":  # its ru_maxrss begins with what the process held that started this one
        status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        return int(status["VmHWM"].split()[0]) * 1024 / MB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MB


def _per_interval(asked: list[tuple[float, int]], seconds: float = 10.0) -> float:
    """Good answers in an interval, over the complete ones since the first request."""
    first = asked[0][0] if asked else 0.0
    complete = int((asked[-1][0] - first) / seconds) if asked else 0
    good = sum(status == 200 and at < first + complete * seconds for at, status in asked)
    return good / complete if complete else 0.0


class CountingSink:
    """Takes what the operations of the SDK emit and keeps the count."""

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
    """Runs update() with the SDK's encoding, as in production, and nothing behind it. Returns the records."""
    from fivetran_connector_sdk_cli import runtime, schema_processing

    from connector import schema

    sink = CountingSink()
    runtime.install(sink)
    schema_processing.process_tables(schema(configuration), {})
    update(configuration=configuration, state={})
    return sink.records


def into_duckdb(update: Callable[..., None], configuration: dict[str, str]) -> int:
    """Runs update() as `fivetran debug` does, into a DuckDB file of its own. Returns the records."""
    from fivetran_connector_sdk import Connector
    from fivetran_connector_sdk_cli import core_adapter
    from fivetran_connector_sdk_core import runner

    from connector import schema

    runner.check_newer_version = lambda version: None  # it asks the package index
    with TemporaryDirectory() as folder:
        return int(core_adapter.run(Connector(update=update, schema=schema), folder, configuration, {})["Upserts"])
