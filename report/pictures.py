"""Small inline charts: matplotlib's SVG, reduced to what the page needs and colored by the page's
CSS, light or dark.

They show numbers and dates, and no text from the warehouse.
"""

import io
import re
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from xml.etree import ElementTree

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator

from report.warehouse import Row

# Okabe and Ito's colors: safe for color-blind readers. Each stands for a CSS variable of the page.
COLORS = {
    "bar": "#0072b2",
    "second": "#009e73",
    "third": "#cc79a7",
    "alert": "#d55e00",
    "ink": "#101112",
    "line": "#c0c1c2",
}
MOST_RUNS = 60  # in a chart
FEW_RUNS = 8  # in a chart: their bars are no wider than those of as many
FEW_DAYS = 5  # in a chart: each is labelled
SETTINGS = {
    "svg.fonttype": "none", "svg.hashsalt": "report", "font.size": 12.5, "font.sans-serif": ["DejaVu Sans"],
    "text.color": COLORS["ink"],
    "axes.edgecolor": COLORS["line"], "axes.labelcolor": COLORS["ink"], "xtick.color": COLORS["line"],
    "ytick.color": COLORS["line"], "xtick.labelcolor": COLORS["ink"], "ytick.labelcolor": COLORS["ink"],
    "axes.spines.top": False, "axes.spines.right": False, "axes.spines.left": False, "ytick.left": False,
    "axes.grid": True, "axes.grid.axis": "y", "grid.color": COLORS["line"], "grid.linewidth": 0.6, "axes.axisbelow": True,
    "hatch.linewidth": 1.0,
}  # fmt: skip


def history(
    name: str, bars: Sequence[Row], step: str, first: date, last: date, gaps: Sequence[Row]
) -> str:
    """The events in each step of time as a filled outline, and the gaps as hatched bands."""
    edges, heights = [first], []
    for bar in bars:
        if bar["start"] > edges[-1]:
            edges.append(bar["start"])
            heights.append(0)
        edges.append(step_after(bar["start"], step))
        heights.append(bar["events"])

    def draw(axis: Axes) -> None:
        axis.stairs(heights, edges, fill=True, color=COLORS["bar"], linewidth=0.5)
        for gap in gaps:
            end = gap["last"] + timedelta(days=1)
            axis.axvspan(
                gap["first"],
                end,
                facecolor="none",
                edgecolor=COLORS["alert"],
                hatch="////",
                linewidth=0.8,
            )
        _mark_days(axis, first, last)

    return _svg(name, draw)


def _mark_days(axis: Axes, first: date, last: date) -> None:
    """Gives a chart whole numbers upwards, and a few dates from the first to the last day."""
    axis.yaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    axis.set_xlim(first, step_after(last, "day"))
    days = (last - first).days + 1
    if days <= FEW_DAYS:  # a locator would divide them into hours
        noons = [
            datetime.combine(first, datetime.min.time()) + timedelta(days=place, hours=12)
            for place in range(days)
        ]
        axis.set_xticks(noons, [f"{noon.day} {noon:%b}" for noon in noons])
        return
    locator = AutoDateLocator(minticks=3, maxticks=6)
    axis.xaxis.set_major_locator(locator)
    formatter = ConciseDateFormatter(locator, show_offset=False)
    formatter.formats[2] = formatter.zero_formats[2] = "%d %b"  # days: with their month
    axis.xaxis.set_major_formatter(formatter)


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


def runs(runs: Sequence[Row]) -> dict[str, str]:
    """Charts of the rate, the waiting times and the lag of the latest runs, which are given newest
    first.
    """
    shown = list(reversed(runs[:MOST_RUNS]))
    parts = ("seconds_in_pipeline", "seconds_waiting_for_http", "seconds_waiting_for_quota")

    def rate(axis: Axes) -> None:
        axis.bar(
            range(len(shown)), _numbers(shown, "rate"), color=COLORS["bar"], width=_bar_width(shown)
        )
        _mark_runs(axis, shown)

    def waiting(axis: Axes) -> None:
        below = [0.0] * len(shown)
        for part, color in zip(parts, ("bar", "second", "third"), strict=True):
            heights = _numbers(shown, part)
            axis.bar(
                range(len(shown)),
                heights,
                bottom=below,
                color=COLORS[color],
                width=_bar_width(shown),
            )
            below = [low + height for low, height in zip(below, heights, strict=True)]
        _mark_runs(axis, shown)

    def lag(axis: Axes) -> None:
        known = [
            (place, run["lag_seconds"])
            for place, run in enumerate(shown)
            if run["lag_seconds"] is not None
        ]
        axis.plot(
            [place for place, _ in known],
            [value for _, value in known],
            color=COLORS["bar"],
            marker="o",
            markersize=3.5,
        )
        axis.set_ylim(bottom=0)
        _mark_runs(axis, shown)

    drawings = {"rate": rate, "waiting": waiting, "lag": lag}
    return {name: _svg(name, draw, width=330) for name, draw in drawings.items()}


