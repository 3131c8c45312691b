"""Worlds: any undocumented behavior of HubSpot, any clock and any failure combined, and the laws that hold in each of
them.

A World is a description; `Harness.run` runs its syncs one after the other and asserts the laws: a complete sync has
delivered everything that was visible when it began; every sync ends after a bounded number of requests, complete or
with a message; a world in which a sync can complete is synced without an error; no row is invented, no cursor moves
back, and one whole sync in a healthy world makes up for all failures. `complete_until` never lies past what is missing;
what HubSpot has lied about is there after the looks of three days, and what came late once it is as old again.
"""

import signal
import sys
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from threading import Lock
from typing import Any, NamedTuple

from hypothesis import strategies as st

from pipeline import ConnectorError
from pipeline.timestamps import to_ms
from simulator import Behaviour, listed
from simulator.instants import DAY_MS, iso, milliseconds
from tests.support import START, TYPE, Destination, event

BASE = milliseconds(START)
FIRST = BASE + 30 * DAY_MS  # when the first sync begins, unless time passes before it
SECOND, MINUTE, HOUR = 1000, 60_000, 3_600_000
YEAR = 365 * DAY_MS
SECONDS = 20  # of CPU that a sync may take; of real time, on a busy machine, fifteen times as many

TROUBLES = ("cursor_ttl_requests", "cursor_ttl_ms", "refuse_every", "ends_every", "ends_once", "empty_page_every", "open_end",
            "fault_rate", "after_ignored", "before_ignored", "cursor_loop")  # fmt: skip


class Occurrence(NamedTuple):
    """An event: when it occurred, its lateness (until it is visible; negative if that is before its
    time), how much later still it counts as ingested, and how long after becoming visible it
    changes, disappears or has its contact merged into another. All in ms.
    """

    moment: int
    late: int = 0
    listed: int = 0
    changes: int | None = None
    disappears: int | None = None
    merged: int | None = None

    @property
    def visible(self) -> int:
        return self.moment + self.late


class Sync(NamedTuple):
    """A sync: how much time passes before it (ms), after how many operations it is killed, its settings, its start
    date, what has changed of HubSpot's behavior since the one before, and after how many requests HubSpot goes down.
    """

    passed: int = 0
    fuse: int | None = None
    keys: Mapping[str, str] = {}
    start: int = BASE
    behaviour: Mapping[str, Any] = {}
    down_after: int | None = None


class Lies(NamedTuple):
    """Answers that are false, and plain: a share of them is empty (if `sticky`, those of a share of
    the connections: a bad node behind a load balancer), a share says itself that it is not whole,
    and for some requests of each sync one shard of three does not answer.
    """

    silent: float = 0.0
    sticky: bool = False
    partial: float = 0.0
    shard: tuple[int, int] = (0, 0)  # the first of these requests, and the one after the last
    seed: int = 0

    def told(self, request: Any) -> str | None:
        """The fault of a request."""
        luck = Random(f"{self.seed} {request.connection if self.sticky else request.number}")
        if luck.random() < self.silent:
            return "ends"
        if self.shard[0] <= request.number < self.shard[1]:
            return "shard"
        return "partial" if luck.random() < self.partial else None


