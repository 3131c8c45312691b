"""The results as tables (results.md), as data (results.json) and as a picture (results.svg)."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
Bar = tuple[str, float, float | None]  # its name, its value and its limit


def read() -> dict[str, Any]:
    """The results of the last run; no tables if there is none."""
    path = HERE / "results.json"
    return json.loads(path.read_text("utf-8")) if path.exists() else {"tables": {}}


def write(results: Mapping[str, Any]) -> None:
    """Writes all three files."""
    (HERE / "results.json").write_text(_data(results), "utf-8")
    (HERE / "results.md").write_text(markdown(results), "utf-8")
    (HERE / "results.svg").write_text(picture(results["tables"]), "utf-8")


def _data(results: Mapping[str, Any]) -> str:
    """JSON with a line for each row and figure, and no digit that a measurement does not have."""
    rounded = json.loads(json.dumps(results), parse_float=lambda text: float(f"{float(text):.6g}"))
    text = json.dumps(rounded, indent=1, ensure_ascii=False)
    return re.sub(r"(?<=\[)[^\[\]{}]+(?=\])", lambda row: " ".join(row[0].split()), text) + "\n"


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
        lines += ["", f"## {table['title']}", "", f"{table['note']} Measured {table['when']}.".strip(), ""]
        lines += ["| " + " | ".join(table["columns"]) + " |", "|" + "---:|" * len(table["columns"])]
        lines += ["| " + " | ".join(map(_text, row)) + " |" for row in table["rows"]]
    return "\n".join(lines) + "\n"


def _text(value: Any) -> str:
    if isinstance(value, float) and value != int(value):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{value:,.0f}" if isinstance(value, (int, float)) else str(value)


def picture(tables: Mapping[str, Any]) -> str:
    """Six charts of bars as SVG, one line a bar; a table that is missing leaves its place blank."""
    lines = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1080 320" font-family="sans-serif" font-size="12">',
        '<rect width="1080" height="320" fill="#fff"/>',
    ]
    for place, (name, (title, bars)) in enumerate(CHARTS.items()):
        if name in tables:
            x, y = 12 + 360 * (place % 3), 24 + 155 * (place // 3)
            lines.append(f'<text x="{x}" y="{y}" font-weight="bold">{escape(title)}</text>')
            lines += _bars(x, y + 14, bars(tables[name]["rows"]))
    return "\n".join([*lines, "</svg>\n"])


def _bars(x: int, y: int, bars: list[Bar]) -> Iterator[str]:
    """Labeled bars below one another, with a black mark at each limit."""
    most = max(number for _, *numbers in bars for number in numbers if number is not None)
    for row, (name, value, limit) in enumerate(bars):
        top, length = y + 20 * row, round(180 * value / most)
        mark = x + 130 + round(180 * limit / most) if limit else 0
        yield (
            f'<text x="{x}" y="{top + 12}">{escape(name)}</text>'
            f'<rect x="{x + 130}" y="{top}" width="{length}" height="15" fill="#56B4E9"/>'
            + (f'<path d="M{mark} {top - 2}v19" stroke="#000" stroke-width="2"/>' if mark else "")
            + f'<text x="{x + 134}" y="{top + 12}">{_text(value)}</text>'
        )


def _worst(rows: list[Any]) -> list[Bar]:
    names = dict.fromkeys(row[0] for row in rows)
    return [(name, max(row[3] for row in rows if row[0] == name), None) for name in names]


CHARTS: dict[str, tuple[str, Callable[[list[Any]], list[Bar]]]] = {
    "floor": (
        "The SDK's floor / this connector (1: no cost)",
        lambda rows: [("DuckDB, wall", rows[1][1], 0.9), ("counted, CPU", rows[3][2], 0.55)],
    ),
    "latency": (
        "Times as fast as one request after another, 250 ms",
        lambda rows: [(f"concurrency {row[1]}", row[2], None) for row in rows if row[0] == 250],
    ),
    "memory": (
        "Peak memory, MB (concurrency 8)",
        lambda rows: [(f"{row[0]:,} events", row[3], 150) for row in rows if row[1] == 8],
    ),
    "quota": (
        "Share used of the quota less the reserve",
        lambda rows: [(f"{row[0]} requests in 10 s", row[1], 0.95) for row in rows],
    ),
    "shapes": ("Requests a full page, the most seen", _worst),
    "peer": (
        "Events a second into DuckDB, times dlt's",
        lambda rows: [(row[0], row[1], None) for row in rows if "," not in row[0] and row[-1] == rows[0][-1]],
    ),
}
