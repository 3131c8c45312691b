"""Patterns in string_columns, which earlier versions compared with events: a column can only be
declared by its name in full.
"""

from collections.abc import Iterable

from pipeline.config.settings import Settings
from pipeline.connection.run import Run
from pipeline.errors import SettingsError
from pipeline.names.destination import destination_name
from pipeline.names.patterns import is_pattern, matcher
from pipeline.stages.rename import new_names


def tell_names(settings: Settings, names: Iterable[str]) -> str:
    """What to write instead of the patterns, if only these columns need it.

    >>> from pipeline import read_settings
    >>> given = {"api_token": "x", "initial_sync_start_date": "2026-01-01", "string_columns": "z?p*, a"}
    >>> tell_names(read_settings(given), ["zip", "zip_4"])[-64:]
    'declared by its name in full. Cure: write zip, zip_4 instead.'
    """
    listed = ", ".join(names)
    cure = f"write {listed} instead." if listed else "remove it: what it stands for is text anyway."
    return (
        f"string_columns: {', '.join(_patterns(settings))} is not compared with events: a column "
        f"is declared by its name in full. Cure: {cure}"
    )


def undeclared(run: Run, names: Iterable[str], *tables: str) -> list[str]:
    """Of these columns, those that only a pattern keeps text: none of the tables (by default, none
    of all) declares them.
    """
    settings = run.settings
    is_text, is_dropped = matcher(_patterns(settings)), matcher(settings.drop_columns)
    declared = {
        destination_name(column)
        for table in tables or run.types
        for column in run.types.get(table, {})
    }
    found = {destination_name(each): each for each in names if is_text(each)}
    return [
        each
        for name, each in sorted(found.items())
        if not is_dropped(each)
        and destination_name(*new_names(settings.rename_columns, (each,))) not in declared
    ]


def stop_first_sync(run: Run, names: Iterable[str]) -> None:
    """Raises SettingsError before the first row that would make a number of a text: in an event
    type's first sync. Later, its columns are text already, and a warning suffices.
    """
    event_type = run.cursors.under_way
    if event_type is None or event_type in run.cursors.known:
        return
    if not run.types or not has_patterns(run.settings):
        return
    if found := undeclared(run, names, run.settings.table_of(event_type)):
        raise SettingsError(tell_names(run.settings, found))


def has_patterns(settings: Settings) -> bool:
    return bool(_patterns(settings)) and not settings.is_single_table


def _patterns(settings: Settings) -> tuple[str, ...]:
    return tuple(filter(is_pattern, settings.string_columns))
