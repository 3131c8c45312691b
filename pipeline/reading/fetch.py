"""One page of a window, asked of HubSpot."""

import threading

from pipeline.hubspot.client import Client, Page
from pipeline.hubspot.events_api import CURSOR, LIMIT, Query, within
from pipeline.hubspot.retry import Patience
from pipeline.reading.window import PageRequest


def fetch_page(
    client: Client,
    query: Query,
    request: PageRequest,
    stop: threading.Event,
    patience: Patience | None = None,
) -> Page:
    """Asks for one page of a window: `query` selects the events, `request` the page. Raises as
    `Client.page` does.
    """
    paging = {CURSOR: request.cursor, LIMIT: request.limit}
    return client.page(
        {**query, **within(request.bounds), **{k: v for k, v in paging.items() if v is not None}},
        stop,
        patience,
    )
