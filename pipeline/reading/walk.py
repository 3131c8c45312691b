"""A walk through the pages of a window, to a confirmed end."""
import threading
from collections.abc import Iterator
from typing import Any

from pipeline.errors import Forbidden, Refused
from pipeline.hubspot.client import Page
from pipeline.reading.window import Fetch, PageRequest, Window, WindowPage, ids_of, is_out_of_range, part_of

MAX_OUT_OF_RANGE = 2  # pages of events out of range, with none of the window's own between them
MAX_STALE = 6  # pages in a row without a new event; one that holds events, all of them known, counts twice
RECENT_IDS = 20_000  # remembered at least: no circle of fewer events is walked for long


class Inconclusive(Exception):
    """This walk came to no confirmed end; one through a smaller window, or with pages of another size, may.

    `event_count` is the number of events it read. `ended`: it did end, but not clearly. `cause` is what HubSpot said, if it
    refused.
    """

    def __init__(self, why: str, event_count: int, ended: bool = False, cause: Refused | None = None):
        super().__init__(why)
        self.event_count = event_count
        self.ended = ended
        self.cause = cause


def walk(
    fetch: Fetch,
    window: Window,
    stop: threading.Event,
    earlier: Inconclusive | None = None,
    limit: int | None = None,
    largest: int = 0,
) -> Iterator[WindowPage]:
    """The pages of a window, to a confirmed end: the window is whole if this ends without an error.

    A page that names no next one is the last. If that is doubtful, the `earlier` walk, with another number of events per page
    than the `limit` of this one, has to prove it; if the page is full, or as large as the `largest` so far (in events), it has
    to say so twice. Raises Inconclusive if the walk cannot be followed to its end, and whatever `fetch` raises.
    """
    cursor, seen, event_count, last_size, out_of_range = None, _Seen(), 0, 0, 0
    while True:
        request = PageRequest(window.bounds(), cursor, limit)
        try:
            page = _ask(fetch, request, stop, largest)
        except Refused as refused:
            if cursor is None or (isinstance(refused, Forbidden) and refused.explained):  # that is not for the cursor
                raise
            raise Inconclusive("HubSpot refused a page cursor of its own.", event_count, cause=refused) from None
        ids = ids_of(page.events)
        new, largest = seen.add(ids), max(largest, len(page.events))
        event_count, last_size = event_count + new, len(page.events) or last_size
        is_clear = not (_is_doubtful(page, request) or _is_strange_end(page, request, new))
        is_end = (is_clear and not _misses(earlier, event_count)) or _is_proved(earlier, event_count, last_size, limit)
        part = part_of(window, page, request.bounds, len(ids), new > 0, more=page.cursor is not None or not is_end)
        yield part
        if not part.more:
            return
        if page.cursor is None:
            raise Inconclusive("HubSpot's pages ended without saying so clearly.", event_count, ended=True)
        out_of_range = 0 if part.events else out_of_range + bool(part.out_of_range)
        if out_of_range >= MAX_OUT_OF_RANGE:
            raise Inconclusive("HubSpot does not keep to the time range asked for (occurredAfter, occurredBefore).", event_count)
        if page.cursor == cursor or seen.visit(page.cursor):
            raise Inconclusive("HubSpot's page cursors lead to the same pages again.", event_count)
        cursor = page.cursor


def another_size(limit: int, granted: int) -> int:
    """Another number of events per page, which shifts what page cursors point at. It is smaller than what HubSpot is known to
    have `granted`, if possible, since a larger one may be cut down to that.

    >>> another_size(1000, 1000), another_size(2, 50), another_size(1, 1)
    (999, 50, 4)
    """
    limit = min(limit, granted)
    if limit > 2:
        return limit - 1
    return granted if limit < granted else limit + 3


def _ask(fetch: Fetch, request: PageRequest, stop: threading.Event, largest: int) -> Page:
    """One page. If its cursor is refused, or it is doubtful, or full and yet the last, it is asked for once more: each of these
    may be transient."""
    try:
        page = fetch(request, stop)
    except Refused:
        if request.cursor is None:
            raise
        page = fetch(request, stop)
    if _is_doubtful(page, request):
        page = _better(page, fetch(request, stop))
    if _is_full_end(page, largest) and not page.unclear:
        page = _better(page, fetch(request, stop))
    return page


def _better(page: Page, again: Page) -> Page:
    """Which of two answers to one request to go by: the second, unless it lacks events of the first; then the end is unclear."""
    return again if ids_of(page.events) <= ids_of(again.events) else page._replace(unclear=True)


def _is_full_end(page: Page, largest: int) -> bool:
    """Whether a page names no next one although it is full. HubSpot may grant fewer events a page than were asked for."""
    return page.cursor is None and (page.full or 0 < largest <= len(page.events))


def _is_proved(earlier: Inconclusive | None, event_count: int, last_size: int, limit: int | None) -> bool:
    """Whether a doubtful end does not depend on the size of pages: the earlier walk, with pages of another size, counted the same
    events, and the last page of this one is not full."""
    agreed = earlier is not None and earlier.ended and earlier.event_count == event_count
    return agreed and limit is not None and last_size < limit


def _misses(earlier: Inconclusive | None, event_count: int) -> bool:
    """Whether the earlier walk counted more events."""
    return earlier is not None and event_count < earlier.event_count


def _is_doubtful(page: Page, request: PageRequest) -> bool:
    """Whether a page may hide events: its paging is unclear, or leads back to itself; it is empty although another page named it,
    or although it names a next one."""
    if page.unclear or (page.cursor is not None and page.cursor == request.cursor):
        return True
    return not page.events and (page.cursor is not None or request.cursor is not None)


def _is_strange_end(page: Page, request: PageRequest, new: int) -> bool:
    """Whether a last page is none that its cursor can have led to: nothing in it is new, or in the range asked for."""
    if request.cursor is None or page.cursor is not None or not page.events:
        return False
    return not new or all(is_out_of_range(event, request.bounds) for event in page.events)


class _Seen:
    """What a walk remembers, in bounded memory, to notice that it makes no progress: the latest ids, and one earlier cursor
    (Brent's cycle detection: kept at each power of two)."""

    def __init__(self) -> None:
        self._older: set[Any] = set()
        self._ids: set[Any] = set()
        self._mark: str | None = None
        self._pages = 0
        self._stale = 0

    def add(self, ids: set[Any]) -> int:
        """Adds the ids of one more page; returns how many of them are new."""
        new = len(ids - self._ids - self._older)
        self._stale = 0 if new else self._stale + 1 + bool(ids)
        self._ids |= ids
        if len(self._ids) >= RECENT_IDS:
            self._older, self._ids = self._ids, set()
        return new

    def visit(self, cursor: str) -> bool:
        """Notes the cursor of one more page; returns whether the walk goes in a circle, or brought nothing new for too long."""
        self._pages += 1
        circle = cursor == self._mark
        if self._pages & (self._pages - 1) == 0:
            self._mark = cursor
        return circle or self._stale >= MAX_STALE
