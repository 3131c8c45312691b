"""Small inline charts as SVG, colored by the page's CSS, light or dark.

They show numbers and dates, and no text from the warehouse.
"""

import math
from collections.abc import Sequence
from datetime import date, datetime, timedelta

from report.warehouse import Row

WIDTH, HEIGHT = 360, 160
LEFT, RIGHT, TOP, BASE = 42, WIDTH - 6, 10, HEIGHT - 30  # of the drawing
MOST_RUNS = 60  # in a chart
FEW_RUNS = 8  # in a chart: their bars are no wider than those of as many
MOST_DATES = 5  # below a chart
DAYS = (1, 2, 3, 7, 14)  # between two of them; or months
MONTHS = (1, 2, 3, 6, 12, 24, 60, 120, 240, 600, 1_200, 2_400, 6_000, 12_000, 24_000)
# times as high as three quarters of the bars: there a chart ends, if the highest is twice as high
TOWERS = 2.5
PARTS = {
    "rate": {"rate": "bar"},
    "waiting": {
        "seconds_in_pipeline": "bar",
        "seconds_waiting_for_http": "second",
        "seconds_waiting_for_quota": "third",
    },
    "lag": {"lag_seconds": "bar"},
}  # of the bars of each chart of runs: the figure, and the CSS class


def history(bars: Sequence[Row], step: str, first: date, last: date, gaps: Sequence[Row]) -> str:
    """The events in each step of time as bars, and the gaps as bands."""
    top, marks = _scale(max((bar["events"] for bar in bars), default=0), whole=True)
    days = (last - first).days + 1

    def x(day: date, place: float = 0) -> float:
        share = ((day - first).days + place) / days
        return LEFT + (RIGHT - LEFT) * min(1.0, max(0.0, share))

    drawn = [_bar("bar", x(bar["start"]), x(step_after(bar["start"], step)), 0, bar["events"] / top) for bar in bars]
    bands = [_bar("gap", x(gap["first"]), x(gap["last"], 1), 0, 1) for gap in gaps]
    labels = [_label(x(day, 0.5), text) for day, text in _dates(first, last)]
    return _svg([*marks, *bands, *drawn, *labels])


def runs(runs: Sequence[Row]) -> dict[str, Row]:
    """Charts of the rate, the waiting times and the lag of the latest runs, which are given newest
    first: {"svg": …, "highest": the highest bar if it is cut off, else None}.
    """
    shown = list(reversed(runs[:MOST_RUNS]))
    return {name: _runs(shown, parts) for name, parts in PARTS.items()}


def _runs(shown: Sequence[Row], parts: dict[str, str]) -> Row:
    heights = [sum(max(0.0, run[part] or 0.0) for part in parts) for run in shown]
    highest = max(heights)
    cut = TOWERS * _three_quarters(heights)
    top, drawn = _scale(cut if highest > 2 * cut else highest)
    room = (RIGHT - LEFT) / len(shown)
    width = room * 0.8 * min(1.0, len(shown) / FEW_RUNS)
    for place, (run, height) in enumerate(zip(shown, heights, strict=True)):
        middle, below = LEFT + room * (place + 0.5), 0.0
        left, right = middle - width / 2, middle + width / 2
        for part, color in parts.items():
            above = below + max(0.0, run[part] or 0.0)
            if above > below and below < top:
                drawn.append(_bar(color, left, right, below / top, min(1.0, above / top)))
            below = above
        if height > top:
            drawn.append(f'<path class="cut" d="M{left - 1:.1f} {TOP + 9}L{right + 1:.1f} {TOP + 5}"/>')
        if run["outcome"] != "complete":
            drawn.append(f'<path class="cross" d="M{middle - 4:.1f} {BASE - 4}l8 8m0-8l-8 8"/>')
    return {"svg": _svg([*drawn, *_moments(shown, room)]), "highest": highest if highest > top else None}


