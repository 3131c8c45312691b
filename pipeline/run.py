"""What one sync works with, and what it tells a person."""
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pipeline.client import Client
from pipeline.connection.state import Progress, write_state
from pipeline.metrics import TABLE as SYNC_RUN
from pipeline.metrics import Tally, row_so_far, span_of_time
from pipeline.moments import MINUTE, local_now
from pipeline.rejects import TABLE as REJECTED
from pipeline.settings import Settings
from pipeline.unmatched import future_start, unmatched

MOST_APART = 10 * MINUTE
MOST_WARNINGS = 10  # of one sync: the dashboard shows no more
FAILED, REJECTS, UNMATCHED, CHANGED, ORDER, QUOTA = range(6)  # what warnings are about, the important first


class Sink(NamedTuple):
    """Where a sync delivers: the operations of the SDK, or anything that takes the same arguments."""

    upsert: Callable[[str, dict[str, Any]], Any]
    checkpoint: Callable[[dict[str, Any]], Any]
    warn: Callable[[str], Any]
    log: Callable[[str], Any]


@dataclass
class Run:
    """What one sync works with: its cursors, tallies and what it set aside by event type or reason, and its warnings by what they
    are about."""

    settings: Settings
    client: Client
    sink: Sink
    progress: dict[str, Progress]
    under_way: str | None
    seen: Collection[str]  # the event types that syncs before this one have read
    protection: Callable[[Any], Any] | None
    tallies: dict[str, Tally] = field(default_factory=dict)
    rejected: Counter[str] = field(default_factory=Counter)
    columns: Collection[str] = ()  # of the events that this sync has seen, if the configuration names any
    warnings: dict[str, int] = field(default_factory=dict)
    unfinished: dict[str, Any] | None = None  # the row of this sync in sync_run, or of one before it that was killed
    _account: list[str] | None = None

    def warn(self, about: int, sentence: str) -> None:
        if sentence not in self.warnings:
            self.sink.log(sentence)
        self.warnings[sentence] = about

    def cursor_of(self, event_type: str) -> Progress:
        return self.progress.get(event_type) or Progress(made_under=self.settings.made_under(event_type))

    def checkpoint(self) -> None:
        state = write_state(self.progress, self.under_way, self.settings.api_base_url)
        if self.unfinished is not None:
            state[SYNC_RUN] = self.unfinished = self._row_so_far(self.unfinished)
        self.sink.checkpoint(state)

    def _row_so_far(self, row: dict[str, Any]) -> dict[str, Any]:
        if not self.settings.sync_metrics:
            return row
        if self.under_way in self.tallies:
            self.tallies[self.under_way].cursor_after = self.cursor_of(self.under_way).occurred
        return row_so_far(row, local_now(), self.tallies, self.client.counts())

    def account(self) -> list[str]:
        """The event types that HubSpot knows in this account, asked for once a sync."""
        if self._account is None:
            self._account = self.client.event_types()
        return self._account


def connect(settings: Settings, log: Callable[[str], Any] = lambda sentence: None, patience: int | None = None) -> Client:
    """The client that the settings describe; a context manager. It gives up after `patience` (ms), if not before."""
    return Client(
        settings.api_token,
        settings.api_base_url,
        settings.api_version,
        settings.max_outage if patience is None else min(settings.max_outage, patience),
        settings.concurrency,
        settings.quota_reserve / 100,
        log,
    )


def say_warnings(run: Run) -> None:
    for reason, times in run.rejected.most_common():
        run.warn(REJECTS, f"Events set aside ({reason}): {times}. They are kept in the table {REJECTED}.")
    if replaced := run.client.counts()["replaced"]:
        run.warn(REJECTS, f"Values that cannot be represented and were replaced: {replaced}.")
    for sentence in unmatched(run.settings, run.columns):
        run.warn(UNMATCHED, sentence)
    if run.settings.start > run.client.now():
        run.warn(UNMATCHED, future_start(run.settings.start))
    if abs(apart := run.client.clock.apart()) > MOST_APART:
        run.warn(
            QUOTA,
            f"HubSpot's clock and this machine's differ by {span_of_time(abs(apart) / 1000)}: the earlier one counts for the "
            "look-back, so that more is read again than need be. Cure: set this machine's clock.",
        )
    if run.client.quota.nearly_spent():
        run.warn(QUOTA, "Less than a tenth of the account's daily quota of requests is left. Cure: sync less often.")
    for sentence in sorted(run.warnings, key=lambda sentence: run.warnings[sentence])[:MOST_WARNINGS]:
        run.sink.warn(sentence)
