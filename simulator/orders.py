"""The order of a query's events, and the events after a cursor's position in it.

A position is a key, not a number of events, so events that appear, disappear or change during a
walk do not move it.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain

from simulator.cursor import Position
from simulator.history import History
from simulator.lateness import Delay
from simulator.values import mix

Key = tuple[int, int, int]  # rank, time, tie


def events_after(
    history: History, window: range, order: str, position: Position | None, delay: Delay | None, pages: int
) -> Iterable[int]:
    """The events after a position (None: all), in order: those of the window, and those without a
    readable time.

    "ingested" is by the time when an event is listed, `delay` after it occurred; "breaking" is
    ascending for that many `pages` of a walk, and then shuffles the rest.
    """
    if order == "breaking":
        return _breaking(history, window, position, pages)
    if order == "ascending":
        return _ascending(history, window, (position.millis, position.tie) if position else None)
    if order == "descending":
        return _descending(history, window, position)
    numbers, keys = _sorted_by_key(history, order, delay)
    start = bisect_right(keys, (position.rank, position.millis, position.tie)) if position else 0
    return (i for i in numbers[start:] if i < history.undated or i in window)


def rank(history: History, order: str, delay: Delay | None, i: int) -> int:
    """What an order puts before time and tie in the key of event i."""
    ms = history.time(i)
    if order == "ingested":
        return ms + delay(i, ms) if delay and i >= history.undated else ms
    return mix(ms * 31 + history.tie(i)) if order in ("shuffled", "breaking") else 0


def _ascending(history: History, window: range, after: tuple[int, int] | None) -> Iterable[int]:
    start = history.rank(after[0], after[1] + 1) if after else 0
    return chain(range(start, history.undated), range(max(start, window.start), window.stop))


def _descending(history: History, window: range, position: Position | None) -> Iterable[int]:
    stop = history.rank(position.millis, position.tie) if position else len(history)
    dated, undated = range(window.start, min(stop, window.stop)), range(min(stop, history.undated))
    return chain(reversed(dated), reversed(undated))


def _breaking(history: History, window: range, position: Position | None, pages: int) -> Iterable[int]:
    """Ascending up to the position where the order breaks; what follows it, shuffled."""
    if position is None or position.walked < pages:
        return _ascending(history, window, (position.millis, position.tie) if position else None)
    rest = _ascending(history, window, position.floor if position.walked > pages else (position.millis, position.tie))
    keys = sorted((_key(history, "shuffled", None, i), i) for i in rest)
    done = (position.rank, position.millis, position.tie) if position.walked > pages else None
    return [i for key, i in keys if done is None or key > done]


@lru_cache(maxsize=8)
def _sorted_by_key(history: History, order: str, delay: Delay | None) -> tuple[Sequence[int], Sequence[Key]]:
    """All events of a history in an order, and their keys."""
    keys = [_key(history, order, delay, i) for i in range(len(history))]
    numbers = sorted(range(len(history)), key=keys.__getitem__)
    return numbers, [keys[i] for i in numbers]


def _key(history: History, order: str, delay: Delay | None, i: int) -> Key:
    return rank(history, order, delay, i), history.time(i), history.tie(i)
