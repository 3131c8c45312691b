"""`python -m backfill ADDRESS`: the history of the account that configuration.json names."""

import argparse
import json
import shlex
import sys
from pathlib import Path

from dask.distributed import Client as Dask

from backfill import backfill
from pipeline import ConnectorError, read_settings
from pipeline.__main__ import read_json

CONFIGURATION = Path("configuration.json")


def main(arguments: list[str] | None = None) -> int:
    """Runs the command. Returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m backfill",
        description=f"Write the history of the account in {CONFIGURATION} to a storage, as Parquet.",
    )
    parser.add_argument("address", metavar="ADDRESS", help="a folder, or s3://…, gs://…, abfs://…")
    parser.add_argument(
        "--scheduler", metavar="tcp://…", help="of a Dask cluster; default: workers on this machine"
    )
    parser.add_argument(
        "--hours", type=int, default=24, help="of history in a file, 1 to 24 or days; default: 24"
    )
    options = parser.parse_args(arguments)
    try:
        run(options.address, options.scheduler, options.hours)
    except (ConnectorError, OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted. The same command goes on from here.\n")
        return 130
    return 0


def run(address: str, scheduler: str | None, hours: int) -> None:
    """Backfills, and prints what there is then and how to go on."""
    settings = read_settings(read_json(CONFIGURATION))
    # a worker of its own for each CPU: threads would share one
    cluster = {} if scheduler else {"threads_per_worker": 1, "dashboard_address": ":0"}
    with Dask(scheduler, **cluster) as dask:
        left = backfill(dask, settings, address, hours, lambda line: sys.stderr.write(f"{line}\n"))
    end = next(iter(left.state["event_types"].values()))["occurred"]
    # not over an earlier one, from which a connection may have gone on
    state = Path(f"state-{end}.json".replace(":", ""))
    state.write_text(json.dumps(left.state), encoding="utf-8")
    for table, rows in left.rows.items():
        sys.stdout.write(f"{table}: {rows:,} rows\n")
    sys.stdout.write(
        f"All of it up to {end} is at {address}. The state from which a connection goes on is in "
        f"{state}; docs/scale.md says how to give it to Fivetran. To go on from it here:\n"
        f"fivetran debug --configuration {CONFIGURATION} --state {shlex.quote(str(state))}\n"
    )


if __name__ == "__main__":
    sys.exit(main())
