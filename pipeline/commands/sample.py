"""How many events there are and when, from the counts of a few windows.

Where they cannot all be counted, one walk over the whole range asks for those with a common value
of some property only: a sample that no burst escapes. The counted windows tell its share.
"""

import math
import time
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import islice, pairwise
from threading import Event
from typing import Any

from pipeline.config.connect import query_for
from pipeline.config.settings import Settings
from pipeline.errors import Refused
from pipeline.hubspot.client import Client, Page
from pipeline.hubspot.events_api import PROPERTIES, occurred_ms
from pipeline.reading.fetch import fetch_page
from pipeline.reading.walk import Walk
from pipeline.reading.whole import Inconclusive, is_plain
from pipeline.reading.window import PageRequest, Window, id_of, part_of

AT_ONCE = 4
GOLDEN = (math.sqrt(5) - 1) / 2  # its multiples spread evenly, and in step with no day or week
SPREAD_TURNS = 3  # times as many windows are spread over the range before the walk
WALKS, WALK_PAGES = 3, 12  # at most; half as many pages are aimed at
NEIGHBORS, PARTS = 100, 4  # over which, and in how many steps, what stands for many is spread
PRECISE, DOUBTFUL = 0.01, 0.2  # relative errors (two standard deviations)
LEAST = 25  # events counted that have a value, for its share to be known