@dataclass(frozen=True)
class World:
    occurrences: tuple[Occurrence, ...]
    syncs: tuple[Sync, ...] = (Sync(),)
    behaviour: Mapping[str, Any] = field(default_factory=dict)  # fields of Behaviour
    # by the number of the request in its sync
    faults: Mapping[int, str] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)  # settings of all syncs
    local: int = 0  # ms that this machine's clock is ahead
    tick: int = 0  # ms that pass with each request
    lies: Lies = Lies()  # until HubSpot is healed

    def settings(self, sync: Sync) -> dict[str, str]:
        defaults = {"page_size": "20", "concurrency": "1", "checkpoint_interval": "10", "lookback_minutes": "60"}
        return {**defaults, **self.keys, **sync.keys, "initial_sync_start_date": iso(sync.start).decode()}

    def size(self, sync: Sync) -> int:
        """Events on a full page."""
        return min(int(self.settings(sync)["page_size"]), self.behaviour.get("max_limit", 1000))

    def bound(self, sync: Sync, events: int) -> int:
        """The most requests that a sync may take: a generous number, multiplied by the kinds of trouble."""
        pages = -(-events // self.size(sync))
        troubles = sum(name in self.behaviour for name in TROUBLES) + (self.behaviour.get("last_paging") in UNREADABLE)
        troubles += sum(map(bool, self.lies[:3]))
        return (240 + 12 * pages) * max(1, troubles)

    def covered(self) -> int:
        """The lateness (ms) that the look-back covers. It begins at the earlier of the two clocks,
        so it is shorter if both are ahead.
        """
        date = self.behaviour.get("date_header", True) is True
        ahead = min([self.local, *([max(self.behaviour.get("date_offsets", (0,)))] if date else [])])
        return int(self.settings(Sync())["lookback_minutes"]) * MINUTE - max(0, ahead) - 5 * self.tick


# Worlds in which a sync can complete


def can_complete(world: World) -> bool:
    """Whether every sync that is not killed must complete. False if in doubt: then an error is
    acceptable, but a loss without one never is.
    """
    behaviour = Behaviour(**world.behaviour)
    concurrency = max(int(world.settings(sync)["concurrency"]) for sync in world.syncs)
    if behaviour.after_ignored or behaviour.before_ignored or behaviour.cursor_loop:
        return False
    if behaviour.paging not in (None, "paging_extra") or behaviour.last_paging not in (None, *ENDS, "paging_extra"):
        return False
    expires = [10**9 if behaviour.cursor_ttl_requests is None else behaviour.cursor_ttl_requests]
    if behaviour.cursor_ttl_ms is not None and world.tick:
        expires.append(behaviour.cursor_ttl_ms // world.tick)
    if min(expires) < 10 * concurrency:
        return False
    fullest, size = fullest_moment(world), min(world.size(sync) for sync in world.syncs)
    # the end after a full page and a false end look the same
    if behaviour.open_end and fullest >= size:
        return False
    every = min(number or 10**9 for number in (behaviour.refuse_every, behaviour.ends_every))
    if every < 10**9 and (concurrency > 1 or every < fullest // size + 4):
        return False
    return (every < 10**9) + behaviour.ends_once + bool(behaviour.empty_page_every) < 2


def fullest_moment(world: World) -> int:
    """The most events in three seconds: a request for one second returns all of them if bounds are
    wide, and only page cursors divide them.
    """
    seconds = Counter(occurrence.moment // SECOND for occurrence in world.occurrences)
    return max((seconds[second - 1] + seconds[second] + seconds[second + 1] for second in seconds), default=0)


# A connection in a world


class Overrun(AssertionError):
    """A sync takes too many requests, or too long."""


def patch_everywhere(patch, name, value):
    """Sets a name in every module of the pipeline that has it."""
    ours = [module for key, module in [*sys.modules.items()] if key.split(".")[0] == "pipeline"]
    modules = [module for module in ours if hasattr(module, name)]
    assert modules, f"no module of pipeline/ has {name}"
    for module in modules:
        patch.setattr(module, name, value)


@contextmanager
def within(seconds):
    """Raises Overrun after so many seconds, whatever the block waits for."""

    def stop(*_):
        raise Overrun(f"longer than {seconds} s")

    if not hasattr(signal, "SIGALRM"):
        yield
        return
    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class Harness:
    """Runs worlds on one simulator. `patch` is a MonkeyPatch: retries are quick, and this machine's
    clock is the world's.
    """

    def __init__(self, sim, patch):
        self.sim, self.connection = sim, None
        patch_everywhere(patch, "MAX_DELAY", 0.0005)
        patch_everywhere(patch, "local_now", lambda: self.connection.now + self.connection.local)

    def run(self, world, must_complete=None, looks=()):
        """Runs the syncs of a world and one more, then heals it. Returns how each ended: "complete", "killed", or the
        message of the error. `must_complete` says whether an error fails the test (None: if the world lets every sync
        complete). `looks` are syncs after that: then, everything is there.
        """
        self.connection = connection = Connection(world, self.sim)
        must_complete = can_complete(world) if must_complete is None else must_complete
        whole = world.syncs[-1]._replace(passed=0, fuse=None, down_after=None)
        ends = [connection.sync(sync, must_complete) for sync in (*world.syncs, whole)]
        connection.heal()
        healthy = whole._replace(passed=MINUTE, behaviour={})
        assert connection.sync(healthy, True) == "complete"
        for passed in looks:
            assert connection.sync(healthy._replace(passed=passed), True) == "complete"
        if looks:
            connection.assert_table_equals_truth(whole.start)
        return ends


class Connection:
    def __init__(self, world, sim):
        self.world, self.sim, self.destination = world, sim, Destination()
        self.now, self.began, self.local, self.faults = FIRST, None, world.local, world.faults
        self.lies, self.down_after = world.lies, None
        self.requests = self.most = self.deadline = 0
        self.earliest = min(sync.start for sync in world.syncs)
        self.lock = Lock()
        delays = {each.moment: max(0, each.late) + each.listed for each in world.occurrences}
        base = {"clock": lambda: self.now, "fault": self.on_request, "ingested": lambda i, ms: delays.get(ms, 0)}
        sim.renew({}, **base, **world.behaviour)
        self.changes, self.shown = sorted({moment for each in world.occurrences for moment in changes_of(each)}), None
        self.show()

    def show(self):
        """Replaces the simulator's history by what is visible now."""
        shown = bisect_right(self.changes, self.now)
        if shown != self.shown:
            events = (visible_event(n, each, self.now) for n, each in enumerate(self.world.occurrences))
            self.sim.histories, self.shown = {TYPE: listed(filter(None, events))}, shown

    def on_request(self, request):
        """Lets time pass, and ends a sync that overruns its bound at once: 401 is not retried."""
        with self.lock:
            self.requests += 1
            self.now += self.world.tick
            self.show()
            if self.requests > self.most or time.process_time() > self.deadline:
                return "401"
            if self.down_after is not None and self.requests > self.down_after:
                return "503"
        return self.faults.get(request.number) or self.lies.told(request)

    def heal(self):
        """Ends all faults; what is not documented, order and bounds, stays. Both clocks are right."""
        old = self.sim.behaviour
        kept = ("clock", "fault", "ingested", "order", "order_breaks_after", *HONEST, "before_inclusive")
        self.sim.behaviour = Behaviour(**{name: getattr(old, name) for name in kept})
        self.local, self.faults, self.lies = 0, {}, Lies()

    def sync(self, sync, must_complete):
        """Runs one sync, asserts the laws, and returns how it ended."""
        self.now += sync.passed
        self.show()
        began = self.now
        self.began = began if self.began is None else self.began
        events = len(self.sim.histories[TYPE])
        self.requests, self.most, self.deadline = (0, self.world.bound(sync, events), time.process_time() + SECONDS)
        self.sim.restart_numbers()  # the same in each sync
        self.sim.emptied.clear()
        for name, value in sync.behaviour.items():
            setattr(self.sim.behaviour, name, value)
        self.down_after = sync.down_after
        keys = self.world.settings(sync)
        if sync.down_after is not None:
            keys["max_outage_minutes"], must_complete = "0.00002", False
        try:
            with within(15 * SECONDS):
                done = self.destination.sync(self.sim, sync.fuse, **keys)
            end = "complete" if done else "killed"
        except ConnectorError as error:
            end = str(error)
        if self.requests > self.most or time.process_time() > self.deadline:
            raise Overrun(f"{self.requests} requests for {events} events ({self.most} are allowed), then: {end}")
        self.check(end, began, sync.start, must_complete)
        return end

    def check(self, end, began, start, must_complete):
        rows = self.destination.rows.get(TYPE, {})
        if end == "complete" and not any(self.lies):
            missing = sorted(self.required(began, start) - set(rows))
            said = f"{len(missing)}, such as {missing[:5]}, with {self.requests} requests"
            assert not missing, f"lost without an error: {said}"
        if end == "complete":
            self.assert_complete_until_holds(start, set(rows))
        elif end != "killed":
            assert end.strip().endswith(".") and len(end.split()) > 5, f"not a sentence: {end!r}"
            assert not must_complete, f"did not complete: {end}"
        for key, row in rows.items():
            number = int(key.removeprefix("id-"))
            occurrence = self.world.occurrences[number]
            sent = [
                as_row(event_of(number, occurrence, version, contact)) for version in (0, 1) for contact in ("1", "2")
            ]
            assert {name: value for name, value in row.items() if name != "hs_simulated"} in sent
            assert occurrence.moment >= self.earliest
        cursors = self.destination.cursors()
        assert cursors == sorted(cursors)

    def assert_complete_until_holds(self, start, ids):
        """By the definition in docs/audits.md: an event before it is there if it became visible within a third of its
        age at the last midnight, and is older than 54 hours. No clock may be wrong.
        """
        until = self.destination.run["complete_until"]
        if until is None or self.world.local or "date_offsets" in self.world.behaviour:
            return
        midnight = self.now - self.now % DAY_MS
        for n, each in enumerate(self.world.occurrences):
            age = midnight - each.moment
            is_covered = start <= each.moment < to_ms(until) and each.disappears is None
            if is_covered and age >= 54 * HOUR and each.late <= age / 3:
                assert f"id-{n}" in ids, f"complete until {until}, and {each} is missing"

    def assert_table_equals_truth(self, start):
        """Whatever is visible is there, with its present object."""
        rows = self.destination.rows.get(TYPE, {})
        for n, each in enumerate(self.world.occurrences):
            sent = visible_event(n, each, self.now)
            if sent and each.moment >= start:
                assert rows[f"id-{n}"]["objectId"] == sent["objectId"], each

    def required(self, began, start):
        """The ids of what was visible when a sync began and still is, without what came later than
        the look-back covers.
        """
        covered = self.world.covered()
        return {
            f"id-{n}" for n, each in enumerate(self.world.occurrences)
            if each.moment >= start and each.visible <= began and visible_event(n, each, self.now)
            and (each.late <= covered or each.visible <= self.began)
        }  # fmt: skip


def changes_of(each):
    """When the visible event changes."""
    return [each.visible + after for after in (0, each.changes, each.disappears, each.merged) if after is not None]


def visible_event(n, each, now):
    """The event as it is now; None if it is not visible."""
    age = now - each.visible
    if age < 0 or (each.disappears is not None and age >= each.disappears):
        return None
    is_merged = each.merged is not None and age >= each.merged
    version = int(each.changes is not None and age >= each.changes)
    return event_of(n, each, version, "2" if is_merged else "1")


def event_of(n, each, version, contact="1"):
    sent = event(iso(each.moment).decode(), n, version=f"v{version}")
    return {**sent, "objectId": contact}


def as_row(sent):
    return {**sent["properties"], **{name: value for name, value in sent.items() if name != "properties"},
            "occurred": sent["occurredAt"]}  # fmt: skip


# Any world

# on the last page; on others they would hide what follows
ENDS = ("paging_null", "paging_object", "next_null")
UNREADABLE = ("paging_list", "paging_text", "paging_number", "next_list", "next_object", "after_null", "after_empty", "link_only",
              "paging_extra")  # fmt: skip
TRANSIENT = ("500", "503", "reset", "cut", "cut_clean", "html", "empty", "no_results", "results_null", "duplicate", "unordered",
             "lone_surrogate")  # fmt: skip
ORDERS = ("ascending", "descending", "shuffled", "ingested", "ingested", "breaking")
OFFSETS = st.sampled_from((0, *(sign * ms for sign in (1, -1) for ms in (SECOND, 20 * MINUTE, DAY_MS, 3 * YEAR))))


def rarely(values):
    """Mostly None; else one of the values."""
    return st.one_of(st.none(), st.none(), st.sampled_from(values))


PLAUSIBLE = {
    "after_inclusive": rarely((True,)), "before_inclusive": rarely((True,)), "resolution": rarely(("second",)),
    "order": st.sampled_from(ORDERS), "order_breaks_after": rarely((1, 2, 5)), "cursors": rarely(("strict",)),
    "cursor_ttl_requests": rarely((10, 40, 80)), "cursor_ttl_ms": rarely((5000, 100_000)), "cursor_fresh": rarely((True,)),
    "ends_once": rarely((True,)), "open_end": rarely((True,)), "empty_page_every": rarely((1, 2, 5)),
    "refuse_every": rarely((9, 20)), "ends_every": rarely((9, 20)), "last_paging": rarely(ENDS),
    "paging": rarely(("paging_extra",)), "max_limit": rarely((3, 7)), "date_header": rarely((False, "garbage")),
    "date_offsets": st.just(None) | st.lists(OFFSETS, min_size=1, max_size=3).map(tuple), "fault_rate": rarely((0.1, 0.3)),
}  # fmt: skip
WILD = PLAUSIBLE | {
    "after_ignored": rarely((True,)), "before_ignored": rarely((True,)), "cursor_ttl_requests": rarely((0, 1, 3)),
    "cursor_ttl_ms": rarely((0, 20, 2000)), "cursor_loop": rarely(("page", "first")), "cursor_loop_after": rarely((1, 3)),
    "refuse_every": rarely((1, 2, 3, 9)), "ends_every": rarely((1, 2, 3, 9)), "paging": rarely(("link_only", "next_object")),
    "last_paging": rarely((*ENDS, *UNREADABLE)),
}  # fmt: skip


@st.composite
def behaviours(draw):
    behaviour = draw(st.one_of(st.fixed_dictionaries(PLAUSIBLE), st.fixed_dictionaries(WILD)))
    behaviour = {name: value for name, value in behaviour.items() if value is not None}
    if "ends_every" in behaviour or {"ends_once", "empty_page_every"} <= set(behaviour):
        # if pages are smaller than asked for, a false end and an open one look the same
        behaviour.pop("max_limit", None)
    return {**behaviour, "limit_policy": "clamp", "fault_kinds": TRANSIENT, "fault_seed": draw(st.integers(0, 9))}


SETTINGS = {
    "page_size": st.integers(1, 30).map(str), "concurrency": st.sampled_from("1248"),
    "checkpoint_interval": st.sampled_from(("1", "3", "10", "50", "10000")),
}  # fmt: skip
LATE = st.sampled_from((0, 0, 0, 1, SECOND, 20 * MINUTE, HOUR, HOUR + 1, -DAY_MS)) | st.integers(0, 2 * HOUR)
LISTED = st.sampled_from((0, 0, 0, 0, 10 * MINUTE, 3 * DAY_MS))
AFTER = rarely((1, 5, 30, 20 * MINUTE))


def occurrences_at(moments, most):
    """At most so many."""
    return st.lists(st.builds(Occurrence, moments, LATE, LISTED, AFTER, AFTER, st.none()), max_size=most)


@st.composite
def occurrences(draw):
    """Some in a month, many in one second, millisecond or hour of it, and some near the time of the syncs."""
    spread = draw(occurrences_at(st.integers(-DAY_MS, 31 * DAY_MS).map(BASE.__add__), 25))
    begin = BASE + draw(st.sampled_from((0, 0, 500, DAY_MS - 1, 30 * DAY_MS - 2000)))
    width = draw(st.sampled_from((1, SECOND, 3 * SECOND, HOUR)))
    number = draw(st.integers(0, 60))
    busy = [Occurrence(begin + n * width // number, listed=draw(LISTED) if n % 10 == 3 else 0) for n in range(number)]
    recent = draw(occurrences_at(st.integers(-2 * HOUR, 3 * HOUR).map(FIRST.__add__), 15))
    return tuple(spread + busy + recent)


STARTS = st.sampled_from((BASE, BASE, BASE, BASE + 500, BASE + DAY_MS, BASE - 2 * DAY_MS))
CHANGES = st.fixed_dictionaries({}, optional={
    "order": st.sampled_from(("ascending", "descending", "shuffled")), "after_inclusive": st.booleans(),
    "before_inclusive": st.booleans(), "resolution": st.sampled_from(("second", "millisecond")),
})  # fmt: skip
SYNCS = st.builds(
    Sync, st.sampled_from((0, SECOND, 10 * MINUTE, 61 * MINUTE, DAY_MS)), st.none() | st.integers(0, 80),
    st.fixed_dictionaries({}, optional=SETTINGS), STARTS, st.just({}) | CHANGES, rarely((0, 3, 12)),
)  # fmt: skip


def worlds():
    """Everything that is not documented, and every failure; at most six syncs."""
    return st.builds(
        World, occurrences(), st.lists(SYNCS, min_size=1, max_size=6).map(tuple), behaviours(),
        st.dictionaries(st.integers(1, 30), st.sampled_from(UNREADABLE), max_size=2),
        st.fixed_dictionaries({**SETTINGS, "lookback_minutes": st.sampled_from(("0", "1", "60", "60"))}), OFFSETS,
        st.sampled_from((0, 0, 7, SECOND)),
    )  # fmt: skip


HONEST = {"order": st.sampled_from(("ascending", "descending", "shuffled")),
          "resolution": st.sampled_from(("second", "millisecond")), "after_inclusive": st.booleans()}  # fmt: skip
SIZES = {"page_size": st.integers(1, 5).map(str) | st.sampled_from(("20", "100")),
         "concurrency": st.sampled_from("148")}  # fmt: skip


def lying_worlds():
    """A history of a month, a first sync that is answered badly, and perhaps a second."""
    moments = st.integers(0, 28 * DAY_MS).map(BASE.__add__)
    crowds = st.tuples(moments, st.integers(2, 40)).map(lambda crowd: [crowd[0]] * crowd[1])
    history = st.tuples(st.lists(moments, max_size=120), st.just([]) | crowds)
    last = BASE + 29 * DAY_MS  # alone, since each sync reads on from it
    occurred = history.map(lambda parts: tuple(map(Occurrence, [*parts[0], *parts[1], last])))
    shard = st.tuples(st.integers(1, 40), st.integers(1, 12)).map(lambda at: (at[0], sum(at)))
    never, few, some, no_shard = st.just(0.0), st.just(0.05), st.just(0.1), st.just((0, 0))

    def lies_of(silent, partial, missing):
        return st.builds(Lies, silent, st.booleans(), partial, missing, st.integers(0, 99))

    lies = st.one_of(
        lies_of(some, never, no_shard), lies_of(never, some, no_shard),
        lies_of(never, never, shard), lies_of(few, few, shard),
    )  # fmt: skip
    syncs = st.sampled_from(((Sync(),), (Sync(), Sync(10 * MINUTE)), (Sync(fuse=30), Sync())))
    return st.builds(
        World, occurred, syncs, st.fixed_dictionaries(HONEST), keys=st.fixed_dictionaries(SIZES), lies=lies,
    )  # fmt: skip


DELAYS = st.just(0) | st.integers(0, 2 * HOUR) | st.integers(0, 9 * DAY_MS) | st.sampled_from(
    (DAY_MS, 2 * DAY_MS, 3 * DAY_MS, 20 * DAY_MS)
)  # fmt: skip
SOMETIME = st.none() | st.integers(0, 10 * DAY_MS)
PASSED = st.sampled_from((HOUR, 6 * HOUR, 6 * HOUR, 23 * HOUR, DAY_MS, 3 * DAY_MS))
AUDITED = {
    "page_size": st.sampled_from(("1", "4", "20")), "concurrency": st.sampled_from(("1", "3")),
    "checkpoint_interval": st.just("3"), "lookback_minutes": st.sampled_from(("0", "60", "5000")),
}  # fmt: skip


def late_worlds():
    """Events that become visible days late, are deleted or change hands, and many syncs."""
    days = st.integers(0, 30).map(DAY_MS.__mul__)
    moments = st.one_of(st.integers(0, 30 * DAY_MS), days, st.just(5 * DAY_MS))
    moments = moments.map((FIRST - 10 * DAY_MS).__add__)
    never, same = st.none(), st.just({})
    late = st.builds(Occurrence, moments, DELAYS, st.just(0), never, SOMETIME, SOMETIME)
    keys = st.fixed_dictionaries({}, optional=AUDITED)
    syncs = st.builds(Sync, PASSED, rarely(range(30)), keys, STARTS, same, never)
    occurred, lives = st.lists(late, max_size=60).map(tuple), st.lists(syncs, min_size=1, max_size=20).map(tuple)
    return st.builds(World, occurred, lives, st.fixed_dictionaries(HONEST))
