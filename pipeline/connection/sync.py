"""One sync: every event type in turn, what the failure of one means, and what is reported at the
end.
"""

from collections import Counter, deque
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from itertools import islice
from typing import Any, TypeGuard

from pipeline.audits.budget import Diary
from pipeline.config.connect import Definitions, connect
from pipeline.config.settings import Settings
from pipeline.config.unmatched import collect_into, named_columns, unmatched
from pipeline.connection.account import other_origin, other_portals, unknown_origin
from pipeline.connection.dictionary import deliver_dictionary
from pipeline.connection.event_types import EventTypes
from pipeline.connection.refusals import Refusals
from pipeline.connection.reporting import format_duration, summary
from pipeline.connection.run import Run
from pipeline.connection.saving import Saving
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
from pipeline.connection.state import LOOKS, REFUSED, migrate, state_dict
from pipeline.connection.text_patterns import instead_of_patterns, only_by_pattern, stop_first_sync
from pipeline.connection.warnings import Topic, Warnings, future_start
from pipeline.errors import ConnectorError, HubSpotError, QuotaSpent, Refused, SettingsError, Unauthorized, Unavailable
from pipeline.hubspot.client import Client
from pipeline.names.tables import REJECTED_EVENT, SYNC_RUN
from pipeline.stages.protect import protection
from pipeline.tables.sync_run import SyncRun, left_row
from pipeline.timestamps import MINUTE

# Between HubSpot's clock and this machine's, without a warning.
MAX_CLOCK_DIFFERENCE = 10 * MINUTE
NONE_SYNCED = "No event type could be synced:"
SAVED = "What arrived is saved; the next sync resumes from there."


def sync(
    settings: Settings,
    state: Mapping[str, Any],
    sink: Sink,
    declared: Collection[str] | None = None,
    definitions: Definitions | None = None,
) -> None:
    """Delivers every event since the saved cursors, event type by event type, and saves the
    cursors. `declared` are the tables that the destination knows, if they are a mapping with the
    types of their columns; None: all tables. `definitions` are those that schema() has read.

    Raises ConnectorError; what was delivered until then is saved. Up to ten warnings go to
    `sink.warn`.
    """
    current, changes = migrate(state)
    origin = other_origin(current, settings.api_base_url)
    columns = set[str]()
    for sentence in filter(None, [*changes, unknown_origin(current, settings.api_base_url)]):
        sink.log(sentence)
    with (
        connect(settings, sink.log) as client,
        ThreadPoolExecutor(settings.concurrency, thread_name_prefix="hubspot") as pool,
    ):
        columns_of = declared if isinstance(declared, Mapping) else {}
        types, own_row = assemble(settings, current, sink, client, pool, columns, columns_of)
        add = types.run.warnings.add
        if origin:
            add(Topic.ACCOUNT, origin)
        own_row.begin()
        try:
            sync_event_types(types, asked_once(client.event_types), declared, definitions)
        except ConnectorError as error:
            conclude(types, own_row, columns, said := with_what_is_saved(error, types))
            raise type(error)(said) from error
        finally:
            types.close()
        conclude(types, own_row, columns, None)


def assemble(
    settings: Settings,
    state: Mapping[str, Any],
    sink: Sink,
    client: Client,
    pool: Executor,
    columns: set[str],
    declared: Mapping[str, Mapping[str, Any]],
) -> tuple[EventTypes, SyncRun]:
    """Puts together the event types of a sync, with all that they work with, and its own row.
    `columns` collects those of the events seen, if the configuration names any; `declared` are the
    types of columns, by table.
    """
    refusals, diary = Refusals(settings, state.get(REFUSED)), Diary.read(state.get(LOOKS))
    warnings = Warnings(sink.warn, sink.log)

    def save() -> None:
        sink.checkpoint(
            state_dict(
                types.progress(),
                types.under_way,
                settings.api_base_url,
                refusals.as_state(),
                own_row.so_far(),
                diary.as_state(),
                types.event_property,
            )
        )

    saving = Saving(settings.checkpoint_interval, save, sink.log)
    is_first = not state["event_types"]
    site = site_of(settings, client, sink, warnings, diary, is_first, saving.save, lambda: types.ledger_sizes())
    collect = collect_into(columns)

    def observe(names: list[str]) -> None:
        collect(names)
        stop_first_sync(types, names)

    protect_event = protection(
        settings.drop_columns,
        settings.hash_columns,
        settings.hash_salt,
        observe if any(named_columns(settings).values()) else None,
    )
    run = Run(*(settings, client, sink, refusals, warnings, protect_event), *(declared, site, saving, pool))
    types = EventTypes(run, state)
    own_row = SyncRun(left_row(state), partial(sink.upsert, SYNC_RUN), types.tallies, client.counts)
    return types, own_row


