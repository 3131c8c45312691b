"""`python -m bench.contenders JOB`: one measured run in its own process. The last line it prints is
the result as JSON.

Contenders: the SDK's floor, this connector, what a notebook does, and a walk that requests one page
after another. Sinks: "duckdb" and "counter" go through the SDK, "plain" counts rows without it.
"""

import json
import sys
from collections.abc import Callable, Iterator
from functools import partial
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import unquote

import duckdb
import orjson
import requests
from fivetran_connector_sdk import Logging
from fivetran_connector_sdk import Operations as op
from toolz import count, pipe

import connector
from bench import harness
from frames import batches, into_duckdb
from pipeline import (
    Sink,
    checkpoint_every,
    dedupe_by_id,
    emit_upserts,
    flatten,
    read_settings,
    reject_malformed,
    serialize_lists,
    sync,
    unwrap_results,
)

SDK = Sink(op.upsert, op.checkpoint, op.warning, print)
CHECKPOINT = 10_000


def ready_rows(configuration: dict[str, str]) -> list[dict[str, Any]]:
    """The rows that the pipeline emits."""
    rows: list[dict[str, Any]] = []
    sync(read_settings(configuration), {}, Sink(lambda table, row: rows.append(row), len, print, print))
    return rows


def floor(rows: list[dict[str, Any]], sink: Sink) -> None:
    """Passes finished rows straight to the operations: no connector can take less."""
    for number, row in enumerate(rows, start=1):
        sink.upsert(harness.EVENT_TYPE, row)
        if number % CHECKPOINT == 0:
            sink.checkpoint({"occurred": row["occurred"]})
    sink.checkpoint({"occurred": rows[-1]["occurred"]})


def walk(configuration: dict[str, str], sink: Sink) -> None:
    """The loop of the published example, one request after another, with this project's stages."""
    rows = pipe(
        _walked_pages(configuration),
        unwrap_results,
        reject_malformed(lambda event, reason: None),
        flatten,
        serialize_lists,
        dedupe_by_id(20_000),
        emit_upserts(partial(sink.upsert, harness.EVENT_TYPE)),
        checkpoint_every(CHECKPOINT, lambda occurred: sink.checkpoint({"occurred": occurred})),
    )
    count(rows)


def _walked_pages(configuration: dict[str, str]) -> Iterator[dict[str, Any]]:
    """The pages, each requested when the one before it has been consumed."""
    query = {
        "eventType": harness.EVENT_TYPE, "limit": configuration["page_size"],
        "occurredAfter": configuration["initial_sync_start_date"],
    }  # fmt: skip
    with requests.Session() as session:
        session.trust_env = False
        session.headers["Authorization"] = f"Bearer {configuration['api_token']}"
        while True:
            url = f"{configuration['api_base_url']}/events/event-occurrences/2026-03"
            response = session.get(url, params=query, timeout=60)
            response.raise_for_status()
            page = orjson.loads(response.content)
            yield page
            following = page.get("paging", {}).get("next")
            if not following:
                return
            query["after"] = unquote(following["after"])


def work(job: dict[str, Any]) -> Callable[[], int]:
    """The work to measure: a function without arguments that returns the number of records."""
    configuration = {
        "api_token": "pat-na1-bench", "initial_sync_start_date": harness.FROM, "api_base_url": job["url"], "page_size": "1000",
        **{name: str(value) for name, value in job["configuration"].items()},
    }  # fmt: skip
    contender = job["contender"]
    if contender == "notebook":
        return partial(_into_file if job["sink"] == "duckdb" else _batches, configuration)
    if contender == "floor":
        update = _as_update(partial(floor, ready_rows(configuration)))
    elif contender == "walk":
        update = _as_update(partial(walk, configuration))
    else:
        update = connector.update
    if job["sink"] == "duckdb":
        return partial(harness.into_duckdb, update, configuration)
    if job["sink"] == "counter":
        return partial(harness.into_counter, update, configuration)
    return partial(_into_plain, walk if contender == "walk" else _sync, configuration)


def _into_file(configuration: dict[str, str]) -> int:
    """What a notebook does: record batches into a DuckDB file."""
    with TemporaryDirectory() as folder, duckdb.connect(f"{folder}/events.db") as file:
        return into_duckdb(file, harness.EVENT_TYPE, batches(configuration))


def _batches(configuration: dict[str, str]) -> int:
    """The batches alone, which are counted and forgotten."""
    return sum(batch.num_rows for batch in batches(configuration))


def _as_update(deliver: Callable[[Sink], None]) -> Callable[..., None]:
    return lambda configuration, state: deliver(SDK)


def _sync(configuration: dict[str, str], sink: Sink) -> None:
    sync(read_settings(configuration), {}, sink)


def _into_plain(deliver: Callable[[dict[str, str], Sink], None], configuration: dict[str, str]) -> int:
    records = 0

    def upsert(table: str, row: dict[str, Any]) -> None:
        nonlocal records
        records += 1

    deliver(configuration, Sink(upsert, len, print, print))
    return records


if __name__ == "__main__":
    Logging.LOG_LEVEL = Logging.Level.INFO  # as the command line sets it
    print(json.dumps(harness.measure(work(json.loads(sys.argv[1])))))
