"""Pages: which events of a history a query covers, in what order, and the slice of them that is one page."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from math import gcd
from typing import Any, NamedTuple
from urllib.parse import urlencode

import orjson

from simulator.cursor import Place
from simulator.history import History, dumps

HUBSPOT = "https://api.hubapi.com"


@dataclass(frozen=True)
class Selection:
    """The first `always` events of a history and those in [low, high), numbered by position in `order`."""

    always: int
    low: int
    high: int
    order: str

    def size(self) -> int:
        """How many events there are."""
        return self.always + self.high - self.low

    def index(self, position: int) -> int:
        """The event at a position."""
        nth = self._nth(position)
        return nth if nth < self.always else nth - self.always + self.low

    def after(self, index: int) -> int:
        """The position behind that event, be it in the selection or not."""
        nth = index if index < self.always else max(self.always - 1, index - self.low + self.always)
        if self.order == "ascending":
            return nth + 1
        if self.order == "descending":
            return max(0, self.size() - nth)
        step, start = _stride(self.size())
        return (nth - start) * pow(step, -1, self.size()) % self.size() + 1 if self.size() else 0

    def _nth(self, position: int) -> int:
        """Where in ascending order the event at a position stands."""
        if self.order == "ascending":
            return position
        if self.order == "descending":
            return self.size() - 1 - position
        step, start = _stride(self.size())
        return (step * position + start) % self.size()


def select(history: History, after: int | None, before: int | None, grain: int, order: str) -> Selection:
    """Events with after <= time < before (ms, None for no bound), each rounded down to grain ms."""
    low = history.always if after is None else history.rank(after - after % grain)
    high = len(history) if before is None else history.rank(before - before % grain)
    return Selection(history.always, low, max(low, high), order)


def resume(selection: Selection, history: History, place: Place) -> int:
    """The position behind a cursor's place."""
    return selection.after(history.rank(place.millis) + max(0, place.tie))


def cut(
    selection: Selection, start: int, limit: int, wanted: Callable[[int], bool] | None
) -> tuple[list[int], bool]:
    """The indices of at most limit events from position start on, those wanted only, and whether more follow."""
    if wanted is None:
        stop = min(start + limit, selection.size())
        return [selection.index(position) for position in range(start, stop)], stop < selection.size()
    found = filter(wanted, map(selection.index, range(start, selection.size())))
    indices = list(islice(found, limit + 1))
    return indices[:limit], len(indices) > limit


class Page(NamedTuple):
    """A page before it becomes JSON; `results` None stands for the list of bodies, b"" for no such field."""

    bodies: list[bytes]
    after: str | None  # percent-encoded
    path: str
    query: dict[str, list[str]]
    results: bytes | None = None


def render(page: Page) -> bytes:
    """The JSON of a page; its link names HubSpot's own host and carries the cursor encoded once."""
    results = b"[" + b",".join(page.bodies) + b"]" if page.results is None else page.results
    fields = [b'"results":' + results] if results else []
    if page.after is not None:
        others = {name: values for name, values in page.query.items() if name != "after"}
        link = f"{HUBSPOT}{page.path}?{urlencode(others, doseq=True)}&after={page.after}"
        fields.append(b'"paging":' + orjson.dumps({"next": {"after": page.after, "link": link}}))
    return b"{" + b",".join(fields) + b"}"


def keep_properties(body: bytes, names: set[str]) -> bytes:
    """The event with these properties alone."""
    event: Any = json.loads(body)
    if not isinstance(event, dict) or not isinstance(event.get("properties"), dict):
        return body
    kept = {name: value for name, value in event["properties"].items() if name in names}
    return dumps(event | {"properties": kept})


def _stride(size: int) -> tuple[int, int]:
    """Step and start of a walk over range(size) that meets each number once, far from in order."""
    step = int(size * 0.618) | 1
    while gcd(step, size) > 1:
        step += 2
    return step, size // 3
