"""HubSpot's events in memory, in disorder of every kind, for tests of reading without a socket."""
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple
from zlib import crc32

from pipeline.client import Page
from pipeline.errors import Refused
from pipeline.moments import to_ms, to_text
from pipeline.reading.window import Question

ORDERS = ("ascending", "descending", "shuffled", "late")
DELAY = 30_000  # ms by which the late are listed later than they occurred, in the order of that name


def event(ms: int, n: int = 0) -> dict[str, Any]:
    return {"id": f"{ms}-{n}", "occurredAt": to_text(ms)}


def at(event: dict[str, Any]) -> int:
    return to_ms(event["occurredAt"])


def ids(events: Iterable[dict[str, Any]]) -> list[Any]:
    return [event["id"] for event in events]


class Overrun(AssertionError):
    """More requests than a test allows: what reads has come to no end."""


class Step(NamedTuple):
    """A request, as a test decides on it: how many times a walk through its bounds was begun before this one, how many pages of
    it come before this page, and how often this page was asked for before (a first page begins a walk each time)."""

    walk: int
    page: int
    time: int


@dataclass
class _Rest:
    """What a cursor leads to."""

    question: Question  # with which it was given
    walk: int
    page: int
    numbers: list[int]  # of the events
    first: "_Rest | None" = None  # of the walk


class Memory:
    """The `fetch` of a Reader. Events at `times`, `size` a page unless another limit is asked for.

    Each walk has the next of the `orders`; if they are `turning`, what is left of it has the next one on each page. `inclusive`:
    whether the two bounds are; `grain`: the ms to which they are compared. `odd` tells of a Step how its answer is bent: "hollow"
    (no events, a next), "unclear" (paging that cannot be read), and at a cursor only "empty" (no events, no next), "refused",
    "repeat" (its own cursor is the next), "first" (the walk's first page). A cursor sent with another question than it was given
    with, and a request more than `most`, are failures.
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
        self._keys = {order: [KEYS[order](each) for each in self.events] for order in orders}
        self.size, self.orders, self.inclusive, self.grain = size, orders, inclusive, grain
        self.turning, self.odd, self.most = turning, odd, most
        self.asked: list[Question] = []
        self._rests: dict[str, _Rest] = {}
        self._walks: Counter[Any] = Counter()
        self._times: Counter[Any] = Counter()
        self._lock = threading.Lock()

    def __call__(self, question: Question, stop: threading.Event) -> Page:
        with self._lock:
            self.asked.append(question)
            if len(self.asked) > self.most:
                raise Overrun(f"more than {self.most} requests")
            return self._answer(question)

    def _answer(self, question: Question) -> Page:
        rest = self._begin(question) if question.after is None else self._rests[question.after]
        assert rest.question[::2] == question[::2], "a cursor is sent with another question than it was given with"
        place = question.asked, rest.walk, rest.page
        odd = self.odd(Step(rest.walk, rest.page, self._times[place]))
        self._times[place] += 1
        if odd == "refused" and question.after is not None:
            raise Refused("The cursor has expired.")
        if odd == "empty" and question.after is not None:
            return Page([], None, 1)
        if odd == "hollow":
            return Page([], self._name(rest), 1)
        if odd == "first" and rest.first:
            rest = rest.first
        numbers = self._ordered(rest.numbers, rest.walk + rest.page) if self.turning else rest.numbers
        size, after = question.limit or self.size, None
        if odd == "repeat" and question.after is not None:
            after = question.after
        elif numbers[size:] and odd != "unclear":
            after = self._name(_Rest(question, rest.walk, rest.page + 1, numbers[size:], rest.first or rest))
        events = [self.events[number] for number in numbers[:size]]
        return Page(events, after, 100 * len(events) + 1, odd == "unclear")

    def _begin(self, question: Question) -> _Rest:
        walk = self._walks[question.asked]
        self._walks[question.asked] += 1
        turn = walk + crc32(repr(question.asked).encode())
        return _Rest(question, walk, 0, self._ordered(self._numbers(*question.asked), turn))

    def _name(self, rest: _Rest) -> str:
        name = f"cursor {len(self._rests)}"
        self._rests[name] = rest
        return name

    def _ordered(self, numbers: list[int], turn: int) -> list[int]:
        return sorted(numbers, key=self._keys[self.orders[turn % len(self.orders)]].__getitem__)

    def within(self, after: int, before: int | None) -> list[dict[str, Any]]:
        """The events between two bounds, in the order of time."""
        return [self.events[number] for number in self._numbers(after, before)]

    def _numbers(self, after: int, before: int | None) -> list[int]:
        low = after // self.grain + (not self.inclusive[0])
        high = None if before is None else before // self.grain + self.inclusive[1]
        moments = (ms // self.grain for ms in self._moments)
        return [number for number, moment in enumerate(moments) if low <= moment and (high is None or moment < high)]


def _dice(event: dict[str, Any]) -> int:
    return crc32(event["id"].encode())


KEYS: dict[str, Callable[[dict[str, Any]], int]] = {
    "ascending": at,
    "descending": lambda event: -at(event),
    "shuffled": _dice,
    "late": lambda event: at(event) + DELAY * (_dice(event) % 13 == 0),
}
