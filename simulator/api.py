"""The Events API: from a request to its answer, without any network."""

import re

import orjson

from simulator.account import Account
from simulator.behaviour import Behaviour, Request
from simulator.cursor import Position, encode
from simulator.definitions import PATH as DEFINITIONS_PATH
from simulator.definitions import definitions
from simulator.errors import Answer, Refused, error, invalid, rate_limited
from simulator.faults import alter, replacement
from simulator.pages import Page, cut, keep_properties, render
from simulator.query import filter_of, history_of, limit_of, window_of
from simulator.walk import Walk, is_nth, read_cursor

PATH = re.compile(r"/events/(?:v3/events|event-occurrences/(?:2025-09|2026-03|2026-09))(?P<types>/event-types)?/?")


def answer(account: Account, request: Request, faults: list[str]) -> Answer:
    """The answer to a request that gets these faults, those of transport aside, with rate-limit
    headers.
    """
    behaviour = account.behaviour
    decision = account.rate_limit.decide(
        account.now(), behaviour.quota, behaviour.daily_quota, behaviour.others_per_second
    )
    reply = next(filter(None, (replacement(kind, behaviour) for kind in faults)), None)
    reply = reply or _too_long(request, behaviour) or _unauthorized(request, behaviour)
    if reply is None and decision.policy:
        reply = rate_limited(decision.policy, decision.wait_ms)
    if reply is None:
        try:
            reply = _route(account, request, faults)
        except Refused as refused:
            reply = refused.answer
    reply.headers.update(decision.headers)
    return reply


def _too_long(request: Request, behaviour: Behaviour) -> Answer | None:
    """The error for a request line that is too long, from the proxy; None if it is not."""
    return error(414) if request.length > behaviour.max_request_line else None


def _unauthorized(request: Request, behaviour: Behaviour) -> Answer | None:
    """The error for a missing or wrong bearer token, from the proxy if it is malformed; None if the
    token is accepted.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        return error(401)
    if not re.fullmatch(r"[!-~]+", token.strip()):
        return error(530)
    if behaviour.token is not None and token.strip() != behaviour.token:
        return error(401, message="The access token is invalid or expired.", category="EXPIRED_AUTHENTICATION")
    return None


def _route(account: Account, request: Request, faults: list[str]) -> Answer:
    """The answer of the endpoint at the request's path: events, event types or definitions."""
    path = PATH.fullmatch(request.path)
    is_about_definitions = DEFINITIONS_PATH.fullmatch(request.path)
    if not path and not is_about_definitions:
        return error(404)
    if request.method != "GET":
        return error(405)
    if not path:
        return definitions(account, request)
    if path["types"]:
        names = [*account.histories, *account.behaviour.extra_event_types]
        return Answer(200, orjson.dumps({"eventTypes": names}))
    return Answer(200, render(_page(account, request, faults)))


def _page(account: Account, request: Request, faults: list[str]) -> Page:
    """The page that a query asks for, with the faults of its content."""
    behaviour, query = account.behaviour, request.query
    history = history_of(account, query)
    limit = limit_of(query, behaviour)
    cursor = query.get("after", [""])[0]
    if "before" in query:
        raise invalid("The simulator does not support cursors of previous pages", "before")
    if "%" in cursor and behaviour.cursor_decodes == "once":
        return Page([], None, request.path, query)
    turn = next(account.continued) if cursor else 0
    now = account.now() if behaviour.cursor_ttl_ms is not None else 0
    position = read_cursor(request, behaviour, now, turn) if cursor else None
    window = window_of(account, history, query)
    wanted = filter_of(account, history, query)
    if position and (empty := _empty_page(account, request, position._replace(issued=0, issued_at=0), turn)):
        return empty
    walk = Walk(history, position, request, behaviour, now)
    indices, more = cut(walk.events(window), limit, wanted)
    after = walk.next_cursor(indices, more)
    page = Page(list(map(history.body, indices)), after, request.path, query)
    page = page._replace(paging=behaviour.last_paging if after is None and behaviour.last_paging else behaviour.paging)
    names = {name for value in query.get("properties", []) for name in value.split(",")}
    if names:
        page = page._replace(bodies=[keep_properties(body, names) for body in page.bodies])
    first = walk.restart()
    for kind in faults:
        page = alter(kind, page, lambda: first.next_cursor(*cut(first.events(window), limit, wanted)))
    return page


def _empty_page(account: Account, request: Request, position: Position, turn: int) -> Page | None:
    """An empty page in place of one with events, if the options ask for one at this turn."""
    behaviour, empty = account.behaviour, Page([], None, request.path, request.query)
    with account.lock:
        if is_nth(turn, behaviour.ends_every) or (behaviour.ends_once and position not in account.ended):
            account.ended.add(position)
            return empty._replace(paging=behaviour.last_paging)
        if is_nth(turn, behaviour.empty_page_every) and position not in account.emptied:
            account.emptied.add(position)
            issued_at = account.now() if behaviour.cursor_ttl_ms is not None else 0
            issued = position._replace(issued=request.number, issued_at=issued_at)
            after = encode(issued, padding=behaviour.cursor_padding)
            return empty._replace(after=after, paging=behaviour.paging)
    return None
