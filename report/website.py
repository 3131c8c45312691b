"""The website in the latest days: visitors and sessions a day, the pages most visited, and who
submitted a form.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import duckdb

from report.warehouse import Columns, Row, event_fields, rows

VISIT, FORM = "e_visited_page", re.compile(r"e_(form_submission|submitted_form)(_v\d+)?")
DAYS = 90  # the latest, up to the newest visit or form
MOST_PAGES, MOST_FORMS = 20, 50
PAUSE = "30 MINUTE"  # a longer one ends a session

# The query and the fragment of an address do not make another page. (Regular expressions take five
# times as long.)
VISITS = """
CREATE TEMP VIEW visit AS SELECT occurred, CASE WHEN object_id IS NOT NULL THEN hash(object_id) END AS visitor,
    nullif(CASE WHEN ends_with(address, '/') THEN left(address, -1) ELSE address END, '') AS page
FROM (SELECT *, split_part(split_part(hs_url, '?', 1), '#', 1) AS address FROM ({visits}))
"""
FORMS = """
CREATE TEMP VIEW form AS SELECT event_type, occurred, CASE WHEN object_id IS NOT NULL THEN hash(object_id) END AS visitor,
    nullif(hs_form_id, '') AS form_id FROM ({forms})
"""
# One sort by visitor gives both: it is bounded in memory, which a set of visitors a day is not.
DAY_FIGURES = f"""
SELECT day, count(*) AS visits,
    count(*) FILTER (visitor IS NOT NULL AND day IS DISTINCT FROM day_before) AS visitors,
    count(*) FILTER (visitor IS NOT NULL AND (before IS NULL OR occurred - before > INTERVAL {PAUSE})) AS sessions
FROM (
    SELECT visitor, occurred, occurred::DATE AS day, lag(occurred) OVER own AS before,
        lag(occurred::DATE) OVER own AS day_before
    FROM visit WHERE occurred BETWEEN $since AND $now WINDOW own AS (PARTITION BY visitor ORDER BY occurred)
) GROUP BY day ORDER BY day
"""  # noqa: S608 (our own constant)
TOP_PAGES = """
CREATE TEMP TABLE top AS
SELECT hash(page) AS key FROM visit WHERE occurred BETWEEN $since AND $now GROUP BY key ORDER BY count(*) DESC, key LIMIT $most
"""  # by their hashes, since millions of addresses would not fit into memory
PAGES = """
SELECT regexp_replace(any_value(page), '^https?://', '') AS page, count(*) AS visits, count(DISTINCT visitor) AS visitors
FROM visit JOIN top ON hash(page) = key WHERE occurred BETWEEN $since AND $now GROUP BY key HAVING page IS NOT NULL
ORDER BY visits DESC, page
"""
FORM_FIGURES = """
SELECT event_type, form_id, count(*) AS submissions, count(DISTINCT visitor) AS contacts, max(occurred) AS last
FROM form WHERE occurred BETWEEN $since AND $now GROUP BY ALL ORDER BY submissions DESC, event_type, form_id LIMIT $most
"""
FORM_DAYS = """
SELECT occurred::DATE AS day, count(DISTINCT visitor) AS converted FROM form
WHERE occurred BETWEEN $since AND $now GROUP BY ALL
"""
CONVERTED = """
WITH visitors AS (SELECT DISTINCT visitor FROM visit WHERE occurred BETWEEN $since AND $now AND visitor IS NOT NULL)
SELECT count(*) AS visitors, count(*) FILTER (
    visitor IN (SELECT visitor FROM form WHERE occurred BETWEEN $since AND $now AND visitor IS NOT NULL)
) AS converted
FROM visitors
"""


def website(
    con: duckdb.DuckDBPyConnection, tables: Mapping[str, Columns], types: list[Row], now: datetime
) -> Row | None:
    """The figures of the latest DAYS days, or None if there are no page visits and no forms.
    `types` are the event types, each with its table.
    """
    visits = [each for each in types if each["event_type"] == VISIT and each["last"]]
    forms = [each for each in types if FORM.fullmatch(each["event_type"]) and each["last"]]
    if not visits and not forms:
        return None
    con.execute(VISITS.format(visits=_fields(tables, visits, "hs_url")))
    con.execute(FORMS.format(forms=_fields(tables, forms, "hs_form_id")))
    last = max(each["last"] for each in visits + forms)
    since = datetime.combine(last, datetime.min.time()) - timedelta(days=DAYS - 1)
    span = {"since": since, "now": now}
    con.execute(
        TOP_PAGES, {**span, "most": MOST_PAGES + 1}
    )  # one may be the visits without an address
    days = _days(rows(con, DAY_FIGURES, **span), rows(con, FORM_DAYS, **span))
    return {
        "since": max(since, min(each["first"] for each in visits + forms)).date(),
        "until": last.date(),
        "has_visits": bool(visits),
        "has_forms": bool(forms),
        "knows_visitors": all("object_id" in tables[each["source"]] for each in visits + forms),
        "days": days,
        "visits": sum(each["visits"] for each in days),
        "pages": rows(con, PAGES, **span)[:MOST_PAGES],
        "forms": rows(con, FORM_FIGURES, **span, most=MOST_FORMS),
        **rows(con, CONVERTED, **span)[0],
    }


def _fields(tables: Mapping[str, Columns], types: Iterable[Row], field: str) -> str:
    """A SELECT of the events of these types: event_type, visitor (a hash), one property and
    occurred.
    """
    return " UNION ALL ".join(
        event_fields(
            each["source"], tables[each["source"]], each["event_type"], ("object_id", field)
        )
        for each in types
    ) or (
        f"SELECT NULL AS event_type, NULL AS object_id, NULL AS {field}, NULL::TIMESTAMP AS "
        "occurred WHERE false"
    )  # noqa: S608


def _days(visits: list[Row], forms: list[Row]) -> list[dict[str, Any]]:
    """The figures of each day with a visit or a form."""
    found: dict[Any, dict[str, Any]] = {}
    for row in [*visits, *forms]:
        found.setdefault(
            row["day"], {"visits": 0, "visitors": 0, "sessions": 0, "converted": 0}
        ).update(row)
    return [found[day] for day in sorted(found)]
