"""Faults: everything that can go wrong with an answer or its transport, each with a name."""

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote
from zlib import crc32

import orjson

from simulator.behaviour import Behaviour, Request
from simulator.errors import Answer, error, forbidden, rate_limited
from simulator.instants import DAY_MS, iso, milliseconds
from simulator.pages import Page
from simulator.paging import SHAPES
from simulator.values import mix

STATUSES = (400, 401, 403, 404, 405, 414, 423, 429, 477, 500, 502, 503, 504, *range(520, 528), 530)
TRANSPORT = ("cut", "cut_clean", "reset", "hang", "drip")


def faults_of(request: Request, behaviour: Behaviour) -> list[str]:
    """The faults that a request gets: those set for its number, else the callable's, else random
    ones.
    """
    found = behaviour.faults.get(request.number)
    if found is None and behaviour.fault:
        found = behaviour.fault(request)
    if found is None:
        found = _random(request.number, behaviour)
    kinds = [found] if isinstance(found, str) else list(found or [])
    for kind in kinds:
        check(kind)
    return kinds


def check(kind: str) -> None:
    """Raises ValueError if there is no such fault."""
    name, *options = kind.split(":")
    is_known = name in TRANSPORT or name in CONTENT or name in REPLACEMENTS or name in SHAPES
    if not is_known and name not in map(str, STATUSES):
        raise ValueError(f"no such fault: {kind!r}; the faults are {', '.join(kinds())}")
    for option in options:
        if option not in ("daily", "no-retry-after") and not option.startswith("retry-after="):
            raise ValueError(f"no such fault option: {option!r} in {kind!r}")


def kinds() -> list[str]:
    """The names of all faults."""
    return [*map(str, STATUSES), *REPLACEMENTS, *TRANSPORT, *CONTENT, *SHAPES]


def replacement(kind: str, behaviour: Behaviour) -> Answer | None:
    """The answer that a fault puts in place of the real one; None if it does not replace it."""
    name, *options = kind.split(":")
    if name in REPLACEMENTS:
        return REPLACEMENTS[name](behaviour)
    if not name.isdigit():
        return None
    answer = _error(int(name), options, behaviour)
    for option in options:
        if option.startswith("retry-after="):
            answer.headers["Retry-After"] = option.partition("=")[2]
    if "no-retry-after" in options:
        answer.headers.pop("Retry-After", None)
    return answer


def alter(kind: str, page: Page, second_cursor: Callable[[], str | None]) -> Page:
    """The page with a fault in its content. `second_cursor()` returns the cursor of the walk's
    second page.
    """
    if kind == "backward_cursor":
        return page._replace(after=second_cursor() or page.after)
    if kind in SHAPES:
        return page._replace(paging=kind)
    return CONTENT[kind](page) if kind in CONTENT else page


def _random(number: int, behaviour: Behaviour) -> str | None:
    """The random fault of a request number, if it gets one: the same for the same seed."""
    dice = mix(number * 1_000_003 + behaviour.fault_seed)
    if not behaviour.fault_kinds or dice >= behaviour.fault_rate * 2**64:
        return None
    return behaviour.fault_kinds[mix(dice) % len(behaviour.fault_kinds)]


def _error(status: int, options: Sequence[str], behaviour: Behaviour) -> Answer:
    """The error of a status."""
    if status == 403:
        return forbidden(behaviour.forbidden, "")
    if status == 429 and "daily" in options:
        return rate_limited("DAILY", None)
    if status == 429:
        return rate_limited("TEN_SECONDLY_ROLLING", 1000)
    answer = error(status)
    if status == 477:
        answer.headers["Retry-After"] = "1"
    return answer


def _html(_: Behaviour) -> Answer:
    body = b"<!DOCTYPE html><html><body><h1>We'll be right back</h1></body></html>"
    return Answer(200, body, {"Content-Type": "text/html; charset=utf-8"})


def _redirect(behaviour: Behaviour) -> Answer:
    return Answer(302, b"", {"Location": behaviour.redirect_to})


