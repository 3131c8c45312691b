"""The events of a time range as rows: what a sync would upsert, without a sync, SDK or state."""

import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime, timezone
from functools import partial
from typing import Any

from toolz import pipe

from pipeline.config.connect import connect, query_for
from pipeline.config.settings import Settings, read_settings
from pipeline.errors import SettingsError
from pipeline.reading.fetch import fetch_page
from pipeline.reading.reader import Reader
from pipeline.recent import RECENT_IDS
from pipeline.stages import (
    destination_columns,
    fetch_pages,
    first_by_id,
    flatten,
    keep_span,
    keep_type,
    properties_as_json,
    protect,
    protection,
    reject_malformed,
    rename_columns,
    serialize_lists,
    sort_by_time,
    tap,
    unwrap_results,
)
from pipeline.stages.events import Reject
from pipeline.stages.flatten import Row
from pipeline.stages.own import OWN
from pipeline.timestamps import Span, to_ms, to_text

Moment = str | date  # ISO 8601 text, a date or a datetime; UTC if it names no other zone
DROP_OUTSIDE = 2**62  # the floor (ms) of a reader that drops all events outside its range


def events(
    configuration: Mapping[str, str],
    event_type: str = "e_visited_page",
    start: Moment | None = None,
    end: Moment | None = None,
) -> Iterator[Row]:
    """Yields the events of one type in [start, end) as flat rows, each once, in order of time
    (which is given up within a second that holds more than 50,000). They have the columns of the
    table that a sync with this configuration fills, protected and renamed as there; values are as
    HubSpot wrote them.

    They are read while you take them, `concurrency` requests at once, in memory that does not grow
    with the range. `start` defaults to `initial_sync_start_date`; without `end`, everything from
    the start on is read. A Python warning tells of what cannot be a row, and of a range without
    any. Raises ConnectorError, as a sync does.
    """
    begin = {} if start is None else {"initial_sync_start_date": to_text(_ms("start", start))}
    settings = read_settings({**configuration, **begin})
    span = settings.start, None if end is None else _ms("end", end)
    if span[1] is not None and span[1] <= span[0]:
        raise SettingsError(f"The end must be after the start: {to_text(span[0])} to {to_text(span[1])} holds no time.")
    return _read(settings, event_type, span)


def _read(settings: Settings, event_type: str, span: Span) -> Iterator[Row]:
    with connect(settings, _warn) as client, _left_out(event_type) as reject:
        fetch = partial(fetch_page, client, query_for(settings, event_type))
        with Reader(fetch, client.clock.later, settings.concurrency, DROP_OUTSIDE, _warn) as reader:
            found = rows(settings, reader, event_type, span, reject)
            if (first := next(found, None)) is None:
                _warn(
                    f"{event_type}: no row from {to_text(span[0])} "
                    f"{'on' if span[1] is None else f'to {to_text(span[1])}'}. "
                    "`python -m pipeline event-types` says from when to when there are events."
                )
                return
            yield first
            yield from found


def rows(
    settings: Settings,
    reader: Reader,
    event_type: str,
    span: Span,
    reject: Reject,
    observe: Callable[[dict[str, Any]], Any] = lambda page: None,
) -> Iterator[Row]:
    """Yields the rows of one time range, each once, with the names of the destination.
    `reject(event, reason)` receives what is left out, `observe` each page.
    """
    stream: Iterator[Row] = pipe(
        [span],
        fetch_pages(reader.pages),
        tap(observe),
        unwrap_results,
        reject_malformed(reject),
        keep_type(event_type, reject),
        keep_span(span, reject),
        *OWN,
        protect(protection(settings.drop_columns, settings.hash_columns, settings.hash_salt)),
        properties_as_json(settings.is_single_table),
        flatten,
        serialize_lists,
        rename_columns(settings.rename_columns),
        sort_by_time(lambda: reader.position),
        first_by_id(RECENT_IDS),
        destination_columns,
    )
    return stream


@contextmanager
def _left_out(event_type: str) -> Iterator[Reject]:
    """Yields a `reject` that counts; warns at the end of what was left out."""
    reasons: Counter[str] = Counter()

    def reject(event: Any, reason: str) -> None:
        reasons[reason] += 1

    try:
        yield reject
    finally:
        if reasons:
            listed = ", ".join(f"{number} ({reason})" for reason, number in reasons.items())
            _warn(f"{event_type}: events left out: {listed}.")


def _warn(sentence: str) -> None:
    """Shows a Python warning each time a notebook's cell runs, and not only the first time."""
    warnings.warn_explicit(sentence, UserWarning, "HubSpot events", 1, registry={})


def _ms(name: str, moment: Moment) -> int:
    """A moment in ms; a datetime without a zone is UTC, as a text without one is."""
    if isinstance(moment, datetime):
        moment = (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).isoformat()
    try:
        return to_ms(str(moment))
    except ValueError as error:
        raise SettingsError(
            f"{name}: {error}. Write it like 2026-01-31 or 2026-01-31T12:00:00Z, or give a datetime."
        ) from None
