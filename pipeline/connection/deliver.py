"""One time range of one event type: the stages composed."""
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from toolz import pipe

from pipeline.config.connect import query_for
from pipeline.connection.reporting import PROGRESS_SECONDS, format_progress, throttle
from pipeline.connection.run import Run
from pipeline.connection.warnings import About
from pipeline.names.tables import REJECTED_EVENT
from pipeline.reading.fetch import fetch_page
from pipeline.reading.reader import Reader
from pipeline.stages import (
    checkpoint_every,
    dedupe_by_id,
    emit_upserts,
    fetch_pages,
    flatten,
    keep_type,
    properties_as_json,
    protect,
    reject_malformed,
    rename_columns,
    serialize_lists,
    tap,
    unwrap_results,
)
from pipeline.tables.rejected_event import rejected_row
from pipeline.timestamps import Span, to_text


def ignore(event: Any) -> None:
    """Observes nothing."""


def deliver(
    run: Run,
    event_type: str,
    span: Span,
    advance: Callable[[int], None],
    save: Callable[[], None] | None = None,
    observe: Callable[[Any], None] = ignore,
) -> None:
    """Delivers one time range of one event type. `advance` gets the reader's watermark (ms) after each page, before each
    checkpoint, and at the end: by then, everything of the range before it is delivered. `save` saves a checkpoint (by default,
    the cursors); `observe` gets each event that is delivered."""
    settings, fetch = run.settings, partial(fetch_page, run.client, query_for(run.settings, event_type))
    warn = partial(run.warnings.add, About.ORDER)
    with Reader(fetch, run.client.clock.later, settings.concurrency, settings.start, warn) as source:
        delivery = Delivery(run, event_type, span, advance, save or run.cursors.save, source)
        stream = pipe(
            [span],
            fetch_pages(source.pages),
            tap(delivery.count_page),
            unwrap_results,
            reject_malformed(delivery.reject),
            keep_type(event_type, delivery.reject),
            tap(observe),
            # A stage of your own, from events to events, goes here: docs/extending.md
            protect(run.protection),
            properties_as_json(settings.is_single_table),
            flatten,
            serialize_lists,
            rename_columns(settings.rename_columns),
            dedupe_by_id(settings.dedupe_window),
            emit_upserts(delivery.upsert),
            checkpoint_every(settings.checkpoint_interval, delivery.save),
        )
        with delivery:
            for _ in stream:
                pass


class Delivery:
    """The callbacks of the stages for one time range: they count pages, upsert rows, keep rejected events and save checkpoints.
    A context manager: its exit records the last position, however the stream ends."""

    def __init__(
        self, run: Run, event_type: str, span: Span, advance: Callable[[int], None], save: Callable[[], None], source: Reader
    ):
        self._run, self._event_type, self._span, self._source = run, event_type, span, source
        self._advance, self._save = advance, save
        self._tally, self._table = run.tallies[event_type], run.settings.table_of(event_type)
        self._report = throttle(PROGRESS_SECONDS, lambda: run.sink.log(f"{event_type}: {self._how_far()}"))

    def __enter__(self) -> "Delivery":
        begin, end = self._span
        until = "on" if end is None else f"to {to_text(end)}"
        self._run.sink.log(f"{self._event_type}: reading from {to_text(begin)} {until}.")
        return self

    def __exit__(self, *_: object) -> None:
        self._tally.waited += self._source.waited
        self._advance_to_position()
        if self._source.out_of_range:
            number = self._source.out_of_range
            sentence = f"{self._event_type}: events out of the time range asked for: {number}. They are delivered."
            self._run.warnings.add(About.ORDER, sentence)

    def count_page(self, page: dict[str, Any]) -> None:
        self._tally.pages += 1
        self._advance_to_position()
        self._report()

    def reject(self, event: Any, reason: str) -> None:
        self._tally.rejected[reason] += 1
        (event,) = protect(self._run.protection, [event])
        at = to_text(self._run.client.clock.now())
        self._run.sink.upsert(REJECTED_EVENT, rejected_row(self._event_type, event, reason, at))

    def upsert(self, row: dict[str, Any]) -> None:
        self._run.sink.upsert(self._table, row)
        self._tally.events += 1

    def save(self, _last_occurred: str) -> None:
        """Saves the reader's watermark. The stage's last-occurred timestamp is ignored: with concurrent windows, it can be ahead
        of rows that are still to come."""
        self._advance_to_position()
        self._save()

    def _advance_to_position(self) -> None:
        if self._source.position > self._span[0]:
            self._advance(self._source.position)

    def _how_far(self) -> str:
        begin, end = self._span
        seconds = time.monotonic() - self._tally.started
        until = self._source.now() if end is None else end
        return format_progress(self._tally.events, seconds, begin, self._source.position, until)
