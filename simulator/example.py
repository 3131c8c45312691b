"""The account of `make demo` and `make try`: page visits and forms of the last 120 days, going on as
time passes, and one of each thing that a report is to find.
"""

import json
import socket
import time
from pathlib import Path
from typing import NamedTuple

from simulator.behaviour import Behaviour
from simulator.history import History, generated, listed, submissions
from simulator.instants import DAY_MS, iso
from simulator.server import HOST, Simulator

VISITS, FORMS = "e_visited_page", "e_form_submission_v2"
REFUSED = "e_opened_email_v2"  # for which the token lacks a scope
VISITS_A_DAY = 250
EVERY = 33  # of them is followed by a form
PAST, FUTURE = 120, 365  # days of the history, before it is first shown and after
REJECTED = 20  # the number of the form that has no id
LATE = 3 * DAY_MS  # how long before the history is first shown the form occurs that is visible late
TOKEN = "any-access-token"  # noqa: S105 (the simulator accepts any)


class Example(NamedTuple):
    """An account that was first shown then (ms), and the port that it had."""

    shown: int
    port: int = 0

    @property
    def start(self) -> str:
        return iso((self.shown // DAY_MS - PAST) * DAY_MS).decode()

    def open(self, with_late: bool = True) -> Simulator:
        """The account, with or without the form that is late: on the port that it had, if that is
        free.
        """
        end = iso((self.shown // DAY_MS + FUTURE) * DAY_MS).decode()
        visits = generated(VISITS_A_DAY * (PAST + FUTURE), self.start, end)
        forms = _flawed(submissions(visits, EVERY))
        late = forms.time(forms.rank(self.shown - LATE) - 1)
        behaviour = Behaviour(hide_future=True, extra_event_types=(REFUSED,), forbidden={REFUSED: "marketing-email"})
        if not with_late:
            behaviour.late = {FORMS: lambda _, at: FUTURE * DAY_MS if at == late else 0}
        return Simulator({VISITS: visits, FORMS: forms}, behaviour, _free(self.port))

    def configuration(self, url: str) -> dict[str, str]:
        """The connector's configuration for the account at a base URL."""
        return {"api_token": TOKEN, "initial_sync_start_date": self.start, "event_types": "e_*", "api_base_url": url}


def kept(path: Path) -> Example | None:
    """The account that a file keeps, since a saved state depends on it; None if there is none, or it
    is over.
    """
    try:
        example = Example(**json.loads(path.read_text(encoding="utf-8")))
        return example if 0 <= now() - example.shown < FUTURE * DAY_MS else None
    except (OSError, ValueError, TypeError):
        return None


def keep(path: Path, example: Example, hubspot: Simulator) -> None:
    path.write_text(json.dumps(example._replace(port=hubspot.port)._asdict()), encoding="utf-8")


def now() -> int:
    return time.time_ns() // 1_000_000


def visible(hubspot: Simulator, event_type: str) -> int:
    """How many events of a type have occurred."""
    return hubspot.histories[event_type].rank(hubspot.now() + 1)


def _flawed(forms: History) -> History:
    """The forms, one of them without an id."""
    events = [forms.event(i) for i in range(len(forms))]
    del events[REJECTED]["id"]
    return listed(events)


def _free(port: int) -> int:
    """The port if it is free; else 0, which picks a free one."""
    try:
        with socket.create_server((HOST, port)):
            return port
    except (OSError, OverflowError, TypeError):
        return 0
