"""A HubSpot in memory, with every kind of disorder, so that reading is tested without a socket."""

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple
from zlib import crc32

from pipeline.errors import Refused
from pipeline.hubspot.client import Page
from pipeline.hubspot.events_api import Bounds
from pipeline.reading.window import PageRequest
from pipeline.timestamps import to_ms, to_text

ORDERS = ("ascending", "descending", "shuffled", "late")
DELAY = 30_000  # ms by which the order "late" lists some events after the time they occurred
ODDITIES = ("empty", "empty_next", "refused", "repeat", "first", "unclear")
FALSE_ENDS = ("silent", "last")  # nobody can tell them from true ones, unless they pass


def event(ms: int, n: Any = 0) -> dict[str, Any]:
    return {"id": f"{ms}-{n}", "occurredAt": to_text(ms)}


def at(event: dict[str, Any]) -> int:
    return to_ms(event["occurredAt"])


def ids(events: Iterable[dict[str, Any]]) -> list[Any]:
    return [event["id"] for event in events]


def page_of(
    events: list[Any], cursor: str | None = None, size: int = 100, unclear: bool = False, full: bool = False
) -> Page:
    return Page({"results": events}, cursor, size, unclear, full)


class Overrun(AssertionError):
    """More requests than a test allows: the reading does not end."""


class Step(NamedTuple):
    """Where in a walk a request is: the number of earlier walks with the same bounds, of earlier pages in this walk,
    and of earlier requests for this page. Each request for a first page starts a walk.
    """

    walk: int
    page: int
    time: int


@dataclass
class _Rest:
    """The rest of a walk, which a cursor leads to."""

    request: PageRequest  # the one whose answer had the cursor
    walk: int
    page: int
    numbers: list[int]  # of the events
    first: "_Rest | None" = None  # of the walk


class FakeHubSpot:
    """The `fetch` of a Reader. Has an event at each of `times`, and `size` on a page unless the request sets a limit.

    Walks take the `orders` in turn; if `turning`, each page of a walk takes the next one. `inclusive` says whether the
    lower and the upper bound are, `grain` is the precision (ms) at which they are compared. `odd` maps a Step to how
    its answer is distorted: "empty_next" (no events, but a next page), "unclear" (unreadable paging), and if the
    request has a cursor, "empty" (no events, no next page), "refused", "repeat" (its own cursor is the next) and
    "first" (the first page of the walk). False ends: "silent" (no events, no next page, at any request) and "last" (no
    next page).

    Fails if a cursor comes back in another request than the one it was given for, or after `most` requests.
    """

    def __init__(
        self,
        times: Iterable[int],
        size: int,
        orders: tuple[str, ...] = ("ascending",),
        inclusive: tuple[bool, bool] = (False, False),
        grain: int = 1,
        turning: bool = False,
        odd: Callable[[Step], str | None] = lambda step: None,
        most: int = 2_000,
    ):
        self.events = [event(ms, n) for n, ms in enumerate(sorted(times))]
        self._moments = [at(event) for event in self.events]
        self._keys = {order: [SORT_KEYS[order](each) for each in self.events] for order in orders}
        self.size, self.orders, self.inclusive, self.grain = size, orders, inclusive, grain
        self.turning, self.odd, self.most = turning, odd, most
        self.requests: list[PageRequest] = []
        self._rests: dict[str, _Rest] = {}
        self._walks: Counter[Bounds] = Counter()
        self._times: Counter[tuple[Bounds, int, int]] = Counter()
        self._lock = threading.Lock()

    def __call__(self, request: PageRequest, stop: threading.Event) -> Page:
        with self._lock:
            self.requests.append(request)
            if len(self.requests) > self.most:
                raise Overrun(f"more than {self.most} requests")
            return self._answer(request)

    def _answer(self, request: PageRequest) -> Page:
        rest = self._start(request) if request.cursor is None else self._rests[request.cursor]
        assert rest.request._replace(cursor=None) == request._replace(cursor=None), (
            "the cursor belongs to another request"
        )
        odd = self._oddity(request, rest)
        if odd == "refused":
            raise Refused("The cursor has expired.")
        if odd in ("empty", "empty_next", "silent"):
            return page_of([], self._name(rest) if odd == "empty_next" else None, 1)
        if odd == "first" and rest.first:
            rest = rest.first
        numbers = self._sorted(rest.numbers, rest.walk + rest.page) if self.turning else rest.numbers
        size, cursor = request.limit or self.size, None
        if odd == "repeat":
            cursor = request.cursor
        elif numbers[size:] and odd not in ("unclear", "last"):
            cursor = self._name(_Rest(request, rest.walk, rest.page + 1, numbers[size:], rest.first or rest))
        events = [self.events[number] for number in numbers[:size]]
        return page_of(events, cursor, 100 * len(events) + 1, odd == "unclear", len(events) == size)

    def _start(self, request: PageRequest) -> _Rest:
        bounds = request.bounds
        walk = self._walks[bounds]
        self._walks[bounds] += 1
        turn = walk + crc32(repr(bounds).encode())
        return _Rest(request, walk, 0, self._sorted(self._numbers(*bounds), turn))

    def _oddity(self, request: PageRequest, rest: _Rest) -> str | None:
        place = request.bounds, rest.walk, rest.page
        odd = self.odd(Step(rest.walk, rest.page, self._times[place]))
        self._times[place] += 1
        return odd if request.cursor is not None or odd in ("empty_next", "unclear", *FALSE_ENDS) else None

    def _name(self, rest: _Rest) -> str:
        name = f"cursor {len(self._rests)}"
        self._rests[name] = rest
        return name

    def _sorted(self, numbers: list[int], turn: int) -> list[int]:
        return sorted(numbers, key=self._keys[self.orders[turn % len(self.orders)]].__getitem__)

    def within(self, after: int, before: int | None) -> list[dict[str, Any]]:
        """The events between two bounds, in order."""
        return [self.events[number] for number in self._numbers(after, before)]

    def _numbers(self, after: int, before: int | None) -> list[int]:
        low = after // self.grain + (not self.inclusive[0])
        high = None if before is None else before // self.grain + self.inclusive[1]
        moments = (ms // self.grain for ms in self._moments)
        return [number for number, moment in enumerate(moments) if low <= moment and (high is None or moment < high)]


def _random_key(event: dict[str, Any]) -> int:
    return crc32(event["id"].encode())


SORT_KEYS: dict[str, Callable[[dict[str, Any]], int]] = {
    "ascending": at,
    "descending": lambda event: -at(event),
    "shuffled": _random_key,
    "late": lambda event: at(event) + DELAY * (_random_key(event) % 13 == 0),
}
