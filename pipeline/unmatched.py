"""What the configuration names and no event has: a name with a typo in it would protect nothing, in silence."""
import difflib
from collections.abc import Callable, Collection, Iterable

from pipeline.moments import to_text
from pipeline.names import destination_name, is_fixed, matcher
from pipeline.settings import KEYS, Settings

MOST_COLUMNS = 10_000  # remembered
NEAR = 0.8  # of 1, as difflib measures likeness


def note_columns(columns: set[str]) -> Callable[[Iterable[str]], None]:
    """A function that adds names to `columns`, up to MOST_COLUMNS of them."""

    def note(names: Iterable[str]) -> None:
        if len(columns) < MOST_COLUMNS:
            columns.update(names)

    return note


def named(settings: Settings) -> dict[str, tuple[str, ...]]:
    """The names and patterns of columns in the configuration, by key, but those that are there by default."""
    by_default = KEYS["string_columns"].read(KEYS["string_columns"].default)
    return {
        "drop_columns": settings.drop_columns,
        "hash_columns": settings.hash_columns,
        "rename_columns": tuple(old for old, _ in settings.rename_columns),
        "string_columns": tuple(name for name in settings.string_columns if name not in by_default and not is_fixed(name)),
        "properties": settings.properties,
    }


def unmatched(settings: Settings, columns: Collection[str], near_alone: bool = False) -> list[str]:
    """A sentence for each key that names what is not among the columns of the events that were seen, with the nearest of them;
    only of names that have one, if `near_alone`. None where no event was seen, or too many columns to remember.

    >>> from pipeline import read_settings
    >>> given = {"api_token": "x", "initial_sync_start_date": "2026-01-01", "drop_columns": "hs_ipp, *email*, hs_url"}
    >>> unmatched(read_settings(given), ["id", "hs_ip", "hs_url"])
    ['drop_columns: no event has hs_ipp (did you mean hs_ip?), *email*. Cure: correct drop_columns, if they are not yet to come.']
    """
    if not columns or len(columns) >= MOST_COLUMNS:
        return []
    sentences = []
    for key, names in named(settings).items():
        missing = {name: nearest(name, columns) for name in names if not any(map(_matches(key, name), columns))}
        told = [f"{name} (did you mean {near}?)" if near else name for name, near in missing.items() if near or not near_alone]
        if told:
            sentences.append(f"{key}: no event has {', '.join(told)}. Cure: correct {key}, if they are not yet to come.")
    return sentences


def future_start(start: int) -> str:
    """What to say of a start date (ms) in the future."""
    return f"initial_sync_start_date: {to_text(start)} is in the future; no event is delivered that occurs before it."


def _matches(key: str, name: str) -> Callable[[str], bool]:
    return name.__eq__ if key == "properties" else matcher((name,))


def nearest(name: str, columns: Collection[str]) -> str | None:
    """The column that is nearly called like a name or pattern, None if none is."""
    spelt = {destination_name(column): column for column in columns}
    bare = destination_name(name.replace("*", "").replace("?", ""))
    return next((spelt[near] for near in difflib.get_close_matches(bare, spelt, n=1, cutoff=NEAR)), None)
