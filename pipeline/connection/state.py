"""The saved state: read (older shapes too) and written. Its shape is a contract: docs/state.md
describes each field.

A state of an older version is migrated by one function per version.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from pipeline.errors import StateError
from pipeline.names.tables import EVENT_PROPERTY, SYNC_RUN
from pipeline.timestamps import to_ms

VERSION = 5
REFUSED, LOOKS = "refused", "looks"
# the one table of the published example, whose state was {"start_date": …}
EXAMPLE_EVENT_TYPE = "e_visited_page"
KEYS = (*("version", "event_types", "api_base_url", "under_way"), *(REFUSED, LOOKS, EVENT_PROPERTY, SYNC_RUN))

# The last resort, and first what it costs.
RESYNC = (
    "if every row that HubSpot does not send again may be marked as deleted, re-sync the connection "
    "(locally: fivetran reset, which deletes the folder files)"
)

# A state of a later version, and sentences on what that changes.
Migrated = tuple[dict[str, Any], list[str]]


@dataclass(frozen=True)
class Progress:
    """How far one event type has been delivered. Moments are ISO 8601 text, as they are saved.

    `occurred` is the cursor: everything from `start_date` up to it is delivered. `read_at` is when
    the sync began that read up to it, by the earlier clock. A start date moved earlier leaves a gap
    before `start_date`, of which `gap_start` up to `gap_occurred` is delivered. `finished_at` is
    when a sync last read everything. `fingerprint` is that of the settings under which the cursor
    was made (Settings.fingerprint; None: the defaults). `ledger` counts what was delivered, for the
    looks (audits/text.py); a sync that began at `silent_at` found only silence after it, and up to
    `silent_until` two have, a day apart. `again_from` up to `again_to` is delivered, and is read
    again by request (commands/read_again.py).
    """

    occurred: str | None = None
    read_at: str | None = None
    start_date: str | None = None
    gap_start: str | None = None
    gap_occurred: str | None = None
    finished_at: str | None = None
    fingerprint: str | None = None
    ledger: str | None = None
    silent_at: str | None = None
    silent_until: str | None = None
    again_from: str | None = None
    again_to: str | None = None


FIELDS = tuple(field.name for field in fields(Progress))


def progress_by_type(state: Mapping[str, Any]) -> dict[str, Progress]:
    """The Progress of every event type in a state of this version, those no longer configured
    included.

    Raises StateError if one is broken: guessing would lose events.

    >>> progress_by_type({"version": 5, "event_types": {"e_a": {"occurred": "2026-05-21T01:36:04.329Z"}}})["e_a"].occurred
    '2026-05-21T01:36:04.329Z'
    """
    return {name: _read_progress(name, saved) for name, saved in state["event_types"].items()}


def read_under_way(state: Mapping[str, Any]) -> str | None:
    """The event type that was under way when the state was saved, None if none was.

    >>> read_under_way({"version": 5, "event_types": {}, "under_way": "pe1_signup"})
    'pe1_signup'
    """
    under_way = state.get("under_way")
    return under_way if isinstance(under_way, str) else None


def state_dict(
    progress: Mapping[str, Progress],
    under_way: str | None = None,
    api_base_url: str | None = None,
    refused: Mapping[str, Any] | None = None,
    sync_run: Mapping[str, Any] | None = None,
    looks: Mapping[str, Any] | None = None,
    event_property: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The state to save, without unset fields. `api_base_url` is where the cursors were made,
    `refused` what Refusals keeps, `sync_run` the row of a sync that has not ended, `looks` what
    Diary keeps, `event_property` when the definitions were last read, and a digest of that table.

    >>> state_dict({"e_visited_page": Progress(occurred="2026-05-21T01:36:04.329Z")})
    {'version': 5, 'event_types': {'e_visited_page': {'occurred': '2026-05-21T01:36:04.329Z'}}}
    """
    return {
        "version": VERSION,
        "event_types": {name: {k: v for k, v in vars(p).items() if v is not None} for name, p in progress.items()},
        **({} if api_base_url is None else {"api_base_url": api_base_url}),
        **({} if under_way is None else {"under_way": under_way}),
        **({} if refused is None else {REFUSED: refused}),
        **({} if looks is None else {LOOKS: looks}),
        **({EVENT_PROPERTY: event_property} if event_property else {}),
        **({} if sync_run is None else {SYNC_RUN: sync_run}),
    }


