"""The table rejected_event: events that cannot become rows, so that nothing HubSpot sent is lost
without a trace.
"""

import hashlib
from typing import Any

from pipeline.names.tables import REJECTED_EVENT
from pipeline.stages.serialize import json_text

# Every column is declared, so that queries work where the table is empty, as in most accounts.
SCHEMA = {
    "table": REJECTED_EVENT,
    "primary_key": ["id"],
    "columns": {
        "id": "STRING", "event_type": "STRING", "reason": "STRING", "raw": "STRING", "rejected_at": "UTC_DATETIME",
    },
}  # fmt: skip


def rejected_row(event_type: str, event: Any, reason: str, at: str) -> dict[str, Any]:
    """The row that keeps an event: what it is, why it was rejected, and when (ISO 8601). Identical
    events are one row.

    >>> rejected_row("e_visited_page", 7, "not an object", "2026-05-21T01:36:04.329Z")["raw"]
    '7'
    """
    raw = json_text(event)
    key = hashlib.sha256(f"{event_type}\n{raw}".encode(errors="replace")).hexdigest()
    return {"id": key, "event_type": event_type, "reason": reason, "raw": raw, "rejected_at": at}
