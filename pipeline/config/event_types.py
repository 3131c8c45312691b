"""Which event types names and patterns select among those of the account."""

import re
from collections.abc import Callable, Collection, Iterable
from fnmatch import fnmatchcase
from typing import NamedTuple

from pipeline.names.patterns import is_pattern, nearest

NONE_SELECTED = "event_types selects none of this account's event types."


class Selection(NamedTuple):
    """The event types to sync, the patterns that match none, and the names that the account does
    not know.
    """

    names: tuple[str, ...]
    unmatched: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


def needs_list(items: Iterable[str]) -> bool:
    """Whether the account's list is needed to know the event types.

    >>> needs_list(("e_visited_page", "!pe*")), needs_list(("pe*_signup",))
    (False, True)
    """
    return any(is_pattern(item) for item in items if not item.startswith("!"))


def select_asking(items: Collection[str], ask: Callable[[], Collection[str]]) -> Selection:
    """The event types that `items` select among the account's, which `ask` returns: it is called
    only if there are patterns.

    >>> select_asking(("e_a",), lambda: print("asked")).names
    ('e_a',)
    """
    return select(items, ask() if needs_list(items) else None)


def select(items: Iterable[str], known: Collection[str] | None = None) -> Selection:
    """The event types that names, patterns and exclusions (!) select among those an account knows;
    `known` None: only by name.

    >>> select(("e_a", "pe*", "!pe1_*", "ae*", "e_x"), ("e_a", "pe1_b", "pe2_c"))
    Selection(names=('e_a', 'pe2_c'), unmatched=('ae*',), unknown=('e_x',))
    >>> select(("e_a", "pe*")).names
    ('e_a',)
    """
    items = tuple(items)
    excluded = [item[1:] for item in items if item.startswith("!")]
    wanted = [item for item in items if not item.startswith("!")]
    patterns = [item for item in wanted if is_pattern(item)]
    plain = [item for item in wanted if not is_pattern(item)]
    found = {pattern: [name for name in known or () if fnmatchcase(name, pattern)] for pattern in patterns}
    names = dict.fromkeys(name for item in wanted for name in found.get(item, [item]))
    names = {name: None for name in names if not any(fnmatchcase(name, pattern) for pattern in excluded)}
    unknown = [name for name in plain if known is not None and name not in known and name in names]
    return Selection(
        tuple(name for name in names if name not in unknown),
        tuple(pattern for pattern, matches in found.items() if known is not None and not matches),
        tuple(unknown),
    )


def unknown_event_type_message(name: str, known: Collection[str]) -> str:
    """A sentence about a name that the account does not know, with the nearest that it knows.

    >>> unknown_event_type_message("e_visited_pag", ["e_visited_page", "e_clicked_link"])
    "event_types: HubSpot knows no event type 'e_visited_pag' in this account; the nearest is e_visited_page."
    >>> [unknown_event_type_message("signup", known).partition("; ")[2] for known in (["pe123_signup"], ["e_a"], [])]
    ['the nearest is pe123_signup.', 'none of the 1 that it knows is near.', 'it lists none.']
    """
    by_label: dict[str, list[str]] = {}
    for each in sorted(known):
        by_label.setdefault(_label(each), []).append(each)
    near = nearest(_label(name), by_label, count=3)
    names = [each for label in near for each in by_label[label]][:3]
    verb = "is" if len(names) == 1 else "are"
    none = f"none of the {len(known)} that it knows is near" if known else "it lists none"
    hint = f"the nearest {verb} {', '.join(names)}" if names else none
    return f"event_types: HubSpot knows no event type {name!r} in this account; {hint}."


def _label(name: str) -> str:
    """The part of an event type's name that a person chose: a prefix such as pe123_ says whose it
    is.
    """
    return re.sub(r"^(e|[ap]e\d*)_", "", name.lower())
