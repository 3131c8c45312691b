"""Where a walk ends: which last pages are believed, which are asked for again, and which have to be
proved by another walk.
"""

import threading

from pipeline.errors import Refused
from pipeline.hubspot.client import Page
from pipeline.reading.window import Fetch, PageRequest, ids_of, is_out_of_range


class Inconclusive(Exception):
    """This walk came to no confirmed end; one through a smaller window, or with pages of another
    size, may.

    `event_count` is the number of events it read, each counted once. `ended`: it did end, but not
    clearly. `cause` is what HubSpot said, if it refused.
    """

    def __init__(
        self, why: str, event_count: int, ended: bool = False, cause: Refused | None = None
    ):
        super().__init__(why)
        self.event_count = event_count
        self.ended = ended
        self.cause = cause


def another_size(limit: int, granted: int) -> int:
    """Another number of events per page, which shifts what page cursors point at. It is smaller
    than what HubSpot is known to have `granted`, if possible, since a larger one may be cut down to
    that.

    >>> another_size(1000, 1000), another_size(2, 50), another_size(1, 1)
    (999, 50, 4)
    """
    limit = min(limit, granted)
    if limit > 2:
        return limit - 1
    return granted if limit < granted else limit + 3


def ask(fetch: Fetch, request: PageRequest, stop: threading.Event, largest: int) -> Page:
    """One page. If its cursor is refused, or it is doubtful, or full and yet the last, it is asked
    for once more: each of these may be transient.
    """
    try:
        page = fetch(request, stop)
    except Refused:
        if request.cursor is None:
            raise
        page = fetch(request, stop)
    if is_doubtful(page, request):
        page = _better(page, fetch(request, stop))
    if _is_full_end(page, largest) and not page.unclear:
        page = _better(page, fetch(request, stop))
    return page


def _better(page: Page, again: Page) -> Page:
    """Which of two answers to one request to go by: the second, unless it lacks events of the
    first; then the end is unclear.
    """
    return again if ids_of(page.events) <= ids_of(again.events) else page._replace(unclear=True)


def _is_full_end(page: Page, largest: int) -> bool:
    """Whether a page names no next one although it is full. HubSpot may grant fewer events a page
    than were asked for.
    """
    return page.cursor is None and (page.full or 0 < largest <= len(page.events))


def is_proved(
    earlier: Inconclusive | None, event_count: int, last_size: int, limit: int | None
) -> bool:
    """Whether a doubtful end does not depend on the size of pages: the earlier walk, with pages of
    another size, counted the same events, and the last page of this one is not full.
    """
    agreed = earlier is not None and earlier.ended and earlier.event_count == event_count
    return agreed and limit is not None and last_size < limit


def misses(earlier: Inconclusive | None, event_count: int) -> bool:
    """Whether the earlier walk counted more events."""
    return earlier is not None and event_count < earlier.event_count


def is_doubtful(page: Page, request: PageRequest) -> bool:
    """Whether a page may hide events: its paging is unclear, or leads back to itself; it is empty
    although another page named it, or although it names a next one.
    """
    if page.unclear or (page.cursor is not None and page.cursor == request.cursor):
        return True
    return not page.events and (page.cursor is not None or request.cursor is not None)


def is_strange_end(page: Page, request: PageRequest, new: int) -> bool:
    """Whether a last page is none that its cursor can have led to: nothing in it is new, or in the
    range asked for.
    """
    if request.cursor is None or page.cursor is not None or not page.events:
        return False
    return not new or all(is_out_of_range(event, request.bounds) for event in page.events)
