"""Histories: the events of one type in order of time, by index; computed on demand, or listed."""

import json
from abc import ABC, abstractmethod
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from hashlib import blake2b
from itertools import accumulate, groupby
from typing import Any, Protocol

import orjson

from simulator.bodies import PROFILES, Bodies, bodies
from simulator.instants import DAY_MS, milliseconds
from simulator.values import mix

HOUR_MS = 3_600_000
UNREADABLE = -(2**53)  # time of an event whose occurredAt cannot be read: before all others
# numbers taken for epoch milliseconds, as in an older example of HubSpot's
EPOCH_MS = (10**11, 10**14)
SHAPES = ("uniform", "rhythm", "bursty", "sparse", "one_ms", "one_second")
DAY_RHYTHM = (2, 1, 1, 1, 2, 3, 6, 12, 22, 34, 40, 42, 38, 40, 44, 42, 38, 32, 26, 24, 22, 16, 9, 4)
WEEK_RHYTHM = (10, 11, 11, 10, 9, 4, 3)  # Monday first
CLUSTERS = 5
VISITS = "e_visited_page"
IN_A_SESSION = 4  # visits, on average: 1 to 7
FIRST_PERSON = 221_000_000_000
UNTIL_SUBMITTED = 30_000  # ms from a visit to the form submitted after it


class History(Protocol):
    """Events in ascending order of time. The first `undated` of them have no readable time."""

    undated: int

    def __len__(self) -> int: ...

    def __hash__(self) -> int: ...  # by identity, since a history is immutable

    def time(self, i: int) -> int:
        """The time of event i, ms UTC; never before that of event i - 1."""

    def tie(self, i: int) -> int:
        """A number that orders event i among the events of its millisecond, unique there."""

    def rank(self, ms: int, tie: int = 0) -> int:
        """How many events are before `ms`, or at `ms` with a lower tie."""

    def body(self, i: int) -> bytes:
        """The JSON of event i."""

    def event(self, i: int) -> Any:
        """Event i, parsed."""


def generated(
    events: int = 100_000, start: str = "2026-01-01T00:00:00Z", end: str = "2026-05-01T00:00:00Z",
    shape: str = "rhythm", seed: int = 0, event_type: str = "e_visited_page", malformed_every: int = 0,
    profile: str = "live",
) -> History:  # fmt: skip
    """A history of one event type in [start, end): the same for the same arguments, and computed on
    demand, not held in memory.

    `shape` is one of SHAPES: "rhythm" follows days and weeks, "bursty" has half of its events in
    one hour, "sparse" has five hours with events, "one_ms" and "one_second" have all events in the
    middle. Every `malformed_every`th event is malformed, in turn: not an object, no id, no
    occurredAt, an unreadable occurredAt. `profile` is one of PROFILES: "live" has the properties of
    the event type, "short" 15 of a page visit. The page visits of "live" come in sessions: a few
    successive ones belong to one visitor.
    """
    first, last = milliseconds(start), milliseconds(end)
    if first is None or last is None or first >= last:
        raise ValueError(f"start must be an ISO 8601 instant before end: {start!r}, {end!r}")
    if shape not in SHAPES:
        raise ValueError(f"shape must be one of {', '.join(SHAPES)}: {shape!r}")
    if profile not in PROFILES:
        raise ValueError(f"profile must be one of {', '.join(PROFILES)}: {profile!r}")
    if shape in ("one_ms", "one_second"):
        first = (first + last) // 2000 * 1000
        last = first + (1 if shape == "one_ms" else 1000)
    made = bodies(event_type, profile)
    has_sessions = event_type == VISITS and profile == "live"
    return _Generated(events, first, last, shape, f"{seed}:{event_type}", made, malformed_every, has_sessions)


def submissions(visits: History, every: int, event_type: str = "e_form_submission_v2") -> History:
    """A history of forms, one submitted half a minute after every `every`th of these visits, by the
    same visitor: computed on demand. The visits must be well-formed.
    """
    return _Submissions(visits, every, bodies(event_type))


def listed(events: Iterable[Any]) -> History:
    """A history of these events, any JSON values, sorted by occurredAt (unreadable ones first),
    then by id (shorter ones first, so that id-9 comes before id-10), then as given.
    """
    return _Listed(events)


class _Computed(ABC):
    """A history whose events are computed from their number; one that has `time`, `body` and a
    length.
    """

    undated = 0

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def time(self, i: int) -> int: ...

    @abstractmethod
    def body(self, i: int) -> bytes: ...

    def tie(self, i: int) -> int:
        return i

    def rank(self, ms: int, tie: int = 0) -> int:
        first = bisect_left(range(len(self)), ms, key=self.time)
        return first if tie <= first else min(tie, self.rank(ms + 1))

    def event(self, i: int) -> Any:
        return orjson.loads(self.body(i))


