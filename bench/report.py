"""The results as tables (results.md), as data (results.json) and as charts (results.svg)."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
# Okabe and Ito's, for any eye
BLUE, ORANGE, GREEN, PINK, SKY = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
)


def read() -> dict[str, Any]:
    """The results of the last run; no tables if there is none."""
    path = HERE / "results.json"
    return json.loads(path.read_text("utf-8")) if path.exists() else {"tables": {}}


def write(results: Mapping[str, Any]) -> None:
    """Writes all three files."""
    (HERE / "results.json").write_text(
        json.dumps(results, indent=1, ensure_ascii=False) + "\n", "utf-8"
    )
    (HERE / "results.md").write_text(markdown(results), "utf-8")
    picture(results["tables"])


def holds(value: float, limit: float, sense: str) -> bool:
    """Whether a figure is within its limit.

    >>> holds(0.94, 0.9, "at least"), holds(151, 150, "at most")
    (True, False)
    """
    return value >= limit if sense == "at least" else value <= limit


def markdown(results: Mapping[str, Any]) -> str:
    """The report as Markdown: the figures, then each table."""
    lines = ["# Measured by `make bench`", "", "![The figures as a picture](results.svg)", ""]
    lines += ["| figure | measured | wanted | |", "|---|---:|---:|---|"]
    for table in results["tables"].values():
        for name, value, limit, sense in table["figures"]:
            held = "yes" if holds(value, limit, sense) else "**no**"
            lines.append(f"| {name} | {_text(value)} | {sense} {_text(limit)} | {held} |")
    for table in results["tables"].values():
        lines += [
            "",
            f"## {table['title']}",
            "",
            f"{table['note']} Measured {table['when']}.".strip(),
            "",
        ]
        lines += ["| " + " | ".join(table["columns"]) + " |", "|" + "---:|" * len(table["columns"])]
        lines += ["| " + " | ".join(map(_text, row)) + " |" for row in table["rows"]]
    return "\n".join(lines) + "\n"


def _text(value: Any) -> str:
    if isinstance(value, float) and value != int(value):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{value:,.0f}" if isinstance(value, (int, float)) else str(value)


def picture(tables: Mapping[str, Any]) -> None:
    """Draws six small charts, blank where a table is missing."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot as plt

    plt.rcParams.update(
        {
            "font.size": 10,
            "svg.hashsalt": "bench",
            "axes.spines.top": False,
            "axes.spines.right": False,
        }
    )
    charts = {
        "floor": _floor,
        "latency": _latency,
        "memory": _memory,
        "quota": _quota,
        "shapes": _shapes,
        "peer": _peer,
    }
    figure, axes = plt.subplots(2, 3, figsize=(15, 8.5), facecolor="white")
    for (name, chart), axis in zip(charts.items(), axes.flat, strict=True):
        if name in tables:
            chart(axis, tables[name]["rows"])
        else:
            axis.set_axis_off()
    figure.tight_layout(pad=2)
    figure.savefig(HERE / "results.svg", metadata={"Date": None})
    plt.close(figure)


def _bars(
    axis: Any, names: list[str], values: list[float], color: str, limits: list[float], title: str
) -> None:
    """Draws labeled bars, and a dashed line at the limit of each, if there are limits."""
    bars = axis.bar(names, values, color=color, width=0.55)
    axis.bar_label(bars, [f"{value:.3g}" for value in values], padding=2)
    for place, limit in enumerate(limits):
        axis.hlines(limit, place - 0.4, place + 0.4, color="black", linestyle="--", linewidth=1.2)
    axis.set_title(title)
    axis.set_ylim(0, 1.15 * max(values + limits))


def _floor(axis: Any, rows: list[Any]) -> None:
    _bars(
        axis, ["into DuckDB, wall\n(at least 0.90)", "counted, CPU\n(at least 0.55)"], [rows[1][1], rows[3][2]], BLUE,
        [0.9, 0.55], "The SDK's floor / this connector (1: no cost)",
    )  # fmt: skip


def _latency(axis: Any, rows: list[Any]) -> None:
    styles = zip(
        dict.fromkeys(row[0] for row in rows), (SKY, GREEN, BLUE, ORANGE), "^sov", strict=True
    )
    for ms, color, marker in styles:
        line = [row for row in rows if row[0] == ms]
        axis.plot(
            [row[1] for row in line],
            [row[2] for row in line],
            color=color,
            marker=marker,
            label=f"{ms} ms a request",
        )
    axis.set_xscale("log", base=2)
    axis.set_xticks([1, 2, 4, 8, 16], ["1", "2", "4", "8", "16"])
    axis.set_xlabel("concurrency")
    axis.set_ylim(bottom=0)
    axis.legend(frameon=False)
    axis.set_title("Times as fast as one request after another")


def _memory(axis: Any, rows: list[Any]) -> None:
    line = [row for row in rows if row[1] == 8]
    axis.plot(
        [row[0] for row in line], [row[3] for row in line], color=BLUE, marker="o", label="peak"
    )
    axis.plot(
        [row[0] for row in line],
        [row[4] for row in line],
        color=ORANGE,
        marker="s",
        label="before the sync",
    )
    axis.axhline(150, color="black", linestyle="--", linewidth=1, label="at most: 150")
    axis.set_xscale("log")
    axis.set_ylim(0, 1.15 * max(150, *(row[3] for row in line)))
    axis.set_xlabel("events")
    axis.legend(frameon=False, loc="lower right")
    axis.set_title("Memory, MB (concurrency 8)")


def _quota(axis: Any, rows: list[Any]) -> None:
    _bars(
        axis, [f"{row[0]} in 10 s\n429: {row[2]:.1%}" for row in rows], [100 * row[1] for row in rows], GREEN,
        [95.0] * len(rows), "% used of the quota less the reserve (at least 95)",
    )  # fmt: skip


def _shapes(axis: Any, rows: list[Any]) -> None:
    names = list(dict.fromkeys(row[0] for row in rows))
    for offset, workers, color in ((-0.2, 4, SKY), (0.2, 8, BLUE)):
        most = [
            max(row[3] for row in rows if row[0] == name and row[2] == workers) for name in names
        ]
        bars = axis.bar(
            [place + offset for place in range(len(names))],
            most,
            0.38,
            color=color,
            label=f"concurrency {workers}",
        )
        axis.bar_label(bars, [f"{value:.2f}" for value in most], padding=2)
    axis.set_xticks(range(len(names)), names)
    axis.set_ylim(0, 1.7)
    axis.legend(frameon=False, ncols=2, loc="upper left")
    axis.set_title("Requests a full page, the most seen")


def _peer(axis: Any, rows: list[Any]) -> None:
    rows = [rows[0], rows[1], rows[-1]]
    _bars(
        axis,
        [row[0] for row in rows],
        [row[3] for row in rows],
        PINK,
        [],
        f"{rows[0][7]:,.0f} events into DuckDB, seconds",
    )
