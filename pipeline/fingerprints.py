"""Numbers for events, and their sums: how two readings of the same time are compared."""

from hashlib import blake2b
from struct import Struct
from typing import Any, NamedTuple
from zlib import crc32

from pipeline.hubspot.events_api import ID, OBJECT_ID

MODULUS = 2**64
MOST_BUCKETS = 32  # that events are told apart by, where their sums differ

_BUCKET_BITS = 5
_REST = 64 - _BUCKET_BITS
_EMPTY, _NUMBER = blake2b(digest_size=8), Struct(">Q").unpack


class Sum(NamedTuple):
    """A number of events, and the sum of their fingerprints modulo `MODULUS`. Their order does not
    matter, two equal events do not cancel each other, and nothing about them can be told from it.
    """

    events: int
    total: int


EMPTY = Sum(0, 0)


def fingerprint(event: Any) -> int:
    """A number below `MODULUS` for an event (an object), by its id and its object: a merge of two
    contacts changes the object. The id alone decides its bucket.

    >>> one, merged = fingerprint({"id": "a", "objectId": "1"}), fingerprint({"id": "a", "objectId": "2"})
    >>> one == merged, bucket_of(one) == bucket_of(merged)
    (False, True)
    """
    key = str(event.get(ID)).encode("utf-8", "replace")
    digest = _EMPTY.copy()  # cheaper than a new one
    digest.update(key)
    digest.update(f"\n{event.get(OBJECT_ID)}".encode("utf-8", "replace"))
    number: int = _NUMBER(digest.digest())[0]
    return crc32(key) % MOST_BUCKETS << _REST | number >> _BUCKET_BITS


def bucket_of(number: int) -> int:
    """The bucket of an event with this fingerprint: its highest bits."""
    return number >> _REST
