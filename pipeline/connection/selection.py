"""The event types that a sync reads, and their order."""

from collections.abc import Callable, Collection, Iterable
from functools import cache

from pipeline.config.event_types import NONE_SELECTED, Selection, select, select_asking, unknown_event_type_message
from pipeline.connection.event_types import EventTypes
from pipeline.connection.warnings import Topic
from pipeline.errors import HubSpotError, Refused, Unavailable
from pipeline.names.destination import destination_name
from pipeline.timestamps import to_text

# Asks HubSpot, once per sync, for the event types of the account.
ListEventTypes = Callable[[], Collection[str]]


def asked_once(ask: ListEventTypes) -> ListEventTypes:
    """A function that asks when it is first called, and returns that answer, or raises that error,
    each time.
    """

    @cache
    def outcome() -> Collection[str] | HubSpotError:
        try:
            return ask()
        except HubSpotError as error:
            return error

    def answer() -> Collection[str]:
        said = outcome()
        if isinstance(said, HubSpotError):
            raise said
        return said

    return answer


def select_event_types(
    types: EventTypes, list_event_types: ListEventTypes, declared: Collection[str] | None
) -> tuple[list[str], list[str]]:
    """The event types to sync, and a sentence for each name that the account does not know.
    `declared`: see sync.
    """
    selected = selected_types(types, list_event_types)
    for pattern in selected.unmatched:
        types.run.warnings.add(Topic.PATTERNS, f"event_types: {pattern} matches no event type of this account.")
    if not selected.names and not selected.unknown:
        types.run.warnings.add(Topic.PATTERNS, f"{NONE_SELECTED} Nothing is synced.")
    undeclared = [
        name for name in selected.names if declared is not None and types.run.settings.table_of(name) not in declared
    ]
    if undeclared and len(undeclared) == len(selected.names):
        raise Unavailable(
            "HubSpot did not list its event types when the tables were declared, so nothing is "
            "delivered. Start the sync again."
        )
    if undeclared:
        names = ", ".join(undeclared)
        sentence = f"Event types that were not known when the tables were declared: {names}. The next sync reads them."
        types.run.warnings.add(Topic.CHANGED, sentence)
    mistakes = [mistake for name in selected.unknown if (mistake := handle_unknown(types, list_event_types, name))]
    return one_per_table(types, [name for name in selected.names if name not in undeclared]), mistakes


def selected_types(types: EventTypes, list_event_types: ListEventTypes) -> Selection:
    """The event types that the configuration selects: only those named in full, if HubSpot refuses
    to list its event types.
    """
    items = types.run.settings.event_types
    try:
        return select_asking(items, list_event_types)
    except Refused as refused:
        selected = select(items)
        if not selected.names:
            raise
        types.run.warnings.add(
            Topic.FAILED, f"event_types: HubSpot does not list its event types, so patterns select none: {refused}"
        )
        return selected


def handle_unknown(
    types: EventTypes, list_event_types: ListEventTypes, event_type: str, error: HubSpotError | None = None
) -> str | None:
    """Handles an event type that the account does not know. Warns and returns None if the account
    once knew it; otherwise forgets its cursor, and returns a sentence on the mistake.
    """
    if event_type in types.known:
        sentence = f"{event_type}: HubSpot no longer knows this event type. Its rows and its cursor are kept."
        types.run.warnings.add(Topic.FAILED, sentence)
        return None
    types[event_type].forget()
    return f"{unknown_event_type_message(event_type, list_event_types())} {error or ''}".strip()


def one_per_table(types: EventTypes, names: list[str]) -> list[str]:
    """Leaves out, with a warning, each event type whose table would also be another's at the
    destination. The type that had it before keeps it; of new ones, the first by name. Also warns of
    new types whose table is not named after them.
    """
    if types.run.settings.is_single_table:
        return names
    tables = {name: types.run.settings.table_of(name) for name in names}
    owners: dict[str, str] = {}
    for name in sorted(names, key=lambda name: (name not in types.known, types.run.refusals.holds(name), name)):
        owner = owners.setdefault(destination_name(tables[name]), name)
        if owner != name:
            types.run.warnings.add(
                Topic.FAILED,
                f"{name} is not synced: at the destination it and {owner} are one table, and rows "
                "would overwrite each other. Cure: table_layout = single, or a separate connection "
                f"for {name}.",
            )
    if renamed := [f"{name} in {table}" for name, table in tables.items() if name not in (table, *types.known)]:
        sentence = (
            f"Event types whose names the destination may change have tables of other names: {', '.join(renamed)}."
        )
        types.run.warnings.add(Topic.CHANGED, sentence)
    return [name for name in names if name in owners.values()]


def restart_changed(types: EventTypes, names: Collection[str]) -> None:
    """Forgets the cursors that were made under another layout or other filters, with a warning."""
    now = {name: types.run.settings.fingerprint(name) for name in names}
    before = {name: types[name].progress.fingerprint for name in names if name in types.known}
    changed = [name for name in before if before[name] != now[name]]
    for name in changed:
        types[name].restart()
    if changed:
        was, is_now = (
            " and ".join(sorted({each[name] or "the defaults" for name in changed})) for each in (before, now)
        )
        named = ", ".join(changed[:10]) + " and others" * (len(changed) > 10)
        types.run.warnings.add(
            Topic.HISTORY,
            f"The layout or filters have changed (from {was} to {is_now}): the history of {named} "
            f"is read again from {to_text(types.run.settings.start)}. Existing rows stay.",
        )


def longest_waiting(names: Iterable[str], finished: Callable[[str], int], under_way: str | None) -> list[str]:
    """The order in which event types are synced: first the one under way, then the least recently
    finished (`finished` returns ms, 0 for never), so that none starves.

    >>> longest_waiting(["a", "b", "c"], {"a": 2000, "b": 1000, "c": 3000}.get, "c")
    ['c', 'b', 'a']
    """
    return sorted(names, key=lambda name: (name != under_way, finished(name)))
