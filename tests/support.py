"""What several test files use: a sync into plain lists, and the truth to hold it against."""

from dataclasses import dataclass, field
from itertools import count
from typing import Any

from pipeline import Sink, read_settings, sync
from pipeline.tables.audited_range import SCHEMA as AUDITED_RANGE
from pipeline.timestamps import to_ms, to_text
from simulator import Behaviour, Simulator

START = "2026-01-01T00:00:00Z"
END = "2026-05-01T00:00:00Z"
BASE = to_ms(START)
TYPE = "e_visited_page"


@dataclass
class Delivered:
    """A sink that keeps what a sync delivers: rows by table and id (as a destination would), those
    of event_property by their key apart from them, upserts in order, states.
    """

    rows: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    dictionary: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    upserts: list[str] = field(default_factory=list)
    states: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)

    def upsert(self, table: str, row: dict[str, Any]) -> None:
        if table == "event_property":
            self.dictionary[row["event_type"], row["name"]] = row
            return
        key = row["id"] if "id" in row else tuple(row[name] for name in AUDITED_RANGE["primary_key"])
        self.rows.setdefault(table, {})[key] = row
        if table not in ("sync_run", "audited_range"):
            self.upserts.append(key)

    def sink(self) -> Sink:
        return Sink(self.upsert, self.states.append, self.warnings.append, self.log.append)

    @property
    def state(self) -> dict[str, Any]:
        return self.states[-1] if self.states else {}

    @property
    def run(self) -> dict[str, Any]:
        """The row of sync_run of the last sync."""
        return max(self.rows["sync_run"].values(), key=lambda row: row["started_at"])

    def ids(self, table: str = "e_visited_page") -> set[str]:
        return set(self.rows.get(table, {}))


def configuration(sim: Any, **keys: str) -> dict[str, str]:
    return {"api_token": "pat-na1-secret", "initial_sync_start_date": START, "api_base_url": sim.url, **keys}


def sync_into(delivered: Delivered, sim: Any, state: dict[str, Any] | None = None, **keys: str) -> Delivered:
    sync(read_settings(configuration(sim, **keys)), delivered.state if state is None else state, delivered.sink())
    return delivered


class Killed(Exception):
    pass


class Destination(Delivered):
    """Keeps rows as Fivetran does: what came after the last checkpoint is lost with the sync, and
    nothing follows a failure. `fuse` operations succeed, the next one kills the sync.
    """

    fuse = None

    def sink(self):
        self.waiting = []
        return super().sink()._replace(upsert=self._upsert, checkpoint=self._checkpoint)

    def _operate(self):
        if self.fuse is not None:
            self.fuse -= 1
            if self.fuse < 0:
                raise Killed

    def _upsert(self, table, row):
        if table != "event_property":  # a fuse counts the operations of events
            self._operate()
        self.waiting.append((table, row))

    def _checkpoint(self, state):
        self._operate()
        for table, row in self.waiting:
            self.upsert(table, row)
        self.waiting.clear()
        self.states.append(state)

    def sync(self, sim, fuse=None, **keys):
        """Whether the sync came to its end."""
        self.fuse = fuse
        try:
            sync_into(self, sim, **keys)
        except Killed:
            return False
        return True

    def cursors(self):
        progress = [state["event_types"].get(TYPE, {}) for state in self.states]
        return [to_ms(saved["occurred"]) for saved in progress if "occurred" in saved]


def truth(history, start=BASE):
    return {history.event(i)["id"] for i in range(len(history)) if history.time(i) >= start}


def event(moment, n=0, **properties):
    text = moment if isinstance(moment, str) else to_text(moment)
    return {"id": f"id-{n}", "eventType": TYPE, "objectId": "1", "objectType": "CONTACT", "occurredAt": text,
            "properties": properties}  # fmt: skip


class Quiet(Simulator):
    __repr__ = object.__repr__  # or hypothesis prints all that it holds

    def renew(self, histories, **behaviour):
        """Makes it one without earlier requests, with these histories and this behaviour."""
        self.histories, self.behaviour = histories, Behaviour(**behaviour)
        self.restart_numbers()
        for seen in (self.emptied, self.ended):
            seen.clear()
        self.continued = count(1)

    def restart_numbers(self):
        """Faults go by the number of the request: it begins anew."""
        self.requests.clear()
        self._numbers, self._connections = count(1), count(1)
