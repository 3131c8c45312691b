"""One event type: the time ranges that a sync reads of it, and what that changes in its
progress.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from pipeline.audits.ledger import Ledger, begin_of, make_due, note_silence
from pipeline.connection import spans
from pipeline.connection.deliver import deliver
from pipeline.connection.reporting import format_duration, format_rows
from pipeline.connection.run import Run
from pipeline.connection.second_look import subject_of
from pipeline.connection.state import Progress
from pipeline.errors import HubSpotError, Refused, SettingsError
from pipeline.tables.sync_run import Tally


def sync_event_type(run: Run, event_type: str) -> None:
    """Delivers one event type: any gap left by an earlier start date, everything after the cursor,
    then what a person has asked for again.
    """
    looked = run.tallies.get(event_type)  # at what the last sync owed
    tally = run.tallies[event_type] = Tally(run.cursors.get(event_type).occurred)
    if looked:
        tally.events, tally.found = looked.events, looked.found
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
    """Delivers the range that a person has asked for again. It was counted when it was first
    delivered; what differs by now is looked for at the end of the sync.
    """
    progress = run.cursors.get(event_type)
    if progress.again_from is None:
        return
    if again := spans.again_span(progress, run.settings.start):
        advance = partial(step, run, event_type, spans.advance_again)
        deliver(run, event_type, again, advance, lambda event: None)
        make_due(run.site, subject_of(run, event_type), again)
    step(run, event_type, spans.finish_again)


def sync_gap(run: Run, event_type: str) -> None:
    """Delivers what a start date that was moved earlier has left out."""
    start = run.settings.start
    if gap := spans.gap_span(run.cursors.get(event_type), start):
        begin, end = gap
        ledger = Ledger(run.site, subject_of(run, event_type), begin, end)

        def advance(position: int) -> None:
            step(run, event_type, spans.advance_gap, start, position)
            ledger.close(min(position, end))

        since = start if begin > start else None
        try:
            deliver(run, event_type, gap, advance, ledger.add, _saving(run, ledger), since)
            ledger.close(end)
        finally:
            ledger.keep()
        step(run, event_type, spans.finish_gap, start)


def sync_main(run: Run, event_type: str) -> None:
    """Delivers everything from the cursor on. A ledger counts it, for the looks of later syncs."""
    settings, clock, began = run.settings, run.client.clock, time.monotonic()
    start, subject = settings.start, subject_of(run, event_type)
    begin = spans.main_span(run.cursors.get(event_type), start, settings.lookback, clock.earlier())[
        0
    ]
    begin = begin_of(run.site, subject, begin)
    since = spans.resumed_since(run.cursors.get(event_type), start)
    ledger = Ledger(
        run.site, subject, begin, before=lambda: clock.earlier(began) - settings.lookback
    )

    def advance(position: int) -> None:
        step(run, event_type, spans.advance, start, position, clock.earlier(began))
        ledger.close(read_again_from())

    def read_again_from() -> int:
        delivered = subject.delivered()
        return delivered[1] if delivered else begin

    try:
        deliver(run, event_type, (begin, None), advance, ledger.add, _saving(run, ledger), since)
        step(run, event_type, spans.finish, start, clock.earlier(began))
        ledger.close(read_again_from())
    finally:
        ledger.keep()
    note_silence(run.site, subject, clock.earlier(began))


def _saving(run: Run, ledger: Ledger) -> Callable[[], None]:
    def save() -> None:
        ledger.keep()
        run.cursors.save()

    return save


def step(run: Run, event_type: str, change: Callable[..., Progress], *arguments: Any) -> None:
    """Changes the progress of an event type, in memory only: it is saved with the next checkpoint,
    since many event types are empty.
    """
    after = change(run.cursors.get(event_type), *arguments)
    run.cursors.set(event_type, after)
    run.tallies[event_type].cursor_after = after.occurred
