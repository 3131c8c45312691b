"""What looks may take: of HubSpot's requests, and of a sync's time."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from pipeline.hubspot.client import Client
from pipeline.timestamps import DAY, MINUTE, to_ms, to_text

# The requests that looks at their ages may take in a sync: at least FREE_REQUESTS, and otherwise
# ten for each of its own, which is what nine ages cost.
FREE_REQUESTS, REQUESTS_FOR_EACH = 250, 10
QUOTA_SHARE = 4  # of a day's quota, a quarter is for second looks that are overdue
LONGEST = 60 * MINUTE  # ms that they may take in a sync
STEADY_DAYS = 30  # for which a condition that lasts is not reported again


@dataclass
class Diary:
    """What the state keeps of the looks of earlier syncs: when the last one began (ms), whether it
    ended before its looks, how many requests second looks took on a day, and on which day each
    event type was last found to have much that came late.
    """

    began: int | None = None
    is_owed: bool = False
    day: int = 0
    taken: int = 0
    late: dict[str, int] = field(default_factory=dict)

    @classmethod
    def read(cls, saved: Any) -> "Diary":
        """A diary as it was saved. What cannot be read of it is forgotten: it limits requests and
        warnings, and nothing else.
        """
        fields: Mapping[str, Any] = saved if isinstance(saved, Mapping) else {}
        late = fields.get("late")
        try:
            began = to_ms(fields["began"])
        except (KeyError, ValueError, TypeError):
            began = None
        return cls(
            began,
            fields.get("owed") is True,
            _number(fields.get("day")),
            _number(fields.get("taken")),
            {str(name): _number(day) for name, day in late.items()} if isinstance(late, Mapping) else {},
        )

    def as_state(self) -> dict[str, Any]:
        return {
            "began": None if self.began is None else to_text(self.began),
            "owed": self.is_owed,
            "day": self.day,
            "taken": self.taken,
            "late": self.late,
        }

    def is_news(self, event_type: str, today: int) -> bool:
        """Notes that much of an event type came late. Returns whether that is news: it was not so
        for a month.
        """
        before = self.late.get(event_type)
        self.late[event_type] = today
        return before is None or before + STEADY_DAYS < today


def may_take(began_before: int | None, now: int, is_first: bool) -> int:
    """How long second looks may take in a sync that begins now (ms): half the time since the last
    one began (None: not known), an hour at most; none in a first sync.

    >>> may_take(0, 600_000, False), may_take(None, 600_000, False), may_take(None, 0, True)
    (300000, 3600000, 0)
    """
    if began_before is None:
        return 0 if is_first else LONGEST
    return max(0, min(LONGEST, (now - began_before) // 2))


def _number(saved: Any) -> int:
    return saved if type(saved) is int else 0


class For(IntEnum):
    """What requests are made for."""

    NEWS = 0  # and for silence: what the sync itself reads
    AGES = 1
    SECOND_LOOKS = 2


class Budget:
    """The requests that the looks of one sync may still take. `may_take` is how long (ms) second
    looks may take; `lacking` are the event types for which that did not suffice.
    """

    def __init__(self, client: Client, diary: Diary, may_take: int):
        self._client, self._diary, self._may_take = client, diary, may_take
        self._purpose, self._requests = For.NEWS, dict.fromkeys(For, 0)
        self._noted, self._since, self._seconds = 0, time.monotonic(), 0.0
        self.lacking = set[str]()

    @contextmanager
    def spending(self, purpose: For) -> Iterator[None]:
        """Notes requests and time as made for a purpose."""
        self._note()
        self._purpose = purpose
        try:
            yield
        finally:
            self._note()
            self._purpose = For.NEWS

    def left(self) -> int:
        """The requests left for the purpose. For second looks, which are overdue: of the day's
        quota, or of what the sync has asked where no quota is known, and none after their time.
        """
        self._note()
        share = max(FREE_REQUESTS, REQUESTS_FOR_EACH * self._requests[For.NEWS])
        left = share - self._requests[self._purpose]
        if self._purpose == For.SECOND_LOOKS:
            if self._seconds * 1000 >= self._may_take:
                return 0
            if daily := self._client.rate_limit.daily_quota():
                left = daily // QUOTA_SHARE - self._taken_today()
        return 0 if self._client.rate_limit.daily_quota_half_spent() else max(0, left)

    def taken(self) -> int:
        """The requests that second looks have taken in this sync."""
        return self._requests[For.SECOND_LOOKS]

    def _note(self) -> None:
        requests, now = int(self._client.counts()["requests"]), time.monotonic()
        number = requests - self._noted
        self._requests[self._purpose] += number
        if self._purpose == For.SECOND_LOOKS:
            self._seconds += now - self._since
            self._diary.taken = self._taken_today() + number
        self._noted, self._since = requests, now

    def _taken_today(self) -> int:
        today = self._client.clock.earlier() // DAY
        if self._diary.day != today:
            self._diary.day, self._diary.taken = today, 0
        return self._diary.taken
