"""The parts that one sync works with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.config.settings import Settings
from pipeline.connection.cursors import Cursors
from pipeline.connection.refusals import Refusals
from pipeline.connection.sink import Sink
from pipeline.connection.warnings import Warnings
from pipeline.hubspot.client import Client
from pipeline.tables.sync_run import Tally


@dataclass
class Run:
    """One sync: its settings, client and sink, and what it keeps while it runs. `protection`
    protects an event; `types` are those of columns as they are declared, by table. `tallies` are by
    event type, and so are `small_properties`: one that an audit asks for, to get short answers.
    """

    settings: Settings
    client: Client
    sink: Sink
    cursors: Cursors
    refusals: Refusals
    warnings: Warnings
    protection: Callable[[Any], Any] | None
    types: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    tallies: dict[str, Tally] = field(default_factory=dict)
    event_types: int = 1  # how many this sync selects
    small_properties: dict[str, str] = field(default_factory=dict)
