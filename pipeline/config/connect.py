"""What the settings mean for HubSpot: the client to ask with, and the query to ask."""
from collections.abc import Callable
from typing import Any

from pipeline.config.settings import Settings
from pipeline.hubspot import events
from pipeline.hubspot.client import Client
from pipeline.hubspot.events import Query


def connect(settings: Settings, log: Callable[[str], Any] = lambda sentence: None, patience: int | None = None) -> Client:
    """A client as the settings describe it; a context manager. It gives up after `patience` (ms), if not before."""
    return Client(
        settings.api_token,
        settings.api_base_url,
        settings.api_version,
        settings.max_outage if patience is None else min(settings.max_outage, patience),
        settings.concurrency,
        settings.quota_reserve / 100,
        log,
    )


def query_for(settings: Settings, event_type: str) -> Query:
    """What HubSpot is asked for one event type, whatever the time range."""
    return events.query(
        event_type,
        settings.page_size,
        settings.object_type,
        settings.object_id,
        settings.properties,
        settings.property_filters,
    )
