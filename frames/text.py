"""Rows as columns of text.

Every column is text, since HubSpot's properties are text and a batch or file sees only its own
rows: an inferred type could be a number in one and text in the next, and "007" would become 7.
Other values (numbers, true) are written as JSON; null stays null.
"""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from pipeline.stages.serialize import json_text

# of every event
COLUMNS = ("id", "event_type", "occurred", "occurred_at", "object_id", "object_type")


def text_columns(rows: Sequence[dict[str, Any]], columns: tuple[str, ...] = ()) -> dict[str, pa.Array]:
    """Rows as columns of text, null where a row lacks one; `columns` are always there.

    >>> pa.table(text_columns([{"id": "a", "n": 1.5}, {"id": "b", "ok": True}])).to_pylist()
    [{'id': 'a', 'n': '1.5', 'ok': None}, {'id': 'b', 'n': None, 'ok': 'true'}]
    """
    names = dict.fromkeys((*columns, *(name for row in rows for name in row)))
    return {name: _text_array([row.get(name) for row in rows]) for name in names}


def _text_array(values: list[Any]) -> pa.Array:
    try:
        return pa.array(values, pa.string())
    # not only text; text with half a character
    except (pa.ArrowInvalid, pa.ArrowTypeError, UnicodeEncodeError):
        return pa.array([as_text(value) for value in values], pa.string())


def as_text(value: Any) -> str | None:
    """A value as text; half a character becomes a question mark, since Arrow's text is UTF-8."""
    if value is None:
        return None
    return (value if type(value) is str else json_text(value)).encode(errors="replace").decode()
