"""What the owner of the data wants of its columns: stages that drop, hash and rename, and keep properties in one column."""
import hashlib
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache, partial
from itertools import chain
from typing import Any

import orjson
from toolz import curry

from pipeline.names import PREFIX, RESERVED, Path, column_names, destination_name, is_fixed, matcher, star
from pipeline.stages import MOST_LEVELS, NESTED, Event, Row, json_text, leaves

Renames = tuple[tuple[str, str], ...]
WITHHELD = "(lists in lists, withheld: nobody knows what columns are in them)"
Place = tuple[bool, Path, bool]  # of a property (not an own field), where, to be hashed (not dropped)


@curry
def protect(protection: Callable[[Any], Any] | None, events: Iterable[Event]) -> Iterator[Event]:
    """The events as `protection` leaves them, untouched where it is None.

    >>> list(protect(protection(drop=("hs_ip",)))([{"id": "a", "properties": {"hs_ip": "127.0.0.1", "hs_url": "/"}}]))
    [{'id': 'a', 'properties': {'hs_url': '/'}}]
    """
    return iter(events) if protection is None else map(protection, events)


def protection(
    drop: tuple[str, ...] = (), hashed: tuple[str, ...] = (), salt: str = "", note: Callable[[Iterable[str]], None] | None = None
) -> Callable[[Any], Any] | None:
    """A function from an event to the same without what is in the columns `drop`, and with salted SHA-256 (hexadecimal) of what
    is in the columns `hashed`: names and patterns; None if there are none. It takes what is no event too: that is kept as well.
    `note` is told the names of an event's columns, but seldom those that it was told before.

    The columns are those the event would have (pipeline/names.py), so that a table and the raw text of a rejected event are
    protected alike; objects in lists, which are no columns, by their own names. An empty text tells nothing and stays.

    >>> protection((), ("email",), "salt")({"properties": {"email": "a@b.c"}})["properties"]["email"][:8]
    '64e00aee'
    """
    if not drop and not hashed and note is None:
        return None
    changes = lru_cache(maxsize=512)(partial(_changes, matcher(drop), matcher(hashed), note))
    digest = partial(_digest, salt.encode(errors="replace"))

    def protected(event: Any, level: int = 0) -> Any:
        if type(event) is not dict:
            return _protected_list(event, protected, level) if type(event) is list else event
        own, properties = event.copy(), {}
        has_properties = type(event.get("properties")) is dict
        if has_properties:
            properties = own.pop("properties")
        is_flat = NESTED.isdisjoint(map(type, chain(own.values(), properties.values())))
        paths = (own, properties) if is_flat else (leaves(own), leaves(properties))
        places = changes(*map(tuple, paths))
        if is_flat and not places:
            return event
        properties = properties.copy()
        for is_property, path, is_hash in places:
            _change(properties if is_property else own, path, digest if is_hash else None)
        for fields in () if is_flat else (own, properties):
            for path in [path for path, value in leaves(fields).items() if type(value) is list]:
                _change(fields, path, lambda value: protected(value, level + 1))
        if has_properties:
            own["properties"] = properties
        return own

    return protected


def _protected_list(items: list[Any], protected: Callable[[Any, int], Any], level: int) -> Any:
    """What is in a list is protected as if each object in it were an event."""
    return [protected(item, level + 1) for item in items] if level < MOST_LEVELS else WITHHELD


def _changes(
    is_dropped: Callable[[str], bool],
    is_hashed: Callable[[str], bool],
    note: Callable[[Iterable[str]], None] | None,
    own: tuple[Path, ...],
    properties: tuple[Path, ...],
) -> tuple[Place, ...]:
    """Where an event with these paths holds what must change."""
    places: list[Place] = []
    whose = [*((False, path) for path in own), *((True, path) for path in properties)]
    for (is_property, path), column in zip(whose, column_names(own, properties), strict=True):
        names = (column, path if isinstance(path, str) else "_".join(path))  # of two with one name either might keep it
        if note is not None:
            note(names)
        if any(map(is_dropped, names)):
            places.append((is_property, path, False))
        elif any(map(is_hashed, names)):
            places.append((is_property, path, True))
    return tuple(places)


