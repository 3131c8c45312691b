"""Warnings for the person who runs the connection."""
from collections.abc import Callable
from enum import IntEnum
from typing import Any

from pipeline.timestamps import to_text

MAX_WARNINGS = 10  # per sync: the dashboard shows no more


class About(IntEnum):
    """What a warning is about, most important first."""

    FAILED = 0
    REJECTED = 1
    CONFIGURATION = 2
    CHANGED = 3
    ORDER = 4
    CLOCK = 5
    QUOTA = 6


class Warnings:
    """The warnings of a sync: each is logged at once, and shown at the end, the most important first."""

    def __init__(self, log: Callable[[str], Any]):
        self._log = log
        self._about: dict[str, About] = {}

    def add(self, about: About, sentence: str) -> None:
        if sentence not in self._about:
            self._log(sentence)
        self._about[sentence] = about

    def show(self, warn: Callable[[str], Any]) -> None:
        """Passes the ten most important to `warn`."""
        for sentence in sorted(self._about, key=lambda sentence: self._about[sentence])[:MAX_WARNINGS]:
            warn(sentence)


def future_start(start: int) -> str:
    """The warning about a start date (ms) in the future."""
    return f"initial_sync_start_date: {to_text(start)} is in the future. Events that occur before then are not delivered."
