"""Warnings for the operator of the connection."""

from collections.abc import Callable
from enum import IntEnum
from typing import Any

from pipeline.timestamps import to_text

MAX_WARNINGS = 10  # per sync: the dashboard shows no more


class Topic(IntEnum):
    """What a warning is about, the most important first."""

    FAILED = 0
    REFUSED = 1
    REJECTED = 2
    CONFIGURATION = 3
    LATE = 4
    ACCOUNT = 5
    HISTORY = 6
    CHANGED = 7
    PATTERNS = 8
    ORDER = 9
    CLOCK = 10
    QUOTA = 11
    SENSITIVE = 12


class Warnings:
    """The warnings of a sync, each shown once: the first on each topic at once, since a sync may be
    killed; the others at the end, the most important first, up to ten in all.
    """

    def __init__(self, warn: Callable[[str], Any], log: Callable[[str], Any]):
        self._warn, self._log = warn, log
        self._topics: dict[str, Topic] = {}
        self._later: list[str] = []

    def add(self, topic: Topic, sentence: str) -> None:
        if sentence in self._topics:
            return
        said = len(self._topics) - len(self._later)
        if topic in self._topics.values() or said == MAX_WARNINGS - 1:
            self._later.append(sentence)
        else:
            self._warn(sentence)
        self._topics[sentence] = topic

    def conclude(self) -> None:
        """Shows the others. Those without room are logged; the last warning says how many."""
        room = MAX_WARNINGS - (len(self._topics) - len(self._later))
        others = sorted(self._later, key=self._topics.__getitem__)
        shown = len(others) if len(others) <= room else room - 1
        for sentence in others[:shown]:
            self._warn(sentence)
        for sentence in others[shown:]:
            self._log(sentence)
        if shown < len(others):
            self._warn(f"Further warnings: {len(others) - shown}. They are in the log of this sync.")
        self._later.clear()


def future_start(start: int) -> str:
    """The warning about a start date (ms) in the future."""
    return (
        f"initial_sync_start_date: {to_text(start)} is in the future. Events that occur before then are not delivered."
    )
