"""Prints how many megabytes it takes to read a large body: `python -m tests.hubspot.large_body KIND MEGABYTES`."""

import resource
import sys
from contextlib import suppress

from pipeline.hubspot.client import _parse
from pipeline.hubspot.failures import Transient
from simulator import generated


def large(kind, megabytes):
    """A body of that size; all but a page must be repaired, or cannot be."""
    event, size = generated(1, profile="short").body(0), megabytes * 1_000_000
    if kind in ("page", "half an emoji", "cut"):
        end = {"page": b"]}", "half an emoji": b',"\\ud83d"]}', "cut": b""}[kind]
        return bytearray(b'{"results":[' + b",".join([event] * (size // len(event))) + end)
    unit = {"brackets": b"[", "objects": b'{"a":', "quotes": b'\\"'}[kind]
    return bytearray(b'{"results":["' * (kind == "quotes") + unit * (size // len(unit)))


def megabytes_held():
    """The most so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1 << (20 if sys.platform == "darwin" else 10))


if __name__ == "__main__":
    body = large(sys.argv[1], int(sys.argv[2]))
    before = megabytes_held()
    with suppress(Transient):
        _parse(body)
    print(megabytes_held() - before)
