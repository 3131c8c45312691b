"""`python -m backfill ADDRESS`: backfills the history of the account in configuration.json."""

import argparse
import json
import sys
from pathlib import Path

from dask.distributed import Client as Dask

from backfill import backfill
from pipeline import ConnectorError, read_settings
from pipeline.__main__ import read_json

CONFIGURATION = "configuration.json"


def main(arguments: list[str] | None = None) -> int:
    """Runs the command. Returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m backfill",
        description=f"Write the history of the account in {CONFIGURATION} to storage, as Parquet.",
    )
    parser.add_argument("address", metavar="ADDRESS", help="a folder, or s3://…, gs://…, abfs://…")
    parser.add_argument("--scheduler", metavar="tcp://…", help="of a Dask cluster; default: workers on this machine")
    parser.add_argument("--hours", type=int, default=24, help="of history in a file: a divisor or multiple of 24")
    try:
        run(**vars(parser.parse_args(arguments)))
    except (ConnectorError, OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted. The same command resumes from here.\n")
        return 130
    return 0


def run(address: str, scheduler: str | None, hours: int) -> None:
    """Backfills, then prints what was written and how to go on."""
    settings = read_settings(read_json(Path(CONFIGURATION)))
    here = {} if scheduler else {"threads_per_worker": 1, "dashboard_address": ":0"}
    with Dask(scheduler, **here) as dask:
        left = backfill(dask, settings, address, hours, lambda line: sys.stderr.write(f"{line}\n"))
    end = next(iter(left.state["event_types"].values()))["occurred"]
    # never over an earlier one, from which a connection may have resumed
    state = f"state-{end}.json".replace(":", "")
    Path(state).write_text(json.dumps(left.state), encoding="utf-8")
    counted = [f"{table}: {rows:,} rows" for table, rows in left.rows.items()]
    sys.stdout.write(
        "\n".join(counted) + f"\nEverything up to {end} is at {address}. The state from which a "
        f"connection resumes is in {state}: docs/scale.md says how to give it to Fivetran. To resume "
        f"here:\nfivetran debug --configuration {CONFIGURATION} --state {state}\n"
    )


if __name__ == "__main__":
    sys.exit(main())