class Sample:
    """What was counted of one event type from `start` to `end` (ms)."""

    def __init__(self, client: Client, settings: Settings, event_type: str, start: int, end: int):
        self._client, self.settings, self._event_type = client, settings, event_type
        self.start, self.end = start, end
        self.places: dict[Any, int] = {}  # the events counted, by id: when they occurred
        self.thin: dict[Any, int] = {}  # those with one value, all over the range
        self.covered: list[tuple[int, int]] = []  # where all events are counted
        self.orders = set[str]()  # of the answers
        self.largest: list[Any] = []  # page, as events
        self.bytes = 0.0  # of an event
        self.seconds = defaultdict[int, list[float]](list)  # of pages, by requests at once
        self._values = Counter[tuple[str, str]]()
        self._points = (n * GOLDEN % 1 for n in range(1, 500))
        self._part = 0.7  # of a page: what a window is to hold if answers are in no order

    def ask(self, window: Window, cursor: str | None = None) -> Page:
        """One page of a window; it is counted. The pages of one walk come in their order."""
        return self._ask_all([window], cursor)[0]

    def _ask_all(self, windows: Sequence[Window], cursor: str | None = None) -> list[Page]:
        """A page of each window, asked for at once."""
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

    def fetch(self, request: PageRequest, stop: Event | None = None, **changes: Any) -> Page:
        """A page that is not counted, as a sync with other settings would ask for it."""
        query = query_for(replace(self.settings, **changes), self._event_type)
        return fetch_page(self._client, query, request, stop or Event())

    def _count(self, window: Window, request: PageRequest, page: Page) -> None:
        part, begin, end = part_of(window, page, window.bounds()), window.start, window.end or 0
        moments = [ms for ms in map(occurred_ms, page.events) if ms is not None]
        order = order_of(moments)
        own = {key: ms for key, ms in part.places.items() if ms is not None and window.contains(ms)}
        new = own.keys() - self.places.keys()
        part.is_new = bool(new)
        is_end = page.cursor is None and is_plain(page, request, part, 0)
        for event in page.events:
            if id_of(event) in new:
                self._values.update(_values_of(event))
        self.places |= own
        self.orders |= {order} if len(set(moments)) > 1 else set()
        if len(page.events) > len(self.largest):
            self.largest, self.bytes = page.events, page.size / len(page.events)
        if not is_end and order == "ascending":
            end = max(own.values(), default=begin)
        elif not is_end:
            begin = min(own.values(), default=end) + 1 if order == "descending" else end
            self._part /= 1 + (order == "other")
        joined = [each for each in self.covered if each[0] <= end and begin <= each[1]]
        if begin < end:
            merged = min([begin, *(b for b, _ in joined)]), max([end, *(e for _, e in joined)])
            self.covered = sorted([*(each for each in self.covered if each not in joined), merged])

    @property
    def page_events(self) -> int:
        """What a full page holds, as far as is known."""
        return max(1, len(self.largest))

    def gaps(self) -> list[Window]:
        """Where events are not counted."""
        edges = [(self.start, self.start), *self.covered, (self.end, self.end)]
        return [Window(a[1], b[0]) for a, b in pairwise(edges) if a[1] < b[0]]

    def weight(self) -> float:
        """How many events each of the thin ones stands for; 0: there are none."""
        held = sum(key in self.places for key in self.thin)
        return len(self.places) / held if held else 0.0

    def history(self) -> list[tuple[int, float]]:
        """All events, as moments (ms) and the number that each stands for: those counted, and those
        that the walk, or else the average, puts elsewhere.
        """
        found = [(ms, 1.0) for ms in self.places.values()]
        if weight := self.weight():
            moments = sorted(self.thin.values())
            elsewhere = sorted(self.thin[key] for key in self.thin.keys() - self.places.keys())
            return sorted([*found, *_smoothed(elsewhere, moments, weight)])
        counted = sum(end - begin for begin, end in self.covered)
        density = len(self.places) / (counted or self.end - self.start)
        for begin, end in ((gap.start, gap.end or 0) for gap in self.gaps()):
            parts = min(50, math.ceil(density * (end - begin)))
            found += [
                (begin + (end - begin) * n // parts, density * (end - begin) / parts)
                for n in range(parts)
            ]
        return sorted(found)

    def events(self, begin: int = 0, end: int = 2**62) -> float:
        """How many there are between two moments (ms)."""
        return sum(weight for ms, weight in self.history() if begin <= ms < end)

    def error(self) -> float | None:
        """The relative error of their number; None: it is not known, and bursts may hide."""
        total, weight = self.events(), self.weight()
        if not self.gaps():
            return 0.0
        if not weight:
            return None
        rest, noise = total - len(self.places), math.sqrt(weight / len(self.places))
        error = 2 * math.hypot(rest * noise, math.sqrt(rest * weight)) / total
        return error if error < DOUBTFUL else None

    def refine(self, left: Callable[[], int]) -> None:
        """Counts more windows while requests are left, until all is counted, or precisely; then
        what follows the latest event known.
        """
        self._refine(left)
        latest = max([*self.places.values(), *self.thin.values()], default=self.start)
        for gap in self.gaps():
            if gap.contains(latest) and left() > 0:
                self.ask(Window(latest, gap.end))

    def _refine(self, left: Callable[[], int]) -> None:
        walks = turns = 0
        while (gaps := self.gaps()) and left() > 0:
            pages = sum(self.events(gap.start, gap.end or 0) for gap in gaps) / self.page_events
            if turns >= SPREAD_TURNS and walks < WALKS:
                walks = walks + 1 if self._walk_thin(8 ** (walks + 1), left()) else WALKS
            elif turns >= SPREAD_TURNS and pages + len(gaps) <= left():
                gap = max(gaps, key=lambda gap: self.events(gap.start, gap.end or 0))
                self.ask(self._from(gap, gap.start))
            elif self.thin and (self.error() or 1) < PRECISE:
                return
            else:
                turns += 1
                if windows := list(islice(self._spread(), min(AT_ONCE, left()))):
                    self._ask_all(windows)
                elif turns > SPREAD_TURNS:
                    return
                else:
                    turns = SPREAD_TURNS

    def _spread(self) -> Iterator[Window]:
        """Windows spread over the range, from the first event on."""
        first = min(self.places.values(), default=0) if self.orders == {"ascending"} else self.start
        for point in self._points:
            at = first + int((self.end - first) * point)
            yield from (self._from(gap, at) for gap in self.gaps() if gap.contains(at))

    def _from(self, gap: Window, at: int) -> Window:
        """A window in a gap: from a moment on; up to it if answers are in descending order, and as
        long as a page of events if they are in none.
        """
        end = gap.end or 0
        if self.orders == {"descending"}:
            return Window(gap.start, end if at == gap.start else at)
        if self.orders <= {"ascending"}:
            return Window(at, end)
        density = max(1.0, self.events(gap.start, end)) / (end - gap.start)
        return Window(at, min(end, at + max(1, int(self._part * self.page_events / density))))

    def _walk_thin(self, growth: int, left: int) -> bool:
        """Walks through the events with a value whose share suits `growth` times as many events as
        the average says. Returns whether another walk is worth while.
        """
        shares = {pair: n / len(self.places) for pair, n in self._values.items() if n >= LEAST}
        if not shares:
            return False
        events = self.events() * (1 if self.thin else growth)
        aim = WALK_PAGES / 2 * self.page_events / events
        pair = min(shares, key=lambda pair: abs(math.log(shares[pair] / aim)))
        if shares[pair] > 16 * aim:
            return False
        filters = (*self.settings.property_filters, pair)
        walk = Walk(Window(self.start, self.end)).pages(
            partial(self.fetch, property_filters=filters), Event()
        )
        try:
            pages = list(islice(walk, min(WALK_PAGES, left)))
        except (Refused, Inconclusive):
            return False
        if pages[-1].is_end:
            places = [each for page in pages for each in page.places.items()]
            self.thin = {key: ms for key, ms in places if ms is not None}
            held = sum(key in self.places for key in self.thin)
            if not 0.8 < held / self._values[pair] < 1.25:  # the filter is not kept to
                self.thin = {}
                return False
        return not pages[-1].is_end or len(self.thin) < 3 * self.page_events


def order_of(moments: Sequence[int]) -> str:
    """`ascending`, `descending` or `other`.

    >>> order_of([1, 2, 2]), order_of([2, 1]), order_of([1, 3, 2])
    ('ascending', 'descending', 'other')
    """
    if all(a <= b for a, b in pairwise(moments)):
        return "ascending"
    return "descending" if all(a >= b for a, b in pairwise(moments)) else "other"


def _smoothed(
    some: Sequence[int], moments: Sequence[int], weight: float
) -> Iterator[tuple[int, float]]:
    """The weight of some of these moments, spread over their neighbors, but never past a silence."""
    for ms in some:
        place = bisect_left(moments, ms)
        near = min(NEIGHBORS, place, len(moments) - 1 - place)
        span = min(ms - moments[place - near], moments[place + near] - ms)
        yield from (
            (ms + span * part // PARTS, weight / (2 * PARTS)) for part in range(-PARTS, PARTS)
        )


def _values_of(event: Any) -> Iterator[tuple[str, str]]:
    properties = event.get(PROPERTIES) if isinstance(event, dict) else None
    for name, value in properties.items() if isinstance(properties, dict) else ():
        if isinstance(value, str) and 0 < len(value) < 100:
            yield name, value
