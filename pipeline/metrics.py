"""What a sync tells of itself: a row in the table sync_run, progress while it runs, and a summary at its end."""
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from toolz import curry

from pipeline.moments import to_ms, to_text

VERSION = "1.0.0"
PROGRESS_SECONDS = 30.0  # between two lines of progress, at least
TABLE = "sync_run"
SCHEMA = {
    "table": TABLE,
    "primary_key": ["id"],
    "columns": {
        "id": "STRING", "started_at": "UTC_DATETIME", "ended_at": "UTC_DATETIME", "outcome": "STRING", "error": "STRING",
        "version": "STRING", "events": "LONG", "pages": "LONG", "requests": "LONG", "retries": "LONG", "rate_limited": "LONG",
        "rejected": "LONG", "replaced": "LONG", "seconds": "DOUBLE", "seconds_waiting_for_quota": "DOUBLE",
        "seconds_waiting_for_http": "DOUBLE", "seconds_in_pipeline": "DOUBLE", "cursor_before": "STRING",
        "cursor_after": "STRING", "lag_seconds": "DOUBLE", "event_types": "JSON",
    },
}  # fmt: skip


@dataclass
class Tally:
    """What one event type's part of a sync came to. Cursors are ISO 8601 text, seconds are of this machine's clock."""

    cursor_before: str | None
    cursor_after: str | None = None
    events: int = 0  # rows upserted
    pages: int = 0
    rejected: int = 0
    waited: float = 0.0  # seconds the pipeline waited for a page
    lag_seconds: float | None = None  # from what is delivered for sure to HubSpot's now
    outcome: str = "running"
    started: float = field(default_factory=time.monotonic)
    seconds: float = 0.0

    def end(self, outcome: str, cursor: str | None, delivered_until: str | None, now: int) -> None:
        """Closes it: `delivered_until` is when everything that had occurred then was delivered, `now` HubSpot's clock (ms)."""
        self.outcome, self.cursor_after = outcome, cursor
        self.seconds = time.monotonic() - self.started
        if delivered_until is not None:
            self.lag_seconds = max(0, now - to_ms(delivered_until)) / 1000

    def is_news(self) -> bool:
        """Whether there is more to tell than that it is done and what was there is there."""
        return self.cursor_after != self.cursor_before or bool(self.rejected) or self.outcome != "complete"

    def told(self) -> dict[str, Any]:
        """What the column event_types says of it."""
        return {
            "events": self.events, "pages": self.pages, "rejected": self.rejected, "seconds": round(self.seconds, 3),
            "cursor_before": self.cursor_before, "cursor_after": self.cursor_after, "lag_seconds": self.lag_seconds,
            "outcome": self.outcome,
        }  # fmt: skip


def first_row(now: int) -> dict[str, Any]:
    """The row of a sync that begins (local clock, ms): one that is killed leaves it so, until the next one marks it."""
    return {"id": uuid.uuid4().hex, "started_at": to_text(now), "outcome": "running", "version": VERSION}


def last_row(
    first: Mapping[str, Any], now: int, error: str | None, tallies: Mapping[str, Tally], requests: Mapping[str, float]
) -> dict[str, Any]:
    """The same row when the sync ends: one a sync, whatever the number of event types, since rows are billed. Its cursors are the
    earliest of all types, its lag the longest; `requests` is what the client counted."""
    seconds = (now - to_ms(first["started_at"])) / 1000
    totals = list(tallies.values())
    lags = [tally.lag_seconds for tally in totals if tally.lag_seconds is not None]
    return {
        **first,
        "ended_at": to_text(now),
        "outcome": "complete" if error is None else "failed",
        "error": error,
        "events": sum(tally.events for tally in totals),
        "pages": sum(tally.pages for tally in totals),
        "rejected": sum(tally.rejected for tally in totals),
        **requests,
        "seconds": seconds,
        "seconds_in_pipeline": round(max(0.0, seconds - sum(tally.waited for tally in totals)), 3),
        "cursor_before": min((tally.cursor_before for tally in totals if tally.cursor_before), key=to_ms, default=None),
        "cursor_after": min((tally.cursor_after for tally in totals if tally.cursor_after), key=to_ms, default=None),
        "lag_seconds": max(lags, default=None),
        "event_types": {name: tally.told() for name, tally in tallies.items()},
    }