def _change(fields: dict[str, Any], path: Path, digest: Callable[[Any], Any] | None) -> None:
    """Puts the digest of what is at a path there, or takes it away, with objects that are empty then; objects on the way are
    replaced, not changed."""
    name, below = (path, ()) if isinstance(path, str) else (path[0], path[1:])
    if below:
        inner = fields[name].copy()
        _change(inner, below, digest)
        fields[name] = inner
    elif digest is not None:
        fields[name] = digest(fields[name])
    if digest is None and not (below and fields[name]):
        del fields[name]


def _digest(salt: bytes, value: Any) -> Any:
    if value is None or value == "":
        return value
    text = value if isinstance(value, str) else json_text(value)
    return hashlib.sha256(salt + text.encode(errors="replace")).hexdigest()


@curry
def rename_columns(renames: Renames, rows: Iterable[Row]) -> Iterator[Row]:
    """The rows with the columns' new names: pairs of old and new, one * may stand on both sides. No value is lost to a name: a
    column that has the new name of another gets the prefix.

    >>> rows = [{"id": "a", "hs_url": "/", "page_url": "?"}]
    >>> list(rename_columns((("hs_*", "page_*"),))(rows))
    [{'id': 'a', 'page_url': '/', 'properties_page_url': '?'}]
    """
    if not renames:
        return iter(rows)
    names = lru_cache(maxsize=512)(partial(new_names, renames))
    return (dict(zip(names(tuple(row)), row.values(), strict=True)) for row in rows)


def new_names(renames: Renames, columns: tuple[str, ...]) -> tuple[str, ...]:
    """The new name of each column of a row, in its order.

    >>> new_names((("hs_url", "url"),), ("id", "hs_url", "url"))
    ('id', 'url', 'properties_url')
    """
    names = {column: _new_name(renames, column) for column in columns}
    taken: set[str] = set()
    for column in sorted(columns):  # for the rare patterns that make one name of two
        while destination_name(names[column]) in taken:
            names[column] = PREFIX + names[column]
        taken.add(destination_name(names[column]))
    return tuple(names.values())


def _new_name(renames: Renames, column: str) -> str:
    """A column's new name, the same whatever other columns there are: what could be another's new name gets the prefix, what has
    it already one more. The names that each table has stay with their columns."""
    name = destination_name(column)
    if is_fixed(column):
        return column
    for old, new in renames:
        if found := star(old).fullmatch(name):
            renamed = new.replace("*", found[1]) if "*" in new else new
            return PREFIX + renamed if destination_name(renamed) in RESERVED else renamed
    bare = name
    while bare.startswith(PREFIX):
        bare = bare[len(PREFIX) :]
    is_taken = name not in RESERVED and any(star(new).fullmatch(bare) for _, new in renames)
    return PREFIX + column if is_taken else column


class Whole(dict[str, Any]):
    """An object that stays one value, a JSON column, where others are laid flat."""


class WholeList(list[Any]):
    """A list that does."""


@curry
def keep_whole(whole: bool, events: Iterable[Event]) -> Iterator[Event]:
    """Each event with its properties as one value, if they are to be kept `whole`; what nests too deep in them becomes text.

    >>> from pipeline.stages import flatten
    >>> next(flatten(keep_whole(True)([{"id": "a", "occurredAt": "2026-05-21", "properties": {"hs_url": "/", "id": "7"}}])))
    {'id': 'a', 'occurredAt': '2026-05-21', 'properties': {'hs_url': '/', 'id': '7'}, 'occurred': '2026-05-21'}
    """
    return map(_with_whole_properties, events) if whole else iter(events)


def _with_whole_properties(event: Event) -> Event:
    properties = event.get("properties")
    if type(properties) is dict:
        return event | {"properties": Whole({name: _shallow(value) for name, value in properties.items()})}
    if type(properties) is list:
        return event | {"properties": WholeList(map(_shallow, properties))}
    return event


def _shallow(value: Any) -> Any:
    if type(value) in (dict, list):
        try:
            orjson.dumps(value)
        except orjson.JSONEncodeError:
            return json_text(value)
    return value
