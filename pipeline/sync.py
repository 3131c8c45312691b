"""The stages composed for one event type, and the event types of one sync."""
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from toolz import count, pipe

from pipeline.client import Client, Page, Query
from pipeline.errors import BadAnswer, Refused
from pipeline.moments import to_ms, to_text
from pipeline.settings import Settings
from pipeline.stages import (
    checkpoint_every,
    dedupe_by_id,
    emit_upserts,
    fetch_pages,
    flatten,
    serialize_lists,
    set_aside,
    unwrap_results,
)
from pipeline.state import (
    Progress,
    Span,
    advance,
    advance_gap,
    finish,
    finish_gap,
    gap_span,
    main_span,
    read_state,
    write_state,
)
from pipeline.windows import Reader, Window


class Sink(NamedTuple):
    """Where a sync delivers: the operations of the SDK, or anything that takes the same arguments."""

    upsert: Callable[[str, dict[str, Any]], Any]
    checkpoint: Callable[[dict[str, Any]], Any]
    warn: Callable[[str], Any]
    log: Callable[[str], Any]


def sync(settings: Settings, state: Mapping[str, Any], sink: Sink) -> None:
    """Delivers every event since the saved cursors, event type by event type, and saves the cursors.

    One event type that HubSpot refuses (a scope, a name) does not cost the others their sync: it is a warning, and the
    error only if every type fails. Raises ConnectorError; what was delivered until then is saved.
    """
    progress = read_state(state)
    failures = []
    with Client(
        settings.api_token,
        settings.api_base_url,
        settings.api_version,
        settings.max_outage,
        settings.concurrency,
        settings.quota_reserve / 100,
        sink.log,
    ) as client:
        for event_type in settings.event_types:
            try:
                sync_event_type(event_type, settings, client, progress, sink)
            except (Refused, BadAnswer) as error:
                failures.append(error)
                if len(failures) == len(settings.event_types):
                    raise
                sink.warn(f"{event_type} is not synced: {error}")


def sync_event_type(
    event_type: str, settings: Settings, client: Client, progress: dict[str, Progress], sink: Sink
) -> None:
    """Delivers one event type: first what a start date moved earlier left out, then from the cursor on."""
    start = settings.start

    def save(step: Callable[..., Progress], *arguments: Any) -> None:
        progress[event_type] = step(progress.get(event_type, Progress()), start, *arguments)
        sink.checkpoint(write_state(progress))

    before = progress.get(event_type, Progress())
    if gap := gap_span(before, start):
        deliver(event_type, gap, settings, client, sink, lambda occurred, _: save(advance_gap, occurred))
        save(finish_gap)
    span = main_span(before, start, settings.lookback)
    began = deliver(event_type, span, settings, client, sink, partial(save, advance))
    save(finish, began)


def deliver(
    event_type: str,
    span: Span,
    settings: Settings,
    client: Client,
    sink: Sink,
    save: Callable[[str, int], None],
) -> int:
    """Delivers one span of time of one event type; `save(occurred, began)` gets the cursor. Returns when, by HubSpot's clock
    (ms), it began."""
    rejected: Counter[str] = Counter()
    fetch = partial(ask, client, {"eventType": event_type, "limit": settings.page_size})
    with Reader(fetch, client.now, settings.concurrency, settings.start, sink.warn) as reader:
        rows = pipe(
            [span],
            fetch_pages(reader.pages),
            unwrap_results,
            set_aside(lambda event, reason: rejected.update([reason])),
            flatten,
            serialize_lists,
            dedupe_by_id(settings.dedupe_window),
            emit_upserts(partial(sink.upsert, event_type)),
            checkpoint_every(settings.checkpoint_interval, lambda occurred: save(*true_cursor(reader, occurred))),
        )
        try:
            delivered = count(rows)
        finally:
            for reason, times in rejected.items():
                sink.warn(f"{event_type}: events left out because they have {reason}: {times}.")
    sink.log(f"{event_type}: {delivered} rows from {to_text(span[0])} on.")
    return reader.began or client.now()


def true_cursor(reader: Reader, occurred: str) -> tuple[str, int]:
    """The cursor to save when `occurred` is the latest moment delivered, and when the sync began (ms).

    It never passes an event that is not delivered: what was handed on out of order (or comes from the future) does not carry
    it there, and it stays where the pages before this one ended.
    """
    exact = reader.loose < to_ms(occurred) <= reader.reach
    return occurred if exact else to_text(reader.delivered), reader.began or 0


def ask(client: Client, fixed: Query, window: Window, stop: threading.Event) -> Page:
    """One page of a window."""
    after, before = window.asked
    query = {**fixed, "occurredAfter": to_text(after)}
    if before is not None:
        query["occurredBefore"] = to_text(before)
    if window.after is not None:
        query["after"] = window.after
    return client.page(query, stop)
