"""The configuration (strings, as Fivetran gives them) read into Settings (typed, frozen), every mistake found at once."""
import difflib
import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from pipeline.errors import SettingsError
from pipeline.moments import DAY, MINUTE, to_ms

HUBSPOT = "https://api.hubapi.com"
API_VERSIONS = ("2026-03", "2026-09", "2025-09", "v3")


@dataclass(frozen=True)
class Settings:
    """What a sync needs to know, checked. Moments and spans of time are milliseconds, counts are records."""

    api_token: str = field(repr=False)
    start: int
    event_types: tuple[str, ...]
    page_size: int
    checkpoint_interval: int
    dedupe_window: int
    lookback: int
    deep_reread: int
    max_outage: int
    concurrency: int
    quota_reserve: int
    api_base_url: str
    api_version: str


class Key(NamedTuple):
    """One key of the configuration: its default ("" where it must be given), and what reads its text.

    `read` returns the value, or raises ValueError saying what would be right.
    """

    setting: str
    default: str
    read: Callable[[str], Any]


def _token(text: str) -> str:
    if not re.fullmatch(r"[!-~]+", text):  # anything else cannot stand in an HTTP header
        raise ValueError("give the token alone: no blanks, no line breaks, no word 'Bearer' in front of it")
    return text


def _date(text: str) -> int:
    try:
        return to_ms(text)
    except ValueError:
        raise ValueError("give an ISO 8601 date such as 2026-01-01T00:00:00Z") from None


def _event_types(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names or not all(re.fullmatch(r"(?!pat-)[A-Za-z0-9_.-]{1,255}", name) for name in names):
        raise ValueError("give names separated by commas, such as e_visited_page, pe1234567_signup")
    return names


def _whole(low: int, high: int, unit: str, times: int = 1) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,12}", text) or not low <= int(text) <= high:
            raise ValueError(f"give a whole number of {unit} from {low} to {high}")
        return int(text) * times

    return read


def _minutes(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,6})?", text) or not 0 < float(text) <= 1440:
        raise ValueError("give a number of minutes above 0, up to 1440")
    return max(1, int(float(text) * MINUTE))


def _version(text: str) -> str:
    if text not in API_VERSIONS:
        raise ValueError(f"give one of {', '.join(API_VERSIONS)}")
    return text


def is_loopback(host: str) -> bool:
    """Whether a host name means this machine.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("127.0.0.1.example.com")
    (True, True, False)
    """
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _base_url(text: str) -> str:
    right = f"give https://host without a path, such as {HUBSPOT} (http only for this machine, as http://127.0.0.1:8000)"
    try:
        url = urlsplit(text)
        host, _ = url.hostname or "", url.port  # reading the port checks it
    except ValueError:
        raise ValueError(right) from None
    safe = url.scheme == "https" or (url.scheme == "http" and is_loopback(host))
    plain = "@" not in url.netloc and url.path in ("", "/") and not url.query and not url.fragment
    if not (safe and plain and re.fullmatch(r"[A-Za-z0-9.:-]+", host)):
        raise ValueError(right)
    return f"{url.scheme}://{url.netloc}"


KEYS = {
    "api_token": Key("api_token", "", _token),
    "initial_sync_start_date": Key("start", "", _date),
    "event_types": Key("event_types", "e_visited_page", _event_types),
    "page_size": Key("page_size", "1000", _whole(1, 10_000, "events")),
    "checkpoint_interval": Key("checkpoint_interval", "10000", _whole(1, 1_000_000, "records")),
    "dedupe_window": Key("dedupe_window", "20000", _whole(0, 1_000_000, "ids")),
    "lookback_minutes": Key("lookback", "60", _whole(0, 43_200, "minutes", MINUTE)),
    "deep_reread_days": Key("deep_reread", "0", _whole(0, 3650, "days", DAY)),
    "max_outage_minutes": Key("max_outage", "15", _minutes),
    "concurrency": Key("concurrency", "4", _whole(1, 16, "requests at once")),
    "quota_reserve_percent": Key("quota_reserve", "10", _whole(0, 90, "percent")),
    "api_base_url": Key("api_base_url", HUBSPOT, _base_url),
    "api_version": Key("api_version", API_VERSIONS[0], _version),
}


def read_settings(configuration: Mapping[str, Any]) -> Settings:
    """The Settings a configuration means; a key left blank has its default.

    Raises SettingsError naming every mistake: the key, what was given (never the token) and what would be right.
    """
    values, mistakes = {}, []
    for name, key in KEYS.items():
        try:
            values[key.setting] = key.read(_text(configuration, name))
        except ValueError as right:
            mistakes.append(f"{name}: {_given(configuration, name)}; {right}")
    if mistakes:
        count = "a mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        raise SettingsError(f"The configuration has {count}:\n" + "\n".join(f"- {mistake}" for mistake in mistakes))
    return Settings(**values)


def read_event_types(configuration: Mapping[str, Any]) -> tuple[str, ...]:
    """The event types named, none where they cannot be read: read_settings reports that, with all other mistakes.

    >>> read_event_types({"event_types": "e_visited_page, pe1_signup"})
    ('e_visited_page', 'pe1_signup')
    """
    try:
        return _event_types(_text(configuration, "event_types"))
    except ValueError:
        return ()


def unknown_keys(configuration: Mapping[str, Any]) -> list[str]:
    """A sentence for each key that means nothing, with the known one it is nearest to.

    >>> unknown_keys({"page_sise": "10"})
    ["configuration key 'page_sise' is unknown and ignored; did you mean 'page_size'?"]
    """
    return [
        f"configuration key {_shown(name)} is unknown and ignored; did you mean '{_nearest(name)}'?"
        for name in map(str, configuration)
        if name not in KEYS
    ]


def _shown(name: str) -> str:
    return "(not shown)" if "pat-" in name else repr(name[:60])


def _nearest(name: str) -> str:
    return str(difflib.get_close_matches(name.lower()[:60], list(KEYS), n=1, cutoff=0.0)[0])


def _text(configuration: Mapping[str, Any], name: str) -> str:
    given = configuration.get(name)
    if given is not None and not isinstance(given, str):
        raise ValueError("give a text (every value of the configuration is a string)")
    text = (given or "").strip() or KEYS[name].default
    if not text:
        raise ValueError(_REQUIRED[name])
    return text


_REQUIRED = {
    "api_token": "give the access token of your HubSpot private app (it begins with pat-)",
    "initial_sync_start_date": "give the moment to sync from, such as 2026-01-01T00:00:00Z",
}


def _given(configuration: Mapping[str, Any], name: str) -> str:
    given = configuration.get(name)
    if given is None or (isinstance(given, str) and not given.strip()):
        return "missing"
    token = configuration.get("api_token")
    secret = name == "api_token" or "pat-" in str(given) or (isinstance(token, str) and len(token) > 3 and token in str(given))
    return "not usable as given (not shown)" if secret else f"given {str(given)[:80]!r}"
