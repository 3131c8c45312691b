"""The table audited_range: stretches of time in which a later look found other events than were
delivered.
"""

from typing import Any

from pipeline.names.tables import AUDITED_RANGE
from pipeline.timestamps import to_text

SCHEMA = {
    "table": AUDITED_RANGE,
    "primary_key": ["event_type", "range_start", "range_end", "audited_at"],
    "columns": {
        "event_type": "STRING", "range_start": "UTC_DATETIME", "range_end": "UTC_DATETIME", "audited_at": "UTC_DATETIME",
        "late": "LONG", "vanished": "LONG", "whole": "BOOLEAN",
    },
}  # fmt: skip


def audited_range_row(
    event_type: str, span: tuple[int, int], audited_at: str, change: int, whole: bool
) -> dict[str, Any]:
    """The row of a range (half-open, ms) that changed by so many events. It is written after the
    last of the range's rows; `audited_at` (ISO 8601) is before the first. `whole`: all of it was
    delivered.

    >>> audited_range_row("e_a", (0, 900_000), "2026-05-21T01:36:04.329Z", -2, True)["vanished"]
    2
    """
    begin, end = span
    return {
        "event_type": event_type,
        "range_start": to_text(begin),
        "range_end": to_text(end),
        "audited_at": audited_at,
        "late": max(0, change),
        "vanished": max(0, -change),
        "whole": whole,
    }
