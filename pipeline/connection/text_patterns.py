"""Patterns in string_columns, which release 1.0.0 compared with events; now a column is declared by
its name in full.
"""

from collections.abc import Iterable

from pipeline.config.settings import Settings
from pipeline.connection.event_types import EventTypes
from pipeline.connection.run import Run
from pipeline.errors import SettingsError
from pipeline.names.destination import destination_name
from pipeline.names.patterns import is_pattern, matcher
from pipeline.stages.rename import new_names


def instead_of_patterns(settings: Settings, names: Iterable[str] = ()) -> str | None:
    """What to write instead of the patterns, if they stand for these columns; None without
    patterns.

    >>> from pipeline import read_settings
    >>> given = {"api_token": "x", "initial_sync_start_date": "2026-01-01", "string_columns": "z?p*, a"}
    >>> instead_of_patterns(read_settings(given), ["zip", "zip_4"])[-61:]
    'declared by its name in full. Cure: write zip, zip_4 instead.'
    """
    if not (patterns := _patterns(settings)):
        return None
    listed = ", ".join(names)
    cure = f"write {listed} instead." if listed else 'remove it (if nothing is left, write "").'
    return (
        f"string_columns: {', '.join(patterns)} is not compared with events: a column is declared "
        f"by its name in full. Cure: {cure}"
    )


def only_by_pattern(run: Run, names: Iterable[str], tables: Iterable[str]) -> list[str]:
    """Those of these columns that only a pattern makes text: none of the tables declares them."""
    is_text, is_dropped = matcher(_patterns(run.settings)), matcher(run.settings.drop_columns)
    declared = {destination_name(column) for table in tables for column in run.declared.get(table, {})}
    found = {destination_name(each): each for each in names if is_text(each)}
    renamed = (*new_names(run.settings.rename_columns, tuple(found.values())),)
    return sorted(
        each
        for each, new in zip(found.values(), renamed, strict=True)
        if not is_dropped(each) and destination_name(new) not in declared
    )


def stop_first_sync(types: EventTypes, names: Iterable[str]) -> None:
    """Raises SettingsError before the first row in which a text would become a number. Once a sync
    has read all of the event type, its columns are text, and a warning suffices.
    """
    run, event_type = types.run, types.under_way
    if event_type is None or types[event_type].progress.finished_at or not run.declared:
        return
    if found := only_by_pattern(run, names, [run.settings.table_of(event_type)]):
        raise SettingsError(instead_of_patterns(run.settings, found))


def _patterns(settings: Settings) -> tuple[str, ...]:
    return () if settings.is_single_table else tuple(filter(is_pattern, settings.string_columns))
