"""The facts and the pictures set into page.html. Everything is escaped but the pictures, which hold no text of others."""
from datetime import date, datetime, timedelta
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from report import pictures
from report.warehouse import Row

NONE = "–"


def render(facts: dict[str, Any]) -> str:
    """The whole page as HTML."""
    templates = Environment(
        loader=PackageLoader("report", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    templates.filters |= {"number": number, "plural": plural, "moment": moment, "lasted": lasted}
    return templates.get_template("page.html").render(
        **facts,
        histories=_histories(facts),
        run_pictures=_run_pictures(facts),
        drawn_runs=pictures.MOST_RUNS,
        ago=lambda at: ago(at, facts["now"]),
    )


def _histories(facts: dict[str, Any]) -> list[Markup]:
    """A picture of each pictured event type, all over the same time."""
    types = facts["pictured"]
    if not types:
        return []
    first, last = min(each["first"] for each in types).date(), max(each["last"] for each in types).date()

    def picture(place: int, each: Row) -> Markup:
        mine = (each["source"], each["event_type"])
        gaps = [gap for gap in facts["gaps"] if (gap["source"], gap["event_type"]) == mine and not each["is_rare"]]
        return Markup(pictures.history(f"type{place}", each["bars"], facts["drawn_step"], first, last, gaps))  # noqa: S704

    return [picture(place, each) for place, each in enumerate(types, start=1)]


def _run_pictures(facts: dict[str, Any]) -> dict[str, Markup]:
    return {name: Markup(svg) for name, svg in pictures.runs(facts["runs"]).items()} if facts["runs"] else {}  # noqa: S704


def number(value: float | None) -> str:
    """A figure as people read it.

    >>> number(1234567), number(None), number(0.25), number(1234.5)
    ('1,234,567', '–', '0.25', '1,234')
    """
    if value is None:
        return NONE
    return f"{value:,.0f}" if isinstance(value, int) or value >= 100 else f"{value:,.3g}"


def plural(count: int, thing: str) -> str:
    """
    >>> plural(1, "gap"), plural(2000, "gap")
    ('1 gap', '2,000 gaps')
    """
    return f"{number(count)} {thing}{'' if count == 1 else 's'}"


def moment(at: datetime | date | None) -> str:
    """A moment to the minute, or a day, for people and for machines."""
    if at is None:
        return NONE
    shown = f"{at:%Y-%m-%d %H:%M}" if isinstance(at, datetime) else f"{at:%Y-%m-%d}"
    zone = "Z" if isinstance(at, datetime) else ""
    return Markup('<time datetime="{}{}">{}</time>').format(at.isoformat(), zone, shown)


def lasted(seconds: float | None) -> str:
    """
    >>> lasted(0.42), lasted(90), lasted(7200), lasted(200_000), lasted(None)
    ('0.42 s', '90 s', '2 h', '2.3 days', '–')
    """
    if seconds is None:
        return NONE
    for length, name in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * length:
            return f"{seconds / length:.2g} {name}" if seconds < 100 * length else f"{seconds / length:,.0f} {name}"
    return f"{seconds:.3g} s"


def ago(at: datetime | None, now: datetime) -> str:
    """
    >>> ago(datetime(2026, 5, 1, 10), datetime(2026, 5, 1, 13))
    '3 h ago'
    """
    if at is None:
        return NONE
    return f"{lasted((now - at).total_seconds())} ago" if now - at >= timedelta(minutes=1) else "just now"
