"""Finds columns that the configuration names and no event has: a misspelled name would silently
protect nothing.
"""

from collections.abc import Callable, Collection, Iterable

from pipeline.config.settings import Settings
from pipeline.hubspot.properties import IDS
from pipeline.hubspot.redact import one_line
from pipeline.names.columns import is_fixed
from pipeline.names.destination import destination_name
from pipeline.names.patterns import is_pattern, matcher, nearest

MAX_COLUMNS = 10_000  # remembered
NEAR = 0.8  # likeness from which on a name is taken for a misspelling


def collect_into(columns: set[str]) -> Callable[[Iterable[str]], None]:
    """A function that adds names to `columns`, up to MAX_COLUMNS of them."""

    def collect(names: Iterable[str]) -> None:
        if len(columns) < MAX_COLUMNS:
            columns.update(names)

    return collect


def named_columns(settings: Settings) -> dict[str, tuple[str, ...]]:
    """The names and patterns of columns in the configuration, by key; without ids, which are text
    anyway: release 1.0.0 had them in the default of string_columns.
    """
    return {
        "drop_columns": settings.drop_columns,
        "hash_columns": settings.hash_columns,
        "rename_columns": tuple(old for old, _ in settings.rename_columns),
        "string_columns": tuple(name for name in settings.string_columns if name not in IDS and not is_fixed(name)),
        "properties": settings.properties,
    }


def unmatched(settings: Settings, columns: Collection[str], only_near: bool = False) -> list[str]:
    """A sentence for each key that names a column not among `columns`, those of the events seen,
    with the nearest of them; with `only_near`, only for names that have one. Nothing if no event
    was seen, or more columns than are remembered.

    >>> from pipeline import read_settings
    >>> given = {"api_token": "x", "initial_sync_start_date": "2026-01-01", "drop_columns": "hs_ipp, *mail"}
    >>> unmatched(read_settings(given), ["id", "hs_ip"])[0][:63]
    'drop_columns: no event has hs_ipp (did you mean hs_ip?), *mail.'
    """
    if not columns or len(columns) >= MAX_COLUMNS:
        return []
    sentences = []
    for key, names in named_columns(settings).items():
        missing = {name: _meant(name, columns) for name in names if not any(map(_matches(key, name), columns))}
        shown = {name: near for name, near in missing.items() if near or not only_near}
        described = [f"{name} (did you mean {near}?)" if near else name for name, near in shown.items()]
        if described:
            cure = (
                f"Cure: correct {key}, or go on if such events have not occurred yet: a sync "
                "warns, and runs all the same."
            )
            sentences.append(f"{key}: no event has {', '.join(described)}. {cure}")
    return sentences


def misspelled(settings: Settings, columns: Collection[str]) -> list[str]:
    """A sentence for each column that drop_columns or hash_columns names in full and that is not
    among `columns`, those of an event type, if a similar one would be delivered unprotected.

    >>> from pipeline import read_settings
    >>> given = {"api_token": "x", "initial_sync_start_date": "2026-01-01", "drop_columns": "hs_ipp, mail"}
    >>> misspelled(read_settings(given), ["id", "hs_ip"])[0][:66]
    'drop_columns: no event has hs_ipp, but hs_ip would be delivered as'
    """
    if not columns or len(columns) >= MAX_COLUMNS:
        return []
    is_protected = matcher((*settings.drop_columns, *settings.hash_columns))
    delivered = [column for column in columns if not is_protected(column)]
    return [
        f"{key}: no event has {name}, but {near} would be delivered as it is. Cure: correct "
        f"{key}, or, if such events have not occurred yet, write {name}*."
        for key in ("drop_columns", "hash_columns")
        for name in named_columns(settings)[key]
        if not is_pattern(name) and not any(map(matcher((name,)), columns))
        if (near := _meant(name, delivered))
    ]


def _matches(key: str, name: str) -> Callable[[str], bool]:
    return name.__eq__ if key == "properties" else matcher((name,))


def _meant(name: str, columns: Collection[str]) -> str | None:
    """The column that a name or pattern probably misspells; None if there is none."""
    spelled = {destination_name(column): column for column in columns}
    bare = destination_name(name.replace("*", "").replace("?", ""))
    return next((one_line(spelled[near]) for near in nearest(bare, spelled, likeness=NEAR)), None)
