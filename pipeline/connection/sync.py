"""One sync: every event type in turn, what the failure of one means, and what is reported at the
end.
"""

from collections import Counter, deque
from collections.abc import Collection, Iterable, Mapping
from functools import partial
from typing import Any, TypeGuard

from pipeline.audits.budget import Diary
from pipeline.config.connect import connect
from pipeline.config.settings import Settings
from pipeline.config.unmatched import collect_into, named_columns, unmatched
from pipeline.connection.account import other_origin, other_portals, unknown_origin
from pipeline.connection.cursors import Cursors
from pipeline.connection.event_type import sync_event_type
from pipeline.connection.memory import share_freed_memory
from pipeline.connection.refusals import Refusals
from pipeline.connection.reporting import format_duration, summary
from pipeline.connection.run import Run
from pipeline.connection.second_look import look_again, look_first, site_of
from pipeline.connection.selection import (
    ListEventTypes,
    asked_once,
    handle_unknown,
    longest_waiting,
    restart_changed,
    select_event_types,
)
from pipeline.connection.sink import Sink
from pipeline.connection.spans import delivered_until
from pipeline.connection.state import LOOKS, REFUSED, migrate
from pipeline.connection.warnings import About, Warnings, future_start
from pipeline.errors import (
    ConnectorError,
    HubSpotError,
    QuotaSpent,
    Refused,
    SettingsError,
    Unauthorized,
    Unavailable,
)
from pipeline.names.tables import REJECTED_EVENT, SYNC_RUN
from pipeline.stages.protect import protection
from pipeline.tables.sync_run import SyncRun, Tally, interrupted
from pipeline.timestamps import MINUTE

# between HubSpot's clock and this machine's; more is worth a warning
MAX_CLOCK_DIFFERENCE = 10 * MINUTE
NONE_SYNCED = "No event type could be synced:"
SAVED = "What arrived is saved; the next sync resumes from there."


def sync(
    settings: Settings,
    state: Mapping[str, Any],
    sink: Sink,
    declared: Collection[str] | None = None,
    warnings: Iterable[str] = (),
) -> None:
    """Delivers every event since the saved cursors, event type by event type, and saves the
    cursors. `declared` are the tables that the destination knows; None: all. `warnings` are
    sentences to show with its own.

    Raises ConnectorError; what was delivered until then is saved. Up to ten warnings go to
    `sink.warn`.
    """
    share_freed_memory()
    current, changes = migrate(state)
    origin = other_origin(current, settings.api_base_url)
    columns, tallies = set[str](), dict[str, Tally]()
    for sentence in filter(None, [*changes, unknown_origin(current, settings.api_base_url)]):
        sink.log(sentence)
    refusals = Refusals(settings, current.get(REFUSED))
    with connect(settings, sink.log) as client:
        own_row = SyncRun(
            settings.sync_metrics,
            interrupted(state),
            partial(sink.upsert, SYNC_RUN),
            tallies,
            client.counts,
        )
        diary = Diary.read(current.get(LOOKS))
        cursors = Cursors(
            settings, current, sink.checkpoint, refusals.as_state, own_row.so_far, diary.as_state
        )
        warner = Warnings(sink.warn, sink.log)
        site = site_of(settings, client, sink, cursors, warner, diary)
        observe = collect_into(columns) if any(named_columns(settings).values()) else None
        protect_event = protection(
            settings.drop_columns, settings.hash_columns, settings.hash_salt, observe
        )
        run = Run(
            settings,
            client,
            sink,
            cursors,
            refusals,
            warner,
            protect_event,
            site,
            tallies,
        )
        if origin:
            run.warnings.add(About.ACCOUNT, origin)
        for sentence in warnings:
            run.warnings.add(About.CHANGED, sentence)
        own_row.begin()
        try:
            sync_event_types(run, asked_once(client.event_types), declared)
        except ConnectorError as error:
            if isinstance(error, HubSpotError) and any(
                tally.events or tally.rejected for tally in tallies.values()
            ):
                error.args = (f"{error} {SAVED}",)
            conclude(run, own_row, columns, str(error))
            raise
        conclude(run, own_row, columns, None)


def sync_event_types(
    run: Run, list_event_types: ListEventTypes, declared: Collection[str] | None = None
) -> None:
    """Syncs each event type in turn, then looks again at what was delivered. A type that
    fails (a scope, a name, a page that cannot be read) does not stop the others: it is a warning,
    and an error only if all fail. A name that the account does not know is a mistake in the
    configuration: an error, once the others are synced.
    """
    names, mistakes = select_event_types(run, list_event_types, declared)
    if warning := other_portals(run.cursors.known, names):
        run.warnings.add(About.ACCOUNT, warning)
    restart_changed(run, names)
    failures: dict[str, HubSpotError] = {}
    synced = 0
    asked = run.refusals.to_ask(names, run.client.clock.now())
    note_skipped(run, [name for name in names if name not in asked])
    look_first(run, asked)
    run.site.diary.is_owed = True
    waiting = deque(longest_waiting(asked, run.cursors.finished, run.cursors.under_way))
    asked_twice: set[str] = set()
    while waiting:
        event_type = waiting.popleft()
        error = sync_or_failure(run, event_type)
        if isinstance(error, SettingsError):
            mistakes.append(str(error))
        elif (
            event_type in run.cursors.known
            and event_type not in asked_twice
            and is_refusal(error, run, event_type)
        ):
            asked_twice.add(
                event_type
            )  # it could be read before: it is asked for again once the others are synced
            waiting.append(event_type)
        elif not account_knows(run, list_event_types, event_type, error):
            mistakes += filter(None, [handle_unknown(run, list_event_types, event_type, error)])
        elif error is None:
            synced += 1
        else:
            failures[event_type] = error
            report_failure(run, event_type, error, is_only_one=len(names) == 1 and not mistakes)
    look_again(run)
    if not synced and (said := what_failed(run, failures)):
        run.refusals.forget()
        is_only_one = len(failures) == len(said) + len(mistakes) == 1
        raise (
            next(iter(failures.values()))
            if is_only_one
            else HubSpotError("\n- ".join([NONE_SYNCED, *said, *mistakes]))
        )
    if mistakes:
        raise SettingsError("\n".join(mistakes))


