"""The tables as the SDK's schema() declares them."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from pipeline.config.connect import connect, query_for
from pipeline.config.event_types import select, select_asking
from pipeline.config.keys import KEYS
from pipeline.config.settings import Settings, read_settings
from pipeline.errors import HubSpotError, Refused, SettingsError, Unauthorized
from pipeline.hubspot.client import Client
from pipeline.hubspot.events_api import (
    EVENT_TYPE,
    ID,
    LIMIT,
    OBJECT_ID,
    OBJECT_TYPE,
    PROPERTIES,
    within,
)
from pipeline.hubspot.id_properties import ID_PROPERTIES
from pipeline.names.columns import OCCURRED
from pipeline.names.destination import destination_name
from pipeline.names.patterns import is_pattern, matcher
from pipeline.names.tables import EVENT_TABLE
from pipeline.reading.window import Window
from pipeline.stages.flatten import flatten
from pipeline.stages.rename import new_names
from pipeline.tables.audited_range import SCHEMA as AUDITED_RANGE_SCHEMA
from pipeline.tables.rejected_event import SCHEMA as REJECTED_EVENT_SCHEMA
from pipeline.tables.sync_run import SCHEMA as SYNC_RUN_SCHEMA
from pipeline.timestamps import MINUTE

PATIENCE = MINUTE  # update() has more
SAMPLED = 100  # events

# Text, or digits would become numbers. No column is declared needlessly: occurredAt would cost a
# strptime per event.
COLUMNS = (ID, EVENT_TYPE, OCCURRED, OBJECT_ID, OBJECT_TYPE)

Table = dict[str, Any]
Sample = Callable[[str], list[Any]]  # the first events of an event type


def declare_tables(
    configuration: Mapping[str, Any], warn: Callable[[str], Any] = lambda sentence: None
) -> list[Table]:
    """Every table that can be known, as the SDK takes them: {"table": name, "primary_key": […],
    "columns": {name: type}}.

    HubSpot is asked only if there are patterns. Errors are left to update(), which can report them;
    `warn` gets a sentence on what only schema() can find out.
    """
    try:
        settings = read_settings(configuration)
    except SettingsError:
        return [REJECTED_EVENT_SCHEMA, AUDITED_RANGE_SCHEMA]
    unanswered: dict[str, HubSpotError] = {}
    try:
        with connect(settings, patience=PATIENCE) as client:
            names = select_asking(settings.event_types, client.event_types).names

            def sample_of(event_type: str) -> list[Any]:
                events, error = sample(settings, client, event_type)
                if error is not None and not isinstance(
                    error, Refused
                ):  # the sync gets no events of a refused type either
                    unanswered[event_type] = error
                return events

            tables = build_tables(settings, names, sample_of)
    except HubSpotError as error:
        names = select(settings.event_types).names
        tables = build_tables(settings, names, lambda event_type: [])
        unanswered = dict.fromkeys(names, error)
    patterns = ", ".join(filter(is_pattern, settings.string_columns))
    if patterns and unanswered:
        warn(not_sampled(patterns, unanswered))
    return tables


def not_sampled(patterns: str, unanswered: Mapping[str, HubSpotError]) -> str:
    """The warning about patterns of string_columns that could not be compared with any event."""
    types = ", ".join(list(unanswered)[:10]) + " and others" * (len(unanswered) > 10)
    return (
        f"string_columns: {patterns} could not be compared with the events of {types}, because "
        "HubSpot did not answer when the "
        "tables were declared. Columns that this sync adds become numbers if they look like "
        "numbers; existing ones keep their "
        f"type. Cure: name the columns in full. The answer was: {next(iter(unanswered.values()))}"
    )


def build_tables(settings: Settings, event_types: Iterable[str], sample_of: Sample) -> list[Table]:
    """The tables of these event types, and the connector's own. A column can only be declared by
    its full name, so patterns in string_columns are compared with the events that
    `sample_of(event_type)` returns.
    """
    own = text_column_types(settings, COLUMNS)
    if settings.is_single_table:
        of_events = [
            {
                "table": EVENT_TABLE,
                "primary_key": [ID, EVENT_TYPE],
                "columns": own | {PROPERTIES: "JSON"},
            }
        ]
    else:
        text = {name: [*COLUMNS, *text_columns(settings, name, sample_of)] for name in event_types}
        columns = {name: text_column_types(settings, text[name]) for name in text}
        of_events = [
            {"table": settings.table_of(name), "primary_key": [ID], "columns": columns[name]}
            for name in columns
        ]
    return [
        *of_events,
        REJECTED_EVENT_SCHEMA,
        AUDITED_RANGE_SCHEMA,
        *([SYNC_RUN_SCHEMA] if settings.sync_metrics else []),
    ]


def text_column_types(settings: Settings, columns: Iterable[str]) -> dict[str, str]:
    """These columns as text, under their new names, each once for the destination, without those
    that are dropped.
    """
    dropped = matcher(settings.drop_columns)
    once: dict[str, str] = {}  # the first spelling of each name
    for column in columns:
        if not dropped(column):
            once.setdefault(destination_name(column), column)
    once.pop("", None)
    return dict.fromkeys(new_names(settings.rename_columns, tuple(once.values())), "STRING")


def text_columns(settings: Settings, event_type: str, sample_of: Sample) -> Iterator[str]:
    """The columns of an event type that string_columns names or matches; by default also the ids
    that HubSpot is known to write as digits in events of this type.
    """
    if set(KEYS["string_columns"].parse(KEYS["string_columns"].default)) <= set(
        settings.string_columns
    ):
        yield from ID_PROPERTIES.get(event_type, ())
    yield from (name for name in settings.string_columns if not is_pattern(name))
    patterns = tuple(filter(is_pattern, settings.string_columns))
    if patterns:
        is_text = matcher(patterns)
        rows = flatten(event for event in sample_of(event_type) if isinstance(event, dict))
        yield from dict.fromkeys(column for row in rows for column in row if is_text(column))


def declared_types(settings: Settings, event_type: str) -> dict[str, str]:
    """The types of the columns that are certainly declared, by the destination's names before
    renaming. Of a column that only a pattern matches, that is not known.
    """
    if settings.is_single_table:
        return dict.fromkeys(map(destination_name, COLUMNS), "STRING") | {PROPERTIES: "JSON"}
    named = (*COLUMNS, *text_columns(settings, event_type, lambda event_type: []))
    return dict.fromkeys(map(destination_name, named), "STRING")


def sample(
    settings: Settings, client: Client, event_type: str
) -> tuple[list[Any], HubSpotError | None]:
    """The first events of a type, and the error if HubSpot does not send them: one type's error
    does not concern the others.
    """
    limit = {LIMIT: min(SAMPLED, settings.page_size)}
    try:
        page = client.page(
            {
                **query_for(settings, event_type),
                **limit,
                **within(Window(settings.start, None).bounds()),
            }
        )
    except Unauthorized:
        raise
    except HubSpotError as error:
        return [], error
    return page.events, None
