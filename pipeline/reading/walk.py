"""A walk through the pages of a window, to a confirmed end."""

import threading
from collections.abc import Iterator
from typing import Any

from pipeline.errors import Forbidden, Refused
from pipeline.reading.ends import Inconclusive, ask, is_doubtful, is_proved, is_strange_end, misses
from pipeline.reading.window import Fetch, PageRequest, Window, WindowPage, ids_of, part_of

MAX_OUT_OF_RANGE = 2  # pages of events out of range, with none of the window's own between them
# pages in a row without a new event; one that holds events, all of them known, counts twice
MAX_STALE = 6
RECENT_IDS = 20_000  # remembered at least: no circle of fewer events is walked for long


def walk(
    fetch: Fetch,
    window: Window,
    stop: threading.Event,
    earlier: Inconclusive | None = None,
    limit: int | None = None,
    largest: int = 0,
) -> Iterator[WindowPage]:
    """The pages of a window, to a confirmed end: the window is whole if this ends without an error.

    A page that names no next one is the last. If that is doubtful, the `earlier` walk, with another
    number of events per page than the `limit` of this one, has to prove it; if the page is full, or
    as large as the `largest` so far (in events), it has to say so twice. Raises Inconclusive if the
    walk cannot be followed to its end, and whatever `fetch` raises.
    """
    cursor, seen, event_count, last_size, out_of_range = None, _Seen(), 0, 0, 0
    while True:
        request = PageRequest(window.bounds(), cursor, limit)
        try:
            page = ask(fetch, request, stop, largest)
        except Refused as refused:
            if cursor is None or (
                isinstance(refused, Forbidden) and refused.explained
            ):  # that is not for the cursor
                raise
            raise Inconclusive(
                "HubSpot refused a page cursor of its own.", event_count, cause=refused
            ) from None
        ids = ids_of(page.events)
        new, largest = seen.add(ids), max(largest, len(page.events))
        event_count, last_size = event_count + new, len(page.events) or last_size
        is_clear = not (is_doubtful(page, request) or is_strange_end(page, request, new))
        is_end = (is_clear and not misses(earlier, event_count)) or is_proved(
            earlier, event_count, last_size, limit
        )
        part = part_of(
            window,
            page,
            request.bounds,
            len(ids),
            new > 0,
            more=page.cursor is not None or not is_end,
        )
        yield part
        if not part.more:
            return
        if page.cursor is None:
            raise Inconclusive(
                "HubSpot's pages ended without saying so clearly.", event_count, ended=True
            )
        out_of_range = 0 if part.events else out_of_range + bool(part.out_of_range)
        if out_of_range >= MAX_OUT_OF_RANGE:
            raise Inconclusive(
                "HubSpot does not keep to the time range asked for (occurredAfter, occurredBefore).",
                event_count,
            )
        if page.cursor == cursor or seen.visit(page.cursor):
            raise Inconclusive("HubSpot's page cursors lead to the same pages again.", event_count)
        cursor = page.cursor


class _Seen:
    """What a walk remembers, in bounded memory, to notice that it makes no progress: the latest
    ids, and one earlier cursor (Brent's cycle detection: kept at each power of two).
    """

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
        """Notes the cursor of one more page; returns whether the walk goes in a circle, or brought
        nothing new for too long.
        """
        self._pages += 1
        circle = cursor == self._mark
        if self._pages & (self._pages - 1) == 0:
            self._mark = cursor
        return circle or self._stale >= MAX_STALE