REPLACEMENTS: dict[str, Callable[[Behaviour], Answer]] = {
    "html": _html,
    "empty": lambda _: Answer(200, b""),
    "redirect": _redirect,
}


def _repeat_cursor(page: Page) -> Page:
    """The page with the cursor that it was requested by as its next one."""
    cursor = page.query.get("after")
    return page._replace(after=quote(cursor[0], safe="")) if cursor else page


def _foreign_type(page: Page) -> Page:
    return _with_extra_event(page, eventType="e_foreign", id="leviathan-foreign-0")


def _outside(page: Page) -> Page:
    """The page with an event out of range: a day before occurredAfter, else a day after
    occurredBefore, else in 2001.
    """
    after = milliseconds(page.query.get("occurredAfter", [None])[0])
    before = milliseconds(page.query.get("occurredBefore", [None])[0])
    ms = after - DAY_MS if after is not None else before + DAY_MS if before is not None else 1_000_000_000_000
    return _with_extra_event(page, occurredAt=iso(ms).decode(), id=f"leviathan-outside-{ms}")


def _with_extra_event(page: Page, **fields: str) -> Page:
    """The page with one more event in its middle."""
    defaults = {
        "objectType": "CONTACT", "objectId": "1", "eventType": page.query.get("eventType", ["e_foreign"])[0],
        "occurredAt": "2026-01-01T00:00:00Z", "properties": {},
    }  # fmt: skip
    middle = len(page.bodies) // 2
    extra = orjson.dumps(defaults | _first_object(page) | fields)
    return page._replace(bodies=[*page.bodies[:middle], extra, *page.bodies[middle:]])


def _first_object(page: Page) -> dict[str, Any]:
    """The first event of the page that is an object; {} if none is."""
    return next((event for event in map(_loads, page.bodies) if isinstance(event, dict)), {})


def _loads(body: bytes) -> Any:
    """The event parsed; None if orjson cannot read it (very large integers, for example)."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def _unordered(page: Page) -> Page:
    return page._replace(bodies=page.bodies[1::2] + page.bodies[::2])


def _duplicate(page: Page) -> Page:
    """The page with every third event twice."""
    return page._replace(bodies=[body for n, body in enumerate(page.bodies) for _ in range(1 + (n % 3 == 0))])


def _with_property(page: Page, value: bytes) -> Page:
    """The page with one more property, of that JSON, in its first event that has properties."""
    bodies = list(page.bodies)
    for n, body in enumerate(bodies):
        event = _loads(body)
        if isinstance(event, dict) and isinstance(event.get("properties"), dict):
            properties = event["properties"] | {"hs_simulated": orjson.Fragment(value)}
            bodies[n] = orjson.dumps(event | {"properties": properties})
            break
    return page._replace(bodies=bodies)


def _without_a_shard(page: Page) -> Page:
    """The page without a third of its events, always the same ones."""
    return page._replace(bodies=[body for body in page.bodies if crc32(body) % 3])


# as in HubSpot's answers to batches; not documented for events
PARTIAL = b'"numErrors":1,"errors":[{"status":"error","message":"A shard did not answer."}]'
DEEP = b'{"a":' * 2000 + b"1" + b"}" * 2000
CONTENT: dict[str, Callable[[Page], Page]] = {
    "repeat_cursor": _repeat_cursor,
    "backward_cursor": lambda page: page,  # handled by alter
    "foreign_type": _foreign_type,
    "outside": _outside,
    "unordered": _unordered,
    "no_results": lambda page: page._replace(results=b""),
    "results_null": lambda page: page._replace(results=b"null"),
    "results_string": lambda page: page._replace(results=b'"none"'),
    "partial": lambda page: page._replace(bodies=page.bodies[::2], also=PARTIAL),
    "lone_surrogate": lambda page: _with_property(page, b'"\\ud83d"'),
    "deep": lambda page: _with_property(page, DEEP),
    "huge_int": lambda page: _with_property(page, b"1234567890" * 4),
    "duplicate": _duplicate,
    "ends": lambda page: page._replace(bodies=[], after=None),
    "last": lambda page: page._replace(after=None),
    "shard": _without_a_shard,
}
