"""What the owner of the data wants of its columns: stages that drop, hash and rename, and keep properties in one column."""
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache, partial
from typing import Any

import orjson
from toolz import curry

from pipeline.names import PREFIX, Path, column_names, destination_name, is_fixed, matcher
from pipeline.stages import MOST_LEVELS, Event, Row, json_text, leaves

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


def protection(drop: tuple[str, ...] = (), hashed: tuple[str, ...] = (), salt: str = "") -> Callable[[Any], Any] | None:
    """A function from an event to the same without what is in the columns `drop`, and with salted SHA-256 (hexadecimal) of what
    is in the columns `hashed`: names and patterns; None if there are none. It takes what is no event too: that is kept as well.

    The columns are those the event would have (pipeline/names.py), so that a table and the raw text of a rejected event are
    protected alike. An empty text tells nothing and stays.

    >>> protection((), ("email",), "salt")({"properties": {"email": "a@b.c"}})["properties"]["email"][:8]
    '64e00aee'
    """
    if not drop and not hashed:
        return None
    is_dropped, is_hashed = matcher(drop), matcher(hashed)
    digest = partial(_digest, salt.encode(errors="replace"))

    @lru_cache(maxsize=512)
    def places(own: tuple[Path, ...], properties: tuple[Path, ...]) -> tuple[Place, ...]:
        """Where an event with these paths holds what must change."""
        whose = [*((False, path) for path in own), *((True, path) for path in properties)]
        columns = zip(whose, column_names(own, properties), strict=True)
        touched = [(place, column) for place, column in columns if is_dropped(column) or is_hashed(column)]
        return tuple((*place, not is_dropped(column)) for place, column in touched)

    def protected(event: Any, level: int = 0) -> Any:
        if type(event) is list:
            return [protected(item, level + 1) for item in event] if level < MOST_LEVELS else WITHHELD
        if type(event) is not dict:
            return event
        own, properties = event.copy(), {}
        has_properties = type(event.get("properties")) is dict
        if has_properties:
            properties = own.pop("properties").copy()
        for is_property, path, is_hash in places(tuple(leaves(own)), tuple(leaves(properties))):
            _change(properties if is_property else own, path, digest if is_hash else None)
        if has_properties:
            own["properties"] = properties
        return own

    return protected


def _change(fields: dict[str, Any], path: Path, digest: Callable[[Any], Any] | None) -> None:
    """Puts the digest of what is at a path there, or takes it away; objects on the way are replaced, not changed."""
    if isinstance(path, str):
        name = path
    else:
        *above, name = path
        for step in above:
            fields[step] = fields = fields[step].copy()
    if digest is None:
        del fields[name]
    else:
        fields[name] = digest(fields[name])


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
    """The new name of each column of a row, in its order; it does not depend on which other columns the row has.

    >>> new_names((("hs_url", "url"),), ("id", "url"))
    ('id', 'properties_url')
    """
    new = {column: _new_name(renames, column) for column in columns}
    taken = {destination_name(name or column) for column, name in new.items() if name or not _is_taken(renames, column)}
    for column in sorted(column for column, name in new.items() if name is None):
        name = column
        if _is_taken(renames, column):
            while destination_name(name) in taken or name == column:
                name = PREFIX + name
            taken.add(destination_name(name))
        new[column] = name
    return tuple(str(new[column]) for column in columns)


def _new_name(renames: Renames, column: str) -> str | None:
    """What a column is renamed to, None if it is not."""
    if is_fixed(column):
        return None
    for old, new in renames:
        for spelling, pattern in ((column, old), (destination_name(column), "*".join(map(destination_name, old.split("*"))))):
            if found := re.fullmatch(re.escape(pattern).replace(r"\*", "(.+)"), spelling):
                return new.replace("*", found[1]) if "*" in new else new
    return None


def _is_taken(renames: Renames, column: str) -> bool:
    """Whether a column has a name that another may be renamed to."""
    name = destination_name(column)
    news = ("*".join(map(destination_name, new.split("*"))) for _, new in renames)
    return any(re.fullmatch(re.escape(new).replace(r"\*", "(.+)"), name) for new in news)


class Whole(dict[str, Any]):
    """An object that stays one value, a JSON column, where others are laid flat."""


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
    if type(properties) is not dict:
        return event
    return event | {"properties": Whole({name: _shallow(value) for name, value in properties.items()})}


def _shallow(value: Any) -> Any:
    if type(value) in (dict, list):
        try:
            orjson.dumps(value)
        except orjson.JSONEncodeError:
            return json_text(value)
    return value
