"""What may stand under `paging`: the shapes that a page can give it, each named by a string."""

from collections.abc import Callable, Mapping
from typing import Any

SHAPES: dict[str, Callable[[Mapping[str, str]], Any]] = {
    "paging_null": lambda following: None,
    "paging_object": lambda following: {},
    "paging_list": lambda following: [],
    "paging_text": lambda following: "next",
    "paging_number": lambda following: 7,
    "next_null": lambda following: {"next": None},
    "next_object": lambda following: {"next": {}},
    "next_list": lambda following: {"next": []},
    "after_null": lambda following: {"next": {"after": None}},
    "after_empty": lambda following: {"next": {"after": ""}},
    "link_only": lambda following: {"next": {"link": following.get("link", "")}},
    "paging_extra": lambda following: {"next": following, "total": 7} if following else {"total": 7},  # harmless
}


def shape(name: str | None, following: Mapping[str, str]) -> dict[str, Any]:
    """The fields of a page that tell what follows: of no name the documented ones. `following` is {} on the last page.

    >>> shape(None, {}), shape(None, {"after": "MQ%3D%3D"})
    ({}, {'paging': {'next': {'after': 'MQ%3D%3D'}}})
    >>> shape("next_null", {"after": "MQ%3D%3D"})
    {'paging': {'next': None}}
    """
    if name is not None:
        return {"paging": SHAPES[name](following)}
    return {"paging": {"next": following}} if following else {}
