"""HubSpot events as a stream: the stages, and what a sync needs around them."""

from pipeline.config.settings import Settings, read_settings
from pipeline.connection.sink import Sink
from pipeline.connection.sync import sync
from pipeline.errors import ConnectorError
from pipeline.hubspot.client import Client
from pipeline.reading.reader import Reader
from pipeline.rows import events
from pipeline.stages import (
    checkpoint_every,
    dedupe_by_id,
    destination_columns,
    emit_upserts,
    fetch_pages,
    first_by_id,
    flatten,
    keep_span,
    keep_type,
    properties_as_json,
    protect,
    protection,
    reject_malformed,
    rename_columns,
    serialize_lists,
    sort_by_time,
    tap,
    unwrap_results,
)

__all__ = [
    "Client",
    "ConnectorError",
    "Reader",
    "Settings",
    "Sink",
    "checkpoint_every",
    "dedupe_by_id",
    "destination_columns",
    "emit_upserts",
    "events",
    "fetch_pages",
    "first_by_id",
    "flatten",
    "keep_span",
    "keep_type",
    "properties_as_json",
    "protect",
    "protection",
    "read_settings",
    "reject_malformed",
    "rename_columns",
    "serialize_lists",
    "sort_by_time",
    "sync",
    "tap",
    "unwrap_results",
]
