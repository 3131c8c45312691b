"""Changes a saved state so that the next sync reads a range of one event type again."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pipeline.connection.state import migrate, progress_by_type, state_dict
from pipeline.errors import SettingsError
from pipeline.names.tables import EVENT_PROPERTY, SYNC_RUN
from pipeline.timestamps import to_ms, to_text


def read_again(
    state: Mapping[str, Any], event_type: str, begin: str | None = None, end: str | None = None
) -> dict[str, Any]:
    """Returns the state with [begin, end) of one event type (ISO 8601 text) marked to be read
    again; by default, all that is delivered. If a range is marked already, so is what lies between
    the two. Every other event type, and the cursor of this one, stay.

    Raises StateError for a state that cannot be used, SettingsError for an event type or a range
    that it does not hold.

    >>> state = {"version": 4, "event_types": {"e_a": {"occurred": "2026-05-21", "start_date": "2026-01-01"}}}
    >>> read_again(state, "e_a", "2026-02-01", "2026-03-01")["event_types"]["e_a"]["again_to"]
    '2026-03-01T00:00:00.000Z'
    """
    current, _ = migrate(state)
    known = progress_by_type(current)
    progress = known.get(event_type)
    if progress is None or progress.occurred is None:
        delivered = [name for name, each in known.items() if each.occurred]
        raise SettingsError(
            f"The state has no cursor of {event_type!r}, so nothing of it has been delivered. It has "
            f"cursors of: {', '.join(delivered[:10]) or 'none'}"
            f"{' and others' * (len(delivered) > 10)}."
        )
    again_from = _moment("from", begin or progress.gap_start or progress.start_date or "1970-01-01")
    # the next sync reads what is later anyway
    again_to = min(_moment("to", end or progress.occurred), to_ms(progress.occurred))
    if again_from >= again_to:
        raise SettingsError(
            f"There is nothing to read again: {event_type} is delivered up to {progress.occurred}, "
            "and --from must be before that and before --to."
        )
    # asked for earlier, and not read yet
    if progress.again_from is not None and progress.again_to is not None:
        again_from, again_to = (min(again_from, to_ms(progress.again_from)), max(again_to, to_ms(progress.again_to)))
    marked = replace(progress, again_from=to_text(again_from), again_to=to_text(again_to))
    # not what HubSpot refused: it is asked again
    kept = {name: current.get(name) for name in ("under_way", "api_base_url", EVENT_PROPERTY, SYNC_RUN)}
    return state_dict({**known, event_type: marked}, **kept)


def _moment(option: str, text: str) -> int:
    try:
        return to_ms(text)
    except ValueError as error:
        raise SettingsError(f"--{option}: {error}. Write it like 2026-01-31 or 2026-01-31T12:00:00Z, in UTC.") from None
