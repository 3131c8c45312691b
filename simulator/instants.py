"""Timestamps: ISO 8601 text to milliseconds since 1970 UTC, and back as HubSpot writes them."""

import re
from datetime import datetime, timedelta, timezone
from functools import lru_cache

DAY_MS = 86_400_000
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
ISO = re.compile(r"(\d{4}-\d\d-\d\d)(?:[Tt](\d\d:\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?([Zz]|[+-]\d\d:?\d\d)?)?")


def milliseconds(text: object) -> int | None:
    """The milliseconds of an ISO 8601 date or date-time, UTC if it has no offset; None if it is
    neither.

    >>> milliseconds("2026-05-21T01:36:04.329Z"), milliseconds("yesterday")
    (1779327364329, None)
    """
    match = ISO.fullmatch(text) if isinstance(text, str) else None
    if not match:
        return None
    date, minute, second, fraction, zone = match.groups()
    try:
        moment = datetime.fromisoformat(f"{date}T{minute or '00:00'}:{second or '00'}+00:00")
    except ValueError:
        return None
    thousandths = int((fraction or "").ljust(3, "0")[:3])
    return (moment - EPOCH) // timedelta(milliseconds=1) + thousandths - _offset_ms(zone or "Z")


def _offset_ms(zone: str) -> int:
    """The milliseconds that an offset ("+02:00", "+0200" or "Z") is ahead of UTC."""
    if zone in "Zz":
        return 0
    minutes = int(zone[1:3]) * 60 + int(zone[-2:])
    return minutes * (-60_000 if zone[0] == "-" else 60_000)


def iso(ms: int) -> bytes:
    """Milliseconds as ISO 8601 text. Like Java's Instant, it omits the fraction of a whole second.

    >>> iso(1779327364329), iso(1779327364000)
    (b'2026-05-21T01:36:04.329Z', b'2026-05-21T01:36:04Z')
    """
    day, rest = divmod(ms, DAY_MS)
    minute, rest = divmod(rest, 60_000)
    if rest % 1000:
        return b"%b%b:%02d.%03dZ" % (_date(day), MINUTES[minute], rest // 1000, rest % 1000)
    return b"%b%b:%02dZ" % (_date(day), MINUTES[minute], rest // 1000)


MINUTES = [b"T%02d:%02d" % divmod(minute, 60) for minute in range(24 * 60)]


@lru_cache(maxsize=4096)
def _date(day: int) -> bytes:
    """Days since 1970 as b"2026-05-21"."""
    return (EPOCH + timedelta(days=day)).date().isoformat().encode()
