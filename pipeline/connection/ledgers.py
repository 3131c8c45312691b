"""The ledgers of a sync, and the stretches in the saved state."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import chain

from pipeline.audits.ledger import Ledger
from pipeline.audits.stretches import (
    Stretch,
    decode,
    encode,
    last_age,
    split,
    still_audited,
    uncounted,
)
from pipeline.connection.run import Run
from pipeline.connection.spans import main_span
from pipeline.connection.state import Progress
from pipeline.timestamps import DAY, MINUTE, to_ms, to_text

# A stretch is full at a quarter of a page: what comes late costs as many rows. At a little less,
# for an answer to a range also holds the events next to it, and a page more would be read for one
# of them.
FULL = 0.99
HOUR = 60 * MINUTE
MOST_IN_ALL, MOST, LEAST = (
    12_000,
    3_000,
    60,
)  # stretches: of all event types, of one, and of one however many there are


def main_begin(run: Run, event_type: str) -> int:
    """Where this sync begins to read after the cursor, ms: no later than the stretches end,
    whatever the look-back is by now, but not before the start date.
    """
    begin, stretches = next_begin(run, run.cursors.get(event_type)), stretches_of(run, event_type)
    return max(run.settings.start, min(begin, stretches[-1].end)) if stretches else begin


def open_ledger(run: Run, event_type: str, begin: int, began: float) -> Ledger:
    """A ledger for what a sync that began at `began` (monotonic seconds) delivers from `begin` (ms)
    on. To be opened after an answer of HubSpot, which tells its clock.
    """
    note_what_is_too_old(run, event_type)
    clock, lookback = run.client.clock, run.settings.lookback
    return new_ledger(
        run,
        stretches_of(run, event_type),
        begin,
        floor(run),
        lambda: clock.earlier(began) - lookback,
    )


def new_ledger(
    run: Run,
    stretches: list[Stretch],
    begin: int,
    oldest: int,
    read_again_from: Callable[[], int] | None = None,
) -> Ledger:
    """A ledger with the limits that the configuration sets; its arguments are those of Ledger."""
    now = run.client.clock.earlier()
    return Ledger(
        stretches, begin, now, full_stretch(run), most_stretches(run), oldest, read_again_from
    )


def full_stretch(run: Run) -> int:
    """The number of events that fill a stretch."""
    return int(FULL * run.settings.page_size / 4)


def most_stretches(run: Run) -> int:
    """How many stretches the state keeps of each event type."""
    return max(LEAST, min(MOST, MOST_IN_ALL // max(1, run.event_types, len(run.cursors.known))))


def stretches_of(run: Run, event_type: str) -> list[Stretch]:
    """The stretches in the state of an event type, none of them on both sides of the start date.
    What was delivered but is not in the state was not counted, and is to be adopted. If the start
    date is after the cursor, nothing of it counts any more: once it moves back, everything is read
    again.
    """
    progress, start = run.cursors.get(event_type), run.settings.start
    if progress.occurred is None or to_ms(progress.occurred) < start:
        return []
    stretches = saved_stretches(progress)
    first, end = uncounted_span(run, progress, stretches)
    if first < end:
        stretches.insert(0, uncounted(first, end))
    parts = [
        split(stretch, start) if stretch.begin < start < stretch.end else (stretch,)
        for stretch in stretches
    ]
    return [*chain.from_iterable(parts)]


def saved_stretches(progress: Progress) -> list[Stretch]:
    """The stretches that were saved; none if they are not ours."""
    stretches: list[Stretch] = []
    with suppress(ValueError):
        stretches = decode(progress.stretches or "")
    # or they would hide what is new
    is_ours = not stretches or stretches[-1].end <= to_ms(progress.occurred or "1970-01-01") + 1
    return stretches if is_ours else []


def uncounted_span(run: Run, progress: Progress, stretches: Sequence[Stretch]) -> tuple[int, int]:
    """The range (ms) that was delivered before these saved stretches, uncounted, and is young
    enough to be audited; it may be empty. Stretches that were dropped at their last age, a moment
    ago, are not meant: clocks go back a little.
    """
    first, end, oldest = (
        delivered_from(progress),
        stretches[0].begin if stretches else next_begin(run, progress),
        floor(run),
    )
    if first >= oldest:
        return first, end
    return (oldest if oldest + HOUR < end else end), end


def delivered_from(progress: Progress) -> int:
    """From when on everything up to the cursor is delivered, ms."""
    return to_ms(progress.start_date or progress.occurred or "1970-01-01")


def note_what_is_too_old(run: Run, event_type: str) -> None:
    """Logs, when audits of a history begin or begin anew, what they leave out, since it is past
    their last age by then.
    """
    progress, start = run.cursors.get(event_type), run.settings.start
    if progress.occurred is None or to_ms(progress.occurred) < start or not run.settings.audit_days:
        return
    first, end = uncounted_span(run, progress, saved_stretches(progress))
    begin = max(start, delivered_from(progress))
    if begin < first and (first < end or progress.stretches is None):
        age = last_age(run.settings.audit_days)
        run.sink.log(
            f"{event_type}: audits begin. What was delivered from {to_text(begin)} to "
            f"{to_text(first)} is older than the last "
            f"age of audits ({age} days), so it is not audited. Whether something of it came late "
            "is not known: re-sync the "
            "connection to be sure."
        )


def record(run: Run, ledger: Ledger, event_type: str) -> None:
    """Writes a ledger into the progress of its event type. Without audits it says nothing: what it
    holds would soon be past.
    """
    progress, audit_days = run.cursors.get(event_type), run.settings.audit_days
    if progress.occurred is not None:
        stretches = (
            still_audited(ledger.until(next_begin(run, progress)), audit_days)
            if audit_days
            else None
        )
        text = None if stretches is None else encode(stretches)
        run.cursors.set(event_type, replace(progress, stretches=text))


def prepend(run: Run, event_type: str, begin: int, stretches: list[Stretch]) -> None:
    """Writes the stretches of a gap before the others. `begin` (ms) is where the gap began: earlier
    syncs delivered what lies between, uncounted.
    """
    progress = run.cursors.get(event_type)
    if stretches and run.settings.audit_days:
        others = [
            other for other in stretches_of(run, event_type) if other.begin >= stretches[-1].end
        ]
        skipped = (
            [uncounted(begin, stretches[0].begin)]
            if max(begin, floor(run)) < stretches[0].begin
            else []
        )
        text = encode([*skipped, *stretches, *others])
        run.cursors.set(event_type, replace(progress, stretches=text))


def next_begin(run: Run, progress: Progress) -> int:
    """Where the next sync begins to read, ms: what is before it was read to its end."""
    settings = run.settings
    return main_span(progress, settings.start, settings.lookback, run.client.clock.earlier())[0]


def floor(run: Run) -> int:
    """The moment before which nothing is audited, ms."""
    return run.client.clock.earlier() - last_age(run.settings.audit_days) * DAY
