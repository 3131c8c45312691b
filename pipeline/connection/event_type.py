"""One event type: the time ranges that a sync reads of it, and what that changes in its
progress.
"""

import time
from collections.abc import Callable
from functools import cache, partial
from typing import Any

from pipeline.connection import ledgers, spans
from pipeline.connection.deliver import deliver, ignore
from pipeline.connection.reporting import format_duration, format_rows
from pipeline.connection.run import Run
from pipeline.connection.state import Progress
from pipeline.errors import HubSpotError, Refused, SettingsError
from pipeline.tables.sync_run import Tally


def sync_event_type(run: Run, event_type: str) -> None:
    """Delivers one event type: any gap left by an earlier start date, everything after the cursor,
    then what a person has asked for again.
    """
    tally = run.tallies[event_type] = Tally(run.cursors.get(event_type).occurred)
    outcome = "failed"
    try:
        sync_gap(run, event_type)
        sync_main(run, event_type)
        sync_again(run, event_type)
        outcome = "complete"
    except (HubSpotError, SettingsError) as error:
        outcome = "refused" if isinstance(error, Refused) else "failed"
        tally.error = str(error)
        raise
    finally:
        after = run.cursors.get(event_type)
        tally.end(
            outcome,
            after.read_at if outcome == "complete" else spans.delivered_until(after),
            run.client.clock.now(),
        )
        rows, time_taken = format_rows(tally.events), format_duration(tally.seconds)
        run.sink.log(
            f"{event_type}: {outcome}, {rows} in {time_taken}, cursor "
            f"{tally.cursor_after or 'none yet'}."
        )


def sync_again(run: Run, event_type: str) -> None:
    """Delivers the range that a person has asked for again. No ledger counts it: that was done when
    it was first delivered.
    """
    progress = run.cursors.get(event_type)
    if progress.again_from is None:
        return
    if again := spans.again_span(progress, run.settings.start):
        deliver(run, event_type, again, partial(step, run, event_type, spans.advance_again))
    step(run, event_type, spans.finish_again)


def sync_gap(run: Run, event_type: str) -> None:
    """Delivers what a start date that was moved earlier has left out."""
    start = run.settings.start
    if gap := spans.gap_span(run.cursors.get(event_type), start):
        ledger = cache(lambda: ledgers.new_ledger(run, [], gap[0], ledgers.floor(run)))

        def advance(position: int) -> None:
            step(run, event_type, spans.advance_gap, start, position)
            ledger().close(position)

        since = start if gap[0] > start else None
        deliver(
            run, event_type, gap, advance, observe=lambda event: ledger().add(event), since=since
        )
        step(run, event_type, spans.finish_gap, start)
        ledgers.prepend(run, event_type, start, ledger().until(gap[1] or gap[0]))


def sync_main(run: Run, event_type: str) -> None:
    """Delivers everything from the cursor on. A ledger counts it, for the audits of later syncs."""
    start, clock, began = run.settings.start, run.client.clock, time.monotonic()
    span = ledgers.main_begin(run, event_type), None
    since = spans.resumed_since(run.cursors.get(event_type), start)
    ledger = cache(lambda: ledgers.open_ledger(run, event_type, span[0], began))
    observe = (lambda event: ledger().add(event)) if run.settings.audit_days else ignore

    def advance(position: int) -> None:
        ledger()  # opened before the progress moves, whether or not there was an event
        step(run, event_type, spans.advance, start, position, clock.earlier(began))
        ledger().close(ledgers.next_begin(run, run.cursors.get(event_type)))

    def save() -> None:
        ledgers.record(run, ledger(), event_type)
        run.cursors.save()

    try:
        deliver(run, event_type, span, advance, save, observe, since)
        ledger()
        step(run, event_type, spans.finish, start, clock.earlier(began))
    finally:
        if ledger.cache_info().currsize:  # else there was no answer
            ledgers.record(run, ledger(), event_type)
    if small := ledger().small_property:
        run.small_properties[event_type] = small


def step(run: Run, event_type: str, change: Callable[..., Progress], *arguments: Any) -> None:
    """Changes the progress of an event type, in memory only: it is saved with the next checkpoint,
    since many event types are empty.
    """
    after = change(run.cursors.get(event_type), *arguments)
    run.cursors.set(event_type, after)
    run.tallies[event_type].cursor_after = after.occurred
