"""The tables as the SDK's schema() declares them."""
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from pipeline.config.connect import connect, query_for
from pipeline.config.event_types import select, select_asking
from pipeline.config.settings import Settings, read_settings
from pipeline.errors import HubSpotError, Refused, SettingsError, Unauthorized
from pipeline.hubspot.client import Client
from pipeline.hubspot.events import EVENT_TYPE, ID, LIMIT, OBJECT_ID, OBJECT_TYPE, PROPERTIES, within
from pipeline.names.columns import OCCURRED
from pipeline.names.destination import destination_name
from pipeline.names.patterns import is_pattern, matcher
from pipeline.names.tables import SINGLE
from pipeline.reading.window import Window
from pipeline.stages.flatten import flatten
from pipeline.stages.rename import new_names
from pipeline.tables.rejected_events import SCHEMA as REJECTED_EVENT
from pipeline.tables.sync_run import SCHEMA as SYNC_RUN
from pipeline.timestamps import MINUTE

PATIENCE = MINUTE  # update() has more
SAMPLED = 100  # events

# Text, or digits would become numbers. No column is declared needlessly: occurredAt would cost a strptime an event.
COLUMNS = (ID, EVENT_TYPE, OCCURRED, OBJECT_ID, OBJECT_TYPE)

Table = dict[str, Any]
Sample = Callable[[str], list[Any]]


def declare(configuration: Mapping[str, Any], warn: Callable[[str], Any] = lambda sentence: None) -> list[Table]:
    """Every table that can be known, as the SDK takes them: {"table": name, "primary_key": […], "columns": {name: type}}.

    HubSpot is asked only if there are patterns. Whatever is wrong is left to update(), which can report it; `warn` gets a
    sentence on what only schema() can find out.
    """
    try:
        settings = read_settings(configuration)
    except SettingsError:
        return [REJECTED_EVENT]
    unanswered: dict[str, HubSpotError] = {}
    try:
        with connect(settings, patience=PATIENCE) as client:
            names = select_asking(settings.event_types, client.event_types).names
            found = tables(settings, names, lambda name: sample(settings, client, name, unanswered))
    except HubSpotError as error:
        names = select(settings.event_types).names
        found = tables(settings, names, lambda name: [])
        unanswered = dict.fromkeys(names, error)
    patterns = ", ".join(filter(is_pattern, settings.string_columns))
    if patterns and unanswered:
        warn(not_sampled(patterns, unanswered))
    return found


def not_sampled(patterns: str, unanswered: Mapping[str, HubSpotError]) -> str:
    types = ", ".join(list(unanswered)[:10]) + " and others" * (len(unanswered) > 10)
    return (
        f"string_columns: {patterns} could not be compared with the events of {types}, because HubSpot did not answer when the "
        "tables were declared. Columns that this sync adds become numbers if they look like numbers; existing ones keep their "
        f"type. Cure: name the columns in full. The answer was: {next(iter(unanswered.values()))}"
    )


def tables(settings: Settings, event_types: Iterable[str], sample: Sample) -> list[Table]:
    """The tables of these event types, and the connector's own. A column can only be declared by its full name, so patterns in
    string_columns are compared with what `sample(event_type)` returns, some events."""
    own = declared(settings, COLUMNS)
    if settings.table_layout == "single":
        of_events = [{"table": SINGLE, "primary_key": [ID, EVENT_TYPE], "columns": own | {PROPERTIES: "JSON"}}]
    else:
        columns = {name: declared(settings, [*COLUMNS, *text_columns(settings, name, sample)]) for name in event_types}
        of_events = [{"table": settings.table_of(name), "primary_key": [ID], "columns": columns[name]} for name in columns]
    return [*of_events, REJECTED_EVENT, *([SYNC_RUN] if settings.sync_metrics else [])]


def declared(settings: Settings, columns: Iterable[str]) -> dict[str, str]:
    """These columns as text, under their new names, each once for the destination, without those that are dropped."""
    dropped = matcher(settings.drop_columns)
    once = {destination_name(column): column for column in reversed(list(columns)) if not dropped(column)}
    once.pop("", None)
    return dict.fromkeys(new_names(settings.rename_columns, tuple(reversed(once.values()))), "STRING")


def text_columns(settings: Settings, event_type: str, sample: Sample) -> Iterator[str]:
    """The columns of an event type that string_columns names, those that its patterns match included."""
    yield from (name for name in settings.string_columns if not is_pattern(name))
    patterns = tuple(filter(is_pattern, settings.string_columns))
    if patterns:
        is_text = matcher(patterns)
        rows = flatten(event for event in sample(event_type) if isinstance(event, dict))
        yield from dict.fromkeys(column for row in rows for column in row if is_text(column))


def sample(
    settings: Settings, client: Client, event_type: str, unanswered: dict[str, HubSpotError] | None = None
) -> list[Any]:
    """The first events of a type; none if they cannot be had, since what is wrong with one type is not the others' concern. The
    error goes to `unanswered`, unless HubSpot refuses the type: then the sync gets no events of it either."""
    limit = {LIMIT: min(SAMPLED, settings.page_size)}
    try:
        return client.page({**query_for(settings, event_type), **limit, **within(Window(settings.start, None).bounds())}).events
    except Unauthorized:
        raise
    except HubSpotError as error:
        if unanswered is not None and not isinstance(error, Refused):
            unanswered[event_type] = error
        return []
