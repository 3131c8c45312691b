"""One time range of one event type: the stages composed."""

import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Protocol

from toolz import pipe
from toolz.curried import filter

from pipeline.config.settings import Settings
from pipeline.config.unmatched import collect_into, misspelled
from pipeline.connection.reporting import PROGRESS_SECONDS, format_progress, format_share, format_waits, throttle
from pipeline.connection.run import Run
from pipeline.connection.warnings import Topic
from pipeline.errors import SettingsError
from pipeline.hubspot.events_api import EVENTS, occurred_ms
from pipeline.names.tables import REJECTED_EVENT
from pipeline.reading.reader import Reader
from pipeline.reading.window import COUNTED
from pipeline.recent import RECENT_IDS
from pipeline.stages import (
    checkpoint_every,
    dedupe_by_id,
    emit_upserts,
    fetch_pages,
    fit_types,
    flatten,
    keep_type,
    properties_as_json,
    protect,
    protection,
    reject_malformed,
    rename_columns,
    serialize_lists,
    tap,
    unwrap_results,
)
from pipeline.stages.own import OWN
from pipeline.stages.serialize import spell_number
from pipeline.tables.rejected_event import rejected_row
from pipeline.tables.schema import declared_types
from pipeline.tables.sync_run import Tally
from pipeline.timestamps import Span, to_text

SAMPLE = 16  # the time of one row in so many is measured


def ignore(event: Any) -> None:
    """Observes nothing."""


def deliver(delivery: "Delivery") -> None:
    """Delivers one time range of one event type."""
    settings, name = delivery.run.settings, delivery.name
    declared = delivery.run.declared.get(settings.table_of(name))
    types = declared_types(settings, name, declared)
    stream = pipe(
        [delivery.span],
        fetch_pages(delivery.reader.pages),
        tap(delivery.count_page),
        unwrap_results,
        reject_malformed(delivery.reject),
        keep_type(name, delivery.reject),
        filter(delivery.wanted),
        tap(delivery.observe),
        *OWN,
        protect(delivery.run.protection),
        properties_as_json(settings.is_single_table),
        flatten,
        rename_columns(settings.rename_columns),
        partial(serialize_lists, spell=spell_number(types)),
        fit_types(types),
        dedupe_by_id(RECENT_IDS),
        emit_upserts(delivery.upsert),
        checkpoint_every(settings.checkpoint_interval, delivery.save),
    )
    with delivery:
        for _ in stream:
            pass


def check_spelling(settings: Settings, event_type: str, events: Iterable[Any]) -> None:
    """Raises SettingsError if, judged by the first events of a type, drop_columns or hash_columns
    misspells a column.
    """
    columns: set[str] = set()
    if settings.drop_columns or settings.hash_columns:
        list(protect(protection(observe=collect_into(columns)), events))
    if mistakes := misspelled(settings, columns):
        told = "\n".join(mistakes)
        raise SettingsError(f"{event_type}: nothing is delivered before this is clear. {told}")


class Delivered(Protocol):
    """An event type, as its delivery sees it."""

    name: str
    is_known: bool
    run: Run

    @property
    def tally(self) -> Tally: ...


