"""The table sync_run: one row per sync, about the sync itself."""

import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.names.tables import SYNC_RUN
from pipeline.timestamps import local_now, to_ms, to_text

CONNECTOR_VERSION = "1.2.0"
# Every column is declared, so that queries work before the first sync has ended, and while a column
# is null in every row.
SCHEMA = {
    "table": SYNC_RUN,
    "primary_key": ["id"],
    "columns": {
        "id": "STRING", "started_at": "UTC_DATETIME", "ended_at": "UTC_DATETIME", "outcome": "STRING", "error": "STRING",
        "version": "STRING", "events": "LONG", "pages": "LONG", "requests": "LONG", "retries": "LONG", "rate_limited": "LONG",
        "rejected": "LONG", "replaced": "LONG", "seconds": "DOUBLE", "seconds_waiting_for_quota": "DOUBLE",
        "seconds_waiting_for_http": "DOUBLE", "seconds_in_pipeline": "DOUBLE", "cursor_before": "STRING",
        "cursor_after": "STRING", "lag_seconds": "DOUBLE", "complete_until": "STRING", "audited": "LONG", "late": "LONG",
        "late_by_age": "JSON", "vanished": "LONG", "event_types": "JSON",
    },
}  # fmt: skip


@dataclass
class Findings:
    """What the looks of a sync at one event type have found."""

    complete_until: str | None = None  # before it, all was looked at twice, and no look is due
    audited: int = 0  # cells
    recounted: int = 0  # events in them
    late: Counter[int] = field(default_factory=Counter)  # events, by the age in days of their cell
    vanished: int = 0  # events that are no longer there
    seconds: float = 0.0
    waited: float = 0.0  # of them, for HubSpot


@dataclass
class Tally:
    """One event type's part of a sync, in numbers. Cursors are ISO 8601 text; seconds are of this
    machine's clock.
    """

    cursor_before: str | None
    cursor_after: str | None = None
    events: int = 0  # rows upserted
    pages: int = 0
    rejected: Counter[str] = field(default_factory=Counter)  # events by reason
    waited: float = 0.0  # seconds the pipeline waited for a page
    # from the time up to which everything is delivered to HubSpot's now
    lag_seconds: float | None = None
    found: Findings = field(default_factory=Findings)
    outcome: str = "running"
    error: str | None = None  # why it failed or was refused, and the cure
    started: float = field(default_factory=time.monotonic)
    seconds: float = 0.0

    def end(self, outcome: str, delivered_until: str | None, now: int) -> None:
        """Closes the tally. Everything that occurred before `delivered_until` is delivered; `now`
        is HubSpot's clock (ms).
        """
        self.outcome = outcome
        self.cursor_after = self.cursor_after or self.cursor_before
        self.seconds += time.monotonic() - self.started
        if delivered_until is not None:
            self.lag_seconds = max(0, now - to_ms(delivered_until)) / 1000

    def as_json(self) -> dict[str, Any]:
        """This event type's entry in the column event_types."""
        found, seconds = self.found, round(self.seconds + self.found.seconds, 3)
        return {
            "events": self.events, "pages": self.pages, "rejected": self.rejected.total(), "seconds": seconds,
            "cursor_before": self.cursor_before, "cursor_after": self.cursor_after, "lag_seconds": self.lag_seconds,
            "complete_until": found.complete_until, "audited": found.audited, "late": _by_age(found.late),
            "vanished": found.vanished, "outcome": self.outcome, "error": self.error,
        }  # fmt: skip


def first_row(now: int) -> dict[str, Any]:
    """The row of a sync that begins at `now` (this machine's clock, ms). If the sync is killed, it
    stays so until the next one marks it.
    """
    return {"id": uuid.uuid4().hex, "started_at": to_text(now), "outcome": "running", "version": CONNECTOR_VERSION}


