"""Estimates how many events there are, and when, from the counts of a few windows.

Where not all can be counted, one walk over the whole range asks only for events with a common value
of some property: a sample that no burst escapes. The counted windows tell its share.
"""

import math
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import islice
from threading import Event, Lock
from typing import Any

from pipeline.config.connect import query_for
from pipeline.config.settings import Settings
from pipeline.errors import ConnectorError, Refused
from pipeline.hubspot.client import Client, Page
from pipeline.hubspot.events_api import EVENTS, PROPERTIES, occurred_ms
from pipeline.hubspot.rate_limit import RateLimit
from pipeline.reading.fetch import fetch_page
from pipeline.reading.walk import Walk
from pipeline.reading.whole import Inconclusive, is_plain
from pipeline.reading.window import PageRequest, Window, id_of, part_of
from pipeline.timestamps import DAY

AT_ONCE = 4  # requests
GOLDEN = (math.sqrt(5) - 1) / 2  # its multiples spread evenly, and in step with no day or week
SPREAD_TURNS = 3  # times as many windows are spread over the range before the walk
WALKS, WALK_PAGES = 3, 12  # at most; half as many pages are aimed at
PARTS = 240  # of a gap that the average fills
PRECISE, DOUBTFUL = 0.01, 0.2  # relative errors (two standard deviations)
LEAST = 25  # events counted that have a value, for its share to be known


class Spent(ConnectorError):
    """No request is left."""


class Budget(RateLimit):
    """A rate limit that grants `max_requests` in all, retries included, but no more than a
    hundredth of what is left of the day's quota, less those `kept` for later. Beyond that it raises
    Spent.
    """

    def __init__(self, reserve: float, max_requests: int):
        super().__init__(reserve)
        self.max_requests, self.made, self.kept, self._granting = max_requests, 0, 0, Lock()

    def left(self) -> int:
        left, daily = self._daily
        allowed = (left + self.made) // 100 if daily else self.max_requests
        return max(0, min(self.max_requests, allowed) - self.made - self.kept)

    def acquire(self, stop: Event) -> None:
        with self._granting:
            if self.left() < 1:
                raise Spent("No request is left for the preview.")
            self.made += 1
        super().acquire(stop)

    def headers(self) -> dict[str, float] | None:
        """What HubSpot's headers say: `requests` in `seconds`, `daily` and what is `left` of it;
        and how many `per_second` this connection may make. None: nothing.
        """
        said: dict[str, float] = {}
        if self._limit:
            per_second = self._limit * self._share / self._interval
            said = {"requests": self._limit, "seconds": self._interval, "per_second": per_second}
        left, daily = self._daily
        return said | ({"daily": daily, "left": left} if daily else {}) or None


