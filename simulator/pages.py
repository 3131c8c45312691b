"""Pages: the events a query selects, the slice of them that is one page, and its JSON."""

import json
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any, NamedTuple
from urllib.parse import urlencode

import orjson

from simulator.history import History, dumps
from simulator.paging import paging_fields

HUBSPOT = "https://api.hubapi.com"


class Page(NamedTuple):
    """A page before it becomes JSON."""

    bodies: list[bytes]  # the JSON of its events
    after: str | None  # cursor of the next page, percent-encoded
    path: str
    query: dict[str, list[str]]
    results: bytes | None = None  # JSON in place of the list of bodies; b"": leave the field out
    paging: str | None = None  # shape of `paging`
    also: bytes = b""  # more fields, as JSON


def select(history: History, after: int | None, before: int | None, grain: int) -> range:
    """The events with after <= time < before (ms; None: unbounded), both rounded down to a multiple
    of `grain` ms.
    """
    low = history.undated if after is None else history.rank(after - after % grain)
    high = len(history) if before is None else history.rank(before - before % grain)
    return range(low, max(low, high))


def cut(numbers: Iterable[int], limit: int, wanted: Callable[[int], bool] | None) -> tuple[list[int], bool]:
    """The first `limit` wanted events, and whether more follow."""
    found = list(islice(filter(wanted, numbers) if wanted else numbers, limit + 1))
    return found[:limit], len(found) > limit


def render(page: Page) -> bytes:
    """The JSON of a page. Its link names HubSpot's own host and carries the cursor encoded once."""
    results = b"[" + b",".join(page.bodies) + b"]" if page.results is None else page.results
    fields = [b'"results":' + results] if results else []
    paging = paging_fields(page.paging, _next_page(page))
    fields += [orjson.dumps(paging)[1:-1]] if paging else []
    fields += [page.also] if page.also else []
    return b"{" + b",".join(fields) + b"}"


def _next_page(page: Page) -> dict[str, str]:
    """The cursor of the next page and the link to it; {} on the last page."""
    if page.after is None:
        return {}
    others = {name: values for name, values in page.query.items() if name != "after"}
    link = f"{HUBSPOT}{page.path}?{urlencode(others, doseq=True)}&after={page.after}"
    return {"after": page.after, "link": link}


def keep_properties(body: bytes, names: set[str]) -> bytes:
    """The event with only these properties."""
    event: Any = json.loads(body)
    if not isinstance(event, dict) or not isinstance(event.get("properties"), dict):
        return body
    kept = {name: value for name, value in event["properties"].items() if name in names}
    return dumps(event | {"properties": kept})
