"""What holds for every stage: it is lazy, keeps the order, and does not need the SDK."""

import itertools
import subprocess
import sys

import pytest
from toolz import pipe

from pipeline import stages
from pipeline.stages import (
    checkpoint_every,
    dedupe_by_id,
    destination_columns,
    emit_upserts,
    fetch_pages,
    first_by_id,
    fit_types,
    flatten,
    keep_span,
    keep_type,
    properties_as_json,
    protect,
    protection,
    reject_malformed,
    rename_columns,
    serialize_lists,
    tap,
    unwrap_results,
)
from pipeline.stages.fit import NUMBER
from tests.sdk import ROOT
from tests.stages.rows import ignore


def event(n):
    return {"id": str(n), "occurredAt": "2026-05-21T01:36:04Z", "properties": {"n": n}}


def page(n):
    return {"results": [event(3 * n), event(3 * n + 1), event(3 * n + 2)]}


STAGES = {
    "fetch_pages": (fetch_pages(lambda n: iter([page(n)])), lambda n: n, 1),
    "unwrap_results": (unwrap_results, page, 3),
    "reject_malformed": (reject_malformed(ignore), event, 1),
    "keep_type": (keep_type("e_a", ignore), event, 1),
    "keep_span": (keep_span((0, None), ignore), event, 1),
    "protect": (protect(protection(drop=("n",))), event, 1),
    "properties_as_json": (properties_as_json(True), event, 1),
    "flatten": (flatten, event, 1),
    "serialize_lists": (serialize_lists, event, 1),
    "rename_columns": (rename_columns((("n", "number"),)), event, 1),
    "fit_types": (fit_types({"n": NUMBER}), event, 1),
    "dedupe_by_id": (dedupe_by_id(5), event, 1),
    "first_by_id": (first_by_id(5), event, 1),
    "emit_upserts": (emit_upserts(ignore), event, 1),
    "checkpoint_every": (checkpoint_every(2, ignore), event, 1),
    "tap": (tap(ignore), event, 1),
    "destination_columns": (destination_columns, event, 1),
}


def test_every_stage_is_in_the_table():
    """sort_by_time is not: it holds rows until the watermark has passed them."""
    assert {*STAGES, "protection", "sort_by_time"} == set(stages.__all__)


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_reads_an_endless_stream_no_further_than_it_must(name):
    stage, source, per_item = STAGES[name]
    read = []
    stream = stage(read.append(n) or source(n) for n in itertools.count())
    assert read == []
    assert len(list(itertools.islice(stream, 7))) == 7
    assert len(read) == -(-7 // per_item)


def test_the_stages_together_are_lazy_and_keep_the_order():
    read, upserted = [], []
    rows = pipe(
        (read.append(n) or n for n in itertools.count()),
        fetch_pages(lambda n: [page(n)]),
        unwrap_results,
        reject_malformed(ignore),
        flatten,
        serialize_lists,
        dedupe_by_id(5),
        emit_upserts(upserted.append),
        checkpoint_every(2, ignore),
    )
    assert [row["id"] for row in itertools.islice(rows, 7)] == list("0123456")
    assert read == [0, 1, 2] and [row["n"] for row in upserted] == [*range(7)]


def test_the_stages_run_without_the_sdk():
    script = (
        "import sys\n"
        "for part in ('', '_core', '_cli'): sys.modules['fivetran_connector_sdk' + part] = None\n"
        "from pipeline import *\n"
        "rows = serialize_lists(flatten([{'id': 'a', 'occurredAt': '2026-05-21', 'properties': "
        "{'b': [1]}}]))\n"
        "print([row['b'] for row in rows])\n"
    )
    answer = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert answer.stdout.strip() == "['[1]']", answer.stderr