def note_skipped(run: Run, names: Iterable[str]) -> None:
    """Notes the event types that are not asked for, since HubSpot refused them lately: those that
    could be read before lag.
    """
    for name in names:
        progress = run.cursors.get(name)
        if (until := delivered_until(progress)) is not None:
            run.tallies[name] = Tally(progress.occurred, error=run.refusals.why(name))
            run.tallies[name].end("refused", until, run.client.clock.now())


def report_failure(run: Run, event_type: str, error: HubSpotError, is_only_one: bool) -> None:
    """Warns of an event type that failed, unless it is the only one: then the sync ends with its
    error. Refusals of those that patterns select are one warning, at the end.
    """
    sentence = f"{event_type} is not synced: {error}"
    if is_refusal(error, run, event_type):
        run.refusals.add(event_type, error)
        run.sink.log(sentence)
    elif not is_only_one:
        run.warnings.add(About.FAILED, sentence)


def what_failed(run: Run, failures: Mapping[str, HubSpotError]) -> list[str]:
    """A sentence for each event type that failed, and one for all that are refused, by this sync or
    an earlier one.
    """
    failed = [
        f"{name}: {error}" for name, error in failures.items() if not is_refusal(error, run, name)
    ]
    return [*failed, *filter(None, [run.refusals.warning(run.cursors.known)])]


def is_refusal(error: HubSpotError | None, run: Run, event_type: str) -> TypeGuard[Refused]:
    """Whether an error is HubSpot's refusal of an event type that only a pattern selects. If pages
    were read, it refused one page.
    """
    return (
        isinstance(error, Refused)
        and not run.refusals.is_named(event_type)
        and not run.tallies[event_type].pages
    )


def sync_or_failure(run: Run, event_type: str) -> HubSpotError | SettingsError | None:
    """Syncs one event type. Returns its error if the other types can be synced all the same; raises
    it otherwise: the next sync then resumes with this type.
    """
    run.cursors.under_way = event_type
    try:
        sync_event_type(run, event_type)
    except (Unauthorized, QuotaSpent):
        raise
    except (HubSpotError, SettingsError) as error:
        if isinstance(error, Unavailable) and not run.client.answers():
            raise
        run.cursors.under_way = None
        return error
    run.cursors.under_way = None
    return None


def account_knows(
    run: Run, list_event_types: ListEventTypes, event_type: str, error: HubSpotError | None
) -> bool:
    """Whether the account knows an event type. HubSpot is asked only if in doubt: it refused the
    type, or had nothing for one that no sync has read before. True if it does not list its event
    types.
    """
    tally = run.tallies[event_type]
    has_data = event_type in run.cursors.known or tally.events or tally.rejected
    if not isinstance(error, Refused) and (error is not None or has_data):
        return True
    try:
        return event_type in list_event_types()
    except HubSpotError:
        return True


def conclude(run: Run, own_row: SyncRun, columns: Collection[str], error: str | None) -> None:
    """Ends a sync: says the last warnings and the summary, and saves the row and the cursors.
    `error`: its message, or None.
    """
    add_final_warnings(run, columns)
    run.warnings.conclude()
    if run.tallies:
        run.sink.log(summary(run.tallies))
    own_row.end(error)
    run.cursors.save()


def add_final_warnings(run: Run, columns: Collection[str]) -> None:
    """Adds the warnings that are known only at the end; `columns` are those of the events seen."""
    settings, client, warnings = run.settings, run.client, run.warnings
    if refused := run.refusals.warning(run.cursors.known):
        warnings.add(About.REFUSED, f"{refused}\n{run.refusals.next_request()}")
    rejected = sum((tally.rejected for tally in run.tallies.values()), start=Counter[str]())
    for reason, times in rejected.most_common():
        warnings.add(
            About.REJECTED,
            f"Events rejected ({reason}): {times}. They are kept in the table {REJECTED_EVENT}.",
        )
    if replaced := client.counts()["replaced"]:
        warnings.add(
            About.REJECTED, f"Values that cannot be represented and were replaced: {replaced}."
        )
    for sentence in unmatched(settings, columns):
        warnings.add(About.CONFIGURATION, sentence)
    if settings.start > client.clock.now():
        warnings.add(About.CONFIGURATION, future_start(settings.start))
    if abs(difference := client.clock.difference()) > MAX_CLOCK_DIFFERENCE:
        warnings.add(
            About.CLOCK,
            "HubSpot's clock and this machine's differ by "
            f"{format_duration(abs(difference) / 1000)}: the earlier one counts for "
            "the look-back, so more than necessary is read again. Cure: set this machine's clock.",
        )
    if client.rate_limit.daily_quota_nearly_spent():
        warnings.add(
            About.QUOTA,
            (
                "Less than a tenth of the account's daily quota of requests is left. Cure: sync "
                "less "
                "often."
            ),
        )
