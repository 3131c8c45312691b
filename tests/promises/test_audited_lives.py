"""What becomes visible days late is delivered all the same, and complete_until never promises too
much, whatever happens in the life of a connection: conversions, backdated and deleted events,
merged contacts, changed settings, kills inside audits. HYPOTHESIS_PROFILE=long generates 10,000
lives.
"""

import math
import os
import re
from contextlib import suppress
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline import ConnectorError
from pipeline.audits import budget
from pipeline.hubspot import clock
from pipeline.timestamps import DAY, MINUTE, to_ms, to_text
from simulator import Behaviour, listed
from tests.support import BASE, TYPE, Destination, Quiet, event

pytestmark = pytest.mark.long

LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"
PROFILE = settings(
    max_examples=10_000 if LONG else 150,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
HOUR = 60 * MINUTE
DELAYS = (
    st.just(0)
    | st.integers(0, 2 * HOUR)
    | st.integers(0, 9 * DAY)
    | st.sampled_from((DAY, 2 * DAY, 3 * DAY, 20 * DAY))
)


class Occurrence(NamedTuple):
    """An event, all in ms: when it occurred, how much later it becomes visible, and how much after
    that it is deleted, or its contact is merged into another (None: never).
    """

    moment: int
    late: int = 0
    deleted: int | None = None
    merged: int | None = None

    @property
    def visible(self) -> int:
        return self.moment + self.late

    def is_there(self, now: int) -> bool:
        return self.visible <= now and (self.deleted is None or now < self.visible + self.deleted)

    def body(self, n: int, now: int) -> dict:
        is_merged = self.merged is not None and now >= self.visible + self.merged
        return event(self.moment, n) | ({"objectId": "2"} if is_merged else {})


class Sync(NamedTuple):
    """A sync: the time since the one before (ms), the operations until it is killed (None: it is
    not), and its settings.
    """

    passed: int
    fuse: int | None = None
    keys: dict[str, str] = {}


moments = (
    st.integers(0, 30 * DAY) | st.integers(0, 30).map(lambda day: day * DAY) | st.just(5 * DAY)
)
occurrences = st.builds(
    Occurrence,
    moments.map(BASE.__add__),
    DELAYS,
    st.none() | st.integers(0, 10 * DAY),
    st.none() | st.integers(0, 10 * DAY),
)
keys = st.fixed_dictionaries({}, optional={
    "page_size": st.sampled_from(("1", "4", "20")), "concurrency": st.sampled_from(("1", "3")),
    "checkpoint_interval": st.just("3"), "lookback_minutes": st.sampled_from(("0", "60", "5000")),
    "drop_columns": st.just("objectId"),
})  # fmt: skip
passed = st.sampled_from((HOUR, 6 * HOUR, 6 * HOUR, 23 * HOUR, DAY, 3 * DAY))
syncs = st.builds(Sync, passed, st.none() | st.none() | st.integers(0, 30), st.just({}) | keys)


class Life:
    """A connection and what it is to deliver; `run` lives it and asserts the laws after each
    sync.
    """

    def __init__(self, sim, patch, events, start=BASE):
        self.sim, self.events, self.start = sim, events, start
        self.last_age = 256  # the smallest since the beginning, days
        # what the log says is not known: ranges, and until when what came late is missing
        self.excepted = []
        self.destination, self.now = Destination(), BASE
        patch.setattr(clock, "local_now", lambda: self.now)
        sim.behaviour = Behaviour(clock=lambda: self.now)

    def sync(self, each: Sync, **common: str) -> bool:
        self.now += each.passed
        there = [
            one.body(n, self.now) for n, one in enumerate(self.events) if one.is_there(self.now)
        ]
        self.sim.histories = {TYPE: listed(there)}
        keys = {
            "page_size": "20",
            "concurrency": "2",
            **common,
            **each.keys,
            "initial_sync_start_date": to_text(self.start),
        }
        ended = self.destination.sync(self.sim, each.fuse, **keys)
        self.last_age = min(self.last_age, int(keys.get("audit_days", "256")) or 256)
        self.note_exceptions()
        if ended:
            self.assert_complete_until_holds(self.last_age * DAY)
        return ended

    def note_exceptions(self):
        said_of = re.compile(
            "hat was delivered from (.*?) to (.*?) is (audited from now on|older than the last age)"
        )
        for line in self.destination.log:
            if said := said_of.search(line):
                self.excepted.append(
                    (
                        to_ms(said[1]),
                        to_ms(said[2]),
                        self.now if said[3].startswith("audited") else math.inf,
                    )
                )
        self.destination.log.clear()

    def is_excepted(self, one):
        return any(
            begin <= one.moment < end and one.visible <= until
            for begin, end, until in self.excepted
        )

    def row(self):
        return max(self.destination.rows["sync_run"].values(), key=lambda row: row["started_at"])

    def assert_complete_until_holds(self, most=256 * DAY):
        """By the definition in docs/audits.md: an event before it is delivered if it became visible
        within a third of its age at the last midnight, and is older than 54 hours.
        """
        until, midnight = self.row()["complete_until"], self.now - self.now % DAY
        for n, one in enumerate(self.events):
            age = midnight - one.moment
            in_time = age >= 54 * HOUR and one.late <= min(age / 3, most) and one.deleted is None
            if (
                in_time
                and not self.is_excepted(one)
                and until
                and self.start <= one.moment < to_ms(until)
            ):
                assert f"id-{n}" in self.destination.ids(), (one, to_text(self.now), until)

    def assert_table_equals_truth(self):
        rows = self.destination.rows.get(TYPE, {})
        for n, one in enumerate(self.events):
            if one.is_there(self.now) and one.moment >= self.start:
                contact = one.body(n, self.now)["objectId"]
                assert f"id-{n}" in rows and rows[f"id-{n}"].get("objectId", contact) == contact, (
                    one
                )


@pytest.fixture(scope="module")
def sim():
    with Quiet({}) as sim:
        yield sim


@given(st.lists(occurrences, max_size=60), st.lists(syncs, min_size=1, max_size=25))
@PROFILE
def test_after_enough_syncs_the_table_equals_the_truth(sim, events, syncs):
    with pytest.MonkeyPatch.context() as patch:
        life = Life(sim, patch, events)
        for each in syncs:
            life.sync(each)
        life.now = max(
            life.now, BASE + 60 * DAY
        )  # everything has become visible, and will be as old again
        for _ in range(12):
            life.sync(Sync(8 * DAY))
        life.assert_table_equals_truth()


@given(
    st.lists(occurrences, max_size=30),
    st.lists(syncs, min_size=1, max_size=12),
    st.integers(0, 40),
    st.integers(0, 40),
)
@PROFILE
def test_a_start_date_that_moves_leaves_nothing_out(sim, events, syncs, first, second):
    with pytest.MonkeyPatch.context() as patch:
        life = Life(sim, patch, events)
        for n, each in enumerate(syncs):
            life.start = BASE + (first if n % 2 else second) * DAY
            life.sync(each)
        life.start = BASE
        life.now = max(life.now, BASE + 60 * DAY)
        for _ in range(12):
            life.sync(Sync(8 * DAY))
        life.assert_table_equals_truth()


@given(
    st.lists(occurrences, max_size=60),
    st.lists(st.tuples(syncs, st.sampled_from("0148")), min_size=1, max_size=12),
)
@PROFILE
def test_audits_that_are_switched_off_and_on_promise_no_more_than_the_log_says(sim, events, syncs):
    with pytest.MonkeyPatch.context() as patch:
        life = Life(sim, patch, events)
        for each, audit_days in syncs:
            life.sync(each, audit_days=audit_days)
            life.sync(each, audit_days=audit_days)
        for _ in range(4):
            life.sync(Sync(6 * DAY), audit_days="4")
        for _ in range(6):
            life.sync(Sync(6 * DAY))


@given(st.lists(occurrences, max_size=40), st.integers(0, 40), st.integers(1, 9))
@PROFILE
def test_an_audit_that_fails_or_is_killed_is_made_up_for(sim, events, fuse, every):
    """Whatever request or operation fails, the next sync continues."""

    def refuse(request):
        return "400" if "occurredBefore" in request.query and request.number % every == 0 else None

    with pytest.MonkeyPatch.context() as patch:
        life = Life(sim, patch, events)
        for _ in range(10):
            life.sync(Sync(4 * DAY))
        for n in range(10):
            life.sim.behaviour.fault = refuse
            with suppress(ConnectorError):
                life.sync(Sync(2 * DAY, fuse + n))
        life.sim.behaviour.fault = None
        for _ in range(12):
            life.sync(Sync(8 * DAY))
        life.assert_table_equals_truth()


@given(
    st.lists(occurrences, min_size=5, max_size=60), st.integers(1, 3), st.sampled_from(("1", "4"))
)
@PROFILE
def test_what_few_requests_leave_undone_is_not_called_complete(sim, events, requests, page_size):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(budget, "FREE_REQUESTS", requests)
        patch.setattr(budget, "REQUESTS_FOR_EACH", 0)
        life = Life(sim, patch, events)
        for _ in range(50):
            life.sync(Sync(DAY), page_size=page_size)
