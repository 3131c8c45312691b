"""`python -m report files/warehouse.db`: the warehouse as one HTML page, for a browser, without a server."""
import argparse
import sys
from datetime import datetime, timezone
from pathlib import Path

import duckdb

from report.facts import gather
from report.page import render


def main(arguments: list[str] | None = None) -> int:
    """Writes the page and says where; 0 if it could."""
    parser = argparse.ArgumentParser(prog="python -m report", description=__doc__)
    parser.add_argument("warehouse", type=Path, help="the file that `fivetran debug` wrote")
    parser.add_argument("--out", type=Path, help="the page (default: report.html beside the warehouse)")
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