def migrate(state: Mapping[str, Any]) -> Migrated:
    """Any state as one of this version, and a sentence on each thing that changes or is left out.

    Raises StateError for a state that is broken or was written by a newer version: guessing would
    lose events.

    >>> migrate({"version": 1, "event_types": {"e_a": {"occurred": "2026-05-21", "rest": {}}}})[0]
    {'version': 5, 'event_types': {'e_a': {'occurred': '2026-05-21'}}}
    """
    current, version = dict(state), _version_of(state)
    sentences: list[str] = []
    while version < VERSION:
        current, said = MIGRATIONS[version](current)
        version = current["version"]
        sentences += said
    unknown = [str(key) for key in current if key not in KEYS]
    unknown += [
        f"{key} of {name}" for name, saved in current["event_types"].items() for key in saved if key not in FIELDS
    ]
    if unknown:
        sentences.append(
            f"The saved state holds what this version does not know and leaves out: {', '.join(unknown)[:500]}."
        )
    return current, sentences


def _version_of(state: Mapping[str, Any]) -> int:
    if not state or set(state) == {"start_date"}:
        return 0
    version, event_types = state.get("version"), state.get("event_types")
    if type(version) is int and version > VERSION:
        raise StateError(
            f"The saved state has version {version}, this connector knows up to {VERSION}: a newer "
            f"connector wrote it. Deploy that one again, or, {RESYNC}."
        )
    if type(version) is not int or version < 1 or not isinstance(event_types, Mapping):
        raise _broken("it has no version and event_types")
    if version < VERSION and version not in MIGRATIONS:
        raise _broken(f"its version, {version}, was never released")
    for key in ("api_base_url", "made_against"):
        if not isinstance(state.get(key), (str, type(None))):
            raise _broken(f"{key} is not a string")
    for name, saved in event_types.items():
        if not isinstance(saved, Mapping):
            raise _broken(f"{name!r} is not an object")
    return version


def _from_example(state: dict[str, Any]) -> Migrated:
    """The state of the published example, {"start_date": …} (or none at all), as version 1."""
    if not state:
        return {"version": 1, "event_types": {}}, []
    date = state["start_date"]
    return {"version": 1, "event_types": {EXAMPLE_EVENT_TYPE: {"occurred": date}}}, [
        f"The state of the published example is taken over: what occurred before {str(date)[:60]} "
        f"counts as delivered. To read it all the same: python -m pipeline read-again "
        f"{EXAMPLE_EVENT_TYPE} (docs/state.md)."
    ]


def _from_version_1(state: dict[str, Any]) -> Migrated:
    """Version 1 could hold a page cursor, `rest`, inside one moment. Resuming there would miss what
    has become visible since, so that moment is read again from its start, which `occurred` holds.
    Nothing that version 1 delivered was counted.
    """
    event_types = {
        name: _renamed({k: v for k, v in saved.items() if k != "rest"}) for name, saved in state["event_types"].items()
    }
    names = [name for name, saved in state["event_types"].items() if saved.get("rest") is not None]
    types = ", ".join(names)[:500]
    said = [
        (f"Version 1.0.0's page cursors are no longer used. The second each one was in is read again for: {types}.")
    ]
    return _renamed(state) | {"version": VERSION, "event_types": event_types}, said if names else []


def _renamed(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of version 1 under their new names. Where a field of the new name stands beside
    the old one, version 1 did not know it: it is reported as unknown.
    """
    news = {"made_under": "fingerprint", "made_against": "api_base_url"}
    olds = {new: old for old, new in news.items() if old in fields}
    return {f"{key} (beside {olds[key]})" if key in olds else news.get(key, key): fields[key] for key in fields}


def _from_version_4(state: dict[str, Any]) -> Migrated:
    """What version 4 counted (`stretches`) can no longer be read, so what it delivered is delivered
    again: an empty ledger says that the count is lost.
    """
    event_types = {
        name: {key: value for key, value in saved.items() if key not in ("stretches", "ledger")}
        | ({"ledger": ""} if "stretches" in saved else {})
        for name, saved in state["event_types"].items()
    }
    return {**state, "version": VERSION, "event_types": event_types}, []


# From each version that was released, or is in use, to a later one.
MIGRATIONS: dict[int, Callable[[dict[str, Any]], Migrated]] = {0: _from_example, 1: _from_version_1, 4: _from_version_4}


def _read_progress(name: str, saved: Mapping[str, Any]) -> Progress:
    known = {field: saved.get(field) for field in FIELDS}
    fingerprint, ledger = known.pop("fingerprint"), known.pop("ledger")
    for key, text in known.items():
        try:
            if text is not None:
                to_ms(text)
        except (ValueError, TypeError):
            raise _broken(f"{key} of {name!r} is not an ISO 8601 date: {str(text)[:60]!r}") from None
    if fingerprint is not None and not isinstance(fingerprint, str):
        raise _broken(f"fingerprint of {name!r} is not a string")
    if ledger is not None and not isinstance(ledger, str):
        raise _broken(f"ledger of {name!r} is not a string")
    return Progress(**known, fingerprint=fingerprint, ledger=ledger)


def _broken(why: str) -> StateError:
    return StateError(f"The saved state cannot be used: {why}. Put back the state of the last good sync, or, {RESYNC}.")
