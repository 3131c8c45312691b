"""The tables as the SDK's schema() declares them."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from pipeline.config.connect import Definitions, connect, definitions_of
from pipeline.config.event_types import select, select_asking
from pipeline.config.settings import Settings, read_settings
from pipeline.errors import HubSpotError, SettingsError
from pipeline.hubspot.events_api import EVENT_TYPE, FIELDS, ID, OBJECT_ID, OBJECT_TYPE, PROPERTIES
from pipeline.hubspot.properties import IDS, OWN, Definition
from pipeline.names.columns import OCCURRED, column_names
from pipeline.names.destination import destination_name
from pipeline.names.patterns import is_pattern, matcher
from pipeline.names.tables import EVENT_PROPERTY, EVENT_TABLE
from pipeline.stages.fit import MOMENT, NUMBER
from pipeline.stages.rename import new_names
from pipeline.tables.audited_range import SCHEMA as AUDITED_RANGE_SCHEMA
from pipeline.tables.rejected_event import SCHEMA as REJECTED_EVENT_SCHEMA
from pipeline.tables.sync_run import SCHEMA as SYNC_RUN_SCHEMA
from pipeline.timestamps import MINUTE

PATIENCE = MINUTE  # update() has more

# Declared as text, or digits would become numbers. occurredAt is not: that would cost a strptime
# for each event.
COLUMNS = (ID, EVENT_TYPE, OCCURRED, OBJECT_ID, OBJECT_TYPE)
TEXT = "STRING"
# By HubSpot's type of a property; any other is text. None: the SDK infers it, without loss.
TYPES: Mapping[str, Any] = {"number": NUMBER, "datetime": MOMENT, "date": None, "bool": None}

EVENT_PROPERTY_SCHEMA = {
    "table": EVENT_PROPERTY,
    "primary_key": ["event_type", "name"],
    "columns": {
        **dict.fromkeys(("event_type", "name", "label", "description", "type"), TEXT),
        "options": "JSON", "sensitivity": TEXT, "archived": "BOOLEAN",
    },
}  # fmt: skip

Table = dict[str, Any]


def declare_tables(
    configuration: Mapping[str, Any], keep: Callable[[Definitions], Any] = lambda definitions: None
) -> list[Table]:
    """Declares every table that can be known, as the SDK takes it: {"table": name, "primary_key":
    […], "columns": {name: type}}.

    HubSpot is asked for the list of event types if there are patterns, and for definitions, which
    `keep` receives, if there are custom events. Errors are left to update(), which can report them.
    """
    try:
        settings = read_settings(configuration)
    except SettingsError:
        return [REJECTED_EVENT_SCHEMA, AUDITED_RANGE_SCHEMA]
    definitions = Definitions()
    try:
        with connect(settings, patience=PATIENCE) as client:
            names = select_asking(settings.event_types, client.event_types).names
            if not settings.is_single_table:
                definitions = definitions_of(client, names)
                keep(definitions)
    except HubSpotError:
        names = select(settings.event_types).names
    return build_tables(settings, names, definitions.by_type)


def build_tables(settings: Settings, event_types: Iterable[str], definitions: Mapping[str, Definition]) -> list[Table]:
    """The tables of these event types, and the connector's own."""
    if settings.is_single_table:
        columns = declared(settings, dict.fromkeys(COLUMNS, TEXT)) | {PROPERTIES: "JSON"}
        of_events = [{"table": EVENT_TABLE, "primary_key": [ID, EVENT_TYPE], "columns": columns}]
    else:
        of_events = [
            {
                "table": settings.table_of(name),
                "primary_key": [ID],
                "columns": declared(settings, dict(column_types(settings, name, definitions.get(name)))),
            }
            for name in event_types
        ]
    return [*of_events, EVENT_PROPERTY_SCHEMA, REJECTED_EVENT_SCHEMA, AUDITED_RANGE_SCHEMA, SYNC_RUN_SCHEMA]


def column_types(
    settings: Settings, event_type: str, definition: Definition | None = None
) -> Iterator[tuple[str, Any]]:
    """Yields the columns of an event type to declare, under their old names, with their types: its
    own fields, what string_columns names, and the properties that the definition, or else this
    project's list, knows. Of that list only text is declared: its types are not HubSpot's word.
    """
    yield from ((name, TEXT) for name in COLUMNS)
    yield from ((name, TEXT) for name in settings.string_columns if not is_pattern(name))
    is_text = matcher((*settings.string_columns, *settings.hash_columns, *IDS))
    defined = definition.properties if definition else ()
    listed = OWN[event_type].properties if event_type in OWN else ()
    known = {
        **dict.fromkeys(() if defined else IDS, TEXT),
        **{each.name: TYPES.get(each.type, TEXT) for each in (*listed, *defined)},
    }
    for name, kind in known.items():
        *_, column = column_names(FIELDS, (name,))
        kind = TEXT if is_text(column) else kind
        if (kind == TEXT or (kind and defined)) and name in (settings.properties or known):
            yield column, kind


def declared(settings: Settings, types: Mapping[str, Any]) -> dict[str, Any]:
    """These columns under their new names, without dropped ones. Where the destination makes one
    name of two, the first is declared, as text if their types differ.
    """
    dropped = matcher(settings.drop_columns)
    once: dict[str, str] = {}  # the first spelling of each name
    kinds: dict[str, Any] = {}
    for column, kind in types.items():
        name = destination_name(column)
        if name and not dropped(column):
            once.setdefault(name, column)
            kinds[name] = kind if kinds.get(name, kind) == kind else TEXT
    renamed = new_names(settings.rename_columns, tuple(once.values()))
    return dict(zip(renamed, kinds.values(), strict=True))


def declared_types(settings: Settings, event_type: str, columns: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The types of an event type's columns by the destination's names: of `columns`, which schema()
    has declared, or else of those that can be declared without asking HubSpot.
    """
    if not columns:
        columns = build_tables(settings, [event_type], {})[0]["columns"]
    return {destination_name(name): kind for name, kind in columns.items()}