class _Generated(_Computed):
    def __init__(
        self, events: int, start: int, end: int, shape: str, seed: str, bodies: Bodies, malformed_every: int,
        has_sessions: bool,
    ) -> None:  # fmt: skip
        self.hours: list[int] = [*range(start, end, HOUR_MS), end]
        self.before = _events_before(events, _weights(shape, start, end))
        self.salt = int.from_bytes(blake2b(seed.encode(), digest_size=8).digest(), "big")
        self.jitter = self.salt >> 34 | 1
        self.people = events // 20 + 1
        self.bodies = bodies
        self.malformed_every = malformed_every
        self.has_sessions = has_sessions

    def __len__(self) -> int:
        return self.before[-1]

    def time(self, i: int) -> int:
        slot = i - (i % 7 == 6)  # every seventh event shares its predecessor's millisecond
        hour = bisect_right(self.before, slot) - 1
        first = self.before[hour]
        count = self.before[hour + 1] - first
        start = self.hours[hour]
        width = self.hours[hour + 1] - start
        offset = (slot - first) * width // count
        room = (slot - first + 1) * width // count - offset
        return start + offset + (slot * self.jitter % room if room else 0)

    def body(self, i: int) -> bytes:
        ms = self.time(i)
        number = mix(i + self.salt)
        person = FIRST_PERSON + (self._session(i) if self.has_sessions else number) % self.people
        body = self.bodies.body(number, person, ms)
        if self.malformed_every and i % self.malformed_every == self.malformed_every - 1:
            return _malformed(body, i // self.malformed_every)
        return body

    def _session(self, i: int) -> int:
        """A random number that event i shares with the others of its session. One session begins in
        each block of events, at a random one.
        """
        block = i // IN_A_SESSION + self.salt
        session = mix(block)
        return session if i % IN_A_SESSION >= (session >> 32) % IN_A_SESSION else mix(block - 1)


class _Submissions(_Computed):
    def __init__(self, visits: History, every: int, bodies: Bodies) -> None:
        self.visits, self.every, self.bodies = visits, every, bodies

    def __len__(self) -> int:
        return len(self.visits) // self.every

    def time(self, i: int) -> int:
        return self.visits.time(self._visit(i)) + UNTIL_SUBMITTED

    def body(self, i: int) -> bytes:
        visitor = int(self.visits.event(self._visit(i))["objectId"])
        return self.bodies.body(mix(i + 1), visitor, self.time(i))

    def _visit(self, i: int) -> int:
        """The visit before submission i."""
        return (i + 1) * self.every - 1


class _Listed:
    def __init__(self, events: Iterable[Any]) -> None:
        keyed = sorted(((_occurred(event), _id_number(event), event) for event in events), key=lambda each: each[:2])
        self.times = array("q", (ms for ms, _, _ in keyed))
        self.ties = [
            tie << 32 | nth for _, same in groupby(keyed, lambda each: each[:2]) for nth, (_, tie, _) in enumerate(same)
        ]
        self.bodies = [dumps(event) for _, _, event in keyed]
        self.undated = bisect_right(self.times, UNREADABLE)

    def __len__(self) -> int:
        return len(self.bodies)

    def time(self, i: int) -> int:
        return self.times[i]

    def tie(self, i: int) -> int:
        return self.ties[i]

    def rank(self, ms: int, tie: int = 0) -> int:
        first = bisect_left(self.times, ms)
        return bisect_left(self.ties, tie, first, bisect_right(self.times, ms)) if tie else first

    def body(self, i: int) -> bytes:
        return self.bodies[i]

    def event(self, i: int) -> Any:
        return json.loads(self.bodies[i])  # orjson refuses lone surrogates and very large integers


def _weights(shape: str, start: int, end: int) -> list[int]:
    """The relative number of events in each hour from start to end."""
    hours = -(-(end - start) // HOUR_MS)
    if shape == "rhythm":
        return [_rhythm(start + hour * HOUR_MS) for hour in range(hours)]
    if shape == "bursty":
        return [max(1, hours - 1) if hour == hours // 2 else 1 for hour in range(hours)]
    if shape == "sparse":
        filled = {hours * (2 * cluster + 1) // (2 * CLUSTERS) for cluster in range(CLUSTERS)}
        return [int(hour in filled) for hour in range(hours)]
    return [1] * hours


def _rhythm(ms: int) -> int:
    """How busy an hour is: working days more than weekends, afternoons more than nights."""
    weekday = (ms // DAY_MS + 3) % 7  # 1970-01-01 was a Thursday
    return WEEK_RHYTHM[weekday] * DAY_RHYTHM[ms % DAY_MS // HOUR_MS]


def _events_before(events: int, weights: list[int]) -> list[int]:
    """How many of the events are before each hour, and before the end: one number more than there
    are weights.
    """
    total = sum(weights)
    return [events * weight // total for weight in accumulate(weights, initial=0)]


def _malformed(body: bytes, turn: int) -> bytes:
    """The event, malformed in one of four ways by turn."""
    event = orjson.loads(body)
    if turn % 4 == 0:
        return b'"not an object"'
    if turn % 4 == 3:
        return orjson.dumps(event | {"occurredAt": "yesterday"})
    del event["id" if turn % 4 == 1 else "occurredAt"]
    return orjson.dumps(event)


def _occurred(event: Any) -> int:
    """The time of an event, ms UTC, from ISO 8601 text or epoch milliseconds; UNREADABLE if it has
    none.
    """
    occurred = event.get("occurredAt") if isinstance(event, dict) else None
    if isinstance(occurred, (int, float)) and EPOCH_MS[0] <= occurred < EPOCH_MS[1]:
        return int(occurred)
    ms = milliseconds(occurred)
    return UNREADABLE if ms is None else ms


def _id_number(event: Any) -> int:
    """An event's id as a number, lower for a shorter id; 0 without one."""
    id_ = event.get("id", "") if isinstance(event, dict) else ""
    return int.from_bytes(str(id_).encode("utf-8", "surrogatepass")[:64], "big")


def dumps(value: Any) -> bytes:
    """Any JSON value as bytes."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value).encode()  # lone surrogates, and integers beyond 64 bits