def last_row(
    first: Mapping[str, Any], now: int, error: str | None, tallies: Mapping[str, Tally], requests: Mapping[str, float]
) -> dict[str, Any]:
    """The same row when the sync ends: one for all event types, since rows are billed. Its cursors
    are the earliest of all types, its lag is the longest; `requests` is what the client counted.
    """
    seconds = (now - to_ms(first["started_at"])) / 1000
    totals = list(tallies.values())
    lags = [tally.lag_seconds for tally in totals if tally.lag_seconds is not None]
    late = sum((tally.found.late for tally in totals), start=Counter[int]())
    waited = sum(tally.waited + tally.found.waited for tally in totals)
    complete = [tally.found.complete_until for tally in totals if tally.outcome != "refused"]
    return {
        **first,
        "ended_at": to_text(now),
        "outcome": "complete" if error is None else "failed",
        "error": error,
        "events": sum(tally.events for tally in totals),
        "pages": sum(tally.pages for tally in totals),
        "rejected": sum(tally.rejected.total() for tally in totals),
        **requests,  # its keys are columns: see Client.counts
        "seconds": seconds,
        "seconds_in_pipeline": round(max(0.0, seconds - waited), 3),
        "cursor_before": min((tally.cursor_before for tally in totals if tally.cursor_before), key=to_ms, default=None),
        "cursor_after": min((tally.cursor_after for tally in totals if tally.cursor_after), key=to_ms, default=None),
        "lag_seconds": max(lags, default=None),
        # of all, or of none
        "complete_until": min(filter(None, complete), key=to_ms, default=None) if all(complete) else None,
        "audited": sum(tally.found.audited for tally in totals),
        "late": late.total(),
        "late_by_age": _by_age(late),
        "vanished": sum(tally.found.vanished for tally in totals),
        "event_types": {name: tally.as_json() for name, tally in tallies.items()},
    }


def row_so_far(
    first: Mapping[str, Any], now: int, tallies: Mapping[str, Tally], requests: Mapping[str, float]
) -> dict[str, Any]:
    """The same row so far, without what is known only when an event type ends. It is saved with
    each checkpoint, so that the next sync can report how far this one came if it is killed.
    """
    row = last_row(first, now, None, tallies, requests)
    return {name: row[name] for name in row if name not in _AT_THE_END} | {"outcome": "interrupted"}


def _by_age(late: Counter[int]) -> dict[str, int]:
    """Late events by the age in days at which they were found, as JSON."""
    return {str(age): number for age, number in sorted(late.items())}


_AT_THE_END = ("seconds_in_pipeline", "lag_seconds", "event_types")


def left_row(state: Mapping[str, Any]) -> dict[str, Any] | None:
    """The row that a state holds: of a sync that was killed, as far as it came, or of one that
    finished but may not have written it. None if the row was written.

    >>> left_row({"version": 5, "event_types": {}})
    """
    row = state.get(SYNC_RUN)
    if not isinstance(row, Mapping) or not all(row.get(name) for name in ("id", "outcome")):
        return None
    return {name: row[name] for name in SCHEMA["columns"] if name in row}


class SyncRun:
    """This sync's row while it runs.

    `left` is the row that the last sync has left in the state, which this one writes. `tallies()`
    are those of the event types so far, and `counts()` is what the client counted.
    """

    def __init__(
        self,
        left: dict[str, Any] | None,
        upsert: Callable[[dict[str, Any]], Any],
        tallies: Callable[[], Mapping[str, Tally]],
        counts: Callable[[], Mapping[str, float]],
    ):
        self._upsert, self._tallies, self._counts = upsert, tallies, counts
        self._row, self._is_finished = left, False

    def begin(self) -> None:
        if self._row is not None:
            self._upsert(self._row)
        self._row = first_row(local_now())
        self._upsert(self._row)

    def so_far(self) -> dict[str, Any] | None:
        """The row to save with the state, or None."""
        if self._row is None or self._is_finished:
            return self._row
        return row_so_far(self._row, local_now(), self._tallies(), self._counts())

    def finish(self, error: str | None) -> bool:
        """Finishes the row, which is still to be written. Returns whether there is one."""
        if self._row is None:
            return False
        self._row = last_row(self._row, local_now(), error, self._tallies(), self._counts())
        self._is_finished = True
        return True

    def write(self) -> None:
        """Writes the finished row; the state need not keep it any more."""
        if self._row is not None:
            self._upsert(self._row)
        self._row = None
