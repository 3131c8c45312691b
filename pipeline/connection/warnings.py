"""What a person is warned of."""
from collections.abc import Callable
from enum import IntEnum
from typing import Any

from pipeline.timestamps import to_text

MOST_WARNINGS = 10  # of one sync: the dashboard shows no more


class About(IntEnum):
    """What a warning is about, the important first."""

    FAILED = 0
    REJECTED = 1
    UNMATCHED = 2
    CHANGED = 3
    ORDER = 4
    QUOTA = 5


class Warnings:
    """The warnings of a sync: each is logged at once, and shown at the end, the important first."""

    def __init__(self, log: Callable[[str], Any]):
        self._log = log
        self._about: dict[str, About] = {}

    def add(self, about: About, sentence: str) -> None:
        if sentence not in self._about:
            self._log(sentence)
        self._about[sentence] = about

    def flush(self, show: Callable[[str], Any]) -> None:
        """Shows the ten most important."""
        for sentence in sorted(self._about, key=lambda sentence: self._about[sentence])[:MOST_WARNINGS]:
            show(sentence)


def future_start(start: int) -> str:
    """What to say of a start date (ms) in the future."""
    return f"initial_sync_start_date: {to_text(start)} is in the future; no event that occurs before it is delivered."