def row_so_far(
    first: Mapping[str, Any], now: int, tallies: Mapping[str, Tally], requests: Mapping[str, float]
) -> dict[str, Any]:
    """The same row as it stands: saved with each checkpoint, so that the next sync can say how far this one came if it is killed.
    What only the end of an event type tells is not in it."""
    row = last_row(first, now, None, tallies, requests)
    return {name: row[name] for name in row if name not in _AT_THE_END} | {"outcome": "interrupted"}


_AT_THE_END = ("seconds_in_pipeline", "lag_seconds", "event_types")


def interrupted(state: Mapping[str, Any]) -> dict[str, Any] | None:
    """The row of a sync that was killed, out of the state it left; None if it came to its end.

    >>> interrupted({"version": 1, "event_types": {}})
    """
    row = state.get(TABLE)
    if not isinstance(row, Mapping) or row.get("outcome") != "interrupted" or not isinstance(row.get("id"), str):
        return None
    return {name: row[name] for name in SCHEMA["columns"] if name in row}


@curry
def tell_pages(tell: Callable[[dict[str, Any]], Any], pages: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The pages, each after `tell(page)` has seen it.

    >>> list(tell_pages(print)([{"results": []}]))
    {'results': []}
    [{'results': []}]
    """
    for page in pages:
        tell(page)
        yield page


def seldom(seconds: float, say: Callable[[], Any]) -> Callable[[], None]:
    """A function that calls `say`, but not in the `seconds` after its making or after the last time."""
    last = time.monotonic()

    def tell() -> None:
        nonlocal last
        if time.monotonic() - last >= seconds:
            last = time.monotonic()
            say()

    return tell


def progress(events: int, seconds: float, begin: int, cursor: int, end: int) -> str:
    """How far a span of time (`begin` to `end`, ms) is delivered after some seconds. The time left is what the rest of the span
    takes if it is as full as what was read of it.

    >>> progress(90_000, 60, 0, 3_000_000, 4_000_000)
    '90,000 rows in 1 min (1,500/s), up to 1970-01-01T00:50:00.000Z, 75% of the time range, about 20 s left if the rest is alike'
    """
    share = min(1.0, max(0, cursor - begin) / max(1, end - begin))
    left = f"about {span_of_time(seconds / share - seconds)} left if the rest is alike" if share else "time left not known yet"
    rate = f"{rows(events)} in {span_of_time(seconds)} ({events / max(seconds, 0.001):,.0f}/s)"
    return f"{rate}, up to {to_text(cursor)}, {share:.0%} of the time range, {left}"


def rows(number: int) -> str:
    return f"{number:,} row{'s' * (number != 1)}"


def span_of_time(seconds: float) -> str:
    """A span of time for people.

    >>> span_of_time(0.25), span_of_time(60), span_of_time(4000), span_of_time(200_000)
    ('0.2 s', '1 min', '1.1 h', '2.3 days')
    """
    unit, length = next((each for each in (("days", 86_400), ("h", 3600), ("min", 60)) if seconds >= each[1]), ("s", 1))
    return f"{seconds / length:.1f} {unit}".replace(".0 ", " ")


def summary(tallies: Mapping[str, Tally]) -> str:
    """The event types of a sync as a table of text, those without anything new in one line."""
    told = {name: tally for name, tally in tallies.items() if tally.is_news()}
    head: tuple[str, ...] = ("event type", "outcome", "rows", "set aside", "pages", "time", "cursor")
    lines = [head]
    for name, tally in told.items():
        numbers = (f"{number:,}" for number in (tally.events, tally.rejected, tally.pages))
        lines.append((name, tally.outcome, *numbers, span_of_time(tally.seconds), tally.cursor_after or ""))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    if others := len(tallies) - len(told):
        table.append(f"Nothing behind the cursor: {others} event type{'s' * (others > 1)}.")
    return "\n".join(table if told else table[1:])
