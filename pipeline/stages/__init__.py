"""The stages of the pipeline: each is a function from an iterator to an iterator, lazy, and bounded
in memory.

Whatever does I/O (fetch, upsert, save) is passed in, so that each stage runs in a notebook with
lists and print. Data is the last argument and the others are curried, so that stages compose:
`toolz.pipe(pages, unwrap_results, flatten, dedupe_by_id(20_000))`.
"""

from pipeline.stages.destination import destination_columns
from pipeline.stages.emit import checkpoint_every, dedupe_by_id, emit_upserts, first_by_id, tap
from pipeline.stages.events import fetch_pages, keep_span, keep_type, reject_malformed, unwrap_results
from pipeline.stages.fit import fit_types
from pipeline.stages.flatten import flatten
from pipeline.stages.protect import protect, protection
from pipeline.stages.rename import rename_columns
from pipeline.stages.serialize import properties_as_json, serialize_lists
from pipeline.stages.sort import sort_by_time

__all__ = [
    "checkpoint_every",
    "dedupe_by_id",
    "destination_columns",
    "emit_upserts",
    "fetch_pages",
    "first_by_id",
    "fit_types",
    "flatten",
    "keep_span",
    "keep_type",
    "properties_as_json",
    "protect",
    "protection",
    "reject_malformed",
    "rename_columns",
    "serialize_lists",
    "sort_by_time",
    "tap",
    "unwrap_results",
]