class Delivery:
    """One time range of one event type (`span`, ms), and the callbacks of its stages: they count
    pages, upsert rows, keep rejected events and save checkpoints. A context manager: its exit
    records the last position, however the stream ends.

    `advance` receives the reader's watermark (ms) after each page, before each save and at the end:
    everything of the range before it is delivered. `observe` receives each event that is delivered
    in its turn; `keep` is called before each save. `since` is where the interrupted sync that this
    one resumes had started (ms). `wanted` selects the events to deliver of a range read again.
    """

    def __init__(
        self,
        owner: Delivered,
        reader: Reader,
        span: Span,
        advance: Callable[[int], None],
        observe: Callable[[Any], None] = ignore,
        keep: Callable[[], None] = lambda: None,
        since: int | None = None,
        wanted: Callable[[Any], bool] | None = None,
        saves: bool = True,
    ):
        self.run, self.name, self.reader, self.span = owner.run, owner.name, reader, span
        self.wanted = wanted
        self._advance, self._observe, self._keep, self._saves = advance, observe, keep, saves
        self._is_in_turn = True  # whether the page is read for the only time
        self._tally, self._table = owner.tally, owner.run.settings.table_of(owner.name)
        self._report = throttle(PROGRESS_SECONDS, lambda: self._log(self._how_far()))
        self._is_quiet = wanted is not None
        self._since = None if since is None else min(since, span[0])
        self._is_known = owner.is_known
        self._first: int | None = None  # about the moment (ms) from which on there are events
        self._began, self._rows_before = time.monotonic(), self._tally.events
        self._writing = 0.0  # seconds spent in the sink

    def __enter__(self) -> "Delivery":
        if self._is_quiet:
            return self
        begin, end = self.span
        until = "on" if end is None else f"to {to_text(end)}"
        said = f"reading from {to_text(begin)} {until}."
        if self._since is not None:
            done = format_share(self._since, begin, self._end())
            said = f"resuming: {said} Of the time range from {to_text(self._since)} {until}, {done} is delivered."
        self._log(said)
        return self

    def __exit__(self, *_: object) -> None:
        self._tally.waited += self.reader.waited
        self._advance_to_position()
        if self.reader.out_of_range:
            number = self.reader.out_of_range
            sentence = f"{self.name}: events out of the time range asked for: {number}. They are delivered."
            self.run.warnings.add(Topic.ORDER, sentence)

    def count_page(self, page: dict[str, Any]) -> None:
        if self._first is None and page[EVENTS]:
            if not self._is_known:  # no sync has read it: nothing of it is at the destination
                check_spelling(self.run.settings, self.name, page[EVENTS])
            moments = filter(None, map(occurred_ms, page[EVENTS]))
            self._first = min(moments, default=self.span[0])
        self._tally.pages += 1
        self._is_in_turn = page.get(COUNTED, True)
        self._advance_to_position()
        self.save()  # a minute may have passed
        self._report()

    def observe(self, event: Any) -> None:
        """Passes on an event, unless its page was released out of turn: then it is not counted."""
        if self._is_in_turn:
            self._observe(event)

    def reject(self, event: Any, reason: str) -> None:
        self._tally.rejected[reason] += 1
        self.run.saving.unsaved += 1
        (event,) = protect(self.run.protection, [event])
        at = to_text(self.run.client.clock.now())
        self.run.sink.upsert(REJECTED_EVENT, rejected_row(self.name, event, reason, at))

    def upsert(self, row: dict[str, Any]) -> None:
        self._tally.events += 1
        self.run.saving.unsaved += 1
        if self._tally.events % SAMPLE:
            self.run.sink.upsert(self._table, row)
        else:  # a clock costs more than many rows
            began = time.monotonic()
            self.run.sink.upsert(self._table, row)
            self._writing += SAMPLE * (time.monotonic() - began)

    def save(self, _last_occurred: str = "") -> None:
        """Saves the reader's watermark, if a save is due. Not the stage's last-occurred timestamp:
        with concurrent windows, rows before that may be still to come.
        """
        saving = self.run.saving
        if not self._saves or not saving.is_due():
            return
        self._advance_to_position()
        self._keep()
        began = time.monotonic()
        saving.save(f"{self.name} up to {to_text(self.reader.position)}")
        self._writing += time.monotonic() - began

    def _advance_to_position(self) -> None:
        if self.reader.position > self.span[0]:
            self._advance(self.reader.position)

    def _log(self, said: str) -> None:
        self.run.sink.log(f"{self.name}: {said}")

    def _how_far(self) -> str:
        seconds, rows = time.monotonic() - self._began, self._tally.events - self._rows_before
        begin = max(self.span[0], self._first or 0)  # what is empty before it took no time
        since = begin if self._since is None else self._since
        far = format_progress(rows, seconds, since, begin, self.reader.position, self._end())
        return f"{far}, {format_waits(seconds, self.reader.waited, self._writing)}"

    def _end(self) -> int:
        """Where the time range ends, ms: now, if it is open."""
        end = self.span[1]
        return self.reader.now() if end is None else end
