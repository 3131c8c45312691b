"""The ledger of one event type: what a sync delivers behind the watermark becomes cells."""

from collections.abc import Callable
from functools import partial
from typing import Any

from pipeline.audits.cells import Cell, Kind, clip, next_look_day, second_look_day, splice, width
from pipeline.audits.count import Count
from pipeline.audits.subject import CLOCK_SLACK, Site, Subject, cells_of, keep_cells
from pipeline.hubspot.clock import Clock
from pipeline.timestamps import DAY


class Ledger:
    """Counts what is delivered of a new range that begins at `begin` (ms), or of a gap in the older
    one that ends at `end`. `before()` is where the next sync begins to read at the latest (ms).
    """

    def __init__(
        self,
        site: Site,
        subject: Subject,
        begin: int,
        end: int | None = None,
        before: Callable[[], int] = lambda: 2**62,
    ):
        self._site, self._subject = site, subject
        self._cells = cells_of(site, subject)
        if end is not None:
            self._cells = _with_gap(self._cells, site.settings.start, begin, end)
        elif self._cells:
            reached = self._cells[-1].end
            skipped = [Cell(reached, begin, Kind.LOST)] if reached < begin else []
            self._cells, begin = [*self._cells, *skipped], max(reached, begin)
        self._silent_until = subject.saved().silent_until or 0
        clock, settings = site.client.clock, site.settings
        silent_until = 0 if end else self._silent_until
        self._count = counting(clock, settings.audit_days, begin, settings.page_size, silent_until, before)

    def add(self, event: Any) -> None:
        """Counts an event that is delivered."""
        if self._subject.name not in self._site.small_properties:
            self._site.note_small_property(self._subject.name, event)
        self._count.add(event)

    def close(self, end: int) -> None:
        """Closes the cells up to `end` (ms): all before it is delivered."""
        self._count.close(end)

    def keep(self) -> None:
        """Puts the cells into the progress of the event type."""
        if self._subject.delivered() is not None:
            keep_cells(self._site, self._subject, splice(self._cells, self._count.cells()))


def begin_of(site: Site, subject: Subject, begin: int) -> int:
    """Where a sync that would begin to read at `begin` (ms) begins: no later than where its cells
    end, whatever the look-back is by now, and not before the start date.
    """
    cells = cells_of(site, subject)
    return max(site.settings.start, min(begin, cells[-1].end)) if cells else begin


def note_silence(site: Site, subject: Subject, began: int) -> None:
    """Notes that a sync that began then (the earlier clock, ms) has read everything. The silence it
    found after the cells was looked at twice if a sync found it a day before, too.
    """
    saved = subject.saved()
    if saved.silent_at is None:
        subject.keep(saved._replace(silent_at=began))
    elif began >= saved.silent_at + DAY:
        until = max(saved.silent_until or 0, saved.silent_at - site.settings.lookback)
        subject.keep(saved._replace(silent_at=began, silent_until=until))


def make_due(site: Site, subject: Subject, span: tuple[int, int | None]) -> None:
    """Makes what was counted of a range (ms) due today."""
    begin, end = span
    today = site.today()
    keep_cells(
        site,
        subject,
        [
            cell._replace(due=min(cell.due, today))
            if begin < cell.end and (end is None or cell.begin < end) and cell.kind == Kind.LOOKED
            else cell
            for cell in cells_of(site, subject)
        ],
    )


def counting(
    clock: Clock,
    audit_days: int,
    begin: int,
    page: int = 2**62,
    silent_until: int = 0,
    before: Callable[[], int] = lambda: 2**62,
    kind: Kind = Kind.DELIVERED,
) -> Count:
    """A count of what is delivered from `begin` (ms) on. Its cells wait for their second look, or
    have just had it (`kind` LOOKED).
    """
    born = partial(looked_at if kind == Kind.LOOKED else _read_once, clock)
    length = partial(width, now=clock.earlier(), audit_days=audit_days)
    return Count(begin, length, born, page, silent_until, before)


def looked_at(clock: Clock, end: int) -> tuple[Kind, int]:
    """The kind of a cell with this end (ms) that is looked at now, and the day of its next look."""
    earlier, later = clock.earlier() // DAY, clock.later() // DAY
    return Kind.LOOKED, min(next_look_day(end, later), next_look_day(end, earlier) + 1)


def _read_once(clock: Clock, _end: int) -> tuple[Kind, int]:
    due = min(second_look_day(clock.later()), clock.earlier() // DAY + CLOCK_SLACK)
    return Kind.DELIVERED, due


def _with_gap(cells: list[Cell], start: int, begin: int, end: int) -> list[Cell]:
    """Cells with a gap in them, or before them, of which a sync that began at `start` has delivered
    what is before `begin`. What lies between the gap and the first of them is past its last look.
    """
    before, after = clip(cells, start, begin), clip(cells, end, 2**62)
    reached = before[-1].end if before else start
    lost = [Cell(reached, begin, Kind.LOST)] if reached < begin else []
    past = [Cell(end, after[0].begin, Kind.DONE)] if after and end < after[0].begin else []
    return [*before, *lost, Cell(begin, end, Kind.UNREAD), *past, *after]
