"""The looks of a sync: what is due is counted again, and what differs is delivered."""

import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import groupby
from operator import attrgetter
from threading import Event
from typing import Any, NamedTuple

from pipeline.audits.budget import For
from pipeline.audits.cells import Cell, Kind, is_due, second_look_day, splice
from pipeline.audits.count import Found, Recount
from pipeline.audits.counting import affordable, count_all, events_of, little, walks
from pipeline.audits.difference import to_write
from pipeline.audits.ledger import counting, looked_at
from pipeline.audits.subject import Site, Subject, cells_of, keep_cells, with_possible_days
from pipeline.errors import HubSpotError, Unauthorized, Unavailable
from pipeline.fingerprints import fingerprint
from pipeline.hubspot.events_api import occurred_ms
from pipeline.tables.audited_range import audited_range_row
from pipeline.timestamps import DAY, to_text

# Walks counted before what differs of them is delivered, for each worker: they are held in memory,
# and repeated if the sync is killed.
WALKS_AT_ONCE = 4
SAVE_SECONDS = 60.0
AGES = Kind.LOOKED, Kind.FELL


class Enough(Exception):
    """No request is left for what is being read."""


class Verdict(NamedTuple):
    """What a look at a cell that differs has shown: the cell before and after, the fingerprints of
    the events to deliver, and whether all of it is delivered, since it fell twice.
    """

    before: Cell
    after: Cell
    wanted: set[int]
    is_whole: bool


