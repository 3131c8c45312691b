"""The shapes that `paging` can have on a page, each with a name."""

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
    "paging_extra": lambda following: {"next": following, "total": 7} if following else {"total": 7},  # valid
}


def paging_fields(shape: str | None, following: Mapping[str, str]) -> dict[str, Any]:
    """The fields of a page that name the next one (`following`; {} on the last page). No shape: as
    documented.

    >>> paging_fields(None, {}), paging_fields(None, {"after": "MQ%3D%3D"})
    ({}, {'paging': {'next': {'after': 'MQ%3D%3D'}}})
    >>> paging_fields("next_null", {"after": "MQ%3D%3D"})
    {'paging': {'next': None}}
    """
    if shape is not None:
        return {"paging": SHAPES[shape](following)}
    return {"paging": {"next": following}} if following else {}
