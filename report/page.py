"""Renders facts and charts with page.html. Everything is escaped except the charts, which hold no
text from the warehouse.
"""

import re
from datetime import date, datetime, timedelta
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from report import pictures
from report.freshness import FAR_BEHIND
from report.warehouse import Row

NONE = "–"
MOST_NOTICES = 5  # of a kind, at a glance
MOMENT = re.compile(r"(\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d[\d:.]*Z?)?)")


def render(facts: dict[str, Any]) -> str:
    """The whole page as HTML."""
    templates = Environment(
        loader=PackageLoader("report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {
        "number": number,
        "plural": plural,
        "names": names,
        "percent": percent,
        "moments": moments,
        "timestamp": timestamp,
        "duration": duration,
    }
    return templates.get_template("page.html").render(
        **facts,
        histories=_history_charts(facts),
        run_pictures=_run_charts(facts),
        marks={
            each["event_type"]: each["health"] if each["health"] != "up to date" else None
            for each in facts["freshness"]
        },
        far_behind=FAR_BEHIND,
        verdict=verdict(facts),
        needs_attention=bool(_amiss(facts)),
        late_columns=[(plural(age, "day"), True) for age in facts["audits"]["ages"]] if facts["audits"] else [],
        drawn_runs=pictures.MOST_RUNS,
        most_notices=MOST_NOTICES,
        ago=lambda at: ago(at, facts["now"]),
    )


def verdict(facts: dict[str, Any]) -> str:
    """What needs a person, in one line."""
    if amiss := _amiss(facts):
        return " ".join(amiss)
    is_known = facts["up_to_date"] and facts["runs"] and facts["runs"][0]["outcome"] == "complete"
    if not is_known:
        return "Nothing stands out." if facts["totals"]["events"] else "There are no events yet."
    one, all_ = "The one event type is", f"All {plural(facts['up_to_date'], 'event type')} are"
    return f"{one if facts['up_to_date'] == 1 else all_} up to date."


def is_failing(facts: dict[str, Any]) -> bool:
    """Whether something fails: the last sync, or an event type."""
    return bool(facts["last_failed"] or facts["failing"])


def _amiss(facts: dict[str, Any]) -> list[str]:
    """What needs a person, in sentences."""
    said = ["The last sync failed."] if facts["last_failed"] else []
    if facts["overdue"]:
        said.append(f"No sync for {duration(facts['overdue']['seconds'])}.")
    types = {
        "Failing": [name for group in facts["failing"] for name in group["types"]],
        "Behind": [each["event_type"] for same in facts["behind"].values() for each in same],
        "Stale": [each["event_type"] for each in facts["stale"]],
    }
    return [*said, *(f"{what}: {names(found)}." for what, found in types.items() if found)]


def _history_charts(facts: dict[str, Any]) -> list[Markup]:
    """The chart of each charted event type, all over the same time range."""
    types = facts["pictured"]
    if not types:
        return []
    first, last = (min(each["first"] for each in types).date(), max(each["last"] for each in types).date())

    def chart(each: Row) -> Markup:
        mine = (each["source"], each["event_type"])
        gaps = [gap for gap in facts["gaps"] if (gap["source"], gap["event_type"]) == mine]
        svg = pictures.history(each["bars"], facts["drawn_step"], first, last, gaps)
        return Markup(svg)  # noqa: S704

    return [chart(each) for each in types]


def _run_charts(facts: dict[str, Any]) -> dict[str, Row]:
    charts = pictures.runs(facts["runs"]) if facts["runs"] else {}
    return {name: {**chart, "svg": Markup(chart["svg"])} for name, chart in charts.items()}  # noqa: S704


def number(value: float | None) -> str:
    """A number as people read it.

    >>> number(1234567), number(None), number(0.25), number(1234.5)
    ('1,234,567', '–', '0.25', '1,234')
    """
    if value is None:
        return NONE
    return f"{value:,.0f}" if isinstance(value, int) or value >= 100 else f"{value:,.3g}"


def plural(count: int, thing: str) -> str:
    """A count with its noun.

    >>> plural(1, "gap"), plural(2000, "gap")
    ('1 gap', '2,000 gaps')
    """
    return f"{number(count)} {thing}{'' if count == 1 else 's'}"


def names(event_types: list[str]) -> str:
    """Names in a sentence, the first of many.

    >>> names(["e_a", "e_b"]), names(list("abcdefgh"))
    ('e_a, e_b', 'a, b, c, d, e and 3 more')
    """
    more = len(event_types) - MOST_NOTICES
    return ", ".join(event_types[:MOST_NOTICES]) + (f" and {number(more)} more" if more > 0 else "")


def moments(text: str | None) -> str:
    """A text in which no line breaks within a moment.

    >>> moments("since 2026-05-21T01:36:04.329Z <b>")
    Markup('since <span class="w">2026-05-21T01:36:04.329Z</span> &lt;b&gt;')
    """
    parts = MOMENT.split(text or NONE)  # a moment is each second part
    return Markup("").join(
        Markup('<span class="w">{}</span>').format(part) if place % 2 else escape(part)
        for place, part in enumerate(parts)
    )


def percent(share: float | None) -> str:
    """A share as people read it.

    >>> percent(0.0312), percent(1.0), percent(None)
    ('3.12 %', '100 %', '–')
    """
    return NONE if share is None else f"{number(100 * share)} %"


def timestamp(at: datetime | date | None) -> str:
    """A time to the minute, or a day, as a <time> element."""
    if at is None:
        return NONE
    shown = f"{at:%Y-%m-%d %H:%M}" if isinstance(at, datetime) else f"{at:%Y-%m-%d}"
    zone = "Z" if isinstance(at, datetime) else ""
    return Markup('<time datetime="{}{}">{}</time>').format(at.isoformat(), zone, shown)


def duration(seconds: float | None) -> str:
    """A duration as people read it.

    >>> duration(0.42), duration(90), duration(7200), duration(200_000), duration(None)
    ('0.42 s', '90 s', '2 h', '2.3 days', '–')
    """
    if seconds is None:
        return NONE
    for length, name in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * length:
            return f"{seconds / length:.2g} {name}" if seconds < 100 * length else f"{seconds / length:,.0f} {name}"
    return f"{seconds:.3g} s"


def ago(at: datetime | None, now: datetime) -> str:
    """How long ago a time was.

    >>> ago(datetime(2026, 5, 1, 10), datetime(2026, 5, 1, 13))
    '3 h ago'
    """
    if at is None:
        return NONE
    return f"{duration((now - at).total_seconds())} ago" if now - at >= timedelta(minutes=1) else "just now"
