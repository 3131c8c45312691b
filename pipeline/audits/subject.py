"""What looks work with: a sync, and one event type of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from pipeline.audits.budget import Budget, Diary
from pipeline.audits.cells import Cell, Kind, clip, merge
from pipeline.audits.text import decode, encode
from pipeline.config.settings import Settings
from pipeline.hubspot.client import Client
from pipeline.hubspot.events_api import PROPERTIES
from pipeline.tables.sync_run import Findings
from pipeline.timestamps import DAY

STATE_SIZE = 1_000_000  # characters that the cells of all event types may take in the state
COARSEST = 5  # more widths than there are
CLOCK_SLACK = 2  # days after which a second look is due at the latest, whatever a clock says


class Saved(NamedTuple):
    """What the state keeps of one event type for its looks: cells as text (None: nothing was ever
    counted); when the sync began that last read the silence after them; and until when silence was
    read on two days (both ms).
    """

    ledger: str | None = None
    silent_at: int | None = None
    silent_until: int | None = None


class Subject(Protocol):
    """One event type, as its looks see it."""

    @property
    def name(self) -> str: ...

    @property
    def findings(self) -> Findings:
        """What the looks of this sync have found."""
        ...

    def delivered(self) -> tuple[int, int, int] | None:
        """The range that is delivered, up to where the next sync begins to read (ms), and the
        cursor; None: nothing is.
        """
        ...

    def saved(self) -> Saved:
        """What the state keeps for its looks."""
        ...

    def keep(self, new: Saved) -> None:
        """Puts what the next save is to keep into its progress."""
        ...

    def write(
        self,
        span: tuple[int, int],
        wanted: Callable[[Any], bool],
        observe: Callable[[Any], None],
        advance: Callable[[int], None],
    ) -> None:
        """Delivers the wanted events of a span. `observe` receives each of them, `advance` the
        watermark (ms), before which all are delivered.
        """
        ...


@dataclass
class Site:
    """One sync, as its looks see it. `warn_failed` and `warn_late` receive messages for the
    operator, `write_range` rows of audited_range; `sizes()` returns the lengths of all ledgers in
    the state.
    """

    settings: Settings
    client: Client
    diary: Diary
    budget: Budget
    log: Callable[[str], Any]
    warn_failed: Callable[[str], Any]
    warn_late: Callable[[str], Any]
    write_range: Callable[[dict[str, Any]], Any]
    save: Callable[[], None]
    sizes: Callable[[], list[int]]
    # one property of each event type with short values, to ask for when events are only counted
    small_properties: dict[str, str] = field(default_factory=dict)

    def note_small_property(self, event_type: str, event: Any) -> None:
        """Notes the property of an event with the shortest value; empty if it has none."""
        properties = event.get(PROPERTIES) if isinstance(event, dict) else None
        lengths = (
            {str(name): len(str(value)) for name, value in properties.items()} if isinstance(properties, dict) else {}
        )
        shortest = min(lengths, key=lengths.__getitem__, default="")
        self.small_properties.setdefault(event_type, shortest)

    def today(self) -> int:
        """The day by the earlier clock, which reaches the day when a look is due."""
        return self.client.clock.earlier() // DAY


def cells_of(site: Site, subject: Subject) -> list[Cell]:
    """The cells of an event type, contiguous, none of them on both sides of the start date.

    If the start date is after the cursor, nothing counts any more: once it moves back, everything
    is read again.
    """
    start, delivered = site.settings.start, subject.delivered()
    if delivered is None or delivered[2] < start:
        return []
    first, end, cursor = delivered
    text = subject.saved().ledger
    try:
        cells = [Cell(first, end, Kind.UNCOUNTED)] if text is None else decode(text)
    except ValueError:
        cells = [Cell(first, end, Kind.LOST)]
    # If the cursor was moved back by hand, what is read again must be counted again.
    cells = clip([cell for cell in cells if cell.begin < cell.end], 0, cursor + 1)
    return [*clip(cells, 0, start), *clip(cells, start, 2**62)]


def with_possible_days(site: Site, cells: list[Cell]) -> list[Cell]:
    """The cells, none of them due later than the earlier clock allows: a wrong clock may have set
    the day.
    """
    today = site.today()
    return [
        cell._replace(due=min(cell.due, today + max(CLOCK_SLACK, today - (cell.end - 1) // DAY + 1))) for cell in cells
    ]


def keep_cells(site: Site, subject: Subject, cells: list[Cell]) -> None:
    """Puts cells into the progress of an event type, as coarse as the room in the state asks for.
    With audits off, clears all but the silence that is still to be read once more.
    """
    settings, saved = site.settings, subject.saved()
    if not settings.audit_days:
        cells = [cell if cell.kind == Kind.SILENT else _uncounted(cell) for cell in cells]
        if not any(cell.kind == Kind.SILENT for cell in cells):
            subject.keep(saved._replace(ledger=None))
            return
    now, room = site.client.clock.earlier(), _room(site, subject)
    subject.keep(saved._replace(ledger=fitting(cells, now, settings.audit_days, room)))


def fitting(cells: Sequence[Cell], now: int, audit_days: int, room: int) -> str:
    """Cells as text, as coarse as the room (characters) asks for."""
    for coarser in range(COARSEST):
        text = encode(merge(cells, now, audit_days, coarser))
        if len(text) <= room:
            break
    return text


def _uncounted(cell: Cell) -> Cell:
    return Cell(cell.begin, cell.end, Kind.UNCOUNTED)


def _room(site: Site, subject: Subject) -> int:
    """The characters that an event type's cells may take: what the others leave, or its share."""
    sizes = site.sizes()
    others = sum(sizes) - len(subject.saved().ledger or "")
    return max(STATE_SIZE // max(1, len(sizes)), STATE_SIZE - others)
