"""The shape of an event is the names in it, without the values: what depends on nothing else is
worked out once for each.
"""

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import TypeVar

from pipeline.names.columns import Path

Names = tuple[Path, ...]
Plan = TypeVar("Plan")


def by_shape(
    plan_for: Callable[[Names, Names], Plan],
) -> Callable[[Iterable[Path], Iterable[Path]], Plan]:
    """The same function of the paths of an event's own fields and those of its properties, called
    once for each shape: it remembers 512 of them, and compares first with the shape of the event
    before, which most have.

    >>> names = by_shape(lambda own, properties: print("a new shape") or own + properties)
    >>> names(["id"], ["hs_url"]), names(["id"], ["hs_url"])
    a new shape
    (('id', 'hs_url'), ('id', 'hs_url'))
    """
    remembered = lru_cache(maxsize=512)(plan_for)
    last: tuple[tuple[list[Path], list[Path]], Plan] | None = None

    def plan_of(own: Iterable[Path], properties: Iterable[Path]) -> Plan:
        nonlocal last  # read once and written once, or another thread might come between
        shape, before = (list(own), list(properties)), last
        if before is not None and before[0] == shape:
            return before[1]
        plan = remembered(*map(tuple, shape))
        last = shape, plan
        return plan

    return plan_of
