"""One time range of one event type: the stages composed."""

import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from toolz import pipe
from toolz.curried import filter

from pipeline.config.connect import query_for
from pipeline.config.unmatched import collect_into, misspelled
from pipeline.connection.reporting import (
    PROGRESS_SECONDS,
    format_progress,
    format_share,
    format_waits,
    throttle,
)
from pipeline.connection.run import Run
from pipeline.connection.warnings import About
from pipeline.errors import SettingsError
from pipeline.hubspot.events_api import EVENTS
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
    protection,
    reject_malformed,
    rename_columns,
    serialize_lists,
    tap,
    unwrap_results,
)
from pipeline.stages.serialize import spell_number
from pipeline.tables.rejected_event import rejected_row
from pipeline.tables.schema import declared_types
from pipeline.timestamps import MINUTE, Span, to_text


def deliver(
    run: Run,
    event_type: str,
    span: Span,
    advance: Callable[[int], None],
    observe: Callable[[Any], None],
    save: Callable[[], None] | None = None,
    since: int | None = None,
    wanted: Callable[[Any], bool] | None = None,
) -> None:
    """Delivers one time range of one event type. `advance` gets the reader's watermark (ms) after
    each page, before each checkpoint, and at the end: by then, everything of the range before it is
    delivered. `observe` gets each event that is delivered in its turn; `save` saves a checkpoint (by
    default, the cursors). `since`: where the interrupted sync began (ms) that this one resumes.
    `wanted`: of a range that is read again, which events are delivered.
    """
    settings, fetch = (
        run.settings,
        partial(fetch_page, run.client, query_for(run.settings, event_type)),
    )
    clock, began = run.client.clock, time.monotonic()
    lookback = max(settings.lookback, MINUTE)
    with Reader(
        fetch,
        clock.later,
        settings.concurrency,
        settings.start,
        warn=partial(run.warnings.add, About.ORDER),
        settled=lambda: clock.earlier(began) - lookback,
    ) as source:
        delivery = Delivery(
            run, event_type, span, advance, observe, save or run.cursors.save, source, since
        )
        stream = pipe(
            [span],
            fetch_pages(source.pages),
            tap(delivery.count_page),
            unwrap_results,
            reject_malformed(delivery.reject),
            keep_type(event_type, delivery.reject),
            filter(wanted or (lambda event: True)),
            tap(delivery.observe),
            # A stage of your own, from events to events, goes here: docs/extending.md
            protect(run.protection),
            properties_as_json(settings.is_single_table),
            flatten,
            partial(serialize_lists, spell=spell_number(declared_types(settings, event_type))),
            rename_columns(settings.rename_columns),
            dedupe_by_id(settings.dedupe_window),
            emit_upserts(delivery.upsert),
            checkpoint_every(settings.checkpoint_interval, delivery.save),
        )
        if wanted is None:
            delivery.say_what_is_read()
        with delivery:
            for _ in stream:
                pass


def check_spelling(run: Run, event_type: str, events: Iterable[Any]) -> None:
    """Raises SettingsError if columns are misspelled that must not be readable at the destination,
    judged by the first events of a type.
    """
    columns: set[str] = set()
    if run.settings.drop_columns or run.settings.hash_columns:
        list(protect(protection(observe=collect_into(columns)), events))
    if mistakes := misspelled(run.settings, columns):
        told = "\n".join(mistakes)
        raise SettingsError(f"{event_type}: nothing is delivered before this is clear. {told}")


class Delivery:
    """The callbacks of the stages for one time range: they count pages, upsert rows, keep rejected
    events and save checkpoints. A context manager: its exit records the last position, however the
    stream ends.
    """

    def __init__(
        self,
        run: Run,
        event_type: str,
        span: Span,
        advance: Callable[[int], None],
        observe: Callable[[Any], None],
        save: Callable[[], None],
        source: Reader,
        since: int | None,
    ):
        self._run, self._event_type, self._span, self._source = run, event_type, span, source
        self._advance, self._observe, self._save = advance, observe, save
        self._is_in_turn = True  # whether the page is read for the only time
        self._tally, self._table = run.tallies[event_type], run.settings.table_of(event_type)
        self._report = throttle(
            PROGRESS_SECONDS, lambda: run.sink.log(f"{event_type}: {self._how_far()}")
        )
        # progress counts from there
        self._since = span[0] if since is None else min(since, span[0])
        self._is_resumed = since is not None
        # no sync has read the event type before: nothing of it is at the destination
        self._is_first = event_type not in run.cursors.known
        self._began, self._rows_before = time.monotonic(), self._tally.events
        self._writing = 0.0  # seconds spent in the sink

    def __enter__(self) -> "Delivery":
        return self

    def say_what_is_read(self) -> None:
        begin, end = self._span
        until = "on" if end is None else f"to {to_text(end)}"
        said = f"reading from {to_text(begin)} {until}."
        if self._is_resumed:
            done = format_share(self._since, begin, self._end())
            said = (
                f"resuming: {said} Of the time range from {to_text(self._since)} {until}, "
                f"{done} is delivered."
            )
        self._run.sink.log(f"{self._event_type}: {said}")

    def __exit__(self, *_: object) -> None:
        self._tally.waited += self._source.waited
        self._advance_to_position()
        if self._source.out_of_range:
            number = self._source.out_of_range
            sentence = (
                f"{self._event_type}: events out of the time range asked for: {number}. "
                "They are delivered."
            )
            self._run.warnings.add(About.ORDER, sentence)

    def count_page(self, page: dict[str, Any]) -> None:
        if self._is_first and page[EVENTS]:
            self._is_first = False
            check_spelling(self._run, self._event_type, page[EVENTS])
        self._tally.pages += 1
        self._is_in_turn = page.get("counted", True)
        self._advance_to_position()
        self._report()

    def observe(self, event: Any) -> None:
        """Passes on an event, unless its page was released out of turn: its window is read again."""
        if self._is_in_turn:
            self._observe(event)

    def reject(self, event: Any, reason: str) -> None:
        self._tally.rejected[reason] += 1
        (event,) = protect(self._run.protection, [event])
        at = to_text(self._run.client.clock.now())
        self._run.sink.upsert(REJECTED_EVENT, rejected_row(self._event_type, event, reason, at))

    def upsert(self, row: dict[str, Any]) -> None:
        began = time.monotonic()
        self._run.sink.upsert(self._table, row)
        self._writing += time.monotonic() - began
        self._tally.events += 1

    def save(self, _last_occurred: str) -> None:
        """Saves the reader's watermark. The stage's last-occurred timestamp is ignored: with
        concurrent windows, it can be ahead of rows that are still to come.
        """
        self._advance_to_position()
        began = time.monotonic()
        self._save()
        self._writing += time.monotonic() - began

    def _advance_to_position(self) -> None:
        if self._source.position > self._span[0]:
            self._advance(self._source.position)

    def _how_far(self) -> str:
        seconds, rows = time.monotonic() - self._began, self._tally.events - self._rows_before
        far = format_progress(
            rows, seconds, self._since, self._span[0], self._source.position, self._end()
        )
        return f"{far}, {format_waits(seconds, self._source.waited, self._writing)}"

    def _end(self) -> int:
        """Where the time range ends, ms: now, if it is open."""
        end = self._span[1]
        return self._source.now() if end is None else end
