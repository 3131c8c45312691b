"""`python -m report`: write an HTML report on a warehouse file, say its verdict, and show it in a
browser where there is one.
"""

import argparse
import os
import sys
import webbrowser
from datetime import datetime, timezone
from pathlib import Path

import duckdb

from report.facts import gather
from report.page import MOST_NOTICES, is_failing, render, verdict

DESCRIPTION = (
    "Write an HTML report on a warehouse file, to open in a browser without a server. The exit status "
    "is 1 if the last sync or an event type is failing."
)
# of a real account; of `make demo`
WAREHOUSES = (Path("files/warehouse.db"), Path("build/demo/files/warehouse.db"))


def main(arguments: list[str] | None = None) -> int:
    """Writes the page, prints its verdict and its path, and opens it. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m report", description=DESCRIPTION)
    default = next(filter(Path.exists, WAREHOUSES), WAREHOUSES[0])
    told = "the file that `fivetran debug` wrote (default: " + ", or else ".join(map(str, WAREHOUSES)) + ")"
    parser.add_argument("warehouse", type=Path, nargs="?", default=default, help=told)
    parser.add_argument("--out", type=Path, help="where to write the page (default: report.html beside the warehouse)")
    options = parser.parse_args(arguments)
    out = options.out or options.warehouse.with_name("report.html")
    try:
        facts = gather(options.warehouse, datetime.now(timezone.utc).replace(tzinfo=None))
        out.write_text(render(facts), "utf-8")
    except (duckdb.Error, OSError) as error:
        print(f"No page: {error}", file=sys.stderr)
        return 1
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    print(_printable(verdict(facts)))
    errors = [group["error"] for group in facts["failing"][:MOST_NOTICES]]
    errors += [facts["runs"][0]["error"]] if facts["last_error"] else []
    for error in errors:
        print(f"  {_printable(error or 'The table sync_run does not say why.')}")
    print(f"{out} ({out.stat().st_size / 1e6:.2f} MB)")
    if _has_browser():
        webbrowser.open(out.resolve().as_uri())
    return int(is_failing(facts))


def _printable(text: str) -> str:
    """A text that cannot move the cursor of a terminal.

    >>> _printable("no\\x1b[2J")
    'no\\\\x1b[2J'
    """
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


def _has_browser() -> bool:
    """Whether somebody is there, and a screen (or webbrowser would take over the terminal)."""
    has_screen = sys.platform in ("win32", "darwin") or {"DISPLAY", "WAYLAND_DISPLAY"} & {*os.environ}
    return sys.stdout.isatty() and bool(has_screen)


if __name__ == "__main__":
    sys.exit(main())
