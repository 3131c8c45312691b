"""One page of a window, asked of HubSpot."""

import threading
from collections.abc import Callable

from pipeline.hubspot.client import Client, Page, never
from pipeline.hubspot.events_api import CURSOR, LIMIT, Query, within
from pipeline.reading.window import PageRequest


def fetch_page(
    client: Client, query: Query, request: PageRequest, stop: threading.Event, yields: Callable[[], bool] = never
) -> Page:
    """Asks for one page of a window: `query` selects the events, `request` the page. Raises as
    `Client.page` does.
    """
    paging = {CURSOR: request.cursor, LIMIT: request.limit}
    return client.page(
        {**query, **within(request.bounds), **{k: v for k, v in paging.items() if v is not None}}, stop, yields
    )
