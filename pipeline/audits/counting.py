"""Counts again what cells hold, with requests for one small property of each event."""

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from toolz import pipe

from pipeline.audits.cells import Cell
from pipeline.audits.count import Found, Recount
from pipeline.audits.subject import Site, Subject
from pipeline.config.connect import query_for
from pipeline.errors import HubSpotError, Refused, Unauthorized, Unavailable
from pipeline.hubspot.client import Page
from pipeline.hubspot.events_api import PROPERTIES
from pipeline.reading.fetch import fetch_page
from pipeline.reading.reader import Reader
from pipeline.reading.window import COUNTED, PageRequest
from pipeline.stages import keep_type, reject_malformed, unwrap_results

# Pages of events that one walk counts: as many as a reader certainly reads uncut. A little less,
# for an answer to a range also holds the events next to it.
WALK_PAGES, FULL = 4, 0.99

Counted = tuple[Cell, "Found | HubSpotError"]  # a cell, and what it holds, or why that is not known


def walks(page_size: int, cells: Iterable[Cell]) -> Iterator[list[Cell]]:
    """Yields cells, neighbors together, in lists of no more events than one walk counts."""
    walk: list[Cell] = []
    max_events, events = FULL * WALK_PAGES * page_size, 0
    for cell in cells:
        if walk and (walk[-1].end < cell.begin or events + cell.sum.events > max_events):
            yield walk
            walk, events = [], 0
        walk.append(cell)
        events += cell.sum.events
    if walk:
        yield walk


def affordable(page_size: int, lists: Sequence[list[Cell]], requests: int) -> int:
    """How many of these lists of cells, from the first on, can probably be counted with so many
    requests: at least one if any request is left, or a crowded one would never be counted.
    """
    left = requests
    for number, walk in enumerate(lists):
        left -= 1 + sum(cell.sum.events for cell in walk) // page_size
        if left < 0 and (number or not requests):
            return number
    return len(lists)


def count_all(site: Site, subject: Subject, lists: Sequence[list[Cell]]) -> Iterator[list[Counted]]:
    """Yields what the cells of each list hold, several lists being counted at once."""
    abort = threading.Event()
    with ThreadPoolExecutor(site.settings.concurrency, thread_name_prefix="audit") as workers:
        futures = [workers.submit(_count, site, subject.name, abort, walk) for walk in lists]
        try:
            for future in futures:
                began = time.monotonic()
                counted = future.result()
                subject.findings.waited += time.monotonic() - began
                yield counted
        finally:
            abort.set()
            workers.shutdown(wait=True, cancel_futures=True)


def _count(site: Site, event_type: str, abort: threading.Event, cells: Sequence[Cell]) -> list[Counted]:
    """What these neighboring cells hold now. If HubSpot refuses them, they are halved until only
    what it refuses is left out. Runs in a worker.
    """
    recount = Recount(cells)
    span = cells[0].begin, cells[-1].end
    try:
        with little(site, event_type, span[0], 1, abort) as source:
            known = sum(cell.sum.events for cell in cells)
            for event in events_of(event_type, source.pages(span, known_events=known)):
                recount.add(event)
    except (Unauthorized, Unavailable):
        raise
    except HubSpotError as error:
        if len(cells) == 1:
            return [(cells[0], error)]
        half = len(cells) // 2
        parts = cells[:half], cells[half:]
        return [each for part in parts for each in _count(site, event_type, abort, part)]
    return list(zip(cells, recount.found(), strict=True))


def events_of(event_type: str, pages: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The events of pages that a sync delivers, without those that it rejects, and without pages
    that are read once more in their turn.
    """
    in_turn = (page for page in pages if page.get(COUNTED, True))
    return pipe(in_turn, unwrap_results, reject_malformed(_ignore), keep_type(event_type, _ignore))  # type: ignore[no-any-return]


def _ignore(event: Any, reason: str) -> None:
    pass


def little(site: Site, event_type: str, begin: int, concurrency: int, abort: threading.Event) -> Reader:
    """A reader of little more than the ids of events; setting `abort` abandons its requests."""
    fetch = partial(_fetch, site, event_type, abort)
    return Reader(fetch, site.client.clock.later, concurrency, begin)


def _fetch(site: Site, event_type: str, abort: threading.Event, request: PageRequest, _stop: threading.Event) -> Page:
    """A page with one small property of each event; with all of them while none is known, or if
    HubSpot refuses that one. `abort` stops it as the reader's `stop` would, but sooner: leaving the
    reader waits for its workers.
    """
    query = query_for(site.settings, event_type)
    small = site.small_properties.get(event_type)
    if small:
        try:
            query_small = {**query, PROPERTIES: (small,)}
            return fetch_page(site.client, query_small, request, abort, _yields)
        except Refused:
            site.small_properties[event_type] = ""
    page = fetch_page(site.client, query, request, abort, _yields)
    if small is None and page.events:
        site.note_small_property(event_type, page.events[0])
    return page


def _yields() -> bool:
    """What is due stays due, so that the other event types need not wait."""
    return True
