"""One sync: which event types, in which order, what each one's failure means, and what is told at the end."""
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from pipeline.connection.account import adopted, moved, portals_apart
from pipeline.connection.state import Progress, migrate, read_state, read_under_way
from pipeline.deliver import sync_event_type
from pipeline.errors import ConnectorError, HubSpotError, QuotaSpent, Refused, SettingsError, Unauthorized, Unavailable
from pipeline.event_types import NONE_CHOSEN, choose_asking, waiting_longest, whats_nearest
from pipeline.memory import give_back
from pipeline.metrics import TABLE as SYNC_RUN
from pipeline.metrics import first_row, interrupted, last_row, summary
from pipeline.moments import local_now, to_text
from pipeline.names import destination_name
from pipeline.run import CHANGED, FAILED, Run, Sink, connect, say_warnings
from pipeline.settings import Settings
from pipeline.shaping import protection
from pipeline.unmatched import named, note_columns

NONE = "No event type could be synced:"


def sync(
    settings: Settings,
    state: Mapping[str, Any],
    sink: Sink,
    declared: Collection[str] | None = None,
    warnings: Iterable[str] = (),
) -> None:
    """Delivers every event since the saved cursors, event type by event type, and saves the cursors. `declared` are the tables
    that the destination was told of; None: all. `warnings` are sentences that are to be told with its own.

    Raises ConnectorError; what was delivered until then is saved. What a person should know besides goes to `sink.warn`, at
    the end, ten sentences at most and the important first.
    """
    give_back()
    current, said = migrate(state)
    cursors, columns = read_state(current), set[str]()
    elsewhere = moved(current, settings.api_base_url)
    note = note_columns(columns) if any(named(settings).values()) else None
    protected = protection(settings.drop_columns, settings.hash_columns, settings.hash_salt, note)
    for sentence in [*said, *adopted(current, settings.api_base_url)]:
        sink.log(sentence)
    with connect(settings, sink.log) as client:
        run = Run(settings, client, sink, cursors, read_under_way(state), frozenset(cursors), protected, columns=columns)
        for sentence in [*elsewhere, *warnings]:
            run.warn(CHANGED, sentence)
        row, run.unfinished = first_row(local_now()), interrupted(state)
        if settings.sync_metrics:
            if run.unfinished is not None:
                sink.upsert(SYNC_RUN, run.unfinished)
            sink.upsert(SYNC_RUN, row)
            run.unfinished = row
        try:
            sync_event_types(run, declared)
        except ConnectorError as error:
            end(run, row, str(error))
            raise
        end(run, row, None)


def end(run: Run, row: dict[str, Any], error: str | None) -> None:
    """What a sync leaves whether or not it ended in an error: warnings, a summary, its own row, its cursors."""
    say_warnings(run)
    if run.tallies:
        run.sink.log(summary(run.tallies))
    if run.settings.sync_metrics:
        run.sink.upsert(SYNC_RUN, last_row(row, local_now(), error, run.tallies, run.client.counts()))
        run.unfinished = None
    run.checkpoint()


def sync_event_types(run: Run, declared: Collection[str] | None = None) -> None:
    """Each event type in turn. One that fails (a scope, a name, a page that cannot be read) does not cost the others their
    sync: it is a warning, and the error only if every one fails. A name that the account does not know is a mistake in the
    configuration: the error, once the others are synced."""
    names, mistakes = choose_event_types(run, declared)
    for sentence in portals_apart(run.seen, names):
        run.warn(CHANGED, sentence)
    start_again(run, names)
    failures: dict[str, HubSpotError] = {}
    synced = 0
    for event_type in waiting_longest(names, lambda name: run.cursor_of(name).finished_at or "", run.under_way):
        error = attempt(run, event_type)
        if not is_known(run, event_type, error):
            mistakes += unknown(run, event_type, error)
        elif error is None:
            synced += 1
        else:
            failures[event_type] = error
            if len(names) > 1 or mistakes:
                run.warn(FAILED, f"{event_type} is not synced: {error}")
    if failures and not synced:
        told = [*(f"{name}: {error}" for name, error in failures.items()), *mistakes]
        raise next(iter(failures.values())) if len(told) == 1 else HubSpotError("\n- ".join([NONE, *told]))
    if mistakes:
        raise SettingsError("\n".join(mistakes))


