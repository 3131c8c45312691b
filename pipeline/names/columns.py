"""Names of columns: no value of an event is lost to a name."""

from collections.abc import Iterable

from pipeline.hubspot.events_api import EVENT_TYPE, FIELDS, ID, OCCURRED_AT
from pipeline.names.destination import destination_name

PREFIX = "properties_"
# the column that every row gets (in stages/flatten.py): occurredAt as HubSpot wrote it
OCCURRED = "occurred"
# the column of values that are not of their columns' types (in stages/fit.py)
MISFITS = "misfits"
ADDED = (OCCURRED, MISFITS, "_fivetran_id", "_fivetran_deleted", "_fivetran_synced", "_fivetran_file_path")
# "": the destination name of a name that is only accents
RESERVED = frozenset(("", *map(destination_name, (*FIELDS, *ADDED))))
# rows are identified and ordered by them
FIXED = frozenset(map(destination_name, (ID, EVENT_TYPE, OCCURRED_AT, OCCURRED)))

Path = str | tuple[str, ...]  # of a value in an event: its name, or the names down to it


def is_fixed(name: str) -> bool:
    """Whether a column, however spelled, cannot be changed: rows are identified and ordered by it.

    >>> is_fixed("eventType"), is_fixed("event_type"), is_fixed("objectId")
    (True, True, False)
    """
    return destination_name(name) in FIXED


def column_names(own: tuple[Path, ...], properties: tuple[Path, ...]) -> tuple[str, ...]:
    """The column of each value of an event, for the paths of its own fields and then those of its
    properties.

    The names down to a value are joined with "_". An event's own fields keep their names, whatever
    its properties are called. If the destination makes one name of others, the shallowest path
    keeps it, and the next is prefixed until its name is free. The result depends only on the paths,
    not on their order, so it is the same for every event.

    >>> column_names(("id", "objectId"), ("id", "hs_url", ("hs", "url")))
    ('id', 'objectId', 'properties_id', 'hs_url', 'properties_hs_url')
    """
    columns: dict[tuple[bool, Path], str] = {(False, name): name for name in own if name in FIELDS}
    taken = set(RESERVED)
    for is_property, path in _by_precedence(own, properties):
        if (is_property, path) in columns:
            continue
        name = path if isinstance(path, str) else "_".join(path)
        if _is_reserved(name):
            name = PREFIX + name
        while destination_name(name) in taken:
            name = PREFIX + name
        taken.add(destination_name(name))
        columns[is_property, path] = name
    return (*(columns[False, path] for path in own), *(columns[True, path] for path in properties))


def column_names_if_different(own: tuple[Path, ...], properties: tuple[Path, ...]) -> tuple[str, ...] | None:
    """column_names, or None if every column keeps its path as its name (the usual case).

    >>> column_names_if_different(("id",), ("hs_url",)) is None
    True
    """
    names = column_names(own, properties)
    return None if names == (*own, *properties) else names


def _by_precedence(own: Iterable[Path], properties: Iterable[Path]) -> list[tuple[bool, Path]]:
    def precedence(value: tuple[bool, Path]) -> tuple[bool, int, tuple[str, ...]]:
        is_property, path = value
        names = (path,) if isinstance(path, str) else path
        return is_property, len(names), names

    return sorted([*((False, path) for path in own), *((True, path) for path in properties)], key=precedence)


def _is_reserved(name: str) -> bool:
    """Whether a name is that of an own field, with or without prefixes: a property `id` is always
    `properties_id`, and one called `properties_id` always `properties_properties_id`, whether or
    not an event has both.
    """
    bare = destination_name(name)
    if bare in RESERVED:
        return True
    while bare.startswith(PREFIX):
        bare = bare[len(PREFIX) :]
        if bare in RESERVED or f"_{bare}" in RESERVED:
            return True
    return False
