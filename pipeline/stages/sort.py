"""Rows in order of time, each once."""

from collections.abc import Callable, Iterable, Iterator

from toolz import curry

from pipeline.hubspot.events_api import ID
from pipeline.names.columns import OCCURRED
from pipeline.stages.flatten import Row
from pipeline.timestamps import to_ms

MOST_HELD = 50_000  # rows: several windows of the largest pages


@curry
def sort_by_time(watermark: Callable[[], int], rows: Iterable[Row]) -> Iterator[Row]:
    """Yields the rows in order of time, however HubSpot lists them: each is held until the
    watermark (ms) has passed it. Of rows with the same id among those held, which a walk begun anew
    reads twice, the last is kept.

    When more than 50,000 rows are held, such as those of one second, their order is given up and
    only their ids are remembered, so that memory stays bounded.

    >>> rows = [{"id": n, "occurred": f"1970-01-01T00:00:0{second}Z"} for n, second in enumerate((2, 1, 3))]
    >>> [row["id"] for row in sort_by_time(lambda: 0)(rows)]
    [1, 0, 2]
    """
    held: dict[str, tuple[int, Row]] = {}
    # ids and moments of rows that were yielded before the watermark had passed them
    early: dict[str, int] = {}
    passed = 0
    for row in rows:
        mark = watermark()
        if mark > passed:
            yield from _take(held, mark)
            early = {key: moment for key, moment in early.items() if moment >= mark}
            passed = mark
        elif len(held) >= MOST_HELD:
            early |= {key: moment for key, (moment, _) in held.items()}
            yield from _take(held)
        key = str(row.get(ID))
        if key not in early:
            held[key] = to_ms(row[OCCURRED]), row
    yield from _take(held)


def _take(held: dict[str, tuple[int, Row]], before: int = 2**62) -> Iterator[Row]:
    """Takes the rows before a moment (ms) out of those held, and yields them in order."""
    taken = sorted((moment, key) for key, (moment, _) in held.items() if moment < before)
    for _, key in taken:
        yield held.pop(key)[1]