def _bar_width(runs: Sequence[Row]) -> float:
    """The width of a bar, as a share of the room for each run."""
    return 0.8 * min(1.0, len(runs) / FEW_RUNS)


def _numbers(runs: Sequence[Row], key: str) -> list[float]:
    return [max(0.0, run[key] or 0.0) for run in runs]


def _mark_runs(axis: Axes, runs: Sequence[Row]) -> None:
    """Marks each run that is not complete with a cross, and labels a few with their times."""
    incomplete = [place for place, run in enumerate(runs) if run["outcome"] != "complete"]
    marks = {"color": COLORS["alert"], "marker": "x", "markersize": 8, "markeredgewidth": 2}
    axis.plot(incomplete, [0] * len(incomplete), linestyle="", clip_on=False, zorder=5, **marks)
    axis.set_xlim(-0.5, len(runs) - 0.5)
    shown = sorted({0, len(runs) - 1} if len(runs) == 4 else {0, len(runs) // 2, len(runs) - 1})
    axis.set_xticks(shown, [_time_label(runs[place]["started_at"]) for place in shown])
    if len(runs) > 3:
        for label, place in zip(axis.get_xticklabels(), shown, strict=True):
            label.set_horizontalalignment(
                "left" if place == 0 else "right" if place == len(runs) - 1 else "center"
            )


def _time_label(at: datetime | None) -> str:
    return "" if at is None else f"{at.day} {at:%b %H:%M}"


def _svg(name: str, draw: Callable[[Axes], None], width: int = 440) -> str:
    """A chart as an SVG element whose ids begin with `name`. `width` is in CSS pixels, unscaled."""
    with rc_context(SETTINGS), io.StringIO() as text:
        figure = Figure(figsize=(width / 72, 165 / 72))
        axis = figure.add_axes((42 / width, 0.2, 1 - 50 / width, 0.75))
        axis.tick_params(length=3)
        axis.tick_params(axis="x", pad=9)  # below the 0 of the other axis
        axis.yaxis.set_major_locator(MaxNLocator(nbins=4))
        axis.yaxis.set_major_formatter(_axis_number)
        draw(axis)
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
        return _for_page(text.getvalue(), name)


def _axis_number(value: float, _: float | None = None) -> str:
    """A number on an axis.

    >>> _axis_number(0.5), _axis_number(150), _axis_number(2500)
    ('0.5', '150', '2.5k')
    """
    return EngFormatter(sep="")(value) if abs(value) >= 1000 else f"{value:g}"


def _for_page(svg: str, name: str) -> str:
    """The SVG element for the page: without declarations, sizes, metadata and unused ids; with
    unique ids, CSS variables for colors, and rounded coordinates.
    """
    root = ElementTree.fromstring(svg)  # noqa: S314 (matplotlib's own)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag.rpartition("}")[2] in ("metadata", "style"):
                parent.remove(child)
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', svg))
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        element.text, element.tail = (element.text or "").strip() or None, None
        element.attrib = {
            key.rpartition("}")[2]: _rewrite(key, value, name)
            for key, value in element.attrib.items()
            if key != "id" or value in used
        }
    root.attrib = {"viewBox": root.get("viewBox", ""), "aria-hidden": "true", "focusable": "false"}
    return ElementTree.tostring(root, "unicode", short_empty_elements=True)


def _rewrite(key: str, value: str, name: str) -> str:
    if key == "id":
        return f"{name}-{value}"
    if key.endswith("href"):
        return value.replace("#", f"#{name}-", 1)
    value = value.replace("url(#", f"url(#{name}-")
    for variable, color in COLORS.items():
        value = value.replace(color, f"var(--{variable})")
    value = re.sub(r"\s+", " ", value.strip())
    return re.sub(
        r"\d+\.\d{2,}", lambda number: f"{float(number[0]):.1f}".removesuffix(".0"), value
    )