def _three_quarters(heights: Sequence[float]) -> float:
    """The height that three quarters of the bars do not exceed."""
    seen = sorted(height for height in heights if height > 0) or [0.0]
    return seen[3 * (len(seen) - 1) // 4]


def _moments(shown: Sequence[Row], room: float) -> list[str]:
    """The times of a few runs: the first, the last, and one between them."""
    last = len(shown) - 1
    places = {0, last} if last == 3 else {0, last // 2, last} if last > 3 else range(last + 1)
    anchors = {0: "start", last: "end"} if last > 2 else {}
    return [
        _label(
            {"start": LEFT, "end": RIGHT}.get(anchors.get(place, ""), LEFT + room * (place + 0.5)),
            f"{at.day} {at:%b %H:%M}",
            anchors.get(place, "middle"),
        )
        for place in sorted(places)
        if isinstance(at := shown[place]["started_at"], datetime)
    ]


def _dates(first: date, last: date) -> list[tuple[date, str]]:
    """A few days from the first to the last, and how each is labelled: the first of a year by it.

    >>> [label for _, label in _dates(date(2025, 11, 20), date(2026, 3, 5))]
    ['Dec', '2026', 'Feb', 'Mar']
    >>> [label for _, label in _dates(date(2026, 2, 27), date(2026, 3, 1))]
    ['27 Feb', '28 Feb', '1 Mar']
    """
    days = (last - first).days + 1
    for step in DAYS:
        if days <= step * MOST_DATES:
            chosen = [first + timedelta(days=place) for place in range(0, days, step)]
            return [(day, f"{day.day} {day:%b}") for day in chosen]
    begin = first.year * 12 + first.month - (first.day == 1)
    months = range(begin, last.year * 12 + last.month)
    step = next(step for step in MONTHS if len(months) <= step * MOST_DATES)
    chosen = [date(month // 12, month % 12 + 1, 1) for month in months if month % step == 0]
    return [(day, f"{day.year}" if day.month == 1 else f"{day:%b}") for day in chosen]


def step_after(start: date, step: str) -> date:
    """The first day of the next step.

    >>> step_after(date(2026, 12, 1), "month"), step_after(date(2026, 12, 28), "week")
    (datetime.date(2027, 1, 1), datetime.date(2027, 1, 4))
    """
    if step == "month":
        return (start.replace(day=1) + timedelta(days=32)).replace(day=1)
    if step == "year":
        return start.replace(year=start.year + 1, month=1, day=1)
    return start + timedelta(days=7 if step == "week" else 1)


def _scale(highest: float, whole: bool = False) -> tuple[float, list[str]]:
    """The top of a chart that holds this, and its lines with their numbers."""
    least = highest / 4 or 1.0
    power = 10.0 ** math.floor(math.log10(least))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= least)
    step = max(1.0, math.ceil(step)) if whole else step
    top = step * max(1, math.ceil(highest / step - 1e-9))
    marks = []
    for place in range(round(top / step) + 1):
        y = BASE - (BASE - TOP) * place * step / top
        marks += [
            f'<path class="grid" d="M{LEFT} {y:.1f}H{RIGHT}"/>',
            f'<text class="n" x="{LEFT - 6}" y="{y + 4:.1f}">{_number(place * step)}</text>',
        ]
    return top, marks


def _number(value: float) -> str:
    """A number on an axis.

    >>> _number(0.5), _number(150), _number(2500), _number(3e6)
    ('0.5', '150', '2.5k', '3M')
    """
    for unit, length in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= length:
            return f"{value / length:g}{unit}"
    return f"{value:.4g}"


def _bar(kind: str, left: float, right: float, below: float, above: float) -> str:
    """A bar between two shares of the height; one that is not empty can be seen."""
    low, high = (BASE - (BASE - TOP) * share for share in (below, above))
    height, width = max(low - high, 0.8 if above else 0), max(right - left, 0.4)
    return f'<path class="{kind}" d="M{left:.1f} {low:.1f}v-{height:.1f}h{width:.1f}v{height:.1f}z"/>'


def _label(x: float, text: str, anchor: str = "middle") -> str:
    return f'<text class="{anchor}" x="{x:.1f}" y="{HEIGHT - 8}">{text}</text>'


def _svg(parts: Sequence[str]) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" aria-hidden="true" focusable="false">{"".join(parts)}</svg>'
