"""Worlds: every doubt about HubSpot, every clock and every misfortune composed freely, and the laws that a connection keeps in
each of them.

A World says what happens; `Stage.live` lets it happen, sync after sync, and asserts: a sync that ends well has delivered all
that was visible when it began; every sync ends, after a bounded number of requests, well or with a sentence; worlds that can be
followed are followed; nothing is invented, nothing moves back, and one whole sync in a healthy world makes up for all errors.
"""
import signal
import sys
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from threading import Lock
from typing import Any, NamedTuple

from hypothesis import strategies as st

from pipeline import ConnectorError
from simulator import Behaviour, listed
from simulator.instants import DAY_MS, iso, milliseconds
from tests.support import START
from tests.test_sync import TYPE, Destination, event

BASE = milliseconds(START)
FIRST = BASE + 30 * DAY_MS  # when the first sync of a life would begin
SECOND, MINUTE, HOUR = 1000, 60_000, 3_600_000
YEAR = 365 * DAY_MS
SECONDS = 20  # that a sync may take by the clock on the wall


TROUBLES = ("cursor_ttl_requests", "cursor_ttl_ms", "refuse_every", "ends_every", "ends_once", "empty_page_every", "open_end",
            "fault_rate", "after_ignored", "before_ignored", "cursor_loop")  # fmt: skip


class Happening(NamedTuple):
    """One event: when it occurred (ms), how much later it becomes visible (before its time, if less than 0), how much later
    still it is listed in the order of ingestion, and how long after becoming visible it changes, or goes."""

    moment: int
    late: int = 0
    listed: int = 0
    changes: int | None = None
    goes: int | None = None

    @property
    def visible(self) -> int:
        return self.moment + self.late


class Sync(NamedTuple):
    """One sync: how much time passes before it (ms), the operation that kills it, its settings, from when on it delivers."""

    passed: int = 0
    fuse: int | None = None
    keys: Mapping[str, str] = {}
    start: int = BASE


