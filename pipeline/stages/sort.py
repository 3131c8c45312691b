"""Rows in order of time."""
from collections.abc import Callable, Iterable, Iterator

from toolz import curry

from pipeline.names.columns import OCCURRED
from pipeline.stages.flatten import Row
from pipeline.timestamps import to_ms

MOST_HELD = 50_000  # rows: several windows of the largest pages


@curry
def sort_by_time(watermark: Callable[[], int], rows: Iterable[Row]) -> Iterator[Row]:
    """The rows in order of time, however HubSpot lists them: each is held until the watermark (ms) has passed it. Of more than
    50,000 rows that it has not passed, such as those of one second, the order is given up, so that memory stays bounded.

    >>> rows = [{"occurred": f"1970-01-01T00:00:0{second}Z"} for second in (2, 1, 3)]
    >>> [row["occurred"][-3:] for row in sort_by_time(lambda: 0)(rows)]
    ['01Z', '02Z', '03Z']
    """
    held: list[tuple[int, Row]] = []
    passed = 0
    for row in rows:
        mark = watermark()
        if mark > passed or len(held) >= MOST_HELD:
            held.sort(key=_moment)
            yield from (row for moment, row in held if moment < mark)
            held = [each for each in held if each[0] >= mark]
            if len(held) >= MOST_HELD:
                yield from (row for _, row in held)
                held.clear()
            passed = mark
        held.append((to_ms(row[OCCURRED]), row))
    yield from (row for _, row in sorted(held, key=_moment))


def _moment(held: tuple[int, Row]) -> int:
    return held[0]
