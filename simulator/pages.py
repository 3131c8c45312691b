"""Pages: which events of a history a query covers, the slice of them that is one page, and its JSON."""

import json
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any, NamedTuple
from urllib.parse import urlencode

import orjson

from simulator.history import History, dumps
from simulator.paging import shape

HUBSPOT = "https://api.hubapi.com"


def select(history: History, after: int | None, before: int | None, grain: int) -> range:
    """The events with after <= time < before (ms, None for no bound), each rounded down to grain ms."""
    low = history.always if after is None else history.rank(after - after % grain)
    high = len(history) if before is None else history.rank(before - before % grain)
    return range(low, max(low, high))


def cut(numbers: Iterable[int], limit: int, wanted: Callable[[int], bool] | None) -> tuple[list[int], bool]:
    """The first `limit` of the events at most, those wanted only, and whether more follow."""
    found = list(islice(filter(wanted, numbers) if wanted else numbers, limit + 1))
    return found[:limit], len(found) > limit


class Page(NamedTuple):
    """A page before it becomes JSON; `results` None stands for the list of bodies, b"" for no such field; `paging` names
    the shape of what tells the next page."""

    bodies: list[bytes]
    after: str | None  # percent-encoded
    path: str
    query: dict[str, list[str]]
    results: bytes | None = None
    paging: str | None = None


def render(page: Page) -> bytes:
    """The JSON of a page; its link names HubSpot's own host and carries the cursor encoded once."""
    results = b"[" + b",".join(page.bodies) + b"]" if page.results is None else page.results
    fields = [b'"results":' + results] if results else []
    told = shape(page.paging, _following(page))
    fields += [orjson.dumps(told)[1:-1]] if told else []
    return b"{" + b",".join(fields) + b"}"


def _following(page: Page) -> dict[str, str]:
    """The cursor of the next page and the link to it; {} on the last page."""
    if page.after is None:
        return {}
    others = {name: values for name, values in page.query.items() if name != "after"}
    link = f"{HUBSPOT}{page.path}?{urlencode(others, doseq=True)}&after={page.after}"
    return {"after": page.after, "link": link}


def keep_properties(body: bytes, names: set[str]) -> bytes:
    """The event with these properties alone."""
    event: Any = json.loads(body)
    if not isinstance(event, dict) or not isinstance(event.get("properties"), dict):
        return body
    kept = {name: value for name, value in event["properties"].items() if name in names}
    return dumps(event | {"properties": kept})
