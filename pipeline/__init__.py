"""HubSpot events as a stream: the stages, and what they are composed of. `from pipeline import flatten, serialize_lists`."""
from pipeline.client import Client
from pipeline.errors import ConnectorError
from pipeline.reading.reader import Reader
from pipeline.run import Sink
from pipeline.settings import Settings, read_settings
from pipeline.shaping import keep_whole, protect, protection, rename_columns
from pipeline.stages import (
    checkpoint_every,
    dedupe_by_id,
    emit_upserts,
    fetch_pages,
    flatten,
    keep_type,
    serialize_lists,
    set_aside,
    unwrap_results,
)
from pipeline.sync import sync

__all__ = [
    "Client",
    "ConnectorError",
    "Reader",
    "Settings",
    "Sink",
    "checkpoint_every",
    "dedupe_by_id",
    "emit_upserts",
    "fetch_pages",
    "flatten",
    "keep_type",
    "keep_whole",
    "protect",
    "protection",
    "read_settings",
    "rename_columns",
    "serialize_lists",
    "set_aside",
    "sync",
    "unwrap_results",
]
