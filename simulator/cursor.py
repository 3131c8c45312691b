"""Cursors: a keyset position as HubSpot writes it, base64 of `millis|objectTypeId|objectId|eventTypeId|hash`."""

from base64 import b64decode, b64encode
from typing import NamedTuple
from urllib.parse import quote
from zlib import crc32


class Place(NamedTuple):
    """The event after which a page begins."""

    millis: int  # its time, milliseconds UTC
    tie: int  # what orders it among those of the same millisecond
    made_for: int  # checksum of the query that it was issued for
    walked: int = 1  # pages of the walk before it; 0: it names the beginning
    lead: int = 0  # what an order that does not go by time goes by
    floor_millis: int = 0  # the event behind which the order of the walk broke
    floor_tie: int = 0
    issued: int = 0  # number of the request that issued it; 0 when nobody asks
    at: int = 0  # when that was, by the simulator's clock; 0 when nobody asks

    @property
    def floor(self) -> tuple[int, int]:
        """Time and tie of the event behind which the order of the walk broke."""
        return self.floor_millis, self.floor_tie


def encode(place: Place, object_id: str = "", event_type: str = "") -> str:
    """The cursor as it stands in the JSON: already percent-encoded, its padding `%3D`."""
    kind = f"4-{crc32(event_type.encode('utf-8', 'replace')) % 10**7}"
    mark = ".".join(f"{number:x}" for number in place[1:])
    text = f"{place.millis}|0-1|{object_id}|{kind}|{mark}".encode("ascii", "replace")
    text += b"|" * (len(text) % 3 == 0)  # so that there is padding always: that is what clients get wrong
    return quote(b64encode(text), safe="")


def decode(text: str) -> Place:
    """The cursor as it arrives, percent-decoded once; ValueError when it is none."""
    millis, _, _, _, mark, *_ = b64decode(text, validate=True).decode("ascii").split("|")
    numbers = [int(number, 16) for number in mark.split(".")]
    if len(numbers) != len(Place._fields) - 1:
        raise ValueError("a cursor of other numbers")
    return Place(int(millis), *numbers)


def checksum(query: dict[str, list[str]]) -> int:
    """The same number for the same query, paging and limit aside."""
    asked = sorted((name, values) for name, values in query.items() if name not in ("after", "limit"))
    return crc32(repr(asked).encode())
