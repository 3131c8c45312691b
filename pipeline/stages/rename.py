"""New names for columns."""

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache, partial

from toolz import curry

from pipeline.names.columns import PREFIX, RESERVED, is_fixed
from pipeline.names.destination import destination_name
from pipeline.names.patterns import star_pattern
from pipeline.stages.flatten import Row

Renames = tuple[tuple[str, str], ...]  # pairs of the old and the new name


@curry
def rename_columns(renames: Renames, rows: Iterable[Row]) -> Iterator[Row]:
    """Renames the columns of each row; one * may stand on both sides of a pair. No value is lost to
    a name: a column that already has another's new name is prefixed.

    >>> rows = [{"id": "a", "hs_url": "/", "page_url": "?"}]
    >>> list(rename_columns((("hs_*", "page_*"),))(rows))
    [{'id': 'a', 'page_url': '/', 'properties_page_url': '?'}]
    """
    return _renamed(lru_cache(maxsize=512)(partial(_changed_names, renames)), rows) if renames else iter(rows)


def _renamed(changed_names: Callable[[tuple[str, ...]], Renames], rows: Iterable[Row]) -> Iterator[Row]:
    columns: list[str] = []
    changed: Renames = ()
    for row in rows:
        if list(row) != columns:  # most rows have the columns of the one before
            columns, changed = list(row), changed_names(tuple(row))
        renamed = row.copy()  # cheaper than building it anew: few columns are renamed
        for old, _ in changed:
            del renamed[old]
        for old, new in changed:
            renamed[new] = row[old]
        yield renamed


def _changed_names(renames: Renames, columns: tuple[str, ...]) -> Renames:
    """The columns of a row that are renamed, each with its new name."""
    names = zip(columns, new_names(renames, columns), strict=True)
    return tuple((old, new) for old, new in names if new != old)


def new_names(renames: Renames, columns: tuple[str, ...]) -> tuple[str, ...]:
    """The new name of each column of a row, in its order.

    >>> new_names((("hs_url", "url"),), ("id", "hs_url", "url"))
    ('id', 'url', 'properties_url')
    """
    names = {column: _new_name(renames, column) for column in columns}
    taken: set[str] = set()
    for column in sorted(columns):  # for the rare patterns that make one name of two
        while destination_name(names[column]) in taken:
            names[column] = PREFIX + names[column]
        taken.add(destination_name(names[column]))
    return tuple(names.values())


def _new_name(renames: Renames, column: str) -> str:
    """A column's new name, whatever other columns there are: one that could be another's new name
    is prefixed, once more if it is prefixed already. Names that every table has are not given away.
    """
    name = destination_name(column)
    if is_fixed(column):
        return column
    for old, new in renames:
        if found := star_pattern(old).fullmatch(name):
            renamed = new.replace("*", found[1]) if "*" in new else new
            return PREFIX + renamed if destination_name(renamed) in RESERVED else renamed
    bare = name
    while bare.startswith(PREFIX):
        bare = bare[len(PREFIX) :]
    is_taken = name not in RESERVED and any(star_pattern(new).fullmatch(bare) for _, new in renames)
    return PREFIX + column if is_taken else column
