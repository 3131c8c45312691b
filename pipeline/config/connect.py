"""From the settings to HubSpot: the client and the query."""

from collections.abc import Callable
from typing import Any

from pipeline.config.settings import Settings
from pipeline.hubspot import events_api
from pipeline.hubspot.client import Client
from pipeline.hubspot.events_api import Query


def connect(
    settings: Settings,
    log: Callable[[str], Any] = lambda sentence: None,
    patience: int | None = None,
) -> Client:
    """A client for these settings, as a context manager. With `patience`, an outage ends after that
    many ms at most, whatever max_outage_minutes says.
    """
    cure = {} if patience is None else {"outage_cure": "try again later"}
    return Client(
        token=settings.api_token,
        base_url=settings.api_base_url,
        version=settings.api_version,
        max_outage=settings.max_outage if patience is None else min(settings.max_outage, patience),
        connections=settings.concurrency,
        reserve=settings.quota_reserve / 100,
        log=log,
        **cure,
    )


def query_for(settings: Settings, event_type: str) -> Query:
    """The query for one event type, whatever the time range."""
    return events_api.query(
        event_type=event_type,
        limit=settings.page_size,
        object_type=settings.object_type,
        object_id=settings.object_id,
        properties=settings.properties,
        property_filters=settings.property_filters,
    )
