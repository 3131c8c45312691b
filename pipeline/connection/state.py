"""The saved cursors: read (older shapes too), moved forward, written. The shape is a contract: docs/state.md has each field.

A state of another version is brought to this one by one function a version, so a version 3 is one more function.
"""
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from pipeline.errors import StateError
from pipeline.moments import DAY, to_ms, to_text

VERSION = 2
EXAMPLE_EVENT_TYPE = "e_visited_page"  # the one table of the published example, whose state was {"start_date": …}
KEYS = ("version", "event_types", "made_against", "under_way", "sync_run")

Span = tuple[int, "int | None"]  # half-open, milliseconds UTC; None: up to now and beyond
Migrated = tuple[dict[str, Any], list[str]]  # a state of the next version, and what a person should know of the change


@dataclass(frozen=True)
class Progress:
    """How far one event type has been delivered. Moments are ISO 8601 text, as they are saved.

    `occurred` is the cursor: everything from `start_date` up to it is delivered. `read_at` is when the sync began that read up
    to it, by the earlier of HubSpot's clock and this machine's. A start date moved earlier leaves a gap before `start_date`: of
    that, `gap_start` up to `gap_occurred` is delivered. `deep_read_at` is when the deep re-read was last done, `finished_at` when
    a sync last read everything there was. `made_under` is what else the cursor depends on (Settings.made_under; None: defaults).
    """

    occurred: str | None = None
    read_at: str | None = None
    start_date: str | None = None
    gap_start: str | None = None
    gap_occurred: str | None = None
    deep_read_at: str | None = None
    finished_at: str | None = None
    made_under: str | None = None


FIELDS = tuple(field.name for field in fields(Progress))


def read_state(state: Mapping[str, Any]) -> dict[str, Progress]:
    """The Progress of every event type the state knows, also of those no longer configured.

    Raises StateError for a state that is broken or written by a newer version: guessing would lose events.

    >>> read_state({"start_date": "2026-05-21T01:36:04.329Z"})["e_visited_page"].occurred
    '2026-05-21T01:36:04.329Z'
    """
    current, _ = migrate(state)
    return {name: _read_progress(name, saved) for name, saved in current["event_types"].items()}


def read_under_way(state: Mapping[str, Any]) -> str | None:
    """The event type that was under way when the state was saved, None if none was.

    >>> read_under_way({"version": 2, "event_types": {}, "under_way": "pe1_signup"})
    'pe1_signup'
    """
    under_way = state.get("under_way")
    return under_way if isinstance(under_way, str) else None


def write_state(
    progress: Mapping[str, Progress],
    under_way: str | None = None,
    made_against: str | None = None,
) -> dict[str, Any]:
    """The state as it is saved, what is unset left out. `made_against` is the base URL of the account that was read.

    >>> write_state({"e_visited_page": Progress(occurred="2026-05-21T01:36:04.329Z")})
    {'version': 2, 'event_types': {'e_visited_page': {'occurred': '2026-05-21T01:36:04.329Z'}}}
    """
    return {
        "version": VERSION,
        "event_types": {name: {k: v for k, v in vars(p).items() if v is not None} for name, p in progress.items()},
        **({} if made_against is None else {"made_against": made_against}),
        **({} if under_way is None else {"under_way": under_way}),
    }


def migrate(state: Mapping[str, Any]) -> Migrated:
    """Any state as one of this version, and a sentence on each thing that this changes or leaves out. Raises as read_state does.

    >>> migrate({"version": 1, "event_types": {"e_a": {"occurred": "2026-05-21", "rest": {}}}})[0]
    {'version': 2, 'event_types': {'e_a': {'occurred': '2026-05-21'}}}
    """
    current, version = dict(state), _version_of(state)
    sentences: list[str] = []
    for step in MIGRATIONS[version:]:
        current, said = step(current)
        sentences += said
    unknown = [str(key) for key in current if key not in KEYS]
    unknown += [f"{key} of {name}" for name, saved in current["event_types"].items() for key in saved if key not in FIELDS]
    if unknown:
        sentences.append(f"The saved state holds what this version does not know and leaves out: {', '.join(unknown)[:500]}.")
    return current, sentences


def _version_of(state: Mapping[str, Any]) -> int:
    if not state or set(state) == {"start_date"}:
        return 0
    version, event_types = state.get("version"), state.get("event_types")
    if type(version) is int and version > VERSION:
        raise StateError(
            f"The saved state has version {version}, this connector knows up to {VERSION}: a newer connector wrote it. "
            "Deploy that one again, or re-sync the connection from the start (locally: fivetran reset)."
        )
    if type(version) is not int or version < 1 or not isinstance(event_types, Mapping):
        raise _broken("it has no version and event_types")
    if not isinstance(state.get("made_against"), (str, type(None))):
        raise _broken("made_against is no text")
    for name, saved in event_types.items():
        if not isinstance(saved, Mapping):
            raise _broken(f"{name!r} is no object")
    return version


def _from_example(state: dict[str, Any]) -> Migrated:
    """The state of the published example, {"start_date": …} (or none at all), as version 1."""
    if not state:
        return {"version": 1, "event_types": {}}, []
    date = state["start_date"]
    return {"version": 1, "event_types": {EXAMPLE_EVENT_TYPE: {"occurred": date}}}, [
        f"The state of the published example is taken over: what occurred before {str(date)[:60]} counts as delivered. To "
        "read it all the same, re-sync the connection from the start (locally: fivetran reset); see docs/moving.md."
    ]


