"""From rows to the destination: each row once, emitted, and a checkpoint every N rows."""

from collections.abc import Callable, Iterable, Iterator
from operator import itemgetter
from typing import Any, TypeVar

from toolz import curry

from pipeline.hubspot.events_api import ID
from pipeline.names.columns import OCCURRED
from pipeline.recent import Recent
from pipeline.stages.flatten import Row
from pipeline.stages.serialize import json_bytes
from pipeline.timestamps import to_ms

Item = TypeVar("Item")
MARKS = ("T", ".", "Z")  # in the places of _marks: an ISO 8601 moment as HubSpot writes it
_marks = itemgetter(10, 19, 23)


@curry
def dedupe_by_id(window: int, rows: Iterable[Row]) -> Iterator[Row]:
    """Drops rows unchanged since their id was last seen, among the last `window` ids, of which it
    remembers a hash of the row. A row that has changed passes, and so does one without an id.

    >>> rows = [{"id": "a", "n": 1}, {"id": "b", "n": 1}, {"id": "a", "n": 1}, {"id": "a", "n": 2}]
    >>> list(dedupe_by_id(2)(rows))
    [{'id': 'a', 'n': 1}, {'id': 'b', 'n': 1}, {'id': 'a', 'n': 2}]
    """
    recent = Recent(window)
    for row in rows:
        key = row.get(ID)
        if key is None or recent.add(key, _hash_of(row)):
            yield row


def _hash_of(row: Row) -> int:
    try:
        return hash((tuple(row), tuple(row.values())))
    except TypeError:  # objects, in the single layout
        return hash(json_bytes(row))


@curry
def first_by_id(window: int, rows: Iterable[Row]) -> Iterator[Row]:
    """Drops rows whose id is among the last `window` ids, for where nothing upserts. A row without
    an id passes.

    >>> [row["id"] for row in first_by_id(2)([{"id": "a"}, {"id": "b"}, {"id": "a"}, {"id": "c"}, {"id": "a"}])]
    ['a', 'b', 'c', 'a']
    """
    recent = Recent(window)
    for row in rows:
        key = row.get(ID)
        if key is None or recent.add(key):
            yield row


@curry
def emit_upserts(upsert: Callable[[Row], Any], rows: Iterable[Row]) -> Iterator[Row]:
    """Upserts each row, then yields it.

    >>> list(emit_upserts(print)([{"id": "a"}]))
    {'id': 'a'}
    [{'id': 'a'}]
    """
    for row in rows:
        upsert(row)
        yield row


@curry
def checkpoint_every(n: int, save: Callable[[str], Any], rows: Iterable[Row]) -> Iterator[Row]:
    """Yields the rows, and calls `save(occurred)` after every `n` of them and at the end, even if
    that is an error, with the latest `occurred` so far, which never moves back. Rows from
    concurrent windows may be out of order: then that is no cursor to resume from, and `save` has to
    save the reader's watermark instead.

    >>> rows = [{"occurred": f"2026-05-21T01:36:0{second}Z"} for second in (1, 3, 2)]
    >>> len(list(checkpoint_every(2, print)(rows)))
    2026-05-21T01:36:03Z
    2026-05-21T01:36:03Z
    3
    """
    unsaved, cursor = 0, None
    try:
        for row in rows:
            occurred = row.get(OCCURRED)
            if occurred is not None and (cursor is None or _is_later(occurred, cursor)):
                cursor = occurred
            unsaved += 1
            if unsaved >= n and cursor is not None:
                unsaved = 0  # first, or a save that fails would be tried again on the way out
                save(cursor)
            yield row
    finally:
        if unsaved and cursor is not None:
            save(cursor)


def _is_later(occurred: str, cursor: str) -> bool:
    if len(occurred) == len(cursor) == 24 and _marks(occurred) == _marks(cursor) == MARKS:
        return occurred >= cursor  # as HubSpot writes it, the order of the texts is that of time
    return to_ms(occurred) >= to_ms(cursor)


@curry
def tap(observe: Callable[[Item], Any], items: Iterable[Item]) -> Iterator[Item]:
    """Yields the items, each after calling `observe(item)`.

    >>> list(tap(print)(["a"]))
    a
    ['a']
    """
    for item in items:
        observe(item)
        yield item
        del item  # a page would be in memory until the next one is
