"""Which event types a sync reads, and in which order."""
from collections.abc import Callable, Collection, Iterable

from pipeline.config.event_types import NONE_SELECTED, select_asking, suggest
from pipeline.connection.run import Run
from pipeline.connection.state import Progress
from pipeline.connection.warnings import About
from pipeline.errors import HubSpotError, Unavailable
from pipeline.names.destination import destination_name
from pipeline.timestamps import to_text

Account = Callable[[], Collection[str]]  # asks HubSpot, once a sync, for the event types of the account


def select_event_types(run: Run, account: Account, declared: Collection[str] | None) -> tuple[list[str], list[str]]:
    """The event types to sync, and a sentence for each name that the account does not know. `declared`: see sync."""
    selected = select_asking(run.settings.event_types, account)
    for pattern in selected.unmatched:
        run.warnings.add(About.CHANGED, f"event_types: {pattern} matches no event type of this account.")
    if not selected.names and not selected.unknown:
        run.warnings.add(About.CHANGED, f"{NONE_SELECTED} Nothing is synced.")
    late = [name for name in selected.names if declared is not None and run.settings.table_of(name) not in declared]
    if late and len(late) == len(selected.names):
        raise Unavailable(
            "HubSpot did not list its event types when the tables were declared, so nothing is delivered. Start the sync again."
        )
    if late:
        sentence = f"Event types that were not known when the tables were declared join with the next sync: {late}."
        run.warnings.add(About.CHANGED, sentence)
    mistakes = [sentence for name in selected.unknown for sentence in unknown_event_type(run, account, name)]
    return one_per_table(run, [name for name in selected.names if name not in late]), mistakes


def unknown_event_type(run: Run, account: Account, event_type: str, error: HubSpotError | None = None) -> list[str]:
    """What to say of an event type that the account does not know: a mistake, or only a warning if it once knew it."""
    if event_type in run.cursors.known:
        sentence = f"{event_type}: HubSpot no longer knows this event type. Its rows and its cursor are kept."
        run.warnings.add(About.FAILED, sentence)
        return []
    run.cursors.forget(event_type)
    return [f"{suggest(event_type, account())} {error or ''}".strip()]


def one_per_table(run: Run, names: list[str]) -> list[str]:
    """The event types without those whose table would be another's at the destination. The one that had it before keeps it; of
    new ones, the first by name. Warns of those left out, and of new ones whose table is not called like them."""
    if run.settings.table_layout == "single":
        return names
    tables = {name: run.settings.table_of(name) for name in names}
    owners: dict[str, str] = {}
    for name in sorted(names, key=lambda name: (name not in run.cursors.known, name)):
        owner = owners.setdefault(destination_name(tables[name]), name)
        if owner != name:
            run.warnings.add(
                About.FAILED,
                f"{name} is not synced: at the destination it and {owner} are one table, and rows would overwrite each other. "
                f"Cure: table_layout = single, or a separate connection for {name}.",
            )
    if renamed := [f"{name} in {table}" for name, table in tables.items() if name not in (table, *run.cursors.known)]:
        sentence = f"Event types whose names the destination may change have tables of other names: {', '.join(renamed)}."
        run.warnings.add(About.CHANGED, sentence)
    return [name for name in names if name in owners.values()]


def restart_changed(run: Run, names: Collection[str]) -> None:
    """Forgets the cursors that were made under another layout or other filters, and says so."""
    now = {name: run.settings.fingerprint(name) for name in names}
    before = {name: run.cursors.of(name).fingerprint for name in names if name in run.cursors.known}
    changed = [name for name in before if before[name] != now[name]]
    for name in changed:
        run.cursors.set(name, Progress(fingerprint=now[name]))
    if changed:
        was, is_now = (" and ".join(sorted({each[name] or "the defaults" for name in changed})) for each in (before, now))
        types = ", ".join(changed[:10]) + " and others" * (len(changed) > 10)
        run.warnings.add(
            About.CHANGED,
            f"The layout or filters have changed (from {was} to {is_now}): the history of {types} is "
            f"read again from {to_text(run.settings.start)}. Existing rows stay.",
        )


def longest_waiting(names: Iterable[str], finished: Callable[[str], str], under_way: str | None) -> list[str]:
    """The order in which event types are synced: first the one under way, then the one longest not finished (`finished` returns
    ISO 8601 text, "" for never), so that none starves.

    >>> longest_waiting(["a", "b", "c"], {"a": "2026-02-02", "b": "2026-01-01", "c": "2026-03-03"}.get, "c")
    ['c', 'b', 'a']
    """
    return sorted(names, key=lambda name: (name != under_way, finished(name)))
