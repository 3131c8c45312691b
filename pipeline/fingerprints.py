"""Numbers for events, and their sums: how two readings of the same time are compared."""

from hashlib import blake2b
from typing import Any, NamedTuple

from pipeline.hubspot.events_api import ID, OBJECT_ID

MODULUS = 2**64

_EMPTY = blake2b(digest_size=8)


class Sum(NamedTuple):
    """A number of events, and the sum of their fingerprints modulo `MODULUS`: whatever their order,
    two equal events do not cancel each other, and it reveals nothing about them.
    """

    events: int
    total: int


EMPTY = Sum(0, 0)


def fingerprint(event: Any) -> int:
    """A number below `MODULUS` for an event (an object), by its id and its object: a merge of two
    contacts changes the object.

    >>> fingerprint({"id": "a", "objectId": "1"}) == fingerprint({"id": "a", "objectId": "1", "x": 2})
    True
    """
    digest = _EMPTY.copy()  # cheaper than a new one
    digest.update(f"{event.get(ID)}\n{event.get(OBJECT_ID)}".encode("utf-8", "replace"))
    return int.from_bytes(digest.digest(), "big")
