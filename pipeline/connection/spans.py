"""The time ranges of an event type to read, and how its progress changes when one is delivered."""

from dataclasses import replace

from pipeline.connection.state import Progress
from pipeline.timestamps import Span, to_ms, to_text


def main_span(progress: Progress, start: int, lookback: int, now: int) -> Span:
    """The time range from the cursor on, for the configured start (ms) and look-back (ms); `now` is
    the earlier clock (ms).

    After a complete sync, the last `lookback` ms are read again, since events become visible late.
    An interrupted sync resumes at its cursor. `read_at` is capped at `now`, in case the clock was
    wrong.

    >>> main_span(Progress(), 5000, 0, now=90_000)
    (5000, None)
    >>> caught_up = Progress(occurred="1970-01-01T00:01:00Z", read_at="1970-01-01T00:01:10Z")
    >>> main_span(caught_up, 5000, lookback=30_000, now=90_000)
    (40000, None)
    """
    if progress.occurred is None:
        return start, None
    resume = to_ms(progress.occurred)
    if progress.read_at is not None:
        resume = min(resume, min(to_ms(progress.read_at), now) - lookback)
    return max(resume, start), None


def gap_span(progress: Progress, start: int) -> tuple[int, int] | None:
    """The gap that a start date (ms) moved earlier leaves to read, or None.

    >>> gap_span(Progress("1970-01-01T00:00:09Z", start_date="1970-01-01T00:00:05Z"), 2000)
    (2000, 5000)
    """
    if progress.occurred is None or progress.start_date is None or start >= to_ms(progress.start_date):
        return None
    begin = max(start, to_ms(progress.gap_occurred or "1970-01-01")) if _is_resumable(progress, start) else start
    return begin, to_ms(progress.start_date)


def begins_earlier(progress: Progress, start: int) -> bool:
    """Whether the start (ms) was moved earlier after syncs that found nothing.

    >>> begins_earlier(Progress(start_date="1970-01-01T00:00:05Z"), 2000)
    True
    """
    before = progress.start_date
    return progress.occurred is None and before is not None and start < to_ms(before)


def resumed_since(progress: Progress, start: int) -> int | None:
    """Where the interrupted sync had started (ms); None if none was interrupted.

    >>> resumed_since(Progress("1970-01-01T00:00:09Z", read_at="1970-01-01T00:01:00Z"), 5000)
    5000
    >>> resumed_since(Progress("1970-01-01T00:00:09Z", "1970-01-01T00:01:00Z", finished_at="1970-01-01T00:01:00Z"), 5000)
    """
    if progress.occurred is None or progress.read_at is None:
        return None
    if progress.finished_at is None:
        return start
    finished = to_ms(progress.finished_at)
    return max(start, finished) if to_ms(progress.read_at) != finished else None


def delivered_until(progress: Progress) -> str | None:
    """The moment up to which everything is delivered: the last complete sync, or the cursor if that
    is later.

    >>> delivered_until(Progress("1970-01-01T00:00:09Z", finished_at="1970-01-01T00:01:00Z"))
    '1970-01-01T00:01:00Z'
    """
    return max(filter(None, (progress.occurred, progress.finished_at)), key=to_ms, default=None)


def advance(progress: Progress, start: int, occurred: int, read_at: int) -> Progress:
    """The progress when everything up to `occurred` (ms) is delivered by a sync that began at
    `read_at` (ms).

    The cursor never moves back: before it, within the look-back, nothing changes.
    """
    if progress.occurred is not None and occurred < to_ms(progress.occurred):
        return progress
    return replace(
        progress, occurred=to_text(occurred), read_at=to_text(read_at), start_date=_start_date(progress, start)
    )


def finish(progress: Progress, start: int, read_at: int) -> Progress:
    """The progress when a sync that began at `read_at` (ms) has read everything there was."""
    at = to_text(read_at)
    return replace(progress, read_at=at, start_date=_start_date(progress, start), finished_at=at)


def advance_gap(progress: Progress, start: int, occurred: int) -> Progress:
    """The progress when the gap after `start` (ms) is delivered up to `occurred` (ms); it never
    moves back either.
    """
    if not _is_resumable(progress, start):
        return replace(progress, gap_start=to_text(start), gap_occurred=to_text(occurred))
    if occurred < to_ms(progress.gap_occurred or ""):
        return progress
    return replace(progress, gap_occurred=to_text(occurred))


def finish_gap(progress: Progress, start: int) -> Progress:
    """The progress when the whole gap after `start` (ms) is delivered."""
    start_date = progress.gap_start if _is_resumable(progress, start) else to_text(start)
    return replace(progress, start_date=start_date, gap_start=None, gap_occurred=None)


def again_span(progress: Progress, start: int) -> Span | None:
    """The time range to read again by request, without what lies before the configured start (ms);
    None if there is none.

    >>> again_span(Progress(again_from="1970-01-01", again_to="1970-01-01T00:00:09Z"), 5000)
    (5000, 9000)
    """
    if progress.again_from is None or progress.again_to is None:
        return None
    begin, end = max(start, to_ms(progress.again_from)), to_ms(progress.again_to)
    return (begin, end) if begin < end else None


def advance_again(progress: Progress, occurred: int) -> Progress:
    """The progress when what is read again is delivered up to `occurred` (ms)."""
    return replace(progress, again_from=to_text(max(occurred, to_ms(progress.again_from or "1970-01-01"))))


def finish_again(progress: Progress) -> Progress:
    """The progress when all of it is delivered."""
    return replace(progress, again_from=None, again_to=None)


def _is_resumable(progress: Progress, start: int) -> bool:
    """Whether the delivered part of the gap reaches the configured start, so that reading can
    resume after it.
    """
    if progress.gap_start is None or progress.gap_occurred is None:
        return False
    return to_ms(progress.gap_start) <= start <= to_ms(progress.gap_occurred)


def _start_date(progress: Progress, start: int) -> str:
    """Where the delivered range begins. A start date moved past the cursor begins a new one."""
    kept = progress.start_date
    if kept is None or progress.occurred is None or to_ms(progress.occurred) < start:
        return to_text(start)
    return kept