class Looks:
    """The looks of one sync at all its event types."""

    def __init__(self, site: Site):
        self._site, self._saved_at = site, time.monotonic()

    def at_silence(self, subjects: Sequence[Subject]) -> bool:
        """Reads silence that events follow once more, on connections of its own. Returns whether
        HubSpot still answers.
        """
        site = self._site
        if any(cell.kind == Kind.SILENT for each in subjects for cell in self._cells(each)):
            site.client.disconnect()
        return self._all(subjects, For.NEWS, partial(self._read_anew, Kind.SILENT))

    def at_what_is_due(self, subjects: Sequence[Subject]) -> None:
        """Looks at what has reached its age, then, oldest first, at what was read only once."""
        if not self._site.settings.audit_days:
            return
        steps = [
            (For.AGES, partial(self._compare, AGES)),
            (For.SECOND_LOOKS, partial(self._compare, (Kind.DELIVERED,))),
            (For.SECOND_LOOKS, partial(self._read_anew, Kind.UNCOUNTED)),
            (For.SECOND_LOOKS, partial(self._read_anew, Kind.LOST)),
        ]
        all(self._all(subjects, purpose, step) for purpose, step in steps)

    def _all(self, subjects: Iterable[Subject], purpose: For, step: Callable[[Subject], None]) -> bool:
        """Takes a step for each event type. Returns whether HubSpot still answers. A look that
        fails loses nothing: what is due stays due.
        """
        for subject in subjects:
            began = time.monotonic()
            try:
                with self._site.budget.spending(purpose):
                    step(subject)
            except HubSpotError as error:
                self._warn_of(subject, "what is due", error)
                is_down = isinstance(error, Unavailable) and self._site.client.outage()
                if is_down or isinstance(error, Unauthorized):
                    return False
            finally:
                subject.findings.seconds += time.monotonic() - began
        return True

    def _warn_of(self, subject: Subject, what: str, error: HubSpotError) -> None:
        self._site.warn_failed(
            f"{subject.name}: {what} could not be audited; the next sync tries again. The answer was: {error}"
        )

    def _cells(self, subject: Subject) -> list[Cell]:
        return with_possible_days(self._site, cells_of(self._site, subject))

    def _keep(self, subject: Subject, cells: list[Cell], is_written: bool = False) -> None:
        """Keeps cells; saves them if rows were written that they account for, or after a minute."""
        if is_written or time.monotonic() - self._saved_at >= SAVE_SECONDS:
            keep_cells(self._site, subject, cells)
            self._site.save()
            self._saved_at = time.monotonic()

    # Cells that were counted when they were delivered

    def _compare(self, kinds: Sequence[Kind], subject: Subject) -> None:
        """Counts the cells of these kinds that are due, and delivers what differs."""
        site, cells = self._site, self._cells(subject)
        today, start, page_size = site.today(), site.settings.start, site.settings.page_size
        due = [c for c in cells if c.kind in kinds and is_due(c, today) and c.begin >= start]
        lists = list(walks(page_size, due))
        try:
            while lists:
                number = min(
                    affordable(page_size, lists, site.budget.left()), WALKS_AT_ONCE * site.settings.concurrency
                )
                if not number:
                    site.budget.lacking.add(subject.name)
                    break
                differing: list[list[Verdict]] = []
                for counted in count_all(site, subject, lists[:number]):
                    cells = self._judge_all(subject, cells, counted, differing)
                    self._keep(subject, cells)
                for verdicts in differing:
                    cells = self._deliver(subject, cells, verdicts)
                    self._keep(subject, cells, is_written=True)
                lists = lists[number:]
        finally:
            if due:
                keep_cells(site, subject, cells)

    def _judge_all(
        self,
        subject: Subject,
        cells: list[Cell],
        counted: Iterable[tuple[Cell, Found | HubSpotError]],
        differing: list[list[Verdict]],
    ) -> list[Cell]:
        """Returns the cells, with those renewed that hold the same as before; adds the others to
        `differing`, neighbors together.
        """
        renewed: list[Cell] = []
        for outcome, each in groupby(counted, key=_outcome):
            group = list(each)
            if outcome == "failed":
                first, last = group[0][0], group[-1][0]
                what = f"what occurred from {to_text(first.begin)} to {to_text(last.end)}"
                self._warn_of(subject, what, group[0][1])  # type: ignore[arg-type]
                continue
            verdicts = [self._judge(cell, found) for cell, found in group if isinstance(found, Found)]
            if outcome == "differs":
                differing.append(verdicts)
            else:
                renewed += [self._noted(subject, verdict) for verdict in verdicts]
        for cell in renewed:
            cells[_place(cells, cell)] = cell
        return cells

    def _judge(self, cell: Cell, found: Found) -> Verdict:
        """Judges what a look found. A fall is believed only if a look on a later day finds one too,
        and HubSpot then sends exactly what was counted: an answer may lack events for a moment.
        """
        kind, due = looked_at(self._site.client.clock, cell.end)
        after = cell._replace(kind=kind, due=due, sum=found.sum, buckets=found.buckets)
        if found.sum == cell.sum:
            return Verdict(cell, after, set(), False)
        if found.sum.events >= cell.sum.events:
            return Verdict(cell, after, to_write(cell, found, is_fall=False), False)
        if cell.kind == Kind.FELL:
            return Verdict(cell, after, set(), True)
        return Verdict(cell, self._fallen(cell), to_write(cell, found, is_fall=True), False)

    def _fallen(self, cell: Cell) -> Cell:
        """A cell that fell, to be looked at again on a later day."""
        return cell._replace(kind=Kind.FELL, due=second_look_day(self._site.client.clock.later()))

    def _noted(self, subject: Subject, verdict: Verdict) -> Cell:
        """The cell after a look, once that is noted in the findings."""
        findings, (before, after) = subject.findings, verdict[:2]
        findings.audited += 1
        findings.recounted += after.sum.events
        if (late := after.sum.events - before.sum.events) > 0:
            age = max(1, self._site.today() - (before.end - 1) // DAY)
            findings.late[1 << age.bit_length() - 1] += late
        findings.vanished += max(0, -late)
        return after

    def _deliver(self, subject: Subject, cells: list[Cell], verdicts: list[Verdict]) -> list[Cell]:
        """Delivers what differs of neighboring cells. Returns the cells, with each of these renewed
        if everything that was counted of it was delivered; otherwise it stays due.
        """
        site, began = self._site, to_text(self._site.client.clock.earlier())
        wanted = set().union(*(verdict.wanted for verdict in verdicts))
        whole = [verdict.before for verdict in verdicts if verdict.is_whole]
        sent, missing = Recount([verdict.before for verdict in verdicts]), set(wanted)

        def is_wanted(event: Any) -> bool:
            ms = occurred_ms(event) or 0
            return fingerprint(event) in wanted or any(c.begin <= ms < c.end for c in whole)

        def observe(event: Any) -> None:
            missing.discard(fingerprint(event))
            sent.add(event)

        if wanted or whole:
            span = verdicts[0].before.begin, verdicts[-1].before.end
            subject.write(span, is_wanted, observe, lambda position: None)
        for verdict, found in zip(verdicts, sent.found(), strict=True):
            cell = verdict.before
            is_false = verdict.is_whole and found.sum != verdict.after.sum
            if is_false or verdict.wanted & missing:
                site.log(
                    f"{subject.name}: HubSpot did not send again what it had counted from "
                    f"{to_text(cell.begin)} to {to_text(cell.end)}: that stays due."
                )
                if is_false:
                    cells[_place(cells, cell)] = self._fallen(cell)
                continue
            change = verdict.after.sum.events - cell.sum.events
            site.write_range(audited_range_row(subject.name, (cell.begin, cell.end), began, change, verdict.is_whole))
            cells[_place(cells, cell)] = self._noted(subject, verdict)
        return cells

    # Cells of which no sum is known, and silence

    def _read_anew(self, kind: Kind, subject: Subject) -> None:
        """Reads the cells of a kind anew, as far as the requests suffice."""
        cells, start = self._cells(subject), self._site.settings.start
        for cell in [cell for cell in cells if cell.kind == kind and cell.begin >= start]:
            try:
                self._read_one(subject, cell)
            except Enough:
                self._site.budget.lacking.add(subject.name)
                return

    def _read_one(self, subject: Subject, cell: Cell) -> None:
        """Reads one of these cells, and keeps what was read of it. What was never counted is only
        counted; anything else is delivered.
        """
        site, kind = self._site, cell.kind
        self._check(kind)
        born = Kind.LOOKED if kind == Kind.UNCOUNTED else Kind.DELIVERED
        clock, audit_days = site.client.clock, site.settings.audit_days
        count = counting(clock, audit_days, cell.begin, kind=born)
        cells = self._cells(subject)

        def advance(position: int) -> None:
            count.close(min(position, cell.end))
            if count.end > cell.begin:  # a sync without requests left still makes some headway
                self._check(kind)
            self._keep(subject, splice(cells, count.cells()))

        try:
            if kind == Kind.UNCOUNTED:
                self._count_only(subject, cell, count.add, advance)
            else:
                subject.write((cell.begin, cell.end), lambda event: True, count.add, advance)
            count.close(cell.end)
        finally:
            keep_cells(site, subject, splice(cells, count.cells()))

    def _count_only(
        self, subject: Subject, cell: Cell, observe: Callable[[Any], None], advance: Callable[[int], None]
    ) -> None:
        site, abort = self._site, Event()
        site.log(
            f"{subject.name}: what was delivered from {to_text(cell.begin)} to {to_text(cell.end)} "
            "is audited from now on. It is counted first, by this sync and perhaps the next. "
            "Whether something of it came late before is not known; to have it read again: python "
            f"-m pipeline read-again {subject.name} --from {to_text(cell.begin)} --to "
            f"{to_text(cell.end)}."
        )
        concurrency = site.settings.concurrency
        with little(site, subject.name, cell.begin, concurrency, abort) as source:
            try:
                for page in source.pages((cell.begin, cell.end)):
                    advance(source.position)
                    for event in events_of(subject.name, [page]):
                        observe(event)
            finally:
                abort.set()  # or the reader would wait for its workers' requests
                subject.findings.waited += source.waited

    def _check(self, kind: Kind) -> None:
        """Raises Enough if no request is left; silence is always read."""
        if kind != Kind.SILENT and not self._site.budget.left():
            raise Enough


def _outcome(counted: tuple[Cell, Found | HubSpotError]) -> str:
    cell, found = counted
    if isinstance(found, HubSpotError):
        return "failed"
    return "same" if found.sum == cell.sum else "differs"


def _place(cells: Sequence[Cell], cell: Cell) -> int:
    return bisect_left(cells, cell.begin, key=attrgetter("begin"))
