"""Walks through the pages of a window. Every walk ends."""

import threading
from collections.abc import Callable, Collection, Iterator
from typing import Any

from pipeline.errors import Forbidden, Refused
from pipeline.fingerprints import MODULUS, Sum
from pipeline.hubspot.client import Page
from pipeline.reading.whole import Inconclusive, is_doubtful, is_plain
from pipeline.reading.window import Fetch, PageRequest, Places, Window, WindowPage, part_of
from pipeline.recent import RECENT_IDS

MAX_OUTSIDE = 2  # pages in a row with events outside the bounds, and none of the window's own
# pages in a row without a new event; one of known events counts twice
MAX_STALE = 6


class Walk:
    """One walk through a window, with `limit` events a page (None: as configured); `largest` is the
    size of the largest page so far.

    `known` are ids that this sync has read of the window before: a walk without one of them comes
    to no plain end. What occurred before `settled()` (ms) is compared with another walk. The walk
    remembers its latest events, in bounded memory, to notice when it makes no progress.
    """

    def __init__(
        self,
        window: Window,
        limit: int | None = None,
        largest: int = 0,
        known: Collection[Any] = (),
        settled: Callable[[], int] = lambda: 2**63,
    ):
        self.window, self.limit, self.largest, self.settled = window, limit, largest, settled
        self._lacking = set(known)
        self._hides = False  # whether a page that named a next one was empty
        self._older: Places = {}
        self._recent: Places = {}
        self._mark: str | None = None
        self._pages = 0
        self._stale = 0

    def seen(self) -> Places:
        """The events it has read, the latest RECENT_IDS at least: no smaller circle is walked for
        long.
        """
        return self._older | self._recent

    def pages(self, fetch: Fetch, stop: threading.Event) -> Iterator[WindowPage]:
        """Yields the pages of the window; the last one has `is_end`, and `is_plain` if the end is.
        Raises Inconclusive if the walk cannot be followed to an end, and whatever `fetch` raises.
        """
        request, outside = PageRequest(self.window.bounds(), limit=self.limit), 0
        while True:
            page = _ask(fetch, request, stop)
            part = self._add(page, request)
            yield part
            if page.cursor is None:
                return
            outside = 0 if part.events else outside + bool(part.outside)
            if outside >= MAX_OUTSIDE:
                raise Inconclusive("HubSpot does not keep to the time range asked for (occurredAfter, occurredBefore).")
            if page.cursor == request.cursor or self._is_circle(page.cursor):
                raise Inconclusive("HubSpot's page cursors lead to the same pages again.")
            request = request._replace(cursor=page.cursor)
            del page, part  # or it would be in memory until the next one is

    def _add(self, page: Page, request: PageRequest) -> WindowPage:
        """Adds a page. Returns the part that lies in the window, with what it means to this walk."""
        part = part_of(self.window, page, request.bounds)
        new = part.places.keys() - self._recent.keys() - self._older.keys()
        part.is_new, part.held = bool(new), self._comparable(part, new)
        self._stale = 0 if new else self._stale + 1 + bool(part.places)
        self._recent |= part.places
        if len(self._recent) >= RECENT_IDS:
            self._older, self._recent = self._recent, {}
        self._lacking -= part.places.keys()
        part.is_end = page.cursor is None
        self._hides |= not part.is_end and not part.places
        if part.is_end and not (self._lacking or self._hides):
            part.is_plain = is_plain(page, request, part, self.largest)
        self.largest = max(self.largest, len(part.places))
        return part

    def _comparable(self, part: WindowPage, new: Collection[Any]) -> Sum:
        """The number and sum of the window's new events that occurred before `settled()`. Both
        walks compared are of this process, so Python's own hash of an id suffices.
        """
        if part.latest is None:
            return Sum(0, 0)
        settled = self.settled()
        if part.latest >= settled or len(part.events) < len(part.places):
            before = Window(self.window.start, min(settled, self.window.end or settled))
            moments = ((key, part.places[key]) for key in new)
            new = [key for key, ms in moments if ms is not None and before.contains(ms)]
        return Sum(len(new), sum(map(hash, new)) % MODULUS)

    def _is_circle(self, cursor: str) -> bool:
        """Whether the walk goes in a circle, or has brought nothing new for too long. Remembers one
        earlier cursor, at each power of two of its pages (Brent's cycle detection).
        """
        self._pages += 1
        circle = cursor == self._mark
        if self._pages & (self._pages - 1) == 0:
            self._mark = cursor
        return circle or self._stale >= MAX_STALE


def _ask(fetch: Fetch, request: PageRequest, stop: threading.Event) -> Page:
    """Asks for a page, and once more if its cursor is refused or the page is doubtful: either may
    be transient.
    """
    for is_last in (False, True):
        try:
            page = fetch(request, stop)
        except Refused as refused:
            if request.cursor is None:
                raise
            if is_last:
                if isinstance(refused, Forbidden) and refused.explained:
                    raise  # not because of the cursor
                why = "HubSpot refused a page cursor of its own."
                raise Inconclusive(why, refused) from None
        else:
            if is_last or not is_doubtful(page, request):
                break
    return page
