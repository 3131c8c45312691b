"""A sync's reports in the log: progress while it runs, and a summary at its end."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from pipeline.tables.sync_run import Tally
from pipeline.timestamps import to_text

PROGRESS_SECONDS = 30.0  # at least, between two lines of progress


def throttle(seconds: float, call: Callable[[], Any]) -> Callable[[], None]:
    """A function that calls `call` at most once in `seconds`, the first time after one interval."""
    last = time.monotonic()

    def throttled() -> None:
        nonlocal last
        if time.monotonic() - last >= seconds:
            last = time.monotonic()
            call()

    return throttled


def format_progress(rows: int, seconds: float, since: int, begin: int, cursor: int, end: int) -> str:
    """How far the time range from `since` to `end` (ms) is delivered, of which this sync has read
    `begin` to `cursor` in `seconds`, and an interrupted one what is before. The time left assumes
    that the rest is as full as what was read.

    >>> format_progress(9_000, 60, 0, 1_000_000, 3_000_000, 4_000_000)
    '9,000 rows in 1 min (150/s), up to 1970-01-01T00:50:00.000Z, 75% of the time range, about 30 s left if the rest is similar'
    """
    left = "time left unknown"
    if cursor > begin:
        left = f"about {format_duration(seconds * max(0, end - cursor) / (cursor - begin))} left if the rest is similar"
    rate = f"{format_rows(rows)} in {format_duration(seconds)} ({rows / max(seconds, 0.001):,.0f}/s)"
    return f"{rate}, up to {to_text(cursor)}, {format_share(since, cursor, end)} of the time range, {left}"


def format_share(since: int, cursor: int, end: int) -> str:
    """How much of a time range (ms) lies before the cursor.

    >>> format_share(0, 25, 100)
    '25%'
    """
    return f"{min(1.0, max(0, cursor - since) / max(1, end - since)):.0%}"


def format_waits(seconds: float, hubspot: float, destination: float) -> str:
    """What shares of `seconds` were spent waiting; the rest went into the stages.

    >>> format_waits(60, 6, 51)
    'waiting for HubSpot 10%, for the destination 85%'
    """
    hubspot_share, destination_share = (min(1.0, waited / max(seconds, 0.001)) for waited in (hubspot, destination))
    return f"waiting for HubSpot {hubspot_share:.0%}, for the destination {destination_share:.0%}"


def format_rows(number: int) -> str:
    return f"{number:,} row{'s' * (number != 1)}"


def format_duration(seconds: float) -> str:
    """A duration as people read it.

    >>> format_duration(0.25), format_duration(60), format_duration(4000), format_duration(200_000)
    ('0.2 s', '1 min', '1.1 h', '2.3 days')
    """
    unit, length = next((each for each in (("days", 86_400), ("h", 3600), ("min", 60)) if seconds >= each[1]), ("s", 1))
    return f"{seconds / length:.1f} {unit}".replace(".0 ", " ")


def summary(tallies: Mapping[str, Tally]) -> str:
    """The event types of a sync as a text table. Those without news share one line, and so do those
    that are refused.
    """
    refused = sum(tally.outcome == "refused" for tally in tallies.values())
    news = {name: tally for name, tally in tallies.items() if _has_news(tally)}
    head: tuple[str, ...] = ("event type", "outcome", "rows", "rejected", "pages", "time", "cursor")
    lines = [head]
    for name, tally in news.items():
        numbers = (f"{number:,}" for number in (tally.events, tally.rejected.total(), tally.pages))
        lines.append((name, tally.outcome, *numbers, format_duration(tally.seconds), tally.cursor_after or ""))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    for what, number in (("Nothing new", len(tallies) - len(news) - refused), ("Refused", refused)):
        if number:
            table.append(f"{what}: {number} event type{'s' * (number > 1)}.")
    return "\n".join(table if news else table[1:])


def _has_news(tally: Tally) -> bool:
    """Whether it failed, moved its cursor or rejected an event."""
    return (
        tally.cursor_after != tally.cursor_before
        or bool(tally.rejected)
        or tally.outcome not in ("complete", "refused")
    )