def unknown(run: Run, event_type: str, error: HubSpotError | None = None) -> list[str]:
    """What to say of an event type that the account does not know: a mistake, or a warning only where it once did."""
    if event_type in run.seen:
        run.warn(FAILED, f"{event_type}: HubSpot knows it no longer. Its rows and its cursor are kept.")
        return []
    run.progress.pop(event_type, None)
    return [f"{whats_nearest(event_type, run.account())} {error or ''}".strip()]


def choose_event_types(run: Run, declared: Collection[str] | None) -> tuple[list[str], list[str]]:
    """The event types to sync, and a sentence for each name that the account does not know."""
    chosen = choose_asking(run.settings.event_types, run.account)
    for pattern in chosen.idle:
        run.warn(CHANGED, f"event_types: {pattern} matches no event type of this account.")
    if not chosen.names and not chosen.unknown:
        run.warn(CHANGED, f"{NONE_CHOSEN} Nothing is synced.")
    late = [name for name in chosen.names if declared is not None and run.settings.table_of(name) not in declared]
    if late and len(late) == len(chosen.names):
        raise Unavailable(
            "HubSpot did not tell its event types when the tables were declared, so nothing is delivered. Start the sync again."
        )
    if late:
        run.warn(CHANGED, f"Event types that were not known when the tables were declared join with the next sync: {late}.")
    mistakes = [sentence for name in chosen.unknown for sentence in unknown(run, name)]
    return one_a_table(run, [name for name in chosen.names if name not in late]), mistakes


def one_a_table(run: Run, names: list[str]) -> list[str]:
    """The event types without those whose table would be another's at the destination. The one that had it before keeps it, of
    new ones the first by name. Says which are left out, and which new ones have a table that is not called like them."""
    if run.settings.table_layout == "single":
        return names
    tables = {name: run.settings.table_of(name) for name in names}
    owners: dict[str, str] = {}
    for name in sorted(names, key=lambda name: (name not in run.seen, name)):
        owner = owners.setdefault(destination_name(tables[name]), name)
        if owner != name:
            run.warn(
                FAILED,
                f"{name} is not synced: at the destination it and {owner} are one table, and rows would overwrite each other. "
                f"Cure: table_layout = single, or a connection of its own for {name}.",
            )
    if renamed := [f"{name} in {table}" for name, table in tables.items() if name not in (table, *run.seen)]:
        run.warn(CHANGED, f"Event types whose names the destination may change have tables of other names: {', '.join(renamed)}.")
    return [name for name in names if name in owners.values()]


def start_again(run: Run, names: Collection[str]) -> None:
    """Forgets the cursors that were made under another layout or other filters, and says so."""
    under = {name: run.settings.made_under(name) for name in names}
    others = [name for name in names if name in run.progress and run.progress[name].made_under != under[name]]
    before = " and ".join(sorted({run.progress[name].made_under or "the defaults" for name in others}))
    now = " and ".join(sorted({under[name] or "the defaults" for name in others}))
    run.progress |= {name: Progress(made_under=under[name]) for name in others}
    if others:
        types = ", ".join(others[:10]) + " and others" * (len(others) > 10)
        run.warn(
            CHANGED,
            f"The layout or filters have changed (from {before} to {now}): the history of {types} is read "
            f"again from {to_text(run.settings.start)}. Rows that are there already stay.",
        )


def attempt(run: Run, event_type: str) -> HubSpotError | None:
    """Syncs one event type. Returns the error if it is that type's alone, raises it if it ends the sync: the next one then goes
    on with this type."""
    run.under_way = event_type
    try:
        sync_event_type(run, event_type)
    except (Unauthorized, QuotaSpent):
        raise
    except HubSpotError as error:
        if isinstance(error, Unavailable) and not run.client.answers():
            raise
        run.under_way = None
        return error
    run.under_way = None
    return None


def is_known(run: Run, event_type: str, error: HubSpotError | None) -> bool:
    """Whether the account knows an event type, looked up only where there is doubt: HubSpot refused it, or had nothing for one
    that no sync has read before. Yes, where the list cannot be had."""
    tally = run.tallies[event_type]
    if not isinstance(error, Refused) and (error is not None or event_type in run.seen or tally.events or tally.rejected):
        return True
    try:
        return event_type in run.account()
    except HubSpotError:
        return True
