"""What audits found: the events that came late, by the age at which they were found, and those that
vanished.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

import duckdb

from report.warehouse import Row, rows

MUCH = 0.01  # of a type's events: a person is told
NEARLY_ALL = 0.95  # of the late events: what a look-back is to cover
LONGEST_LOOK_BACK = 30  # days

HAS_AUDITS = "SELECT count(*) > 0 AS answer FROM run WHERE complete_until IS NOT NULL OR audited > 0"
AUDITED_TYPES = """
SELECT event_type, sum(audited)::BIGINT AS audited, coalesce(sum(vanished), 0)::BIGINT AS vanished, any_value(events) AS events
FROM type_run
LEFT JOIN (SELECT event_type, sum(events)::BIGINT AS events FROM type_count GROUP BY ALL) USING (event_type)
GROUP BY event_type HAVING sum(audited) > 0 ORDER BY events DESC NULLS LAST, event_type
"""
LATE = """
SELECT event_type, try_cast(key AS BIGINT) AS age, sum(try_cast(value AS BIGINT))::BIGINT AS events
FROM type_run, json_each(CASE WHEN json_type(late) = 'OBJECT' THEN late END)
GROUP BY ALL HAVING age > 0 AND events > 0
"""
KILLED = """
SELECT coalesce(sum(late), 0)::BIGINT AS late, coalesce(sum(vanished), 0)::BIGINT AS vanished FROM run WHERE event_types IS NULL
"""


def audits(con: duckdb.DuckDBPyConnection) -> dict[str, Any] | None:
    """What all audits found: by event type, in all, and in syncs that were killed, whose rows name
    no types. None if there were no audits: they were switched off, or the syncs are of an older
    version.
    """
    if not rows(con, HAS_AUDITS)[0]["answer"]:
        return None
    types, late = rows(con, AUDITED_TYPES), defaultdict[str, Counter[int]](Counter)
    for row in rows(con, LATE):
        late[row["event_type"]][row["age"]] = row["events"]
    in_all = sum(late.values(), start=Counter[int]())
    totals = {key: sum(each[key] or 0 for each in types) for key in ("audited", "vanished", "events")}
    return {
        "types": [_found(each, late[each["event_type"]]) for each in types],
        "all": _found({"event_type": None, **totals}, in_all),
        "ages": _ages(in_all),
        "look_back": look_back(in_all),
        "killed": rows(con, KILLED)[0],
    }


def _found(row: Row, late: Counter[int]) -> Row:
    """The row with its late events: by age, in all, as a share of the events in the warehouse, and
    whether that is much.
    """
    number, events = late.total(), row["events"] or 0
    share = number / events if events else None
    return {**row, "late": late, "all_late": number, "share": share, "is_much": number > MUCH * events}


def _ages(late: Mapping[int, int]) -> list[int]:
    """The ages at which events were found, and those before at which none was."""
    return sorted({*late, *(2**power for power in range(max(late, default=0).bit_length()))})


def look_back(late: Mapping[int, int]) -> Row | None:
    """The shortest look-back, in days, that would have delivered nearly all late events with the
    next sync, and their share of them: the most that the longest allows if that is less. It is a
    day longer than an age, since an age is counted to midnight. None if none came late, or all too
    late.

    >>> look_back({1: 50, 4: 49, 64: 1})
    {'days': 5, 'share': 0.99}
    """
    best, covered = None, 0
    for age, events in sorted(late.items()):
        if age + 1 > LONGEST_LOOK_BACK or (best and best["share"] >= NEARLY_ALL):
            break
        covered += events
        best = {"days": age + 1, "share": covered / sum(late.values())}
    return best
