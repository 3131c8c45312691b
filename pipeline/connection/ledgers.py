"""The ledgers of a sync, and the stretches in the saved state."""
from collections.abc import Callable
from dataclasses import replace

from pipeline.audits.ledger import Ledger
from pipeline.audits.stretches import Stretch, decode, encode, still_audited, uncounted
from pipeline.connection.run import Run
from pipeline.connection.spans import main_span
from pipeline.connection.state import Progress
from pipeline.timestamps import DAY, to_ms

FILLED_BY = 4  # the part of a page whose events fill a stretch: what comes late costs as many rows
MOST_IN_ALL, MOST, LEAST = 12_000, 3_000, 60  # stretches: of all event types, of one, and of one however many there are


def open_ledger(run: Run, event_type: str, begin: int, began: float) -> Ledger:
    """A ledger for what is delivered from `begin` (ms) on, by a sync that began at `began` (monotonic seconds)."""
    clock, lookback = run.client.clock, run.settings.lookback
    return new_ledger(run, stretches_of(run, event_type), begin, lambda: clock.earlier(began) - lookback)


def new_ledger(run: Run, stretches: list[Stretch], begin: int, read_again_from: Callable[[], int] | None = None) -> Ledger:
    """A ledger with the limits that the configuration sets."""
    fine, now = run.settings.page_size // FILLED_BY, run.client.clock.earlier()
    return Ledger(stretches, begin, now, fine, most_stretches(run), run.settings.audit_days, read_again_from)


def most_stretches(run: Run) -> int:
    """How many stretches the state keeps of each event type."""
    return max(LEAST, min(MOST, MOST_IN_ALL // max(1, len(run.cursors.known))))


def stretches_of(run: Run, event_type: str) -> list[Stretch]:
    """The stretches in the state of an event type, from the start date on. What was delivered but is not in the state was not
    counted, and is to be adopted."""
    progress, start = run.cursors.get(event_type), run.settings.start
    if progress.occurred is None:
        return []
    try:
        stretches = decode(progress.stretches or "")
    except ValueError:  # not ours
        stretches = []
    if progress.stretches is None or not stretches:
        stretches = [uncounted(max(to_ms(progress.start_date or progress.occurred), floor(run)), next_begin(run, progress))]
    from_start = [stretch if stretch.begin >= start else uncounted(start, stretch.end) for stretch in stretches]
    return [stretch for stretch in from_start if stretch.begin < stretch.end]


def record(run: Run, ledger: Ledger, event_type: str) -> None:
    """Writes a ledger into the progress of its event type."""
    progress = run.cursors.get(event_type)
    if progress.occurred is not None and run.settings.audit_days:
        stretches = still_audited(ledger.until(next_begin(run, progress)), run.settings.audit_days)
        run.cursors.set(event_type, replace(progress, stretches=encode(stretches)))


def adopt_gap(run: Run, event_type: str, begin: int) -> None:
    """Notes that what lies between `begin` (ms) and the stretches was delivered uncounted."""
    progress = run.cursors.get(event_type)
    stretches = stretches_of(run, event_type)
    begin = max(begin, floor(run))
    if stretches and begin < stretches[0].begin:
        stretches.insert(0, uncounted(begin, stretches[0].begin))
        run.cursors.set(event_type, replace(progress, stretches=encode(stretches)))


def next_begin(run: Run, progress: Progress) -> int:
    """Where the next sync begins to read, ms: what is before it was read to its end."""
    settings = run.settings
    return main_span(progress, settings.start, settings.lookback, run.client.clock.earlier())[0]


def floor(run: Run) -> int:
    """The moment before which nothing is audited, ms."""
    return run.client.clock.earlier() - run.settings.audit_days * DAY
