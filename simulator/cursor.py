"""Cursors: a keyset position as HubSpot writes it, base64 of `millis|objectTypeId|objectId|eventTypeId|hash`."""

from base64 import b64decode, b64encode
from typing import NamedTuple
from urllib.parse import quote
from zlib import crc32


class Position(NamedTuple):
    """The event that a page follows."""

    millis: int  # its time, ms UTC
    tie: int  # orders it among the events of its millisecond
    query: int  # checksum of the query the cursor was issued for
    walked: int = 1  # pages of the walk before this position; 0: this is the beginning
    rank: int = 0  # its place in an order that is not by time
    floor_millis: int = 0  # time and tie of the event after which the order `breaking` broke
    floor_tie: int = 0
    issued: int = 0  # number of the request that issued the cursor; 0 if no option depends on it
    issued_at: int = 0  # when, by the simulator's clock; 0 if no option depends on it

    @property
    def floor(self) -> tuple[int, int]:
        return self.floor_millis, self.floor_tie


def encode(position: Position, object_id: str = "", event_type: str = "") -> str:
    """The cursor as it appears in the JSON: percent-encoded, its padding as `%3D`."""
    type_id = f"4-{crc32(event_type.encode('utf-8', 'replace')) % 10**7}"
    numbers = ".".join(f"{number:x}" for number in position[1:])
    text = f"{position.millis}|0-1|{object_id}|{type_id}|{numbers}".encode("ascii", "replace")
    text += b"|" * (len(text) % 3 == 0)  # forces padding, which is what clients get wrong
    return quote(b64encode(text), safe="")


def decode(text: str) -> Position:
    """The position in a cursor that was percent-decoded once. Raises ValueError if it is not a cursor."""
    millis, _, _, _, numbers, *_ = b64decode(text, validate=True).decode("ascii").split("|")
    values = [int(number, 16) for number in numbers.split(".")]
    if len(values) != len(Position._fields) - 1:
        raise ValueError("unexpected fields in the cursor")
    return Position(int(millis), *values)


def checksum(query: dict[str, list[str]]) -> int:
    """A number that identifies a query, whatever its cursor and limit."""
    parameters = sorted((name, values) for name, values in query.items() if name not in ("after", "limit"))
    return crc32(repr(parameters).encode())
