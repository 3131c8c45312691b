"""Names of columns and tables: when two of them are one for the destination, and what the second is called then."""
import fnmatch
import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterable
from functools import lru_cache

PREFIX = "properties_"
OWN = ("id", "eventType", "occurredAt", "objectId", "objectType")  # an event's own fields, which always keep their names
ADDED = ("occurred", "_fivetran_id", "_fivetran_deleted", "_fivetran_synced", "_fivetran_file_path")

LONGEST_TABLE = 100  # characters, without the letters
OWN_TABLES = ("event", "rejected_event", "sync_run")  # the connector's

Path = str | tuple[str, ...]  # where a value stands in an event: its name, or the names down to it


@lru_cache(maxsize=20_000)
def destination_name(name: str) -> str:
    """What Fivetran renames a column to: two names with one destination name are one column, and the second is lost.

    The rule is fivetran_connector_sdk_core.renaming; production does not install that package, hence this copy, which a
    test holds against it.

    >>> destination_name("eventType"), destination_name("e_form_v2"), destination_name("Événement!")
    ('event_type', 'e_form_v_2', 'evenement_')
    """
    if not re.fullmatch(r"[\w.-]*", name, re.ASCII):
        bare = (c for c in unicodedata.normalize("NFD", name) if unicodedata.category(c) != "Mn")
        name = unicodedata.normalize("NFC", "".join(bare))
    name = re.sub(r"\W", "_", name, flags=re.ASCII)
    name = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[0-9])(?=[^0-9])|(?<=[^0-9])(?=[0-9])|^(?=[0-9])", "_", name)
    return re.sub("_+", "_", name.lower())


def table_name(event_type: str) -> str:
    """The table and the folder of an event type: its own name if it is in lower-case words, as HubSpot makes them. Any other, and
    one that is a table of the connector, gets letters that no other type has, since the destination might make one name of two.

    It depends on nothing but the event type, so it is the same whichever others there are.

    >>> table_name("pe1_form_v2"), table_name("E_A_B"), table_name("e_a__b"), table_name("../sync_run"), table_name("sync_run")
    ('pe1_form_v2', 'e_a_b_zmjyor', 'e_a_b_tavkuv', 'sync_run_ovlxhr', 'sync_run_ogfpyf')
    """
    name = destination_name(event_type)
    in_words = re.fullmatch(r"[a-z][a-z0-9]*([_-][a-z0-9]+)*", event_type)
    if in_words and len(event_type) <= LONGEST_TABLE and name not in OWN_TABLES:
        return event_type
    digest = hashlib.sha256(event_type.encode(errors="replace")).digest()
    letters = "".join(chr(ord("a") + byte % 26) for byte in digest[:6])  # digits would be split off by the destination
    return f"{name[:LONGEST_TABLE].strip('_') or 'unnamed'}_{letters}"


@lru_cache(maxsize=1024)
def star(name: str) -> re.Pattern[str]:
    """What a name with at most one * matches among the names of the destination, and what the * stands for.

    >>> star("hsUtm*").fullmatch("hs_utm_source")[1]
    '_source'
    """
    return re.compile("(.+)".join(re.escape(destination_name(piece)) for piece in name.split("*")))


RESERVED = frozenset(("", *map(destination_name, (*OWN, *ADDED))))  # "": what is nothing but an accent has no name there
FIXED = frozenset(map(destination_name, ("id", "eventType", "occurredAt", "occurred")))  # what keys and cursors are made of


def is_fixed(name: str) -> bool:
    """Whether a column must stay as it is, by whatever spelling: rows are told apart and put in order by it.

    >>> is_fixed("eventType"), is_fixed("event_type"), is_fixed("objectId")
    (True, True, False)
    """
    return destination_name(name) in FIXED


def matcher(patterns: tuple[str, ...]) -> Callable[[str], bool]:
    """Whether a column is one of those that names and patterns (*, ?) tell, spelt as HubSpot or as the destination does;
    never one that is fixed.

    >>> is_secret = matcher(("*email*", "hsIp"))
    >>> is_secret("hs_email_domain"), is_secret("hs_ip"), is_secret("hs_url"), matcher(("*",))("id")
    (True, True, False, False)
    """
    spellings = "|".join(fnmatch.translate(spelling) for pattern in patterns for spelling in (pattern, _as_destination(pattern)))
    match = re.compile(spellings or r"(?!)").match
    return lambda name: bool(match(name) or match(destination_name(name))) and not is_fixed(name)


def _as_destination(pattern: str) -> str:
    return "".join(piece if piece in "*?" else destination_name(piece) for piece in re.split(r"([*?])", pattern))


def column_names(own: tuple[Path, ...], properties: tuple[Path, ...]) -> tuple[str, ...]:
    """The column of each value of an event, for the paths of its own values and then of its properties.

    Names down to a value are joined with "_". An event's own fields keep their names, whatever the properties are called;
    of other names that are one for the destination the shallower keeps it and the next gets the prefix, until it is free.
    It depends on nothing but the paths, not even on their order, so it is the same for every event.

    >>> column_names(("id", "objectId"), ("id", "hs_url", ("hs", "url")))
    ('id', 'objectId', 'properties_id', 'hs_url', 'properties_hs_url')
    """
    columns: dict[tuple[bool, Path], str] = {(False, name): name for name in own if name in OWN}
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


@lru_cache(maxsize=512)
def renamed(own: tuple[Path, ...], properties: tuple[Path, ...]) -> tuple[str, ...] | None:
    """The same, or None where each path is its column's name, as it mostly is.

    >>> renamed(("id",), ("hs_url",)) is None
    True
    """
    names = column_names(own, properties)
    return None if names == (*own, *properties) else names


def _by_precedence(own: Iterable[Path], properties: Iterable[Path]) -> list[tuple[bool, Path]]:
    def precedence(place: tuple[bool, Path]) -> tuple[bool, int, tuple[str, ...]]:
        names = (place[1],) if isinstance(place[1], str) else place[1]
        return place[0], len(names), names

    return sorted([*((False, path) for path in own), *((True, path) for path in properties)], key=precedence)


def _is_reserved(name: str) -> bool:
    """Whether a name is that of an own field or becomes it without prefixes: `id` is then always `properties_id`, and
    `properties_id` always `properties_properties_id`, whether or not an event has both."""
    bare = destination_name(name)
    if bare in RESERVED:
        return True
    while bare.startswith(PREFIX):
        bare = bare[len(PREFIX) :]
        if bare in RESERVED or f"_{bare}" in RESERVED:
            return True
    return False
