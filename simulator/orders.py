"""Orders: how a query's events follow one another, and where in that a cursor's place lies.

A place is a key, never a number of events, so that what appears, goes or changes during a walk moves nothing else.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import chain

from simulator.cursor import Place
from simulator.history import History
from simulator.visits import mix

ORDERS = ("ascending", "descending", "shuffled", "ingested", "breaking")
Delay = Callable[[int, int], int]
Key = tuple[int, int, int]  # what the order goes by, then time and tie


def following(
    history: History, window: range, order: str, place: Place | None, delay: Delay | None, pages: int
) -> Iterable[int]:
    """The events behind a place (None: all) in their order: those of the window, and those that have no readable time.

    "ingested" goes by the time when an event is listed, `delay` ms (index, occurred ms) after it occurred; "breaking" is
    ascending for so many `pages` of a walk, and shuffles what is left then.
    """
    if order == "breaking":
        return _breaking(history, window, place, pages)
    if order == "ascending":
        return _ascending(history, window, (place.millis, place.tie) if place else None)
    if order == "descending":
        return _descending(history, window, place)
    numbers, keys = _listing(history, order, delay)
    start = bisect_right(keys, (place.lead, place.millis, place.tie)) if place else 0
    return (i for i in numbers[start:] if i < history.always or i in window)


def lead(history: History, order: str, delay: Delay | None, i: int) -> int:
    """What comes before time and tie in the key of event i."""
    ms = history.time(i)
    if order == "ingested":
        return ms + delay(i, ms) if delay and i >= history.always else ms
    return mix(ms * 31 + history.tie(i)) if order in ("shuffled", "breaking") else 0


def _ascending(history: History, window: range, behind: tuple[int, int] | None) -> Iterable[int]:
    start = history.rank(behind[0], behind[1] + 1) if behind else 0
    return chain(range(start, history.always), range(max(start, window.start), window.stop))


def _descending(history: History, window: range, place: Place | None) -> Iterable[int]:
    stop = history.rank(place.millis, place.tie) if place else len(history)
    within, always = range(window.start, min(stop, window.stop)), range(min(stop, history.always))
    return chain(reversed(within), reversed(always))


def _breaking(history: History, window: range, place: Place | None, pages: int) -> Iterable[int]:
    """Ascending, or from the place on where the order broke, the rest shuffled."""
    if place is None or place.walked < pages:
        return _ascending(history, window, (place.millis, place.tie) if place else None)
    rest = _ascending(history, window, place.floor if place.walked > pages else (place.millis, place.tie))
    keys = sorted((_key(history, "shuffled", None, i), i) for i in rest)
    done = (place.lead, place.millis, place.tie) if place.walked > pages else None
    return [i for key, i in keys if done is None or key > done]


@lru_cache(maxsize=8)
def _listing(history: History, order: str, delay: Delay | None) -> tuple[Sequence[int], Sequence[Key]]:
    """All events of a history in such an order, and their keys."""
    keys = [_key(history, order, delay, i) for i in range(len(history))]
    numbers = sorted(range(len(history)), key=keys.__getitem__)
    return numbers, [keys[i] for i in numbers]


def _key(history: History, order: str, delay: Delay | None, i: int) -> Key:
    return lead(history, order, delay, i), history.time(i), history.tie(i)
