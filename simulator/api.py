"""The Events API: from a request to its answer, without any network."""

import itertools
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from threading import Lock
from typing import Any

import orjson

from simulator.behaviour import Asked, Behaviour
from simulator.cursor import Place, encode
from simulator.errors import Answer, Refused, error, forbidden, invalid, rate_limited
from simulator.faults import alter, instead
from simulator.history import History, merged
from simulator.instants import milliseconds
from simulator.pages import Page, cut, keep_properties, render, select
from simulator.quota import Quota
from simulator.walk import Walk, arrive, is_turn

PATH = re.compile(
    r"/events/(?:v3/events|event-occurrences/(?:2025-09|2026-03|2026-09))(?P<types>/event-types)?/?"
)
Query = dict[str, list[str]]


@dataclass
class Account:
    """A HubSpot account: its events by type, how its API behaves, and what the API remembers of the requests."""

    histories: dict[str, History]
    behaviour: Behaviour = field(default_factory=Behaviour)
    quota: Quota = field(default_factory=Quota)
    emptied: set[Place] = field(default_factory=set)  # places whose page has been empty once
    ended: set[Place] = field(default_factory=set)  # places whose page has been empty once, without a next
    continued: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    lock: Lock = field(default_factory=Lock)

    def now(self) -> int:
        """Milliseconds UTC by the simulator's clock."""
        return self.behaviour.clock() if self.behaviour.clock else time.time_ns() // 1_000_000


def answer(account: Account, asked: Asked, faults: list[str]) -> Answer:
    """The answer to a request that meets these faults (of transport aside); rate-limit headers on each."""
    behaviour = account.behaviour
    drawn = account.quota.draw(account.now(), behaviour.quota, behaviour.daily_quota, behaviour.others_per_second)
    reply = next(filter(None, (instead(kind, behaviour) for kind in faults)), None)
    reply = reply or _unauthorized(asked, behaviour)
    if reply is None and drawn.policy:
        reply = rate_limited(drawn.policy, drawn.wait_ms if behaviour.retry_after_on_429 else None)
    if reply is None:
        try:
            reply = _routed(account, asked, faults)
        except Refused as refused:
            reply = refused.answer
    if behaviour.rate_headers:
        reply.headers.update(drawn.headers)
    return reply


def _unauthorized(asked: Asked, behaviour: Behaviour) -> Answer | None:
    """401 without the right bearer token, 530 from the proxy for one that could be none; None when it is right."""
    scheme, _, token = asked.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        return error(401)
    if not re.fullmatch(r"[!-~]+", token.strip()):
        return error(530)
    if behaviour.token is not None and token.strip() != behaviour.token:
        return error(401, message="The access token is invalid or expired.", category="EXPIRED_AUTHENTICATION")
    return None


def _routed(account: Account, asked: Asked, faults: list[str]) -> Answer:
    """A page of events, or the event types."""
    path = PATH.fullmatch(asked.path)
    if not path:
        return error(404)
    if asked.method != "GET":
        return error(405)
    if path["types"]:
        names = [*account.histories, *account.behaviour.extra_event_types]
        return Answer(200, orjson.dumps({"eventTypes": names}))
    return Answer(200, render(_page(account, asked, faults)))


def _page(account: Account, asked: Asked, faults: list[str]) -> Page:
    """The page asked for, with the faults of its content."""
    behaviour, query = account.behaviour, asked.query
    history = _history(account, query)
    limit = _limit(query, behaviour)
    text = query.get("after", [""])[0]
    if "before" in query:
        raise invalid("The simulator knows no cursor of a previous page", "before")
    if "%" in text and behaviour.cursor_decodes == "once":
        return Page([], None, asked.path, query)
    turn = next(account.continued) if text else 0
    now = account.now() if behaviour.cursor_ttl_ms is not None else 0
    place = arrive(asked, behaviour, now, turn) if text else None
    window = _window(account, history, query)
    wanted = _wanted(account, history, query)
    if place and (hollow := _hollow(account, asked, place._replace(issued=0, at=0), turn)):
        return hollow
    walk = Walk(history, _order(query, behaviour, place), place, asked, behaviour, now)
    indices, more = cut(walk.following(window), limit, wanted)
    after = walk.onward(indices, more)
    page = Page(list(map(history.body, indices)), after, asked.path, query)
    page = page._replace(paging=behaviour.last_paging if after is None and behaviour.last_paging else behaviour.paging)
    names = {name for value in query.get("properties", []) for name in value.split(",")}
    if names:
        page = page._replace(bodies=[keep_properties(body, names) for body in page.bodies])
    first = walk.beginning()
    for kind in faults:
        page = alter(kind, page, lambda: first.onward(*cut(first.following(window), limit, wanted)))
    return page


