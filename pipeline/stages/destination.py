"""The destination's names for columns, where no SDK gives them."""

from collections.abc import Iterable, Iterator
from functools import lru_cache

from pipeline.names.destination import destination_name
from pipeline.stages.flatten import Row


def destination_columns(rows: Iterable[Row]) -> Iterator[Row]:
    """Renames the columns of each row as the destination does; in a sync, the SDK does that.

    >>> next(destination_columns([{"id": "a", "eventType": "e_visited_page"}]))
    {'id': 'a', 'event_type': 'e_visited_page'}
    """
    return (dict(zip(_names(tuple(row)), row.values(), strict=True)) for row in rows)


@lru_cache(maxsize=512)
def _names(columns: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(map(destination_name, columns))
