"""What holds for every stage: it is lazy; and which events are rejected."""

import itertools

import pytest

from pipeline import stages
from pipeline.stages.fit import NUMBER
from tests.stages.rows import ignore


def event(n):
    return {"id": str(n), "occurredAt": "2026-05-21T01:36:04Z", "properties": {"n": n}}


def page(n):
    return {"results": [event(3 * n), event(3 * n + 1), event(3 * n + 2)]}


STAGES = {
    "fetch_pages": stages.fetch_pages(lambda event: [event]), "unwrap_results": stages.unwrap_results,
    "reject_malformed": stages.reject_malformed(ignore), "keep_type": stages.keep_type("e_a", ignore),
    "keep_span": stages.keep_span((0, None), ignore), "protect": stages.protect(stages.protection(drop=("n",))),
    "properties_as_json": stages.properties_as_json(True), "flatten": stages.flatten,
    "serialize_lists": stages.serialize_lists, "rename_columns": stages.rename_columns((("n", "number"),)),
    "fit_types": stages.fit_types({"n": NUMBER}), "dedupe_by_id": stages.dedupe_by_id(5), "first_by_id": stages.first_by_id(5),
    "emit_upserts": stages.emit_upserts(ignore), "checkpoint_every": stages.checkpoint_every(2, ignore),
    "tap": stages.tap(ignore), "destination_columns": stages.destination_columns,
}  # fmt: skip


def test_every_stage_is_in_the_table():
    """sort_by_time is not: it holds rows until the watermark has passed them."""
    assert {*STAGES, "protection", "sort_by_time"} == set(stages.__all__)


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_reads_an_endless_stream_no_further_than_it_must(name):
    source, per_item = (page, 3) if name == "unwrap_results" else (event, 1)
    read = []
    stream = STAGES[name](read.append(n) or source(n) for n in itertools.count())
    assert read == []
    assert len(list(itertools.islice(stream, 7))) == 7
    assert len(read) == -(-7 // per_item)


# Events that cannot become rows are rejected, each with the reason

MALFORMED = {
    "not an object": [None, 5, "event", [], [{"id": "a"}]],
    "no id": [{}, {"id": ""}, {"id": None}, {"id": {}, "occurredAt": "2026-05-21T01:36:04Z"}],
    "no occurredAt": [{"id": "a"}, {"id": "a", "occurredAt": ""}, {"id": "a", "occurredAt": None}],
    "unreadable occurredAt": [
        {"id": "a", "occurredAt": occurred}
        for occurred in ("yesterday", "2026-13-01", 5, True, [], {}, ["2026-05-21T01:36:04Z"], {"value": 5})
    ],
}


@pytest.mark.parametrize("reason", MALFORMED)
def test_a_malformed_event_is_rejected_with_the_reason(reason):
    bad, good, rejected = MALFORMED[reason], event(1), []
    assert list(stages.reject_malformed(lambda *why: rejected.append(why))([good, *bad, good])) == [good, good]
    assert rejected == [(each, reason) for each in bad]