class Sample:
    """What was counted of one event type from `start` to `end` (ms)."""

    def __init__(self, client: Client, settings: Settings, event_type: str):
        self._client, self.settings, self._event_type = client, settings, event_type
        self.start = settings.start
        self.end = max(client.clock.later(), self.start + 1)
        self.places: dict[Any, int] = {}  # the events counted, by id: when they occurred
        self.thin: dict[Any, int] = {}  # those with one value, all over the range
        self.orders = set[str]()  # of the answers
        self.largest = Page({EVENTS: []}, None, 0)
        self.seconds = defaultdict[int, list[float]](list)  # of pages, by requests at once
        self._covered: list[tuple[int, int]] = []  # where all events are counted
        self._values = Counter[tuple[str, str]]()
        self._points = (n * GOLDEN % 1 for n in range(1, 500))
        self._part = 0.7  # of a page: what a window is to hold if answers are in no order

    @property
    def whole(self) -> Window:
        return Window(self.start, self.end)

    @property
    def order(self) -> str | None:
        """The order of all answers; None: it cannot be told yet."""
        return "other" if len(self.orders) > 1 else min(self.orders, default=None)

    @property
    def page_events(self) -> int:
        """What a full page holds, as far as is known."""
        return max(1, len(self.largest.events))

    @property
    def event_bytes(self) -> int:
        return round(self.largest.size / self.page_events)

    def fetch(self, request: PageRequest, stop: Event | None = None, **changes: Any) -> Page:
        """Asks for a page as a sync with changed settings would. It is not counted."""
        query = query_for(replace(self.settings, **changes), self._event_type)
        return fetch_page(self._client, query, request, stop or Event())

    def ask(self, *windows: Window, cursor: str | None = None) -> list[Page]:
        """Asks for a page of each window, all at once, and counts their events."""
        requests = [PageRequest(window.bounds(), cursor) for window in windows]
        with ThreadPoolExecutor(AT_ONCE) as workers:
            answers = list(workers.map(self._timed, requests))
        for window, request, (page, seconds) in zip(windows, requests, answers, strict=True):
            self.seconds[len(windows)].append(seconds)
            self._count(window, request, page)
        return [page for page, _ in answers]

    def _timed(self, request: PageRequest) -> tuple[Page, float]:
        began = time.monotonic()
        return self.fetch(request), time.monotonic() - began

    def _count(self, window: Window, request: PageRequest, page: Page) -> None:
        part, begin, end = part_of(window, page, request.bounds), window.start, window.end or 0
        own = {key: ms for key, ms in part.places.items() if ms is not None and window.contains(ms)}
        new = own.keys() - self.places.keys()
        self.places |= own
        for event in page.events:
            if id_of(event) in new:
                values = properties_of(event).items()
                self._values.update((k, v) for k, v in values if isinstance(v, str) and 0 < len(v) < 100)
        self.note_order(page.events)
        self.largest = max(self.largest, page, key=lambda each: len(each.events))
        part.is_new = bool(new)
        if page.cursor is None and is_plain(page, request, part, 0):
            pass
        elif self.order == "ascending":
            end = max(own.values(), default=begin)
        elif self.order == "descending":
            begin = min(own.values(), default=end) + 1
        else:
            self._part, begin = self._part / 2, end
        self._covered.append((begin, end))

    def note_order(self, events: Sequence[Any]) -> None:
        """Notes the order of events, if it can be told."""
        moments = [ms for ms in map(occurred_ms, events) if ms is not None]
        orders = {"ascending": sorted(moments), "descending": sorted(moments, reverse=True)}
        if len(set(moments)) > 1:
            self.orders.add(next((name for name in orders if orders[name] == moments), "other"))

    def gaps(self) -> list[tuple[int, int]]:
        """Where events are not counted."""
        gaps, at = list[tuple[int, int]](), self.start
        for begin, end in [*sorted(self._covered), (self.end, self.end)]:
            gaps += [(at, begin)] if at < begin else []
            at = max(at, end)
        return gaps

    def weight(self) -> float:
        """How many events each of the thin ones stands for; 0: there are none."""
        held = sum(key in self.places for key in self.thin)
        return len(self.places) / held if held else 0.0

    def history(self) -> list[tuple[int, float]]:
        """All events, as moments (ms) and the number of events that each stands for: those counted,
        and those that the walk, or else the average, puts elsewhere.
        """
        found, weight, gaps = [(ms, 1.0) for ms in self.places.values()], self.weight(), self.gaps()
        if weight:
            found += [(ms, weight) for key, ms in self.thin.items() if key not in self.places]
            return sorted(found)
        length = self.end - self.start
        counted = length - sum(end - begin for begin, end in gaps)
        for begin, end in gaps:
            part = len(self.places) / (counted or length) * (end - begin) / PARTS
            found += [(begin + (end - begin) * n // PARTS, part) for n in range(PARTS) if part]
        return sorted(found)

    def events(self, begin: int = 0, end: int = 2**62) -> float:
        """How many there are between two moments (ms)."""
        return sum(weight for ms, weight in self.history() if begin <= ms < end)

    def error(self) -> float | None:
        """The relative error of the number of events; None: not known, since bursts may hide."""
        total, weight = self.events(), self.weight()
        if not self.gaps():
            return 0.0
        if not weight:
            return None
        rest, noise = total - len(self.places), math.sqrt(weight / len(self.places))
        error = 2 * math.hypot(rest * noise, math.sqrt(rest * weight)) / total
        return error if error < DOUBTFUL else None

    def refine(self, left: Callable[[], int]) -> None:
        """Counts the last day, then more windows until all events are counted or the error is
        small, then what follows the latest event known. Raises Spent if the requests do not
        suffice.
        """
        if self.gaps():
            self.ask(Window(max(self.start, self.end - DAY), self.end))
        for _ in range(SPREAD_TURNS):
            self._spread(left())
        for growth in range(1, WALKS + 1):
            if not self.gaps() or self._walk_thin(8**growth, left()):
                break
        while (gaps := self.gaps()) and (self.error() or 1) > PRECISE:
            held = {gap: self.events(*gap) for gap in gaps}
            if sum(held.values()) / self.page_events + len(gaps) <= left():
                fullest = max(gaps, key=held.__getitem__)
                self.ask(self._from(fullest, fullest[0]))
            elif not self._spread(left()):
                break
        latest = max([*self.places.values(), *self.thin.values()], default=self.start)
        for begin, end in self.gaps():
            if begin <= latest < end:
                self.ask(Window(latest, end))

    def _spread(self, left: int) -> bool:
        """Asks for windows spread over the range, from the first event on. Returns whether there
        were any.
        """
        first = min(self.places.values(), default=0) if self.order == "ascending" else self.start
        moments = (first + int((self.end - first) * point) for point in self._points)
        found = (self._from(gap, at) for at in moments for gap in self.gaps() if gap[0] <= at < gap[1])
        windows = list(islice(found, min(AT_ONCE, left))) if self.gaps() else []
        return bool(windows and self.ask(*windows))

    def _from(self, gap: tuple[int, int], at: int) -> Window:
        """A window in a gap: from a moment on; up to it, if answers are in descending order; just
        long enough for a page of events, if they are in no order.
        """
        begin, end = gap
        if self.order == "descending":
            return Window(begin, end if at == begin else at)
        if self.order == "other":
            density = max(1.0, self.events(*gap)) / (end - begin)
            end = min(end, at + max(1, int(self._part * self.page_events / density)))
        return Window(at, end)

    def _walk_thin(self, growth: int, left: int) -> bool:
        """Walks through the events with a property value whose share suits `growth` times as many
        events as the average says. Returns whether a further walk would be in vain.
        """
        shares = {pair: n / len(self.places) for pair, n in self._values.items() if n >= LEAST}
        events = self.events() * (1 if self.thin else growth)
        aim = WALK_PAGES / 2 * self.page_events / max(1.0, events)
        pair = min(shares, key=lambda pair: abs(math.log(shares[pair] / aim)), default=None)
        if left < 1 or pair is None or shares[pair] > 16 * aim:
            return True
        fetch = partial(self.fetch, property_filters=(*self.settings.property_filters, pair))
        try:
            walk = Walk(self.whole).pages(fetch, Event())
            pages = list(islice(walk, min(WALK_PAGES, left)))
        except (Refused, Inconclusive):
            return True
        if pages[-1].is_end:
            places = [each for page in pages for each in page.places.items()]
            self.thin = {key: ms for key, ms in places if ms is not None}
        return pages[-1].is_end and len(self.thin) >= 3 * self.page_events


def properties_of(event: Any) -> dict[str, Any]:
    found = event.get(PROPERTIES) if isinstance(event, dict) else None
    return found if isinstance(found, dict) else {}
