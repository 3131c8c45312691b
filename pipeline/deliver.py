"""One event type: the stages composed, over each span of time that is to be read."""
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from toolz import pipe

from pipeline.client import Client, Page, Query
from pipeline.connection import state as saved
from pipeline.connection.state import Progress, Span
from pipeline.metrics import PROGRESS_SECONDS, Tally, progress, rows, seldom, span_of_time, tell_pages
from pipeline.moments import to_text
from pipeline.reading.reader import Reader
from pipeline.reading.window import Question
from pipeline.rejects import TABLE as REJECTED
from pipeline.rejects import rejected_row
from pipeline.run import ORDER, Run
from pipeline.settings import Settings
from pipeline.shaping import keep_whole, protect, rename_columns
from pipeline.stages import (
    checkpoint_every,
    dedupe_by_id,
    emit_upserts,
    fetch_pages,
    flatten,
    keep_type,
    serialize_lists,
    set_aside,
    unwrap_results,
)


def sync_event_type(run: Run, event_type: str) -> None:
    """Delivers one event type: what a start date moved earlier left out, what follows the cursor, and once a day what may have
    come days late."""
    start, before, clock = run.settings.start, run.cursor_of(event_type), run.client.clock
    tally = run.tallies[event_type] = Tally(before.occurred)
    began, outcome = time.monotonic(), "failed"

    def step(to: Callable[..., Progress], *arguments: Any) -> None:  # saved with the next checkpoint, for many types are empty
        run.progress[event_type] = to(run.cursor_of(event_type), *arguments)

    try:
        if gap := saved.gap_span(before, start):
            deliver(run, event_type, gap, lambda position: step(saved.advance_gap, start, position))
            step(saved.finish_gap, start)
        span = saved.main_span(before, start, run.settings.lookback, clock.earlier())
        deliver(run, event_type, span, lambda position: step(saved.advance, start, position, clock.earlier(began)))
        step(saved.finish, start, clock.earlier(began))
        if deep := saved.deep_span(before, start, run.settings.deep_reread, clock.earlier()):
            deliver(run, event_type, deep, lambda position: None)
            step(saved.finish_deep, clock.earlier(began))
        outcome = "complete"
    finally:
        after = run.cursor_of(event_type)
        tally.end(outcome, after.occurred, after.read_at if outcome == "complete" else after.occurred, run.client.now())
        cursor = after.occurred or "none yet"
        run.sink.log(f"{event_type}: {outcome}, {rows(tally.events)} in {span_of_time(tally.seconds)}, cursor {cursor}.")


def deliver(run: Run, event_type: str, span: Span, advance: Callable[[int], None]) -> None:
    """Delivers one span of time of one event type. `advance` gets the position of the source (ms) before each checkpoint, and at
    the end: everything of the span before it is delivered then."""
    settings, sink, tally = run.settings, run.sink, run.tallies[event_type]
    table, reject = settings.table_of(event_type), partial(keep_rejected, run, event_type)
    sink.log(f"{event_type}: reading from {to_text(span[0])} {'on' if span[1] is None else 'to ' + to_text(span[1])}.")
    fetch = partial(ask, run.client, question(settings, event_type))
    with Reader(fetch, run.client.clock.later, settings.concurrency, settings.start, partial(run.warn, ORDER)) as source:
        tell = seldom(PROGRESS_SECONDS, lambda: sink.log(f"{event_type}: {how_far(source, tally, span)}"))

        def note(page: dict[str, Any]) -> None:
            tally.pages += 1
            tell()

        def upsert(row: dict[str, Any]) -> None:
            sink.upsert(table, row)
            tally.events += 1

        def advance_to_position() -> None:
            if source.position > span[0]:
                advance(source.position)

        def save(occurred: str) -> None:  # where a kill goes on is the source's to say: the latest row may be ahead of others
            advance_to_position()
            run.checkpoint()

        stream = pipe(
            [span],
            fetch_pages(source.pages),
            tell_pages(note),
            unwrap_results,
            set_aside(reject),
            keep_type(event_type, reject),
            protect(run.protection),
            keep_whole(settings.table_layout == "single"),
            flatten,
            serialize_lists,
            rename_columns(settings.rename_columns),
            # A stage of your own, from rows to rows, goes here: docs/extending.md
            dedupe_by_id(settings.dedupe_window),
            emit_upserts(upsert),
            checkpoint_every(settings.checkpoint_interval, save),
        )
        try:
            for _ in stream:
                pass
        finally:
            tally.waited += source.waited
            advance_to_position()
    if source.strays:
        run.warn(ORDER, f"{event_type}: events from outside the time that was asked for: {source.strays}. They are delivered.")


def question(settings: Settings, event_type: str) -> Query:
    """What HubSpot is asked for, besides a range of time."""
    wanted: dict[str, str | int | tuple[str, ...]] = {
        "eventType": event_type,
        "limit": settings.page_size,
        "objectType": settings.object_type,
        "objectId": settings.object_id,
        "properties": settings.properties,
        **{f"property.{name}": value for name, value in settings.property_filters},
    }
    return {name: value for name, value in wanted.items() if value}


def how_far(reader: Reader, tally: Tally, span: Span) -> str:
    end = reader.now() if span[1] is None else span[1]
    return progress(tally.events, time.monotonic() - tally.started, span[0], reader.position, end)


def keep_rejected(run: Run, event_type: str, event: Any, reason: str) -> None:
    run.rejected[reason] += 1
    run.tallies[event_type].rejected += 1
    (event,) = protect(run.protection, [event])
    run.sink.upsert(REJECTED, rejected_row(event_type, event, reason, to_text(run.client.now())))


def ask(client: Client, fixed: Query, wanted: Question, stop: threading.Event) -> Page:
    """One page of a window."""
    after, before = wanted.asked
    query = {**fixed, "occurredAfter": to_text(after)}
    if before is not None:
        query["occurredBefore"] = to_text(before)
    if wanted.after is not None:
        query["after"] = wanted.after
    if wanted.limit is not None:
        query["limit"] = wanted.limit
    return client.page(query, stop)
