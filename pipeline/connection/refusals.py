"""The event types that a pattern selects and HubSpot refuses: asked for once a day, not at each
sync, and reported together.
"""

import hashlib
import re
from collections.abc import Collection, Mapping
from dataclasses import astuple
from typing import Any

from pipeline.config.settings import Settings
from pipeline.errors import HubSpotError, Refused
from pipeline.timestamps import DAY, MINUTE, to_ms, to_text

MAX_NAMES = 10  # shown of each cause; the log of the sync that asked has the others
MAX_CAUSES = 5  # told apart: the most frequent
DAILY = DAY - 30 * MINUTE  # a daily sync does not begin at the same minute each day
OTHER_CAUSES = "HubSpot gave other reasons: they, and their cures, are in the log of the sync that asked."
# refusals that another token, or another scope, may end
_OF_TOKEN = re.compile("HubSpot answered 40[13]:")
_UUID = r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"


class Refusals:
    """The refusals of a connection while a sync renews them, as messages by event type.

    `saved` is what the state keeps of the last sync's: when HubSpot was asked, a digest of the
    configuration, and the event types by cause. What cannot be read of it is forgotten, and those
    event types are asked for again. A refusal that is not in HubSpot's own words, such as a proxy's
    page, is not kept.
    """

    def __init__(self, settings: Settings, saved: Any = None):
        self._settings = settings
        saved = saved if isinstance(saved, Mapping) else {}
        self._asked_at = str(saved.get("asked_at") or "")
        self._digest = saved.get("digest")
        self._keep(_by_event_type(saved.get("causes")))

    def to_ask(self, names: Collection[str], now: int) -> list[str]:
        """The selected event types to ask HubSpot for: all of them once a day, after a change of
        the configuration, and if it refused all; otherwise those it did not refuse. `now` is
        HubSpot's clock, ms.
        """
        self._keep({name: self._messages[name] for name in names if name in self._messages and not self.is_named(name)})
        if self._is_current(now) and len(self._messages) < len(names):
            return [name for name in names if name not in self._messages]
        self.forget()
        self._asked_at = to_text(now)
        self._digest = _digest(self._asked_at, self._settings)
        return list(names)

    def holds(self, event_type: str) -> bool:
        return event_type in self._messages

    def why(self, event_type: str) -> str | None:
        """The message about an event type; None if it was not refused."""
        return self._messages.get(event_type)

    def is_named(self, event_type: str) -> bool:
        """Whether the configuration names an event type in full: someone wants that one."""
        return event_type in self._settings.event_types

    def add(self, event_type: str, refused: HubSpotError) -> None:
        """Adds a refusal, shown in the words of the first one with the same cause."""
        self._messages[event_type] = self._shown.setdefault(cause_of(event_type, str(refused)), str(refused))
        if not (isinstance(refused, Refused) and refused.explained):
            self._unexplained.add(event_type)

    def forget(self) -> None:
        """Forgets all, so that the next sync asks for them."""
        self._keep({})

    def _keep(self, messages: dict[str, str]) -> None:
        self._messages = messages
        self._unexplained = set[str]()
        # by cause, the first answer
        self._shown = {cause_of(name, message): message for name, message in messages.items()}

    def warning(self, known: Collection[str] = ()) -> str | None:
        """All refusals in one text, by cause; None if there are none. `known` are the types that
        earlier syncs have read.
        """
        if not self._messages:
            return None
        by_cause = _by_cause(self._messages)
        number = len(self._messages)
        happened = "cannot be read with this token" if all(map(_OF_TOKEN.match, by_cause)) else "could not be read"
        lines = [f"{number} event type{'s' * (number != 1)} {happened}:"]
        lines += [f"  - {_listed(names)}: {cause}" for cause, names in by_cause.items()]
        if lost := [name for name in self._messages if name in known]:
            lines.append(f"Earlier syncs could read {_listed(lost)}: the rows and the cursors are kept.")
        return "\n".join(lines)

    def next_request(self) -> str:
        """A sentence on when they are asked for again."""
        they, one = ("It is", "it") if len(self._messages) == 1 else ("They are", "one of them")
        others = " (at the next sync, if not HubSpot itself has refused them)" if self._unexplained else ""
        daily = f"once a day{others}. To have it asked at the next sync, name {one} in event_types."
        return f"{they} asked for again {daily if self._kept() else 'at the next sync.'}"

    def as_state(self) -> dict[str, Any] | None:
        """What the state keeps; None if there is nothing to keep."""
        kept = self._kept()
        return {"asked_at": self._asked_at, "digest": self._digest, "causes": _by_cause(kept)} if kept else None

    def _kept(self) -> dict[str, str]:
        return {name: message for name, message in self._messages.items() if name not in self._unexplained}

    def _is_current(self, now: int) -> bool:
        try:
            # can be below 0: clocks differ, and HubSpot's has whole seconds
            age = now - to_ms(self._asked_at)
        except ValueError:
            return False
        return abs(age) < DAILY and self._digest == _digest(self._asked_at, self._settings)


def cause_of(event_type: str, message: str) -> str:
    """A message without what differs between answers of the same cause."""
    return re.sub(rf"correlationId [^)]*|{_UUID}|\d+", "", message.replace(event_type, ""))


def _by_cause(messages: Mapping[str, str]) -> dict[str, list[str]]:
    """The event types of each message, the most frequent message first; the rest, not told apart,
    comes last.
    """
    by_cause: dict[str, list[str]] = {}
    for name, cause in messages.items():
        by_cause.setdefault(cause, []).append(name)
    others = by_cause.pop(OTHER_CAUSES, [])
    causes = sorted(by_cause, key=lambda cause: -len(by_cause[cause]))
    others = [name for cause in causes[MAX_CAUSES:] for name in by_cause[cause]] + others
    return {cause: by_cause[cause] for cause in causes[:MAX_CAUSES]} | ({OTHER_CAUSES: others} if others else {})


def _by_event_type(causes: Any) -> dict[str, str]:
    causes = causes if isinstance(causes, Mapping) else {}
    return {str(name): str(cause) for cause, names in causes.items() if isinstance(names, list) for name in names}


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:MAX_NAMES])
    return f"{shown} and {len(names) - MAX_NAMES} others" if len(names) > MAX_NAMES else shown


def _digest(salt: str, settings: Settings) -> str:
    """Eight digits of a hash of the configuration, token included, which tell when it has changed.
    They reveal nothing: countless other configurations share them.
    """
    return hashlib.sha256(repr((salt, astuple(settings))).encode(errors="replace")).hexdigest()[:8]
