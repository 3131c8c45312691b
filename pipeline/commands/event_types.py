"""Lists the event types of an account: which can be read, and what is in them."""

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from operator import attrgetter
from typing import Any, NamedTuple

from toolz import groupby

from pipeline.config.connect import connect, definitions_of, query_for
from pipeline.config.parsers import event_types
from pipeline.config.settings import Settings
from pipeline.connection.refusals import cause_of
from pipeline.errors import HubSpotError, QuotaSpent, Unauthorized
from pipeline.hubspot.client import Client
from pipeline.hubspot.events_api import PROPERTIES, occurred_ms
from pipeline.hubspot.properties import OWN
from pipeline.names.patterns import is_pattern
from pipeline.timestamps import SECOND, to_text

MAX_COLUMNS = 4  # shown of each event type
PATIENCE = 20 * SECOND  # a person waits for the answer


class Found(NamedTuple):
    """What one answer says of an event type: its events lie between `first` and `last` (ms), or
    `refused` is why it cannot be read. With `more`, there are others, later ones. `label` is its
    display name, if one is known.
    """

    event_type: str
    events: int = 0
    first: int | None = None
    last: int | None = None
    more: bool = False
    properties: tuple[str, ...] = ()
    refused: str = ""
    label: str = ""


_refused = attrgetter("refused")


def _name(found: Found) -> str:
    """The name of an event type, escaped if it could control a terminal."""
    return found.event_type if found.event_type.isprintable() else repr(found.event_type)


def find_event_types(settings: Settings, progress: Callable[[int, int], Any]) -> Iterator[Found]:
    """Yields what there is of each event type of the account, by name: one request for their list,
    one for the labels of custom events, and one for each type. `progress` receives the number asked
    for so far, and that of all. Raises ConnectorError if HubSpot cannot be asked at all.
    """
    unfiltered = replace(settings, object_type="", object_id="", properties=(), property_filters=())
    stop = threading.Event()
    with connect(settings, patience=PATIENCE) as client, ThreadPoolExecutor(settings.concurrency) as workers:
        try:
            names = sorted(set(client.event_types(stop)))
            progress(0, len(names))
            known = {**OWN, **definitions_of(client, names).by_type}
            for number, found in enumerate(
                workers.map(lambda name: _find(unfiltered, client, name, stop), names), start=1
            ):
                progress(number, len(names))
                label = known[found.event_type].label if found.event_type in known else ""
                yield found._replace(label=label)
        finally:
            stop.set()  # or the workers would go on asking


def _find(settings: Settings, client: Client, event_type: str, stop: threading.Event) -> Found:
    """What the first page of an event type says: HubSpot lists the oldest events first."""
    try:
        page = client.page(query_for(settings, event_type), stop)
    except (Unauthorized, QuotaSpent):
        raise
    except HubSpotError as error:
        return Found(event_type, refused=str(error))
    moments = [moment for moment in map(occurred_ms, page.events) if moment is not None]
    held = [event.get(PROPERTIES) for event in page.events if isinstance(event, dict)]
    filled = [
        name for properties in held if isinstance(properties, dict) for name, value in properties.items() if value
    ]
    first, last = (min(moments), max(moments)) if moments else (None, None)
    return Found(event_type, len(page.events), first, last, page.cursor is not None, tuple(dict.fromkeys(filled)))


def format_event_types(types: Iterable[Found]) -> Iterator[str]:
    """Yields a line for each event type, those with events first; then why others cannot be read,
    and what to write in the configuration.
    """
    types = list(types)
    readable = [found.event_type for found in types if found.events and _is_nameable(found.event_type)]
    width = max((len(_name(found)) for found in types), default=0)
    for found in sorted(types, key=lambda found: (bool(found.refused), not found.events)):
        yield f"{_name(found):{width}}  {_summary(found)}{_label(found)}"
    for same in groupby(lambda found: cause_of(found.event_type, found.refused), filter(_refused, types)).values():
        yield f"\n{', '.join(map(_name, same))} cannot be read: {same[0].refused}"
    if readable:
        yield "\nTo sync those with events, write in the configuration:"
        yield f'  "event_types": {json.dumps(", ".join(readable))}'


def _is_nameable(event_type: str) -> bool:
    """Whether the key event_types accepts this name, and not as a pattern."""
    try:
        return event_types(event_type) == (event_type,) and not is_pattern(event_type)
    except ValueError:
        return False


def _label(found: Found) -> str:
    if not found.label or found.refused:
        return ""
    return f" ({found.label if found.label.isprintable() else repr(found.label)})"


def _summary(found: Found) -> str:
    if found.refused:
        return "cannot be read, see below"
    if found.first is None or found.last is None:
        return f"{found.events} events without a date" if found.events else "no events"
    number = f"{'more than ' * found.more}{found.events:,} event{'s' * (found.events != 1)}"
    until = f"{'beyond ' * found.more}{to_text(found.last)[:19]}Z"
    shown = [name if name.isprintable() else repr(name) for name in found.properties[:MAX_COLUMNS]]
    names = ", ".join(shown) + ", …" * (len(found.properties) > MAX_COLUMNS)
    return f"{number}, {to_text(found.first)[:19]}Z to {until}: {names or 'no properties'}"
