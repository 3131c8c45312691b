"""Lateness: how long after they occurred events become visible. `backdated` and `converting` make a
history late in the two ways that no look-back covers; `latest` joins them. For an order that
reveals events as they come in, use them with `ingested`.
"""

from collections.abc import Callable, Mapping

from simulator.history import History

Delay = Callable[[int, int], int]  # (index, occurred ms) to the ms until an event is visible, or listed


def backdated(every: int, ms: int) -> Delay:
    """Every Nth event is backdated by its sender: it becomes visible `ms` after it occurred.

    >>> late = backdated(3, 86_400_000)
    >>> [late(index, 0) for index in range(6)]
    [0, 0, 86400000, 0, 0, 86400000]
    """
    return lambda index, occurred: ms if (index + 1) % every == 0 else 0


def converting(history: History, every: int, ms: int) -> Delay:
    """Every Nth visitor of a history, in order of first visits, becomes a contact `ms` after the
    first visit. The visits before that moment become visible at it, with their old dates; later
    ones at once. A visitor is an objectId.

    >>> from simulator.history import listed
    >>> days = (1, 2, 5, 9)
    >>> visits = listed({"id": str(day), "objectId": "7", "occurredAt": f"2026-01-0{day}"} for day in days)
    >>> late = converting(visits, every=1, ms=4 * 86_400_000)
    >>> [late(index, visits.time(index)) // 86_400_000 for index in range(len(visits))]
    [4, 3, 0, 0]
    """
    first: dict[str, int] = {}  # a visitor's first visit
    converts: set[str] = set()
    delays: dict[int, int] = {}
    for i in range(history.undated, len(history)):
        visitor, occurred = _visitor(history, i), history.time(i)
        if visitor and visitor not in first:
            first[visitor] = occurred
            converts |= {visitor} if len(first) % every == 0 else set()
        if visitor in converts and first[visitor] + ms > occurred:
            delays[i] = first[visitor] + ms - occurred
    return lambda index, occurred: delays.get(index, 0)


def latest(*delays: Delay) -> Delay:
    """The latest of several delays of the same event.

    >>> late = latest(backdated(2, 500), backdated(3, 900))
    >>> [late(index, 0) for index in range(6)]
    [0, 500, 900, 500, 0, 900]
    """
    return lambda index, occurred: max(delay(index, occurred) for delay in delays)


def delay_of(late: Delay | Mapping[str, Delay] | None, event_type: str) -> Delay | None:
    """The delay of an event type's events: `late` itself, or what it maps the type to."""
    return late.get(event_type) if isinstance(late, Mapping) else late


def _visitor(history: History, i: int) -> str:
    """The objectId of event i; empty if it has none."""
    event = history.event(i)
    return str(event.get("objectId", "")) if isinstance(event, dict) else ""
