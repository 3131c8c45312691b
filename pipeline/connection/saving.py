"""When the state is saved: each save copies and writes all of it."""

import time
from collections.abc import Callable

SECONDS = 60.0  # at least between two saves, unless `interval` rows were upserted


class Saving:
    """Decides when a sync saves: after every `interval` rows; otherwise at most once a minute;
    always at the end, and before an error is raised. `save` writes the state.
    """

    def __init__(self, interval: int, save: Callable[[], None], log: Callable[[str], None]):
        self._interval, self._save, self._log = interval, save, log
        self.unsaved = 0  # rows upserted since the last save
        self._saved_at = time.monotonic()

    def is_due(self) -> bool:
        waited = time.monotonic() - self._saved_at
        return self.unsaved >= self._interval or (self.unsaved > 0 and waited >= SECONDS)

    def save(self, how_far: str = "") -> None:
        """Saves the state; the log says `how_far` it has come."""
        rows, self.unsaved, self._saved_at = self.unsaved, 0, time.monotonic()
        self._save()
        if how_far:
            self._log(f"Saved {rows:,} more rows: {how_far}.")
