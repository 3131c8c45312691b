"""The tables a sync delivers into, as schema() declares them."""
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from pipeline.client import Client
from pipeline.deliver import question
from pipeline.errors import HubSpotError, Refused, SettingsError, Unauthorized
from pipeline.event_types import choose, choose_asking, is_pattern
from pipeline.metrics import SCHEMA as SYNC_RUN
from pipeline.moments import MINUTE, to_text
from pipeline.names import destination_name, matcher
from pipeline.reading.window import Window
from pipeline.rejects import SCHEMA as REJECTED_EVENT
from pipeline.run import connect
from pipeline.settings import SINGLE, Settings, read_settings
from pipeline.shaping import new_names
from pipeline.stages import flatten

PATIENCE = MINUTE  # update() has more
SAMPLED = 100  # events

# Text, or digits would become numbers. No more than must be forced: declaring occurredAt too would cost a strptime an event.
COLUMNS = ("id", "eventType", "occurred", "objectId", "objectType")

Table = dict[str, Any]
Sample = Callable[[str], list[Any]]


def declare(configuration: Mapping[str, Any], say: Callable[[str], Any] = lambda sentence: None) -> list[Table]:
    """Every table that can be known, as the SDK takes them: {"table": name, "primary_key": […], "columns": {name: type}}.

    HubSpot is asked only where there are patterns. What is wrong is left for update() to report: it can. `say` gets a sentence
    on what only this could have found out.
    """
    try:
        settings = read_settings(configuration)
    except SettingsError:
        return [REJECTED_EVENT]
    unanswered: dict[str, HubSpotError] = {}
    try:
        with connect(settings, patience=PATIENCE) as client:
            names = choose_asking(settings.event_types, client.event_types).names
            found = tables(settings, names, lambda name: sample(settings, client, name, unanswered))
    except HubSpotError as error:
        names = choose(settings.event_types).names
        found = tables(settings, names, lambda name: [])
        unanswered = dict.fromkeys(names, error)
    patterns = ", ".join(filter(is_pattern, settings.string_columns))
    if patterns and unanswered:
        say(not_sampled(patterns, unanswered))
    return found


def not_sampled(patterns: str, unanswered: Mapping[str, HubSpotError]) -> str:
    types = ", ".join(list(unanswered)[:10]) + " and others" * (len(unanswered) > 10)
    return (
        f"string_columns: {patterns} could not be held against the events of {types}, for HubSpot did not answer when the tables "
        "were declared. Columns that this sync adds become numbers if they look like numbers; those that are there keep their "
        f"type. Cure: name the columns in full. The answer was: {next(iter(unanswered.values()))}"
    )


def tables(settings: Settings, event_types: Iterable[str], sample: Sample) -> list[Table]:
    """The tables of these event types and the connector's own. A column can only be declared by its full name, so patterns in
    string_columns are held against what `sample(event_type)` gives, some events."""
    own = declared(settings, COLUMNS)
    if settings.table_layout == "single":
        of_events = [{"table": SINGLE, "primary_key": ["id", "eventType"], "columns": own | {"properties": "JSON"}}]
    else:
        columns = {name: declared(settings, [*COLUMNS, *text_columns(settings, name, sample)]) for name in event_types}
        of_events = [{"table": settings.table_of(name), "primary_key": ["id"], "columns": columns[name]} for name in columns]
    return [*of_events, REJECTED_EVENT, *([SYNC_RUN] if settings.sync_metrics else [])]


def declared(settings: Settings, columns: Iterable[str]) -> dict[str, str]:
    """These columns as text, by their new names, each once for the destination, without those that are dropped."""
    dropped = matcher(settings.drop_columns)
    once = {destination_name(column): column for column in reversed(list(columns)) if not dropped(column)}
    once.pop("", None)
    return dict.fromkeys(new_names(settings.rename_columns, tuple(reversed(once.values()))), "STRING")


def text_columns(settings: Settings, event_type: str, sample: Sample) -> Iterator[str]:
    """The columns of an event type that string_columns names, those that its patterns find too."""
    yield from (name for name in settings.string_columns if not is_pattern(name))
    patterns = tuple(filter(is_pattern, settings.string_columns))
    if patterns:
        is_text = matcher(patterns)
        rows = flatten(event for event in sample(event_type) if isinstance(event, dict))
        yield from dict.fromkeys(column for row in rows for column in row if is_text(column))


def sample(
    settings: Settings, client: Client, event_type: str, unanswered: dict[str, HubSpotError] | None = None
) -> list[Any]:
    """The first events of a type; none where they cannot be had: what is wrong with one type is not the others' concern. Why goes
    to `unanswered`, unless the type is refused: then it has no events for the sync either."""
    after, _ = Window(settings.start, None).bounds()
    number = min(SAMPLED, settings.page_size)
    try:
        return client.page({**question(settings, event_type), "limit": number, "occurredAfter": to_text(after)}).results
    except Unauthorized:
        raise
    except HubSpotError as error:
        if unanswered is not None and not isinstance(error, Refused):
            unanswered[event_type] = error
        return []
