"""Warnings for the person who runs the connection."""
from collections.abc import Callable
from enum import IntEnum
from typing import Any

from pipeline.timestamps import to_text

MAX_WARNINGS = 10  # per sync: the dashboard shows no more


class About(IntEnum):
    """What a warning is about, most important first."""

    FAILED = 0
    REFUSED = 1
    REJECTED = 2
    CONFIGURATION = 3
    LATE = 4
    CHANGED = 5
    ORDER = 6
    CLOCK = 7
    QUOTA = 8


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
        """Passes ten to `warn`, the most important first: the first about each subject, then the others while there is room. The
        last of them says how many more there are."""
        by_importance = sorted(self._about, key=lambda sentence: self._about[sentence])
        shown = by_importance
        if len(by_importance) > MAX_WARNINGS:
            first = {self._about[sentence]: sentence for sentence in reversed(by_importance)}.values()
            ranked = sorted(by_importance, key=lambda sentence: sentence not in first)
            chosen = set(ranked[: MAX_WARNINGS - 1])
            shown = [sentence for sentence in by_importance if sentence in chosen]
            shown.append(f"Further warnings: {len(by_importance) - len(shown)}. They are in the log of this sync.")
        for sentence in shown:
            warn(sentence)


def future_start(start: int) -> str:
    """The warning about a start date (ms) in the future."""
    return f"initial_sync_start_date: {to_text(start)} is in the future. Events that occur before then are not delivered."
