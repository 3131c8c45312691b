"""Columns that must not be readable at the destination: dropped, or hashed."""
import hashlib
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache, partial
from itertools import chain
from typing import Any

from toolz import curry

from pipeline.hubspot.events_api import PROPERTIES
from pipeline.names.columns import Path, column_names
from pipeline.names.patterns import matcher
from pipeline.stages.events import Event
from pipeline.stages.flatten import MAX_DEPTH, leaves
from pipeline.stages.serialize import NESTED, json_text

WITHHELD = "(lists in lists, withheld: nobody knows what columns are in them)"

Target = tuple[bool, Path, bool]  # whether a property (not an own field), the path, whether to hash it (not drop it)
Targets = Callable[[tuple[Path, ...], tuple[Path, ...]], tuple[Target, ...]]
Change = Callable[[Any], Any]


@curry
def protect(protect_event: Callable[[Any], Any] | None, events: Iterable[Event]) -> Iterator[Event]:
    """The events, each protected by `protect_event`; unchanged if it is None.

    >>> list(protect(protection(drop=("hs_ip",)))([{"id": "a", "properties": {"hs_ip": "127.0.0.1", "hs_url": "/"}}]))
    [{'id': 'a', 'properties': {'hs_url': '/'}}]
    """
    return iter(events) if protect_event is None else map(protect_event, events)


def protection(
    drop: tuple[str, ...] = (),
    hashed: tuple[str, ...] = (),
    salt: str = "",
    observe: Callable[[Iterable[str]], None] | None = None,
) -> Callable[[Any], Any] | None:
    """A function that returns an event without the columns `drop`, and with the columns `hashed` as salted SHA-256 (hexadecimal);
    both are names and patterns. None if there is nothing to do.

    The columns are those that the event would have (pipeline/names/columns.py), so that a table and the raw text of a rejected
    event are protected alike; objects in lists, which are no columns, go by their own names. The function also takes what is not
    an event, since that is kept too. An empty text reveals nothing and stays. `observe` gets the names of each new shape of
    event.

    >>> protection((), ("email",), "salt")({"properties": {"email": "a@b.c"}})["properties"]["email"][:8]
    '64e00aee'
    """
    if not drop and not hashed and observe is None:
        return None
    targets = lru_cache(maxsize=512)(partial(_targets, matcher(drop), matcher(hashed), observe))
    return partial(_protect_event, targets, partial(_digest, salt.encode(errors="replace")))


def _protect_event(targets: Targets, digest: Change, event: Any, level: int = 0) -> Any:
    if type(event) is not dict:
        return _protect_list(targets, digest, event, level) if type(event) is list else event
    own, properties = event.copy(), {}
    has_properties = type(event.get(PROPERTIES)) is dict
    if has_properties:
        properties = own.pop(PROPERTIES)
    is_flat = NESTED.isdisjoint(map(type, chain(own.values(), properties.values())))
    paths = (own, properties) if is_flat else (leaves(own), leaves(properties))
    found = targets(*map(tuple, paths))
    if is_flat and not found:
        return event
    properties = properties.copy()
    for is_property, path, is_hashed in found:
        _change(properties if is_property else own, path, digest if is_hashed else None)
    for fields in () if is_flat else (own, properties):
        for path in [path for path, value in leaves(fields).items() if type(value) is list]:
            _change(fields, path, lambda value: _protect_list(targets, digest, value, level + 1))
    if has_properties:
        own[PROPERTIES] = properties
    return own


def _protect_list(targets: Targets, digest: Change, items: list[Any], level: int) -> Any:
    """A list with each object in it protected as if it were an event."""
    return [_protect_event(targets, digest, item, level + 1) for item in items] if level < MAX_DEPTH else WITHHELD


def _targets(
    is_dropped: Callable[[str], bool],
    is_hashed: Callable[[str], bool],
    observe: Callable[[Iterable[str]], None] | None,
    own: tuple[Path, ...],
    properties: tuple[Path, ...],
) -> tuple[Target, ...]:
    """The values to protect in an event with these paths."""
    targets: list[Target] = []
    whose = [*((False, path) for path in own), *((True, path) for path in properties)]
    for (is_property, path), column in zip(whose, column_names(own, properties), strict=True):
        names = (column, path if isinstance(path, str) else "_".join(path))  # of two that share a name, either might keep it
        if observe is not None:
            observe(names)
        if any(map(is_dropped, names)):
            targets.append((is_property, path, False))
        elif any(map(is_hashed, names)):
            targets.append((is_property, path, True))
    return tuple(targets)


def _change(fields: dict[str, Any], path: Path, change: Change | None) -> None:
    """Changes the value at a path, or removes it (None) with the objects that this leaves empty. The objects on the way are
    copied, not changed."""
    name, below = (path, ()) if isinstance(path, str) else (path[0], path[1:])
    if below:
        inner = fields[name].copy()
        _change(inner, below, change)
        fields[name] = inner
    elif change is not None:
        fields[name] = change(fields[name])
    if change is None and not (below and fields[name]):
        del fields[name]


def _digest(salt: bytes, value: Any) -> Any:
    if value is None or value == "":
        return value
    text = value if isinstance(value, str) else json_text(value)
    return hashlib.sha256(salt + text.encode(errors="replace")).hexdigest()
