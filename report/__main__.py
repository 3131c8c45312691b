"""`python -m report`: write an HTML report on a warehouse file, to open in a browser without a
server.
"""

import argparse
import sys
from datetime import datetime, timezone
from pathlib import Path

import duckdb

from report.facts import gather
from report.page import render

DESCRIPTION = "Write an HTML report on a warehouse file, to open in a browser without a server."
# of a real account; of `make demo`
WAREHOUSES = (
    Path("files/warehouse.db"),
    Path("build/demo/files/warehouse.db"),
)


def main(arguments: list[str] | None = None) -> int:
    """Writes the page and prints its path. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m report", description=DESCRIPTION)
    default = next(filter(Path.exists, WAREHOUSES), WAREHOUSES[0])
    told = (
        "the file that `fivetran debug` wrote (default: "
        + ", or else ".join(map(str, WAREHOUSES))
        + ")"
    )
    parser.add_argument("warehouse", type=Path, nargs="?", default=default, help=told)
    parser.add_argument(
        "--out",
        type=Path,
        help="where to write the page (default: report.html beside the warehouse)",
    )
    options = parser.parse_args(arguments)
    out = options.out or options.warehouse.with_name("report.html")
    try:
        facts = gather(options.warehouse, datetime.now(timezone.utc).replace(tzinfo=None))
        out.write_text(render(facts), "utf-8")
    except (duckdb.Error, OSError) as error:
        print(f"No page: {error}", file=sys.stderr)
        return 1
    print(f"{out} ({out.stat().st_size / 1e6:.2f} MB): open it in a browser.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
