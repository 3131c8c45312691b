"""The cursors of a connection while a sync moves them."""

from collections.abc import Callable, Mapping
from typing import Any

from pipeline.config.settings import Settings
from pipeline.connection.state import Progress, progress_by_type, read_under_way, state_dict
from pipeline.timestamps import to_ms


class Cursors:
    """The progress of every event type, read from a state of this version; `save` passes the state
    on to `checkpoint`.

    `known` are the event types that earlier syncs have read, `under_way` is the one that the next
    sync resumes with. `refused`, `sync_run` and `looks` return what the state keeps of these, or None.
    """

    def __init__(
        self,
        settings: Settings,
        state: Mapping[str, Any],
        checkpoint: Callable[[dict[str, Any]], Any],
        refused: Callable[[], Mapping[str, Any] | None] = lambda: None,
        sync_run: Callable[[], Mapping[str, Any] | None] = lambda: None,
        looks: Callable[[], Mapping[str, Any] | None] = lambda: None,
    ):
        self._settings, self._checkpoint = settings, checkpoint
        self._refused, self._sync_run, self._looks = refused, sync_run, looks
        self._progress = progress_by_type(state)
        self.known = frozenset(self._progress)
        self.under_way = read_under_way(state)

    def get(self, event_type: str) -> Progress:
        """The progress of an event type; empty, under the present settings, if it has none yet."""
        return self._progress.get(event_type) or Progress(
            fingerprint=self._settings.fingerprint(event_type)
        )

    def ledger_sizes(self) -> list[int]:
        """The length of the ledger of each event type."""
        return [len(progress.ledger or "") for progress in self._progress.values()]

    def finished(self, event_type: str) -> int:
        """When a sync last read everything of an event type, ms; 0 for never."""
        return to_ms(self.get(event_type).finished_at or "1970-01-01")

    def set(self, event_type: str, progress: Progress) -> None:
        self._progress[event_type] = progress

    def forget(self, event_type: str) -> None:
        self._progress.pop(event_type, None)

    def save(self) -> None:
        address, refused, sync_run = self._settings.api_base_url, self._refused(), self._sync_run()
        state = state_dict(
            self._progress, self.under_way, address, refused, sync_run, self._looks()
        )
        self._checkpoint(state)
