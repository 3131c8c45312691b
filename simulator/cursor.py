"""Cursors: a keyset position as HubSpot writes it, base64 of `millis|objectTypeId|objectId|eventTypeId|hash`."""

from base64 import b64decode, b64encode
from typing import NamedTuple
from urllib.parse import quote
from zlib import crc32


class Place(NamedTuple):
    """The event after which a page begins."""

    millis: int  # its time, milliseconds UTC
    tie: int  # how many events of the same millisecond come before it
    made_for: int  # checksum of the query that it was issued for
    issued: int  # number of the request that issued it; 0 when nobody asks


def encode(place: Place, object_id: str = "", event_type: str = "") -> str:
    """The cursor as it stands in the JSON: already percent-encoded, its padding `%3D`."""
    kind = f"4-{crc32(event_type.encode('utf-8', 'replace')) % 10**7}"
    mark = f"{place.tie:x}.{place.made_for:08x}.{place.issued:x}"
    text = f"{place.millis}|0-1|{object_id}|{kind}|{mark}".encode("ascii", "replace")
    text += b"|" * (len(text) % 3 == 0)  # so that there is padding always: that is what clients get wrong
    return quote(b64encode(text), safe="")


def decode(text: str) -> Place:
    """The cursor as it arrives, percent-decoded once; ValueError when it is none."""
    millis, _, _, _, mark, *_ = b64decode(text, validate=True).decode("ascii").split("|")
    tie, made_for, issued = mark.split(".")
    return Place(int(millis), int(tie, 16), int(made_for, 16), int(issued, 16))


def checksum(query: dict[str, list[str]]) -> int:
    """The same number for the same query, paging and limit aside."""
    asked = sorted((name, values) for name, values in query.items() if name not in ("after", "limit"))
    return crc32(repr(asked).encode())
