"""Every event type of a connection, and the state that they make together."""

from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.connection.event_type import EventType
from pipeline.connection.run import Run
from pipeline.connection.state import Progress, progress_by_type, read_under_way
from pipeline.names.tables import EVENT_PROPERTY
from pipeline.tables.sync_run import Tally
from pipeline.timestamps import to_ms


class EventTypes:
    """The event types of this sync and of earlier ones (`known`). The next sync resumes with the
    one `under_way`; `event_property` is what the state keeps of that table.
    """

    def __init__(self, run: Run, state: Mapping[str, Any]):
        self.run = run
        saved = progress_by_type(state)
        self._by_name = {name: EventType(run, name, progress) for name, progress in saved.items()}
        self.known = frozenset(self._by_name)
        self.under_way = read_under_way(state)
        dictionary = state.get(EVENT_PROPERTY)
        self.event_property: Mapping[str, Any] = dictionary if isinstance(dictionary, Mapping) else {}

    def __getitem__(self, name: str) -> EventType:
        """An event type by name, with an empty progress if no sync has read it."""
        if name not in self._by_name:
            self._by_name[name] = EventType(self.run, name)
        return self._by_name[name]

    def finished(self, name: str) -> int:
        """When a sync last read everything of an event type, ms; 0 for never."""
        return to_ms(self[name].progress.finished_at or "1970-01-01")

    def tallies(self) -> dict[str, Tally]:
        """The tallies of the event types that this sync has reached."""
        return {name: each.tally for name, each in self._by_name.items() if each.is_reached}

    def open(self, names: Iterable[str]) -> None:
        """Sends the first requests of these event types ahead of their turn."""
        for name in names:
            self[name].open()

    def close(self) -> None:
        """Ends the requests of event types whose turn has not come."""
        for each in self._by_name.values():
            each.close()

    def progress(self) -> dict[str, Progress]:
        """The progress of each event type that the state keeps."""
        return {name: each.progress for name, each in self._by_name.items() if each.is_saved}

    def ledger_sizes(self) -> list[int]:
        """The length of the ledger of each event type."""
        return [len(progress.ledger or "") for progress in self.progress().values()]