def with_what_is_saved(error: ConnectorError, types: EventTypes) -> str:
    """The message of an error that ends the sync, and whether something was saved all the same."""
    arrived = any(tally.events or tally.rejected for tally in types.tallies().values())
    return f"{error} {SAVED}" if isinstance(error, HubSpotError) and arrived else str(error)


def sync_event_types(
    types: EventTypes,
    list_event_types: ListEventTypes,
    declared: Collection[str] | None = None,
    definitions: Definitions | None = None,
) -> None:
    """Syncs each event type in turn, then looks again at what was delivered. A type that fails (a
    scope, a page that cannot be read) is a warning and does not stop the others; if all fail, that
    is an error. So is a name that the account does not know, once the others are synced.
    """
    run = types.run
    names, mistakes = select_event_types(types, list_event_types, declared)
    if warning := other_portals(types.known, names):
        run.warnings.add(Topic.ACCOUNT, warning)
    restart_changed(types, names)
    deliver_dictionary(types, names, definitions)
    asked = run.refusals.to_ask(names, run.client.clock.now())
    for name in names:
        if name not in asked:
            types[name].skip(run.refusals.why(name))
    look_first(types, asked)
    run.site.diary.is_owed = True
    is_only_one = len(names) == 1 and not mistakes
    synced, failures = sync_each(types, asked, list_event_types, mistakes, is_only_one)
    look_again(types)
    if not synced and (said := what_failed(types, failures)):
        run.refusals.forget()
        is_only_one = len(failures) == len(said) + len(mistakes) == 1
        raise (
            next(iter(failures.values())) if is_only_one else HubSpotError("\n- ".join([NONE_SYNCED, *said, *mistakes]))
        )
    if mistakes:
        raise SettingsError("\n".join(mistakes))


def sync_each(
    types: EventTypes, names: Iterable[str], list_event_types: ListEventTypes, mistakes: list[str], is_only_one: bool
) -> tuple[int, dict[str, HubSpotError]]:
    """Delivers one event type after the other, while the first requests of the next ones are under
    way. Returns how many were synced, and the errors of those that failed; adds to `mistakes`.
    """
    waiting = deque(longest_waiting(names, types.finished, types.under_way))
    failures: dict[str, HubSpotError] = {}
    asked_twice: set[str] = set()
    synced, ahead = 0, 1  # the first one shows whether the token is right
    while waiting:
        types.open(islice(waiting, ahead))
        event_type, ahead = waiting.popleft(), types.run.settings.concurrency
        is_first = bool(waiting) and event_type not in asked_twice
        # after one whole outage of an event type, each further one is tried a few times only
        was_out = any(isinstance(error, Unavailable) for error in failures.values())
        error = sync_or_failure(types, event_type, is_first, is_first or was_out)
        is_refused = event_type in types.known and is_refusal(error, types, event_type)
        may_pass = is_refused or (isinstance(error, Unavailable) and is_first)
        if isinstance(error, SettingsError):
            mistakes.append(str(error))
        elif may_pass and event_type not in asked_twice:
            # it is asked for again once the others are synced
            asked_twice.add(event_type)
            waiting.append(event_type)
        elif not account_knows(types, list_event_types, event_type, error):
            mistakes += filter(None, [handle_unknown(types, list_event_types, event_type, error)])
        elif error is None:
            synced += 1
        else:
            failures[event_type] = error
            report_failure(types, event_type, error, is_only_one)
    return synced, failures


def report_failure(types: EventTypes, event_type: str, error: HubSpotError, is_only_one: bool) -> None:
    """Warns of an event type that failed, unless it is the only one: then the sync ends with its
    error. Refusals of those that patterns select are one warning, at the end.
    """
    run, sentence = types.run, f"{event_type} is not synced: {error}"
    if is_refusal(error, types, event_type):
        run.refusals.add(event_type, error)
        run.sink.log(sentence)
    elif not is_only_one:
        run.warnings.add(Topic.FAILED, sentence)


