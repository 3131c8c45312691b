"""Which event types a sync is about: names and patterns held against the account's own list."""
import difflib
from collections.abc import Callable, Collection, Iterable
from fnmatch import fnmatchcase
from typing import NamedTuple

NONE_CHOSEN = "event_types chooses none of this account's event types."


class Chosen(NamedTuple):
    """The event types to sync, the patterns that match none, and the plain names that the account does not know."""

    names: tuple[str, ...]
    idle: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


def is_pattern(item: str) -> bool:
    return "*" in item or "?" in item


def needs_list(items: Iterable[str]) -> bool:
    """Whether the account's list is needed to tell the event types.

    >>> needs_list(("e_visited_page", "!pe*")), needs_list(("pe*_signup",))
    (False, True)
    """
    return any(is_pattern(item) for item in items if not item.startswith("!"))


def choose_asking(items: Collection[str], ask: Callable[[], Collection[str]]) -> Chosen:
    """What `items` choose in an account whose event types `ask` gives; it is asked only where patterns need that.

    >>> choose_asking(("e_a",), lambda: print("asked")).names
    ('e_a',)
    """
    return choose(items, ask() if needs_list(items) else None)


def choose(items: Iterable[str], known: Collection[str] | None = None) -> Chosen:
    """What names, patterns and exclusions (!) choose among the event types an account knows; `known` None: the names alone.

    >>> choose(("e_a", "pe*", "!pe1_*", "ae*", "e_x"), ("e_a", "pe1_b", "pe2_c"))
    Chosen(names=('e_a', 'pe2_c'), idle=('ae*',), unknown=('e_x',))
    >>> choose(("e_a", "pe*")).names
    ('e_a',)
    """
    items = tuple(items)
    excluded = [item[1:] for item in items if item.startswith("!")]
    wanted = [item for item in items if not item.startswith("!")]
    patterns, plain = list(filter(is_pattern, wanted)), [item for item in wanted if not is_pattern(item)]
    found = {pattern: [name for name in known or () if fnmatchcase(name, pattern)] for pattern in patterns}
    names = dict.fromkeys(name for item in wanted for name in found.get(item, [item]))
    names = {name: None for name in names if not any(fnmatchcase(name, pattern) for pattern in excluded)}
    unknown = [name for name in plain if known is not None and name not in known and name in names]
    return Chosen(
        tuple(name for name in names if name not in unknown),
        tuple(pattern for pattern, matches in found.items() if known is not None and not matches),
        tuple(unknown),
    )


def whats_nearest(name: str, known: Iterable[str]) -> str:
    """A sentence on a name that the account does not know, with the nearest it knows.

    >>> whats_nearest("e_visited_pag", ["e_visited_page", "e_clicked_link"])
    "event_types: HubSpot knows no event type 'e_visited_pag' in this account; the nearest are e_visited_page, e_clicked_link."
    """
    names = sorted(known)
    nearest = difflib.get_close_matches(name, names, n=3, cutoff=0.0)
    verb = "is" if len(nearest) == 1 else "are"
    hint = f"; the nearest {verb} {', '.join(nearest)}." if nearest else "; it knows none."
    return f"event_types: HubSpot knows no event type {name!r} in this account{hint}"


def waiting_longest(names: Iterable[str], finished: Callable[[str], str], under_way: str | None) -> list[str]:
    """The order in which event types are synced: the one under way, then the one longest not finished (as ISO 8601 text, ""
    for never), so that nobody starves.

    >>> waiting_longest(["a", "b", "c"], {"a": "2026-02-02", "b": "2026-01-01", "c": "2026-03-03"}.get, "c")
    ['c', 'b', 'a']
    """
    return sorted(names, key=lambda name: (name != under_way, finished(name)))
