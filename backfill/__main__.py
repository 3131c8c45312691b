"""`python -m backfill ADDRESS`: the history of the account that configuration.json names."""

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
        description=f"Write the history of the account in {CONFIGURATION} to a storage, as Parquet.",
    )
    parser.add_argument("address", metavar="ADDRESS", help="a folder, or s3://…, gs://…, abfs://…")
    parser.add_argument(
        "--scheduler", metavar="tcp://…", help="of a Dask cluster; default: workers on this machine"
    )
    parser.add_argument(
        "--hours", type=int, default=24, help="of history in a file, 1 to 24 or days; default: 24"
    )
    try:
        run(**vars(parser.parse_args(arguments)))
    except (ConnectorError, OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted. The same command goes on from here.\n")
        return 130
    return 0


def run(address: str, scheduler: str | None, hours: int) -> None:
    """Backfills, and prints what there is then and how to go on."""
    settings = read_settings(read_json(Path(CONFIGURATION)))
    here = {} if scheduler else {"threads_per_worker": 1, "dashboard_address": ":0"}
    with Dask(scheduler, **here) as dask:
        left = backfill(dask, settings, address, hours, lambda line: sys.stderr.write(f"{line}\n"))
    end = next(iter(left.state["event_types"].values()))["occurred"]
    # not over an earlier one, from which a connection may have gone on
    state = f"state-{end}.json".replace(":", "")
    Path(state).write_text(json.dumps(left.state), encoding="utf-8")
    counted = [f"{table}: {rows:,} rows" for table, rows in left.rows.items()]
    sys.stdout.write(
        "\n".join(counted) + f"\nAll of it up to {end} is at {address}. The state from which a "
        f"connection goes on is in {state}: docs/scale.md says how to give it to Fivetran. To go "
        f"on here:\nfivetran debug --configuration {CONFIGURATION} --state {state}\n"
    )


if __name__ == "__main__":
    sys.exit(main())