@dataclass(frozen=True)
class World:
    happenings: tuple[Happening, ...]
    syncs: tuple[Sync, ...] = (Sync(),)
    nature: Mapping[str, Any] = field(default_factory=dict)  # of HubSpot: fields of Behaviour
    odd: Mapping[int, str] = field(default_factory=dict)  # faults by the number of the request in its sync
    keys: Mapping[str, str] = field(default_factory=dict)  # settings of all syncs
    local: int = 0  # ms that this machine's clock is ahead
    tick: int = 0  # ms that pass with each request

    def settings(self, sync: Sync) -> dict[str, str]:
        usual = {"page_size": "20", "concurrency": "1", "checkpoint_interval": "10", "lookback_minutes": "60"}
        return {**usual, **self.keys, **sync.keys, "initial_sync_start_date": iso(sync.start).decode()}

    def size(self, sync: Sync) -> int:
        """Events on a full page."""
        return min(int(self.settings(sync)["page_size"]), self.nature.get("max_limit", 1000))

    def bound(self, sync: Sync, events: int) -> int:
        """The most requests that a sync may take: generous, and as many times so as there are kinds of trouble."""
        pages = -(-events // self.size(sync))
        return (240 + 12 * pages) * max(1, sum(name in self.nature for name in TROUBLES))

    def covered(self) -> int:
        """How late (ms) an event may become visible and is found by the look-back: the earlier of two clocks tells where it
        begins, so where both are ahead it is as much shorter."""
        date = self.nature.get("date_header", True) is True
        ahead = min([self.local, *([max(self.nature.get("date_offsets", (0,)))] if date else [])])
        return int(self.settings(Sync())["lookback_minutes"]) * MINUTE - max(0, ahead) - 5 * self.tick


# What can be followed


def followable(world: World) -> bool:
    """Whether an error would be a failure. False where in doubt: then an error may be right, though a silent loss never is."""
    nature = Behaviour(**world.nature)
    concurrency = max(int(world.settings(sync)["concurrency"]) for sync in world.syncs)
    if nature.after_ignored or nature.before_ignored or nature.cursor_loop:
        return False
    if nature.paging not in (None, "paging_extra") or nature.last_paging not in (None, *ENDS, "paging_extra"):
        return False
    expires = [10**9 if nature.cursor_ttl_requests is None else nature.cursor_ttl_requests]
    if nature.cursor_ttl_ms is not None and world.tick:
        expires.append(nature.cursor_ttl_ms // world.tick)
    if min(expires) < 10 * concurrency:
        return False
    fullest, size = fullest_moment(world), min(world.size(sync) for sync in world.syncs)
    if nature.open_end and fullest >= size:  # the end of a full page and an end that is not true look the same
        return False
    every = min(number or 10**9 for number in (nature.refuse_every, nature.ends_every))
    if every < 10**9 and (concurrency > 1 or every < fullest // size + 4):
        return False
    return not (every < 10**9 and nature.ends_once) and not (nature.empty_page_every and (nature.ends_once or every < 10**9))


def fullest_moment(world: World) -> int:
    """The most events in three seconds: what a question for one of them brings, where the bounds are wide. Only a cursor leads
    on in there."""
    seconds = Counter(happening.moment // SECOND for happening in world.happenings)
    return max((seconds[second - 1] + seconds[second] + seconds[second + 1] for second in seconds), default=0)


# The life of a connection in a world


class Overrun(AssertionError):
    """A sync that takes too many requests, or too long."""


def everywhere(patch, name, value):
    """Sets a name in each module of the pipeline that has it, wherever it lives today."""
    modules = [module for key, module in list(sys.modules.items()) if key.split(".")[0] == "pipeline" and hasattr(module, name)]
    assert modules, f"no module of the pipeline has {name}"
    for module in modules:
        patch.setattr(module, name, value)


@contextmanager
def within(seconds):
    """Raises Overrun where it takes longer, whatever it waits for."""

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


class Stage:
    """A simulator on which worlds are lived, one after the other. `patch` is a MonkeyPatch: retries are quick, and this machine's
    clock is the world's."""

    def __init__(self, sim, patch):
        self.sim, self.life = sim, None
        everywhere(patch, "LONGEST_DELAY", 0.0005)
        everywhere(patch, "local_now", lambda: self.life.now + self.life.local)

    def live(self, world, must=None):
        """Lets a world happen; how each of its syncs ended: "complete", "killed", or the error's sentence. `must`: whether an
        error is a failure (None: where the world can be followed)."""
        self.life = Life(world, self.sim)
        must = followable(world) if must is None else must
        whole = world.syncs[-1]._replace(passed=0, fuse=None)
        ends = [self.life.sync(sync, must) for sync in (*world.syncs, whole)]
        self.life.heal()
        assert self.life.sync(whole._replace(passed=MINUTE), True) == "complete"
        return ends


class Life:
    def __init__(self, world, sim):
        self.world, self.sim, self.destination = world, sim, Destination()
        self.now, self.began, self.local, self.odd = FIRST, None, world.local, world.odd
        self.asked = self.most = self.deadline = 0
        self.earliest = min(sync.start for sync in world.syncs)
        self.lock = Lock()
        delays = {each.moment: max(0, each.late) + each.listed for each in world.happenings}
        usual = {"clock": lambda: self.now, "fault": self.each_request, "ingested": lambda i, occurred: delays.get(occurred, 0)}
        sim.behaviour = Behaviour(**usual, **world.nature)
        sim.emptied.clear()
        sim.ended.clear()
        sim.continued = count(1)
        changes = {moment for each in world.happenings for moment in turns(each)}
        self.changes, self.shown = sorted(changes), None
        self.show()

    def show(self):
        """Swaps the history for what is visible now."""
        shown = bisect_right(self.changes, self.now)
        if shown != self.shown:
            events = (seen(n, each, self.now) for n, each in enumerate(self.world.happenings))
            self.sim.histories, self.shown = {TYPE: listed(filter(None, events))}, shown

    def each_request(self, asked):
        """Time passes, and a sync that overruns its bound is ended at once: 401 is not tried again."""
        with self.lock:
            self.asked += 1
            self.now += self.world.tick
            self.show()
            if self.asked > self.most or time.monotonic() > self.deadline:
                return "401"
        return self.odd.get(asked.number)

    def heal(self):
        """HubSpot as it should be, but for its order and its bounds, which nobody knows; both clocks right."""
        old = self.sim.behaviour
        kept = ("clock", "fault", "ingested", "order", "order_breaks_after", "after_inclusive", "before_inclusive", "resolution")
        self.sim.behaviour = Behaviour(**{name: getattr(old, name) for name in kept})
        self.local, self.odd = 0, {}

    def sync(self, sync, must):
        """How it ended; asserts what holds after any."""
        self.now += sync.passed
        self.show()
        began = self.now
        self.began = began if self.began is None else self.began
        events = len(self.sim.histories[TYPE])
        self.asked, self.most, self.deadline = 0, self.world.bound(sync, events), time.monotonic() + SECONDS
        self.sim._numbers = count(1)  # faults go by the number: the same in each sync
        self.sim.requests.clear()
        try:
            with within(SECONDS + 5):
                done = self.destination.sync(self.sim, sync.fuse, **self.world.settings(sync))
            end = "complete" if done else "killed"
        except ConnectorError as error:
            end = str(error)
        if self.asked > self.most or time.monotonic() > self.deadline:
            raise Overrun(f"{self.asked} requests for {events} events ({self.most} are allowed), then: {end}")
        self.check(end, began, sync.start, must)
        return end

    def check(self, end, began, start, must):
        rows = self.destination.rows.get(TYPE, {})
        if end == "complete":
            missing = sorted(self.required(began, start) - set(rows))
            assert not missing, f"lost in silence: {len(missing)}, such as {missing[:5]}, with {self.asked} requests"
        elif end != "killed":
            assert end.strip().endswith(".") and len(end.split()) > 5, f"no sentence: {end!r}"
            assert not must, f"not followed: {end}"
        for key, row in rows.items():
            happening = self.world.happenings[int(key.removeprefix("id-"))]
            sent = [as_row(event_of(int(key.removeprefix("id-")), happening, version)) for version in (0, 1)]
            assert {name: value for name, value in row.items() if name != "hs_simulated"} in sent
            assert happening.moment >= self.earliest
        cursors = self.destination.cursors()
        assert cursors == sorted(cursors)

    def required(self, began, start):
        """The ids of what was visible when a sync began and is still: all but what became visible later than the look-back
        finds after a sync had read there already."""
        covered = self.world.covered()
        return {
            f"id-{n}" for n, each in enumerate(self.world.happenings)
            if each.moment >= start and each.visible <= began and seen(n, each, self.now)
            and (each.late <= covered or each.visible <= self.began)
        }  # fmt: skip


def turns(each):
    """When what is seen of an event changes."""
    return [each.visible + after for after in (0, each.changes, each.goes) if after is not None]


def seen(n, each, now):
    """The event as it is seen now; None if it is not."""
    age = now - each.visible
    if age < 0 or (each.goes is not None and age >= each.goes):
        return None
    return event_of(n, each, int(each.changes is not None and age >= each.changes))


def event_of(n, each, version):
    return event(iso(each.moment).decode(), n, version=f"v{version}")


def as_row(sent):
    return {**sent["properties"], **{name: value for name, value in sent.items() if name != "properties"},
            "occurred": sent["occurredAt"]}  # fmt: skip


# Any world

ENDS = ("paging_null", "paging_object", "next_null")  # of a last page; elsewhere they hide what follows, and nobody can tell
ODD = ("paging_list", "paging_text", "paging_number", "next_list", "next_object", "after_null", "after_empty", "link_only",
       "paging_extra")  # fmt: skip
PASSING = ("500", "503", "reset", "cut", "cut_clean", "html", "empty", "no_results", "results_null", "duplicate", "unordered",
           "lone_surrogate")  # fmt: skip
ORDERS = ("ascending", "descending", "shuffled", "ingested", "ingested", "breaking")
OFFSETS = st.sampled_from((0, *(sign * ms for sign in (1, -1) for ms in (SECOND, 20 * MINUTE, DAY_MS, 3 * YEAR))))


def rarely(values):
    """Mostly nothing; else one of the values."""
    return st.one_of(st.none(), st.none(), st.sampled_from(values))


FOLLOWED = {
    "after_inclusive": rarely((True,)), "before_inclusive": rarely((True,)), "resolution": rarely(("second",)),
    "order": st.sampled_from(ORDERS), "order_breaks_after": rarely((1, 2, 5)), "cursors": rarely(("strict",)),
    "cursor_ttl_requests": rarely((10, 40, 80)), "cursor_ttl_ms": rarely((5000, 100_000)), "cursor_fresh": rarely((True,)),
    "ends_once": rarely((True,)), "open_end": rarely((True,)), "empty_page_every": rarely((1, 2, 5)),
    "refuse_every": rarely((9, 20)), "ends_every": rarely((9, 20)), "last_paging": rarely(ENDS),
    "paging": rarely(("paging_extra",)), "max_limit": rarely((3, 7)), "date_header": rarely((False, "garbage")),
    "date_offsets": st.just(None) | st.lists(OFFSETS, min_size=1, max_size=3).map(tuple), "fault_rate": rarely((0.1, 0.3)),
}  # fmt: skip
WILD = FOLLOWED | {
    "after_ignored": rarely((True,)), "before_ignored": rarely((True,)), "cursor_ttl_requests": rarely((0, 1, 3)),
    "cursor_ttl_ms": rarely((0, 20, 2000)), "cursor_loop": rarely(("page", "first")), "cursor_loop_after": rarely((1, 3)),
    "refuse_every": rarely((1, 2, 3, 9)), "ends_every": rarely((1, 2, 3, 9)), "paging": rarely(("link_only", "next_object")),
    "last_paging": rarely((*ENDS, *ODD)),
}  # fmt: skip


@st.composite
def natures(draw):
    nature = draw(st.one_of(st.fixed_dictionaries(FOLLOWED), st.fixed_dictionaries(WILD)))
    nature = {name: value for name, value in nature.items() if value is not None}
    if "ends_every" in nature or {"ends_once", "empty_page_every"} <= set(nature):
        nature.pop("max_limit", None)  # where pages are smaller than asked for, nobody can tell a false end from an open one
    return {**nature, "limit_policy": "clamp", "fault_kinds": PASSING, "fault_seed": draw(st.integers(0, 9))}


SETTINGS = {
    "page_size": st.integers(1, 30).map(str), "concurrency": st.sampled_from("1248"),
    "checkpoint_interval": st.sampled_from(("1", "3", "10", "50", "10000")),
    "dedupe_window": st.sampled_from(("0", "3", "20000")),
}  # fmt: skip
LATE = st.sampled_from((0, 0, 0, 1, SECOND, 20 * MINUTE, HOUR, HOUR + 1, -DAY_MS)) | st.integers(0, 2 * HOUR)
LISTED = st.sampled_from((0, 0, 0, 0, 10 * MINUTE, 3 * DAY_MS))
AFTER = rarely((1, 5, 30, 20 * MINUTE))


def some(moments, most):
    """So many happenings at most."""
    return st.lists(st.builds(Happening, moments, LATE, LISTED, AFTER, AFTER), max_size=most)


@st.composite
def happenings(draw):
    """Some in a month, many in one second, millisecond or hour of it, and some about when syncs are made."""
    spread = draw(some(st.integers(-DAY_MS, 31 * DAY_MS).map(BASE.__add__), 25))
    begin = BASE + draw(st.sampled_from((0, 0, 500, DAY_MS - 1, 30 * DAY_MS - 2000)))
    width = draw(st.sampled_from((1, SECOND, 3 * SECOND, HOUR)))
    number = draw(st.integers(0, 60))
    busy = [Happening(begin + n * width // number, listed=draw(LISTED) if n % 10 == 3 else 0) for n in range(number)]
    recent = draw(some(st.integers(-2 * HOUR, 3 * HOUR).map(FIRST.__add__), 15))
    return tuple(spread + busy + recent)


STARTS = st.sampled_from((BASE, BASE, BASE, BASE + 500, BASE + DAY_MS, BASE - 2 * DAY_MS))
SYNCS = st.builds(
    Sync, st.sampled_from((0, SECOND, 10 * MINUTE, 61 * MINUTE, DAY_MS)), st.none() | st.integers(0, 80),
    st.fixed_dictionaries({}, optional=SETTINGS), STARTS,
)  # fmt: skip


def worlds():
    """Any world."""
    return st.builds(
        World, happenings(), st.lists(SYNCS, min_size=1, max_size=3).map(tuple), natures(),
        st.dictionaries(st.integers(1, 30), st.sampled_from(ODD), max_size=2),
        st.fixed_dictionaries({**SETTINGS, "lookback_minutes": st.sampled_from(("0", "1", "60", "60"))}), OFFSETS,
        st.sampled_from((0, 0, 7, SECOND)),
    )  # fmt: skip
