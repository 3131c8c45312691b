"""The parts that one sync works with."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pipeline.audits.subject import Site
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
    protects an event; `tallies` are by event type; `site` is what its looks work with.
    """

    settings: Settings
    client: Client
    sink: Sink
    cursors: Cursors
    refusals: Refusals
    warnings: Warnings
    protection: Callable[[Any], Any] | None
    site: Site
    tallies: dict[str, Tally] = field(default_factory=dict)