def _from_version_1(state: dict[str, Any]) -> Migrated:
    """Version 1 could hold a page cursor, `rest`, that led on inside one moment. What has become visible there since would be
    missed, so the moment is read again from its start, which `occurred` tells."""
    event_types = {name: {k: v for k, v in saved.items() if k != "rest"} for name, saved in state["event_types"].items()}
    names = [name for name, saved in state["event_types"].items() if saved.get("rest") is not None]
    said = [f"The page cursors that version 1.0.0 saved are given up; that second is read again: {', '.join(names)[:500]}."]
    return {**state, "version": 2, "event_types": event_types}, said if names else []


MIGRATIONS: tuple[Callable[[dict[str, Any]], Migrated], ...] = (_from_example, _from_version_1)  # from version 0, 1, …


def main_span(progress: Progress, start: int, lookback: int, now: int) -> Span:
    """The time range from the cursor on, for the configured start (ms) and look-back (ms); `now` is the earlier clock (ms).

    Events become visible late, so a sync that had come up to its own now reads the last `lookback` ms again; one that was
    interrupted in old years goes on exactly where it was. A sync that began after now had a wrong clock.

    >>> main_span(Progress(), 5000, 0, now=90_000)
    (5000, None)
    >>> done = Progress(occurred="1970-01-01T00:01:00Z", read_at="1970-01-01T00:01:10Z")
    >>> main_span(done, 5000, lookback=30_000, now=90_000)
    (40000, None)
    """
    if progress.occurred is None:
        return start, None
    resume = to_ms(progress.occurred)
    if progress.read_at is not None:
        resume = min(resume, min(to_ms(progress.read_at), now) - lookback)
    return max(resume, start), None


def gap_span(progress: Progress, start: int) -> Span | None:
    """What a start date (ms) moved earlier leaves to read, None if nothing.

    >>> gap_span(Progress("1970-01-01T00:00:09Z", start_date="1970-01-01T00:00:05Z"), 2000)
    (2000, 5000)
    """
    if progress.occurred is None or progress.start_date is None or start >= to_ms(progress.start_date):
        return None
    begin = max(start, to_ms(progress.gap_occurred or "1970-01-01")) if _goes_on(progress, start) else start
    return begin, to_ms(progress.start_date)


def advance(progress: Progress, start: int, occurred: int, read_at: int) -> Progress:
    """The progress when everything up to `occurred` (ms) is delivered by a sync that began at `read_at` (ms).

    The cursor never moves back: behind it, in the look-back, nothing changes.
    """
    if progress.occurred is not None and occurred < to_ms(progress.occurred):
        return progress
    start_date = _start_date(progress, start)
    return replace(progress, occurred=to_text(occurred), read_at=to_text(read_at), start_date=start_date)


def finish(progress: Progress, start: int, read_at: int) -> Progress:
    """The progress when a sync that began at `read_at` (ms) has read everything, new or not."""
    at = to_text(read_at)
    return replace(progress, read_at=at, start_date=_start_date(progress, start), finished_at=at)


def deep_span(progress: Progress, start: int, days: int, now: int) -> Span | None:
    """What the deep re-read reads at `now` (ms): the last `days` (ms) before the cursor, if a sync has come up to its own now
    and a day has passed since the last one.

    >>> deep_span(Progress("1970-01-05T00:00:00Z", read_at="1970-01-05T00:00:00Z"), 0, 2 * DAY, 4 * DAY)
    (172800000, 345600000)
    """
    if not days or progress.occurred is None or progress.read_at is None:
        return None
    if progress.deep_read_at is not None and 0 <= now - to_ms(progress.deep_read_at) < DAY:
        return None
    span = max(start, now - days), to_ms(progress.occurred)
    return span if span[0] < span[1] else None


def finish_deep(progress: Progress, read_at: int) -> Progress:
    """The progress when the deep re-read that began at `read_at` (ms) is done."""
    return replace(progress, deep_read_at=to_text(read_at))


def advance_gap(progress: Progress, start: int, occurred: int) -> Progress:
    """The progress when the gap behind `start` (ms) is delivered up to `occurred` (ms); it never moves back either."""
    if not _goes_on(progress, start):
        return replace(progress, gap_start=to_text(start), gap_occurred=to_text(occurred))
    if occurred < to_ms(progress.gap_occurred or ""):
        return progress
    return replace(progress, gap_occurred=to_text(occurred))


def finish_gap(progress: Progress, start: int) -> Progress:
    """The progress when the gap behind `start` (ms) is delivered: there is none any more."""
    start_date = progress.gap_start if _goes_on(progress, start) else to_text(start)
    return replace(progress, start_date=start_date, gap_start=None, gap_occurred=None)


def _goes_on(progress: Progress, start: int) -> bool:
    """Whether what is delivered of the gap reaches the configured start, so that reading can go on behind it."""
    if progress.gap_start is None or progress.gap_occurred is None:
        return False
    return to_ms(progress.gap_start) <= start <= to_ms(progress.gap_occurred)


def _start_date(progress: Progress, start: int) -> str:
    """From when on everything up to the cursor is delivered: a start date moved behind the cursor left a hole there."""
    kept = progress.start_date
    if kept is None or progress.occurred is None or to_ms(progress.occurred) < start:
        return to_text(start)
    return kept


def _read_progress(name: str, saved: Mapping[str, Any]) -> Progress:
    known = {field: saved.get(field) for field in FIELDS}
    made_under = known.pop("made_under")
    for key, text in known.items():
        try:
            if text is not None:
                to_ms(text)
        except (ValueError, TypeError):
            raise _broken(f"{key} of {name!r} is no ISO 8601 date: {str(text)[:60]!r}") from None
    if made_under is not None and not isinstance(made_under, str):
        raise _broken(f"made_under of {name!r} is no text")
    return Progress(**known, made_under=made_under)


def _broken(why: str) -> StateError:
    return StateError(
        f"The saved state cannot be used: {why}. Put back the state of the last good sync, or re-sync the connection from "
        "the start (locally: fivetran reset)."
    )
