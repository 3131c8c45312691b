"""A walk: the place that a request's cursor names, the events behind it, and the cursor of the page after them."""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote

from simulator.behaviour import Asked, Behaviour
from simulator.cursor import Place, checksum, decode, encode
from simulator.errors import invalid
from simulator.history import History
from simulator.orders import Delay, following, lead

BEGINNING = Place(0, 0, 0, walked=0)


@dataclass(frozen=True)
class Walk:
    """One step of it: the page behind a place (None: no cursor was named), in an order."""

    history: History
    order: str
    place: Place | None
    asked: Asked
    behaviour: Behaviour
    now: int

    def following(self, window: range) -> Iterable[int]:
        """The events of the window that are behind the place, in their order."""
        place = self.place if self._walked else None
        return following(self.history, window, self.order, place, self._delay, self.behaviour.order_breaks_after)

    def onward(self, page: list[int], more: bool) -> str | None:
        """The percent-encoded cursor named by a page of these events; None on the last one."""
        behaviour = self.behaviour
        if behaviour.cursor_loop and page and self._walked >= behaviour.cursor_loop_after:
            return self.name(self.place if self.place and behaviour.cursor_loop == "page" else BEGINNING)
        if page and (more or behaviour.open_end):
            return self.name(self._behind(page[-1]))
        return None

    def name(self, place: Place) -> str:
        """The percent-encoded cursor of a place, as this request is told it."""
        behaviour, asked = self.behaviour, self.asked
        told = place._replace(
            made_for=checksum(asked.query),
            issued=asked.number if behaviour.cursor_fresh or behaviour.cursor_ttl_requests is not None else 0,
            at=self.now if behaviour.cursor_ttl_ms is not None else 0,
        )
        return encode(told, str(place.tie % 10**9), asked.query.get("eventType", [""])[0])

    def beginning(self) -> "Walk":
        """The first step of the same walk."""
        return Walk(self.history, self.order, None, self.asked, self.behaviour, self.now)

    @property
    def _walked(self) -> int:
        return self.place.walked if self.place else 0

    @property
    def _delay(self) -> Delay | None:
        return self.behaviour.ingested or self.behaviour.late

    def _behind(self, i: int) -> Place:
        """The place behind an event."""
        ms, tie, first = self.history.time(i), self.history.tie(i), lead(self.history, self.order, self._delay, i)
        floor = self.place.floor if self.place else BEGINNING.floor
        if self.place and self.order == "breaking" and self._walked == self.behaviour.order_breaks_after:
            floor = self.place.millis, self.place.tie
        return Place(ms, tie, 0, self._walked + 1, first, *floor)


def arrive(asked: Asked, behaviour: Behaviour, now: int, turn: int) -> Place:
    """The place that the cursor of a request names, the `turn`th one that has a cursor."""
    text = asked.query["after"][0]
    try:
        place = decode(unquote(text) if behaviour.cursor_decodes == "any" else text)
    except ValueError:
        raise invalid("Invalid cursor: after", "after") from None
    if is_turn(turn, behaviour.refuse_every):
        raise invalid("Invalid cursor: after", "after")
    if behaviour.cursors == "strict" and place.made_for != checksum(asked.query):
        raise invalid("The cursor was issued for another query", "after")
    requests, ms = behaviour.cursor_ttl_requests, behaviour.cursor_ttl_ms
    if (requests is not None and asked.number - place.issued > requests) or (ms is not None and now - place.at > ms):
        raise invalid("The cursor has expired", "after")
    return place


def is_turn(turn: int, every: int) -> bool:
    """Whether this is one of each so many; none is when every is 0.

    >>> [is_turn(turn, 2) for turn in (1, 2, 3, 4)], is_turn(1, 0)
    ([False, True, False, True], False)
    """
    return every > 0 and turn % every == 0
