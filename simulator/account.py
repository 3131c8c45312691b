"""A HubSpot account: its events, the options of its API, and what the API remembers of the
requests.
"""

import itertools
import time
from dataclasses import dataclass, field
from threading import Lock

from simulator.behaviour import Behaviour
from simulator.cursor import Position
from simulator.history import History
from simulator.quota import RateLimit


@dataclass
class Account:
    """Holds `histories` by event type. Safe for several threads that hold `lock` while they use the
    sets.
    """

    histories: dict[str, History]
    behaviour: Behaviour = field(default_factory=Behaviour)
    rate_limit: RateLimit = field(default_factory=RateLimit)
    emptied: set[Position] = field(default_factory=set)  # positions whose page was empty once
    ended: set[Position] = field(default_factory=set)  # positions whose page was the last once
    # requests with a cursor
    continued: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    lock: Lock = field(default_factory=Lock)

    def now(self) -> int:
        """Now by the simulator's clock, ms UTC."""
        return self.behaviour.clock() if self.behaviour.clock else time.time_ns() // 1_000_000
