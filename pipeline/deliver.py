"""One event type: the stages composed, over each span of time that is to be read."""
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from toolz import pipe

from pipeline import state as saved
from pipeline.client import Client, Page, Query
from pipeline.metrics import PROGRESS_SECONDS, Tally, progress, rows, seldom, span_of_time, tell_pages
from pipeline.moments import to_ms, to_text
from pipeline.reader import Reader
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
from pipeline.state import Progress, Span
from pipeline.windows import Window, ending, window_of


def sync_event_type(run: Run, event_type: str) -> None:
    """Delivers one event type: what a start date moved earlier left out, what follows the cursor, and once a day what may have
    come days late."""
    start, before = run.settings.start, run.cursor_of(event_type)
    tally = run.tallies[event_type] = Tally(before.occurred)
    outcome = "failed"

    def step(to: Callable[..., Progress], *arguments: Any) -> None:  # saved with the next checkpoint, for many types are empty
        run.progress[event_type] = to(run.cursor_of(event_type), *arguments)

    def save(to: Callable[..., Progress], *arguments: Any) -> None:
        step(to, *arguments)
        run.checkpoint()

    try:
        if gap := saved.gap_span(before, start):
            deliver(run, event_type, gap, lambda occurred, *_: save(saved.advance_gap, start, occurred))
            step(saved.finish_gap, start)
        span = saved.main_span(before, start, run.settings.lookback)
        rest = window_of(before.rest) if before.occurred and span[0] == to_ms(before.occurred) else None
        began, delivered = deliver(run, event_type, span, lambda *cursor: save(saved.advance, start, *cursor), rest)
        reached = run.cursor_of(event_type).occurred
        if delivered > span[0] and (reached is None or delivered > to_ms(reached)):
            step(saved.advance, start, to_text(delivered), began)  # more is delivered for sure than was behind the last row
        step(saved.finish, start, began)
        if deep := saved.deep_span(before, start, run.settings.deep_reread, run.client.now()):
            began, _ = deliver(run, event_type, deep, lambda *_: run.checkpoint())
            step(saved.finish_deep, began)
        outcome = "complete"
    finally:
        after = run.cursor_of(event_type)
        tally.end(outcome, after.occurred, after.read_at if outcome == "complete" else after.occurred, run.client.now())
        cursor = after.occurred or "none yet"
        run.sink.log(f"{event_type}: {outcome}, {rows(tally.events)} in {span_of_time(tally.seconds)}, cursor {cursor}.")


Save = Callable[[str, int, "dict[str, Any] | None"], None]


def deliver(run: Run, event_type: str, span: Span, save: Save, rest: Window | None = None) -> tuple[int, int]:
    """Delivers one span of time of one event type; `save` gets the cursor, when the sync began, and what is left of a window.
    Returns when, by HubSpot's clock (ms), it began, and before which moment (ms) everything is delivered."""
    settings, sink, tally = run.settings, run.sink, run.tallies[event_type]
    reject = partial(keep_rejected, run, event_type)
    sink.log(f"{event_type}: reading from {to_text(span[0])} {'on' if span[1] is None else 'to ' + to_text(span[1])}.")
    with Reader(
        partial(ask, run.client, question(settings, event_type)),
        run.client.now,
        settings.concurrency,
        settings.start,
        partial(run.warn, ORDER),
    ) as reader:
        tell = seldom(PROGRESS_SECONDS, lambda: sink.log(f"{event_type}: {how_far(reader, tally, span)}"))

        def note(page: dict[str, Any]) -> None:
            tally.pages += 1
            tell()

        def save_true(occurred: str) -> None:
            save(*true_cursor(reader, occurred, settings.lookback))

        stream = pipe(
            [span],
            fetch_pages(partial(reader.pages, rest=rest)),
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
            emit_upserts(partial(sink.upsert, settings.table_of(event_type))),
            checkpoint_every(settings.checkpoint_interval, save_true),
        )
        try:
            for _ in stream:
                tally.events += 1
        finally:
            tally.waited += reader.waited
    if reader.strays:
        run.warn(ORDER, f"{event_type}: events from outside the time that was asked for: {reader.strays}. They are delivered.")
    return reader.began or run.client.now(), reader.delivered


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
    return progress(tally.events, time.monotonic() - tally.started, span[0], reader.delivered, end)


def keep_rejected(run: Run, event_type: str, event: Any, reason: str) -> None:
    run.rejected[reason] += 1
    run.tallies[event_type].rejected += 1
    (event,) = protect(run.protection, [event])
    run.sink.upsert(REJECTED, rejected_row(event_type, event, reason, to_text(run.client.now())))


def true_cursor(reader: Reader, occurred: str, lookback: int) -> tuple[str, int, dict[str, Any] | None]:
    """What to save when `occurred` is the latest moment delivered: the cursor, when the sync began (ms), and what is left of a
    window where the cursor alone does not tell.

    The cursor never passes an event that is not delivered: what was handed on out of order (or comes from the future) does not
    carry it there, and it stays where the pages before this one ended. What is left of a window ends where the look-back (ms)
    begins: its page cursor, followed later, may lead past what appears in the meantime.
    """
    exact = reader.loose < to_ms(occurred) <= reader.reach
    began = reader.began or 0
    rest = None if reader.rest is None else ending(reader.rest, began - lookback)
    return occurred if exact else to_text(reader.delivered), began, None if rest is None else rest._asdict()


def ask(client: Client, fixed: Query, window: Window, stop: threading.Event) -> Page:
    """One page of a window."""
    after, before = window.asked
    query = {**fixed, "occurredAfter": to_text(after)}
    if before is not None:
        query["occurredBefore"] = to_text(before)
    if window.after is not None:
        query["after"] = window.after
    return client.page(query, stop)
