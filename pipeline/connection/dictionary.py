"""The table event_property: what each property of an event is, by HubSpot's definitions of custom
events and this project's list of HubSpot's own.
"""

import hashlib
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from pipeline.config.connect import Definitions, definitions_of
from pipeline.config.settings import Settings
from pipeline.connection.event_types import EventTypes
from pipeline.connection.refusals import DAILY, MAX_NAMES
from pipeline.connection.warnings import Topic
from pipeline.errors import Forbidden, HubSpotError
from pipeline.hubspot.definitions_api import SCOPE
from pipeline.hubspot.events_api import FIELDS
from pipeline.hubspot.properties import OWN, Definition
from pipeline.hubspot.redact import one_line
from pipeline.names.columns import column_names
from pipeline.names.patterns import matcher
from pipeline.names.tables import EVENT_PROPERTY
from pipeline.stages.serialize import JsonList
from pipeline.timestamps import to_ms, to_text

NOT_SENSITIVE = (None, "non_sensitive")


def deliver_dictionary(types: EventTypes, event_types: Collection[str], definitions: Definitions | None) -> None:
    """Upserts the dictionary if it differs from the one last written, since unchanged rows would be
    billed again. `definitions` are those that schema() has read; without them, HubSpot is asked
    once a day. Logs a refusal, and warns of what is sensitive and not protected, when it is new.
    """
    run = types.run
    saved, now = types.event_property, run.client.clock.now()
    if not (definitions and definitions.is_an_answer) and not _is_recent(saved, now):
        definitions = definitions_of(run.client, event_types)
    if saved and not (definitions and definitions.is_an_answer):
        if definitions and definitions.error:
            run.sink.log(_not_read(definitions.error))
        return
    known = definitions or Definitions()
    rows = list(_rows({**OWN, **known.by_type}))
    sensitive = _unprotected(run.settings, known.by_type)
    digest = _digest(rows, sensitive, bool(known.error))
    if digest != saved.get("digest"):
        if known.error:
            run.sink.log(_not_read(known.error))
        if sensitive:
            run.warnings.add(Topic.SENSITIVE, _warning(sensitive))
        for row in rows:
            run.sink.upsert(EVENT_PROPERTY, row)
    read = {"read_at": to_text(now)} if known.is_an_answer else {}
    types.event_property = {**read, "digest": digest}


def _is_recent(saved: Mapping[str, Any], now: int) -> bool:
    try:
        return abs(now - to_ms(saved["read_at"])) < DAILY
    except (KeyError, ValueError):
        return False


def _rows(definitions: Mapping[str, Definition]) -> Iterator[dict[str, Any]]:
    for event_type, definition in definitions.items():
        for each in definition.properties:
            row = {"event_type": event_type, **each._asdict()}
            yield row | {"options": JsonList(each.options) or None}


def _unprotected(settings: Settings, definitions: Mapping[str, Definition]) -> list[str]:
    """What HubSpot calls sensitive and the configuration neither drops nor hashes."""
    is_protected = matcher((*settings.drop_columns, *settings.hash_columns))
    return [
        f"{one_line(each.name)} of {event_type}"
        for event_type, definition in definitions.items()
        for each in definition.properties
        if each.sensitivity not in NOT_SENSITIVE
        and not any(map(is_protected, (each.name, column_names(FIELDS, (each.name,))[-1])))
    ]


def _digest(*known: Any) -> str:
    return hashlib.sha256(repr(known).encode(errors="replace")).hexdigest()[:8]


def _not_read(error: HubSpotError) -> str:
    said, _, _ = str(error).partition(" Cure:")
    cure = f" To have them, grant the scope {SCOPE}." if isinstance(error, Forbidden) else ""
    return (
        f"{EVENT_PROPERTY}: the definitions of custom events are not read, so the types of their "
        f"columns are inferred. {said}{cure}"
    )


def _warning(sensitive: list[str]) -> str:
    listed = ", ".join(sensitive[:MAX_NAMES]) + " and others" * (len(sensitive) > MAX_NAMES)
    return (
        f"HubSpot calls these properties sensitive: {listed}. They are delivered as they are. "
        "Cure: name them in drop_columns or hash_columns, or leave them so: this is said once."
    )
