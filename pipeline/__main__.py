"""`python -m pipeline COMMAND`: commands to run between syncs."""

import argparse
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from pipeline.commands.event_types import find_event_types, format_event_types
from pipeline.commands.preview import format_preview, preview
from pipeline.commands.read_again import read_again
from pipeline.config.settings import read_settings
from pipeline.errors import ConnectorError

PROGRESS_EVERY = 10  # event types


def main(arguments: list[str] | None = None) -> int:
    """Runs a command. Returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except (ConnectorError, OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pipeline", description="Commands to run between syncs.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    types = commands.add_parser("event-types", help="list the event types of the account and what is in each")
    types.add_argument(
        "--configuration", type=Path, default=Path("configuration.json"), help="default: configuration.json"
    )
    types.set_defaults(run=_event_types)
    before = commands.add_parser(
        "preview", help="show what an account holds, what a sync takes, what to set, how HubSpot answers"
    )
    before.add_argument(
        "--configuration", type=Path, default=Path("configuration.json"), help="default: configuration.json"
    )
    before.add_argument("--json", action="store_true", help="the same as JSON, to report a problem")
    before.set_defaults(run=_preview)
    again = commands.add_parser("read-again", help="change a saved state so that the next sync reads a range again")
    again.add_argument("event_type", metavar="EVENT_TYPE")
    again.add_argument(
        "--state", type=Path, default=Path("files/state.json"), help="changed in place; default: files/state.json"
    )
    again.add_argument("--from", dest="begin", metavar="TIME", help="ISO 8601, UTC; default: all that is delivered")
    again.add_argument("--to", dest="end", metavar="TIME", help="ISO 8601, UTC; default: the cursor")
    again.set_defaults(run=_read_again)
    return parser


def _preview(options: argparse.Namespace) -> None:
    given = read_json(options.configuration, "--configuration")
    start = given.get("initial_sync_start_date") or "1970-01-01"
    settings = read_settings({**given, "initial_sync_start_date": start})
    report = preview(settings, lambda sentence: sys.stderr.write(f"{sentence}\n"))
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    if options.json:
        for held in report["event_types"].values():
            held |= {"refused": True} if "refused" in held else {}  # what HubSpot said names ids
        sys.stdout.write(f"{json.dumps(report, indent=2)}\n")
    else:
        sys.stdout.writelines(f"{line}\n" for line in format_preview(report))


def _event_types(options: argparse.Namespace) -> None:
    given = read_json(options.configuration, "--configuration")
    # neither matters here, but what is no text is a mistake all the same
    unused = {"initial_sync_start_date": "1970-01-01", "event_types": ""}
    texts = {name for name in unused if given.get(name) is None or isinstance(given[name], str)}
    settings = read_settings(given | {name: unused[name] for name in texts})
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # a name may not fit the terminal
    for line in format_event_types(find_event_types(settings, _progress)):
        sys.stdout.write(f"{line}\n")


def _progress(asked: int, of: int) -> None:
    if asked % PROGRESS_EVERY == 0 or asked == of:
        sys.stderr.write(f"Asked HubSpot for {asked} of {of} event types.\n")


def _read_again(options: argparse.Namespace) -> None:
    saved = read_json(options.state, "--state")
    deployed = _deployed(saved)
    state = read_again(saved if deployed is None else deployed, options.event_type, options.begin, options.end)
    written = options.state.with_name(f"{options.state.name}.new")
    written.write_text(json.dumps(state if deployed is None else {"state": state}), encoding="utf-8")
    shutil.copymode(options.state, written)
    os.replace(written, options.state)
    again = state["event_types"][options.event_type]
    sys.stdout.write(
        f"The next sync reads {options.event_type} from {again['again_from']} to {again['again_to']} again.\n"
    )


def _deployed(answer: dict[str, Any]) -> dict[str, Any] | None:
    """The state in an answer of Fivetran's API, {"data": {"state": …}}, or in a request to it,
    {"state": …}; None if there is none.
    """
    data = answer.get("data", answer)
    state = data.get("state") if isinstance(data, dict) else None
    return state if isinstance(state, dict) else None


def read_json(path: Path, option: str = "") -> dict[str, Any]:
    """The object in a JSON file, which an option of the command names. Raises ValueError for
    anything else.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        cure = f"Name the right one with {option}, or go" if option else "Go"
        raise ValueError(f"There is no file {path}. {cure} to the folder that has it.") from None
    except ValueError as error:
        raise ValueError(f"{path} is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise ValueError(f"{path} does not hold a JSON object.")
    return value


if __name__ == "__main__":
    sys.exit(main())
