"""A walk through the pages of a window, to an end that can be believed."""
import threading
from collections.abc import Iterator
from typing import Any

from pipeline.errors import Refused
from pipeline.hubspot.client import Page
from pipeline.reading.window import Fetch, PageRequest, Window, WindowPage, part_of

MOST_OUT_OF_RANGE = 2  # pages of events out of range, with none of the window's own between them
MOST_STALE = 6  # pages in a row without a new event; one that holds events, all of them known, counts twice
RECENT_IDS = 20_000  # remembered at least: no circle of fewer events is walked for long


class Inconclusive(Exception):
    """This walk came to no end that can be believed; one through a smaller window, or with pages of another size, may.

    `events` is how many it counted. `ended`: it did end, but not clearly. `cause` is what HubSpot said, if it refused.
    """

    def __init__(self, why: str, events: int, ended: bool = False, cause: Refused | None = None):
        super().__init__(why)
        self.events = events
        self.ended = ended
        self.cause = cause


def walk(
    fetch: Fetch, window: Window, stop: threading.Event, earlier: Inconclusive | None = None, limit: int | None = None
) -> Iterator[WindowPage]:
    """The pages of a window, to an end that can be believed: the window is whole if this ends without an error.

    A page that names no next one is the last, unless it is an empty page at a cursor, or its paging cannot be read. Such an end
    is believed if it does not depend on the size of pages: the `earlier` walk, with pages of another size, counted the same
    events, and the last page of this one is not full (of `limit` events). Raises Inconclusive if the walk cannot be followed to
    its end, and whatever `fetch` raises.
    """
    cursor, seen, events, last_fullness, out_of_range = None, _Seen(), 0, 0, 0
    while True:
        request = PageRequest(window.bounds(), cursor, limit)
        try:
            page = _ask(fetch, request, stop)
        except Refused as refused:
            if cursor is None:
                raise
            raise Inconclusive("HubSpot refused a page cursor of its own.", events, cause=refused) from None
        part, ids = part_of(window, page, request.bounds)
        part = part._replace(new=seen.add(ids))
        events, last_fullness = events + len(ids), part.fullness or last_fullness
        out_of_range = 0 if part.events else out_of_range + bool(part.out_of_range)
        agreed = earlier is not None and earlier.ended and earlier.events == events
        proved = agreed and limit is not None and last_fullness < limit
        if page.cursor is None and (proved or not _is_doubtful(page, request)):
            yield part._replace(more=False)
            return
        yield part
        if page.cursor is None:
            raise Inconclusive("HubSpot's pages ended without saying so clearly.", events, ended=True)
        if out_of_range >= MOST_OUT_OF_RANGE:
            raise Inconclusive("HubSpot does not keep to the time range asked for (occurredAfter, occurredBefore).", events)
        if page.cursor == cursor or seen.is_circling(page.cursor):
            raise Inconclusive("HubSpot's page cursors lead to the same pages again.", events)
        cursor = page.cursor


def another_size(limit: int, granted: int) -> int:
    """Another number of events a page, which shifts what page cursors point at. It is smaller than what HubSpot is known to have
    `granted`, if possible, since a larger one may be cut down to that.

    >>> another_size(1000, 1000), another_size(2, 50), another_size(1, 1)
    (999, 50, 4)
    """
    limit = min(limit, granted)
    if limit > 2:
        return limit - 1
    return granted if limit < granted else limit + 3


def _ask(fetch: Fetch, request: PageRequest, stop: threading.Event) -> Page:
    """One page. If its cursor is refused, or the answer is doubtful, it is asked for once more: either may be transient."""
    try:
        page = fetch(request, stop)
    except Refused:
        if request.cursor is None:
            raise
        page = fetch(request, stop)
    return fetch(request, stop) if _is_doubtful(page, request) else page


def _is_doubtful(page: Page, request: PageRequest) -> bool:
    """Whether a page may hide events: its paging is unclear, or leads back to itself; it is empty although another page named it,
    or although it names a next one."""
    if page.unclear or (page.cursor is not None and page.cursor == request.cursor):
        return True
    return not page.events and (page.cursor is not None or request.cursor is not None)


class _Seen:
    """What a walk remembers, in bounded memory, to notice that it makes no progress: the ids seen last, and the cursor at the
    last power of two of its pages, to which any circle returns in the end."""

    def __init__(self) -> None:
        self._older: set[Any] = set()
        self._ids: set[Any] = set()
        self._mark: str | None = None
        self._pages = 0
        self._stale = 0

    def add(self, ids: set[Any]) -> bool:
        """Adds the ids of one more page; whether any of them is new."""
        new = bool(ids - self._ids - self._older)
        self._stale = 0 if new else self._stale + 1 + bool(ids)
        self._ids |= ids
        if len(self._ids) >= RECENT_IDS:
            self._older, self._ids = self._ids, set()
        return new

    def is_circling(self, cursor: str) -> bool:
        """Whether the walk, with the cursor behind one more page, has brought nothing new for too long."""
        self._pages += 1
        circle = cursor == self._mark
        if self._pages & (self._pages - 1) == 0:
            self._mark = cursor
        return circle or self._stale >= MOST_STALE
