"""A walk through the pages of a query: from a request's cursor to the events after it and the
cursor of the next page.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote

from simulator.behaviour import Behaviour, Request
from simulator.cursor import Position, checksum, decode, encode
from simulator.errors import invalid
from simulator.history import History
from simulator.lateness import Delay, delay_of
from simulator.orders import events_after, rank

BEGINNING = Position(0, 0, 0, walked=0)


@dataclass(frozen=True)
class Walk:
    """A walk that has reached a position (None: the request has no cursor)."""

    history: History
    position: Position | None
    request: Request
    behaviour: Behaviour
    now: int

    def events(self, window: range) -> Iterable[int]:
        """The events of the window after the position, in order."""
        behaviour, position = self.behaviour, self.position if self._walked else None
        pages = behaviour.order_breaks_after
        return events_after(self.history, window, behaviour.order, position, self._delay, pages)

    def next_cursor(self, page: list[int], more: bool) -> str | None:
        """The percent-encoded cursor that a page of these events names; None on the last page."""
        behaviour = self.behaviour
        if behaviour.cursor_loop and page and self._walked >= behaviour.cursor_loop_after:
            return self._issue(self.position if self.position and behaviour.cursor_loop == "page" else BEGINNING)
        if page and (more or behaviour.open_end):
            return self._issue(self._position_after(page[-1]))
        return None

    def restart(self) -> "Walk":
        """The same walk at its beginning."""
        return Walk(self.history, None, self.request, self.behaviour, self.now)

    @property
    def _walked(self) -> int:
        return self.position.walked if self.position else 0

    @property
    def _event_type(self) -> str:
        return self.request.query.get("eventType", [""])[0]

    @property
    def _delay(self) -> Delay | None:
        return self.behaviour.ingested or delay_of(self.behaviour.late, self._event_type)

    def _issue(self, position: Position) -> str:
        """The percent-encoded cursor of a position, issued to this request."""
        behaviour, request = self.behaviour, self.request
        issued = position._replace(
            query=checksum(request.query),
            issued=request.number if behaviour.cursor_fresh or behaviour.cursor_ttl_requests is not None else 0,
            issued_at=self.now if behaviour.cursor_ttl_ms is not None else 0,
        )
        return encode(issued, self._event_type, behaviour.cursor_padding)

    def _position_after(self, i: int) -> Position:
        """The position after event i."""
        behaviour, history, position = self.behaviour, self.history, self.position
        floor = position.floor if position else BEGINNING.floor
        if position and behaviour.order == "breaking" and self._walked == behaviour.order_breaks_after:
            floor = position.millis, position.tie
        first = rank(history, behaviour.order, self._delay, i)
        return Position(history.time(i), history.tie(i), 0, self._walked + 1, first, *floor)


def read_cursor(request: Request, behaviour: Behaviour, now: int, turn: int) -> Position:
    """The position in a request's cursor. `turn` counts the requests that have one. Raises Refused
    if it is not accepted.
    """
    text = request.query["after"][0]
    try:
        position = decode(unquote(text) if behaviour.cursor_decodes == "any" else text)
    except ValueError:
        raise invalid("Invalid cursor: after", "after") from None
    if is_nth(turn, behaviour.refuse_every):
        raise invalid("Invalid cursor: after", "after")
    if behaviour.cursors == "strict" and position.query != checksum(request.query):
        raise invalid("The cursor was issued for another query", "after")
    requests, ms = behaviour.cursor_ttl_requests, behaviour.cursor_ttl_ms
    is_old = requests is not None and request.number - position.issued > requests
    if is_old or (ms is not None and now - position.issued_at > ms):
        raise invalid("The cursor has expired", "after")
    return position


def is_nth(number: int, n: int) -> bool:
    """Whether a number is a multiple of n; never if n is 0.

    >>> [is_nth(number, 2) for number in (1, 2, 3, 4)], is_nth(1, 0)
    ([False, True, False, True], False)
    """
    return n > 0 and number % n == 0