def what_failed(types: EventTypes, failures: Mapping[str, HubSpotError]) -> list[str]:
    """A sentence for each event type that failed, and one for all that HubSpot refuses, or has
    refused an earlier sync.
    """
    failed = [f"{name}: {error}" for name, error in failures.items() if not is_refusal(error, types, name)]
    return [*failed, *filter(None, [types.run.refusals.warning(types.known)])]


def is_refusal(error: Exception | None, types: EventTypes, event_type: str) -> TypeGuard[Refused]:
    """Whether an error is HubSpot's refusal of an event type that only a pattern selects: not of a
    later page of it.
    """
    tally = types[event_type].tally
    is_named = types.run.refusals.is_named(event_type)
    return isinstance(error, Refused) and not is_named and not (tally and tally.pages)


def sync_or_failure(
    types: EventTypes, event_type: str, is_first: bool = False, yields: bool = False
) -> HubSpotError | SettingsError | None:
    """Syncs one event type. Returns its error if the other types can be synced all the same;
    otherwise raises it, and the next sync resumes with this type.
    """
    types.under_way = event_type
    try:
        types[event_type].sync(yields)
    except (Unauthorized, QuotaSpent):
        raise
    except (HubSpotError, SettingsError) as error:
        may_be_outage = isinstance(error, Unavailable) and (error.is_whole or not is_first)
        if may_be_outage and (outage := types.run.client.outage()):
            raise outage from error
        types.under_way = None
        return error
    types.under_way = None
    return None


def account_knows(
    types: EventTypes, list_event_types: ListEventTypes, event_type: str, error: HubSpotError | None
) -> bool:
    """Whether the account knows an event type; True if HubSpot does not list its event types. It is
    asked only in doubt: after a refusal, or if it had nothing of a type that no sync has read.
    """
    tally = types[event_type].tally
    has_data = event_type in types.known or (tally and (tally.events or tally.rejected))
    if not isinstance(error, Refused) and (error is not None or has_data):
        return True
    try:
        return event_type in list_event_types()
    except HubSpotError:
        return True


def conclude(types: EventTypes, own_row: SyncRun, columns: Collection[str], error: str | None) -> None:
    """Ends a sync: shows the last warnings, logs the summary, and saves the row and the cursors.
    `error` is its message, or None.
    """
    run, tallies = types.run, types.tallies()
    add_final_warnings(types, columns)
    run.warnings.conclude()
    if tallies:
        run.sink.log(summary(tallies))
    if own_row.finish(error):
        run.saving.save()  # or a kill before the next save would leave it "interrupted"
        own_row.write()
    run.saving.save()


def add_final_warnings(types: EventTypes, columns: Collection[str]) -> None:
    """Adds the warnings that are known only at the end; `columns` are those of the events seen."""
    run = types.run
    settings, client, warnings = run.settings, run.client, run.warnings
    if refused := run.refusals.warning(types.known):
        warnings.add(Topic.REFUSED, f"{refused}\n{run.refusals.next_request()}")
    rejected = sum((tally.rejected for tally in types.tallies().values()), start=Counter[str]())
    for reason, times in rejected.most_common():
        warnings.add(
            Topic.REJECTED, f"Events rejected ({reason}): {times}. They are kept in the table {REJECTED_EVENT}."
        )
    if replaced := client.counts()["replaced"]:
        warnings.add(Topic.REJECTED, f"Values that cannot be represented and were replaced: {replaced}.")
    for sentence in unmatched(settings, columns):
        warnings.add(Topic.CONFIGURATION, sentence)
    if names := instead_of_patterns(settings, only_by_pattern(run, columns, run.declared)):
        warnings.add(Topic.CONFIGURATION, names)
    if settings.start > client.clock.now():
        warnings.add(Topic.CONFIGURATION, future_start(settings.start))
    if abs(difference := client.clock.difference()) > MAX_CLOCK_DIFFERENCE:
        warnings.add(
            Topic.CLOCK,
            "HubSpot's clock and this machine's differ by "
            f"{format_duration(abs(difference) / 1000)}: the earlier one counts for "
            "the look-back, so more than necessary is read again. Cure: set this machine's clock.",
        )
    if client.rate_limit.daily_quota_nearly_spent():
        warnings.add(
            Topic.QUOTA, "Less than a tenth of the account's daily quota of requests is left. Cure: sync less often."
        )
