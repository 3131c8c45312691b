"""From the settings to HubSpot: the client, the query, and the definitions."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from pipeline.config.settings import Settings
from pipeline.errors import Forbidden, HubSpotError
from pipeline.hubspot import events_api
from pipeline.hubspot.client import Client
from pipeline.hubspot.definitions_api import is_custom
from pipeline.hubspot.events_api import Query
from pipeline.hubspot.properties import Definition


def connect(
    settings: Settings, log: Callable[[str], Any] = lambda sentence: None, patience: int | None = None
) -> Client:
    """A client for these settings, as a context manager. `patience` (ms) limits an outage further
    than max_outage_minutes does.
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


class Definitions(NamedTuple):
    """The definitions of the selected event types, or HubSpot's error in their place: a sync can do
    without them.
    """

    by_type: Mapping[str, Definition] = {}
    error: HubSpotError | None = None

    @property
    def is_an_answer(self) -> bool:
        """Whether HubSpot has sent them, or does not let this token read them."""
        return self.error is None or isinstance(self.error, Forbidden)


def definitions_of(client: Client, event_types: Collection[str]) -> Definitions:
    """The definitions of these event types. HubSpot is asked only if one of them is custom."""
    try:
        found = client.definitions() if any(map(is_custom, event_types)) else {}
    except HubSpotError as error:
        return Definitions(error=error)
    return Definitions({name: found[name] for name in event_types if name in found})