def _hollow(account: Account, asked: Asked, place: Place, turn: int) -> Page | None:
    """An empty page in place of the one behind a place, though events follow there; None where there is to be none."""
    behaviour, hollow = account.behaviour, Page([], None, asked.path, asked.query)
    with account.lock:
        if is_turn(turn, behaviour.ends_every) or (behaviour.ends_once and place not in account.ended):
            account.ended.add(place)
            return hollow._replace(paging=behaviour.last_paging)
        if is_turn(turn, behaviour.empty_page_every) and place not in account.emptied:
            account.emptied.add(place)
            at = account.now() if behaviour.cursor_ttl_ms is not None else 0
            return hollow._replace(after=encode(place._replace(issued=asked.number, at=at)), paging=behaviour.paging)
    return None


def _history(account: Account, query: Query) -> History:
    """The events of the type asked for, or of all types when only an object type is asked for."""
    event_type, object_type = query.get("eventType", [""])[0], query.get("objectType", [""])[0]
    if not event_type and not object_type:
        raise Refused(error(400, message="Must specify an eventType or objectType"))
    if query.get("objectId") and not object_type:
        raise invalid("objectId needs an objectType", "objectId")
    if event_type in account.behaviour.forbidden:
        raise Refused(forbidden(account.behaviour.forbidden, event_type))
    if not event_type:
        return merged(account.histories)
    if event_type not in account.histories:
        raise invalid(f"Unknown event type: {event_type}", "eventType")
    return account.histories[event_type]


def _limit(query: Query, behaviour: Behaviour) -> int:
    """How many results the page may have."""
    text = query.get("limit", [str(behaviour.default_limit)])[0]
    limit = int(text) if re.fullmatch(r"\d{1,9}", text) else 0
    if limit < 1:
        raise invalid(f"limit must be a positive whole number, not {text!r}", "limit")
    if limit > behaviour.max_limit and behaviour.limit_policy == "error":
        raise invalid(f"Invalid limit {limit}: limit must be less than or equal to {behaviour.max_limit}", "limit")
    return min(limit, behaviour.max_limit)


def _window(account: Account, history: History, query: Query) -> range:
    """The events between the bounds asked for."""
    behaviour = account.behaviour
    grain = 1000 if behaviour.resolution == "second" else 1
    after, before = _bound(query, "occurredAfter"), _bound(query, "occurredBefore")
    after, before = None if behaviour.after_ignored else after, None if behaviour.before_ignored else before
    if after is not None and not behaviour.after_inclusive:
        after += grain
    if before is not None and behaviour.before_inclusive:
        before += grain
    if behaviour.hide_future:
        before = min(account.now() + 1, before if before is not None else account.now() + 1)
    return select(history, after, before, grain)


def _bound(query: Query, name: str) -> int | None:
    """A bound in milliseconds UTC, None when it is left out."""
    if name not in query:
        return None
    ms = milliseconds(query[name][0])
    if ms is None:
        raise invalid(f"{name} is no ISO 8601 date-time: {query[name][0]!r}", name)
    return ms


def _order(query: Query, behaviour: Behaviour, place: Place | None) -> str:
    """The order asked for. Descending "messes up the pagination": the cursor goes on ascending, over the same again."""
    sort = query.get("sort", [""])[0].lower()
    if not sort:
        return behaviour.order
    return "descending" if sort.startswith(("-", "desc")) and place is None else "ascending"


def _wanted(account: Account, history: History, query: Query) -> Callable[[int], bool] | None:
    """Whether an event, by index, is visible and passes the query's filters; None when all do."""
    late, now = account.behaviour.late, account.now()
    matches = _filters(query)
    if late is None and not matches:
        return None

    def wanted(i: int) -> bool:
        occurred = history.time(i)
        if late and i >= history.always and occurred + late(i, occurred) > now:
            return False
        return not matches or all(match(json.loads(history.body(i))) for match in matches)

    return wanted


def _filters(query: Query) -> list[Callable[[Any], bool]]:
    """What the query asks of each parsed event beside its type and its time."""
    filters: list[Callable[[Any], bool]] = []
    for name, values in query.items():
        if name in ("objectType", "objectId", "id"):
            filters.append(partial(_has, name, {value.lower() for value in values}))
        elif name.startswith("property."):
            filters.append(partial(_has_property, name.partition(".")[2], set(values)))
        elif name.startswith("objectProperty."):
            raise invalid("The simulator knows no objects, so none of their properties", name)
    return filters


def _has(name: str, values: set[str], event: Any) -> bool:
    """Whether a field of the event, in lower case, is one of the values."""
    return isinstance(event, dict) and str(event.get(name)).lower() in values


def _has_property(name: str, values: set[str], event: Any) -> bool:
    """Whether a property of the event is one of the values."""
    properties = event.get("properties") if isinstance(event, dict) else None
    return isinstance(properties, dict) and properties.get(name) in values
