"""`make bench`, or `python -m bench [--full] [TABLE …]`: measure everything, or the named tables,
and write bench/results.*
"""

import argparse
import os
import platform
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from functools import partial
from typing import Any

from bench import report
from bench.figures import ALL, ANY_LOAD


def main() -> int:
    """Measures, writes and prints the figures. Returns 0 whatever they are, since they depend on
    the machine.
    """
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure, and write bench/results.*")
    parser.add_argument("tables", nargs="*", metavar="TABLE", help=f"one of {', '.join(ALL)} (default: all)")
    parser.add_argument(
        "--full", action="store_true", help="also measure 10,000,000 events (a quarter of an hour more)"
    )
    options = parser.parse_args()
    if unknown := set(options.tables) - set(ALL):
        parser.error(f"no such table: {', '.join(unknown)}")
    wanted = options.tables or list(ALL)
    results = report.read()
    earlier = results["tables"]
    measured = partial(_measured, full=options.full, earlier=earlier)
    tables = {name: measured(name) for name in wanted if name not in ANY_LOAD}
    with ThreadPoolExecutor() as pool:
        together = [name for name in wanted if name in ANY_LOAD]
        tables |= zip(together, pool.map(measured, together), strict=True)
    tables = {name: {**earlier, **tables}[name] for name in ALL if name in tables or name in earlier}
    report.write({"command": "make bench", "machine": _machine(), "tables": tables})
    for table in tables.values():
        for name, value, limit, sense in table["figures"]:
            print(f"{'ok ' if report.holds(value, limit, sense) else 'NO '} {name}: {value:.3f} ({sense} {limit})")
    return 0


def _measured(name: str, full: bool, earlier: dict[str, Any]) -> dict[str, Any]:
    """A measured table, with where and when. `earlier` holds the tables of the last run."""
    print(f"measuring: {name} …", flush=True)
    table = ALL[name]({"full": full, "earlier": earlier.get(name, {})})
    when = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    load = f", {os.getloadavg()[0]:.1f} processes running" if hasattr(os, "getloadavg") else ""
    return {**table, "when": f"{when} on {_machine()}{load}"}


def _machine() -> str:
    return f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"


if __name__ == "__main__":
    sys.exit(main())
