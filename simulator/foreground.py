"""`python -m simulator.foreground`: the account of the demo, served until Ctrl-C, and a configuration
of the connector for it in build/try.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from simulator.example import Example, keep, kept, now
from simulator.server import Simulator

PLACE = Path(__file__).resolve().parent.parent / "build" / "try"
ACTIVATE = r".venv\Scripts\activate" if os.name == "nt" else ". .venv/bin/activate"
SAID = """\
A simulated HubSpot is at {url} until you press Ctrl-C.
{written} is a configuration for it: change any key of it, and try, in a second terminal:

  {activate}
  python -m pipeline preview --configuration {written}
  fivetran debug --configuration {written}
  python -m report

In a notebook, read it with that file: see "In a notebook" in README.md. `fivetran reset` deletes what was synced.
"""


def main() -> int:
    """Serves the account. Returns the exit status."""
    PLACE.mkdir(parents=True, exist_ok=True)
    written, account = PLACE / "configuration.json", PLACE / "account.json"
    example = kept(account) or Example(now())

    def introduce(hubspot: Simulator) -> str:
        keep(account, example, hubspot)
        keys = {**example.configuration(hubspot.url), **_edited(written)}
        keys["api_base_url"] = hubspot.url
        written.write_text(json.dumps(keys, indent=2), encoding="utf-8")
        shown = os.path.relpath(written).replace(os.sep, "/")
        return SAID.format(url=hubspot.url, written=shown, activate=ACTIVATE)

    return serve(example.open(), introduce)


def serve(simulator: Simulator, introduce: Callable[[Simulator], str]) -> int:
    """Serves until SIGINT or SIGTERM, once it has printed what introduces the simulator. Returns the
    exit status.
    """
    # not an Event: the main thread may hold its lock when the handler interrupts it
    stopped: list[int] = []
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda number, _: stopped.append(number))
    with simulator:
        print(introduce(simulator), flush=True)
        while not stopped:
            time.sleep(0.2)
    return 0


def _edited(written: Path) -> dict[str, str]:
    """The keys of the last time: somebody may have changed them."""
    try:
        return dict(json.loads(written.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}


if __name__ == "__main__":
    sys.exit(main())
