"""Columns that must not be readable at the destination: dropped, or hashed."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain
from typing import Any

from toolz import curry

from pipeline.hubspot.events_api import PROPERTIES
from pipeline.names.columns import Path, column_names
from pipeline.names.patterns import matcher
from pipeline.names.shapes import Names, by_shape
from pipeline.stages.events import Event
from pipeline.stages.flatten import MAX_DEPTH, leaves
from pipeline.stages.serialize import NESTED, json_text

WITHHELD = "(lists nested too deep to look for columns to protect: withheld)"

Change = Callable[[Any], Any] | None  # of a value; None: it is dropped
Changes = list[tuple[Path, Change]]  # of the values at these paths
# From the paths of an event, own fields and properties, to what changes among each.
Plan = Callable[[Iterable[Path], Iterable[Path]], tuple[Changes, Changes]]


@curry
def protect(protect_event: Callable[[Any], Any] | None, events: Iterable[Event]) -> Iterator[Event]:
    """Protects each event by `protect_event`; None leaves them unchanged.

    >>> list(protect(protection(drop=("hs_ip",)))([{"id": "a", "properties": {"hs_ip": "127.0.0.1", "hs_url": "/"}}]))
    [{'id': 'a', 'properties': {'hs_url': '/'}}]
    """
    return iter(events) if protect_event is None else map(protect_event, events)


def protection(
    drop: tuple[str, ...] = (),
    hashed: tuple[str, ...] = (),
    salt: str = "",
    observe: Callable[[list[str]], None] | None = None,
) -> Callable[[Any], Any] | None:
    """A function that returns an event without the columns `drop`, and with the columns `hashed` as
    salted SHA-256 (hexadecimal); both are names and patterns. None if there is nothing to do.

    The columns are those that the event would have (pipeline/names/columns.py), so that a table and
    the raw text of a rejected event are protected alike; fields of objects in lists, which are no
    columns, go by their own names. The function also takes what is not an event, since that is kept
    too. An empty text reveals nothing and stays. `observe` receives the names of each new shape of
    event.

    >>> protection((), ("email",), "salt")({"properties": {"email": "a@b.c"}})["properties"]["email"][:8]
    '64e00aee'
    """
    if not drop and not hashed and observe is None:
        return None
    digest = partial(_digest, hashlib.sha256(salt.encode(errors="replace")))
    return partial(_protect_event, by_shape(partial(_changes, matcher(drop), matcher(hashed), digest, observe)))


def _protect_event(plan: Plan, event: Any, level: int = 0) -> Any:
    if type(event) is not dict:
        return _protect_list(plan, event, level) if type(event) is list else event
    own, has_properties = event.copy(), type(event.get(PROPERTIES)) is dict
    properties = own.pop(PROPERTIES) if has_properties else {}
    is_flat = NESTED.isdisjoint(map(type, chain(own.values(), properties.values())))
    of_own, of_properties = plan(own, properties) if is_flat else plan(leaves(own), leaves(properties))
    if is_flat and not of_own and not of_properties:
        return event
    properties = properties.copy()
    for path, change in of_own:
        _change(own, path, change)
    for path, change in of_properties:
        _change(properties, path, change)
    for fields in () if is_flat else (own, properties):
        for path in [path for path, value in leaves(fields).items() if type(value) is list]:
            _change(fields, path, lambda value: _protect_list(plan, value, level + 1))
    if has_properties:
        own[PROPERTIES] = properties
    return own


def _protect_list(plan: Plan, items: list[Any], level: int) -> Any:
    """A list with each object in it protected as if it were an event."""
    return [_protect_event(plan, item, level + 1) for item in items] if level < MAX_DEPTH else WITHHELD


def _changes(
    is_dropped: Callable[[str], bool],
    is_hashed: Callable[[str], bool],
    digest: Change,
    observe: Callable[[list[str]], None] | None,
    own: Names,
    properties: Names,
) -> tuple[Changes, Changes]:
    """What to change among the own fields and among the properties of an event with these paths."""
    changes: tuple[Changes, Changes] = [], []
    seen: list[str] = []
    whose = [*((0, path) for path in own), *((1, path) for path in properties)]
    for (part, path), column in zip(whose, column_names(own, properties), strict=True):
        # of two that share a name, either might keep it
        names = (column, path if isinstance(path, str) else "_".join(path))
        seen += names
        if any(map(is_dropped, names)):
            changes[part].append((path, None))
        elif any(map(is_hashed, names)):
            changes[part].append((path, digest))
    if observe is not None:
        observe(seen)
    return changes


def _change(fields: dict[str, Any], path: Path, change: Change) -> None:
    """Changes the value at a path, or removes it (None) with the objects that this leaves empty.
    The objects on the way are copied, not changed.
    """
    if isinstance(path, tuple):
        name, *below = path
        inner = fields[name] = fields[name].copy()
        _change(inner, tuple(below) if len(below) > 1 else below[0], change)
        if not inner:
            del fields[name]
    elif change is None:
        del fields[path]
    else:
        fields[path] = change(fields[path])


def _digest(salted: "hashlib._Hash", value: Any) -> Any:
    if value is None or value == "":
        return value
    digest = salted.copy()
    digest.update((value if isinstance(value, str) else json_text(value)).encode(errors="replace"))
    return digest.hexdigest()
