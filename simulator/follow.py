"""What a running `fivetran debug` logs, as far as it shows how the sync goes on."""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

POLL_SECONDS = 0.2
# not the table at the end, whose lines have no such beginning
OF_A_TYPE = re.compile(r"[^\w\s] connector +(\w+: .+)")
CHECKPOINT = re.compile(r" checkpoint recorded: ")


def progress_lines(log: Path, is_running: Callable[[], bool]) -> Iterator[str]:
    """Yields a line for each event type that begins, progresses or ends, and for each checkpoint,
    as they come into the log. Ends when nothing runs any more.
    """
    with log.open(encoding="utf-8", errors="replace") as lines:
        begun = ""
        while True:
            # asked first, so that what is logged at the very end is read too
            was_running = is_running()
            for piece in iter(lines.readline, ""):
                begun += piece
                if begun.endswith("\n"):
                    if found := OF_A_TYPE.search(begun):
                        yield found[1].strip()
                    elif CHECKPOINT.search(begun):
                        yield "checkpoint saved"
                    begun = ""
            if not was_running:
                return
            time.sleep(POLL_SECONDS)
