"""The stages composed for one event type, and the event types of one sync."""
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from toolz import count, pipe

from pipeline import state as saved
from pipeline.client import Client, Page, Query
from pipeline.errors import HubSpotError, QuotaSpent, Refused, Unauthorized, Unavailable
from pipeline.memory import give_back
from pipeline.moments import to_ms, to_text
from pipeline.reader import Reader
from pipeline.rejects import TABLE as REJECTED
from pipeline.rejects import rejected_row
from pipeline.settings import Settings
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

MOST_WARNINGS = 10  # of one sync: the dashboard shows no more
FAILED, REJECTS, ORDER, QUOTA = range(4)  # what warnings are about, the important first


class Sink(NamedTuple):
    """Where a sync delivers: the operations of the SDK, or anything that takes the same arguments."""

    upsert: Callable[[str, dict[str, Any]], Any]
    checkpoint: Callable[[dict[str, Any]], Any]
    warn: Callable[[str], Any]
    log: Callable[[str], Any]


class Run(NamedTuple):
    """What one sync works with: its cursors by event type, what it set aside by reason, and its warnings by what they are
    about."""

    settings: Settings
    client: Client
    sink: Sink
    progress: dict[str, Progress]
    rejected: Counter[str]
    warnings: dict[str, int]

    def warn(self, about: int, sentence: str) -> None:
        if sentence not in self.warnings:
            self.sink.log(sentence)
        self.warnings[sentence] = about


def sync(settings: Settings, state: Mapping[str, Any], sink: Sink) -> None:
    """Delivers every event since the saved cursors, event type by event type, and saves the cursors.

    Raises ConnectorError; what was delivered until then is saved. What a person should know besides goes to `sink.warn`, at
    the end, ten sentences at most and the important first.
    """
    give_back()
    progress = saved.read_state(state)
    with Client(
        settings.api_token,
        settings.api_base_url,
        settings.api_version,
        settings.max_outage,
        settings.concurrency,
        settings.quota_reserve / 100,
        sink.log,
    ) as client:
        run = Run(settings, client, sink, progress, Counter(), {})
        try:
            sync_event_types(run)
        finally:
            say_warnings(run)


def sync_event_types(run: Run) -> None:
    """Each event type in turn. One that fails (a scope, a name, a page that cannot be read) does not cost the others their
    sync: it is a warning, and the error only if every one fails."""
    failures = {}
    for event_type in run.settings.event_types:
        try:
            sync_event_type(run, event_type)
        except (Unauthorized, QuotaSpent):
            raise
        except HubSpotError as error:
            if isinstance(error, Unavailable) and not run.client.answers():
                raise
            if has_ended(run, event_type, error):
                run.warn(FAILED, f"{event_type}: HubSpot knows it no longer. Its rows and its cursor are kept.")
            elif len(run.settings.event_types) == 1:
                raise
            else:
                failures[event_type] = error
                run.warn(FAILED, f"{event_type} is not synced: {error}")
    if failures and len(failures) == len(run.settings.event_types):
        raise HubSpotError("No event type could be synced:\n" + "\n".join(f"- {name}: {e}" for name, e in failures.items()))


def has_ended(run: Run, event_type: str, error: HubSpotError) -> bool:
    """Whether an event type that was synced before is refused because HubSpot no longer knows it."""
    if not isinstance(error, Refused) or run.progress.get(event_type, Progress()).occurred is None:
        return False
    try:
        return event_type not in run.client.event_types()
    except HubSpotError:
        return False


def say_warnings(run: Run) -> None:
    for reason, times in run.rejected.most_common():
        run.warn(REJECTS, f"Events set aside ({reason}): {times}. They are kept in the table {REJECTED}.")
    if run.client.replaced:
        run.warn(REJECTS, f"Values that cannot be represented and were replaced: {run.client.replaced}.")
    if run.client.quota.nearly_spent():
        run.warn(QUOTA, "Less than a tenth of the account's daily quota of requests is left. Cure: sync less often.")
    for sentence in sorted(run.warnings, key=lambda sentence: run.warnings[sentence])[:MOST_WARNINGS]:
        run.sink.warn(sentence)


def sync_event_type(run: Run, event_type: str) -> None:
    """Delivers one event type: what a start date moved earlier left out, what follows the cursor, and once a day what may have
    come days late."""
    start, before = run.settings.start, run.progress.get(event_type, Progress())

    def save(step: Callable[..., Progress], *arguments: Any) -> None:
        run.progress[event_type] = step(run.progress.get(event_type, Progress()), *arguments)
        run.sink.checkpoint(saved.write_state(run.progress))

    if gap := saved.gap_span(before, start):
        deliver(run, event_type, gap, lambda occurred, *_: save(saved.advance_gap, start, occurred))
        save(saved.finish_gap, start)
    span = saved.main_span(before, start, run.settings.lookback)
    rest = window_of(before.rest) if before.occurred and span[0] == to_ms(before.occurred) else None
    began = deliver(run, event_type, span, lambda *cursor: save(saved.advance, start, *cursor), rest)
    save(saved.finish, start, began)
    if deep := saved.deep_span(before, start, run.settings.deep_reread, run.client.now()):
        began = deliver(run, event_type, deep, lambda *_: save(lambda progress: progress))
        save(saved.finish_deep, began)


Save = Callable[[str, int, "dict[str, Any] | None"], None]


def deliver(run: Run, event_type: str, span: Span, save: Save, rest: Window | None = None) -> int:
    """Delivers one span of time of one event type; `save` gets the cursor, when the sync began, and what is left of a window.
    Returns when, by HubSpot's clock (ms), it began."""
    settings, sink = run.settings, run.sink
    fetch = partial(ask, run.client, {"eventType": event_type, "limit": settings.page_size})
    reject = partial(keep_rejected, run, event_type)
    with Reader(fetch, run.client.now, settings.concurrency, settings.start, partial(run.warn, ORDER)) as reader:

        def save_true(occurred: str) -> None:
            save(*true_cursor(reader, occurred, settings.lookback))

        rows = pipe(
            [span],
            fetch_pages(partial(reader.pages, rest=rest)),
            unwrap_results,
            set_aside(reject),
            keep_type(event_type, reject),
            flatten,
            serialize_lists,
            dedupe_by_id(settings.dedupe_window),
            emit_upserts(partial(sink.upsert, event_type)),
            checkpoint_every(settings.checkpoint_interval, save_true),
        )
        delivered = count(rows)
    if reader.strays:
        run.warn(ORDER, f"{event_type}: events from outside the time that was asked for: {reader.strays}. They are delivered.")
    sink.log(f"{event_type}: {delivered} rows from {to_text(span[0])} on.")
    return reader.began or run.client.now()


def keep_rejected(run: Run, event_type: str, event: Any, reason: str) -> None:
    run.rejected[reason] += 1
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
