"""The parts that one sync works with."""

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

from pipeline.audits.subject import Site
from pipeline.config.settings import Settings
from pipeline.connection.refusals import Refusals
from pipeline.connection.saving import Saving
from pipeline.connection.sink import Sink
from pipeline.connection.warnings import Warnings
from pipeline.hubspot.client import Client


@dataclass(frozen=True)
class Run:
    """One sync: its settings, client and sink, and what all its event types share. `protection`
    protects an event; `declared` are the types of columns, by table; `site` is for its looks;
    `pool` sends the requests of all readers.
    """

    settings: Settings
    client: Client
    sink: Sink
    refusals: Refusals
    warnings: Warnings
    protection: Callable[[Any], Any] | None
    declared: Mapping[str, Mapping[str, Any]]
    site: Site
    saving: Saving
    pool: Executor
