"""The configuration (strings, as Fivetran gives them) read into Settings (typed, frozen), every mistake found at once."""
import difflib
import hashlib
import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from pipeline.errors import SettingsError
from pipeline.moments import DAY, MINUTE, to_ms
from pipeline.names import RESERVED, destination_name, is_fixed, matcher, star, table_name

HUBSPOT = "https://api.hubapi.com"
API_VERSIONS = ("2026-03", "2026-09", "2025-09", "v3")
LAYOUTS = ("per_event_type", "single")
SINGLE = "event"  # the one table of the layout `single`
SWITCH = ("true", "false")
SECRETS = ("api_token", "hash_salt")


@dataclass(frozen=True)
class Settings:
    """What a sync needs to know, checked. Moments and spans of time are milliseconds, counts are records."""

    api_token: str = field(repr=False)
    start: int
    event_types: tuple[str, ...]
    table_layout: str
    object_type: str
    object_id: str
    property_filters: tuple[tuple[str, str], ...]
    properties: tuple[str, ...]
    drop_columns: tuple[str, ...]
    hash_columns: tuple[str, ...]
    hash_salt: str = field(repr=False)
    rename_columns: tuple[tuple[str, str], ...]
    string_columns: tuple[str, ...]
    sync_metrics: bool
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

    def table_of(self, event_type: str) -> str:
        """The table that an event type's rows go to."""
        return SINGLE if self.table_layout == "single" else table_name(event_type)

    def made_under(self, event_type: str) -> str | None:
        """What rows and cursors depend on besides the event type, None for the defaults: a cursor made under something else
        tells nothing."""
        table = self.table_of(event_type)
        chosen = {
            "table_layout": "" if self.table_layout == LAYOUTS[0] else self.table_layout,
            "table": "" if table in (event_type, SINGLE) else table,
            "object_type": self.object_type,
            "object_id": self.object_id,
            "property_filters": self.property_filters and f"#{_digest(sorted(self.property_filters))}",  # they may name a person
            "properties": ", ".join(sorted(self.properties)),
        }
        return ", ".join(f"{key} {value}" for key, value in chosen.items() if value) or None


class Key(NamedTuple):
    """One key of the configuration: its default, what reads its text, and what the setup form says of it.

    `read` returns the value, or raises ValueError saying what would be right.
    """

    setting: str
    default: str
    read: Callable[[str], Any]
    label: str
    help: str
    choices: tuple[str, ...] = ()


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
    names = _items(text)
    if not all(re.fullmatch(r"!?[A-Za-z0-9_.*?-]{1,255}", name) for name in names):
        raise ValueError("give names and patterns separated by commas, such as e_visited_page, pe*_signup, !e_*_metadata")
    if not names:
        raise ValueError("give at least one name, such as e_visited_page")
    if all(name.startswith("!") for name in names):
        raise ValueError("exclusions alone name nothing: give * beside them for all others")
    return names


def _items(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(item.strip() for item in text.split(",") if item.strip()))


def _one_of(choices: tuple[str, ...]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(f"give one of {', '.join(choices)}")
        return text

    return read


def _switch(text: str) -> bool:
    return _one_of(SWITCH)(text.lower()) == "true"


def _name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.-]{0,255}", text):
        raise ValueError("give one name or id: letters, digits, _ . and - alone")
    return text


def _filters(text: str) -> tuple[tuple[str, str], ...]:
    pairs = _pairs(item for item in text.split(";") if item.strip())
    names = [name for name, _ in pairs]
    if not all(name and value for name, value in pairs) or len(set(names)) < len(names):
        raise ValueError("give name=value, each name once, separated by semicolons, such as hs_city=portland; hs_country=us")
    return pairs


def _pairs(items: Iterable[str]) -> tuple[tuple[str, str], ...]:
    return tuple((name.strip(), value.strip()) for name, _, value in (item.partition("=") for item in items))


def _words(text: str) -> tuple[str, ...]:
    words = _items(text)
    if not all(re.fullmatch(r"[^\s=;!]+", word) for word in words):
        raise ValueError("give names and patterns separated by commas, such as hs_user_agent, *email*")
    return words


def _names(text: str) -> tuple[str, ...]:
    names = _items(text)
    if not all(re.fullmatch(r"[^\s=;!*?]+", name) for name in names):
        raise ValueError("give names separated by commas, such as hs_url, hs_title")
    return names


def _columns(text: str) -> tuple[str, ...]:
    columns = _words(text)
    if fixed := [column for column in columns if is_fixed(column)]:
        raise ValueError(f"{', '.join(fixed)} must stay as it is: rows are told apart and put in order by it")
    return columns


def _renames(text: str) -> tuple[tuple[str, str], ...]:
    pairs = _pairs(_items(text))
    if not all(re.fullmatch(r"[^\s=*?]+|[^\s=*?]*\*[^\s=*?]*", old) and new for old, new in pairs):
        raise ValueError("give old=new, separated by commas, such as hs_url=page_url; one * may stand on both sides")
    if not all(re.fullmatch(r"(?!\*$)[A-Za-z_*][A-Za-z0-9_*]*", new) and old.count("*") == new.count("*") for old, new in pairs):
        raise ValueError("give new names of letters, digits and _, with a * (and more than that) where the old one has it")
    if uneven := [f"{old}={new}" for old, new in pairs if "*" in old and _edges(old) != _edges(new)]:
        raise ValueError(f"{', '.join(uneven)}: give a * the same _ before and behind it on both sides, as in hs_*=page_*")
    if fixed := [old for old, _ in pairs if is_fixed(old)]:
        raise ValueError(f"{', '.join(fixed)} must stay as it is: rows are told apart and put in order by it")
    if taken := [new for _, new in pairs if destination_name(new) in RESERVED or new.startswith("properties")]:
        raise ValueError(f"{', '.join(taken)} is a name that each table has already, or may: give another new name")
    for (old, new), (other_old, other_new) in combinations(pairs, 2):
        if destination_name(old) == destination_name(other_old) or _can_meet(new, other_new):
            raise ValueError(f"{old}={new} and {other_old}={other_new} can meet in one column: name each old and new one once")
    return pairs


def _edges(name: str) -> tuple[bool, bool]:
    begin, end = name.split("*")
    return begin.endswith("_"), end.startswith("_")


def _can_meet(name: str, other: str) -> bool:
    """Whether two names with at most one * can stand for the same.

    >>> _can_meet("page_*", "page_url"), _can_meet("page_*", "p*"), _can_meet("page_*", "utm_*")
    (True, True, False)
    """
    if "*" not in other:
        return bool(star(name).fullmatch(destination_name(other)))
    if "*" not in name:
        return _can_meet(other, name)
    begin, end = map(destination_name, name.split("*"))
    other_begin, other_end = map(destination_name, other.split("*"))
    begins = begin.startswith(other_begin) or other_begin.startswith(begin)
    return begins and (end.endswith(other_end) or other_end.endswith(end))


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


# In order of need, which is that of the setup form.
KEYS = {
    "api_token": Key(
        "api_token", "", _token, "Access token",
        "Of your HubSpot private app (Settings, Integrations, Private Apps); it begins with pat-.",
    ),
    "initial_sync_start_date": Key(
        "start", "", _date, "Sync events from",
        "An ISO 8601 date such as 2026-01-01T00:00:00Z. Nothing older is delivered; moved earlier, the missing range is read.",
    ),
    "event_types": Key(
        "event_types", "e_visited_page", _event_types, "Event types",
        "Names and patterns, separated by commas, such as e_visited_page, pe*_signup, !e_*_metadata; * is every type.",
    ),
    "table_layout": Key(
        "table_layout", "per_event_type", _one_of(LAYOUTS), "Tables",
        "One an event type, or a single table event with the properties as one JSON column. A change reads the history again.",
        LAYOUTS,
    ),
    "drop_columns": Key(
        "drop_columns", "", _columns, "Columns to leave out", "Names and patterns, separated by commas, such as hs_ip*."
    ),
    "hash_columns": Key(
        "hash_columns", "", _columns, "Columns to hash",
        "Names and patterns, separated by commas, such as *email*: their values become salted SHA-256. Needs the salt.",
    ),
    "hash_salt": Key(
        "hash_salt", "", str, "Salt for hashed columns", "Any long secret text; another one makes other hashes."
    ),
    "rename_columns": Key(
        "rename_columns", "", _renames, "Columns to rename",
        "old=new, separated by commas, such as hs_url=page_url; one * may stand on both sides of a pair, as in hs_*=page_*.",
    ),
    "string_columns": Key(
        "string_columns",
        "hs_campaign_id, hs_element_id, hs_form_id, hs_operating_version, hs_page_id, hs_parent_module_id, hs_session_id",
        _words, "Columns that stay text",
        "Names and patterns, separated by commas: 1.10 stays 1.10 there. A pattern costs one request an event type, and knows "
        "only the columns of its first 100 events.",
    ),
    "object_type": Key("object_type", "", _name, "Only events of this object type", "Such as CONTACT."),
    "object_id": Key("object_id", "", _name, "Only events of this object", "Its id; needs the object type."),
    "property_filters": Key(
        "property_filters", "", _filters, "Only events with these properties",
        "name=value, separated by semicolons, such as hs_city=portland; hs_country=us.",
    ),
    "properties": Key("properties", "", _names, "Only these properties", "Names, separated by commas; blank asks for all."),
    "lookback_minutes": Key(
        "lookback", "60", _whole(0, 43_200, "minutes", MINUTE), "Look-back in minutes",
        "Events become visible late: each sync reads this much again. 0 to 43200.",
    ),
    "deep_reread_days": Key(
        "deep_reread", "0", _whole(0, 3650, "days", DAY), "Days to read again once a day",
        "For events reported days late, such as imports. 0 to 3650; 0 is off.",
    ),
    "page_size": Key(
        "page_size", "1000", _whole(1, 10_000, "events"), "Events a request", "1 to 10000. Lower it if HubSpot refuses the limit."
    ),
    "checkpoint_interval": Key(
        "checkpoint_interval", "10000", _whole(1, 1_000_000, "records"), "Records between checkpoints",
        "1 to 1000000. A sync that is interrupted repeats at most this many.",
    ),
    "concurrency": Key(
        "concurrency", "4", _whole(1, 16, "requests at once"), "Requests at once", "1 to 16. More helps where answers are slow."
    ),
    "quota_reserve_percent": Key(
        "quota_reserve", "10", _whole(0, 90, "percent"), "Share of the rate limit to leave",
        "Percent, for your other integrations. 0 to 90.",
    ),
    "max_outage_minutes": Key(
        "max_outage", "15", _minutes, "Longest outage in minutes", "How long to go on without a good answer. Above 0, up to 1440."
    ),
    "dedupe_window": Key(
        "dedupe_window", "20000", _whole(0, 1_000_000, "ids"), "Ids remembered",
        "To drop what HubSpot's API repeats. 0 to 1000000.",
    ),
    "sync_metrics": Key(
        "sync_metrics", "true", _switch, "Table of syncs", "Whether each sync adds a row about itself to the table sync_run.",
        SWITCH,
    ),
    "api_version": Key(
        "api_version", API_VERSIONS[0], _one_of(API_VERSIONS), "API version", "Of HubSpot's Events API.", API_VERSIONS
    ),
    "api_base_url": Key(
        "api_base_url", HUBSPOT, _base_url, "API address", "Another one is for trials: https, or http for this machine alone."
    ),
}  # fmt: skip
REQUIRED = {
    "api_token": "give the access token of your HubSpot private app (it begins with pat-)",
    "initial_sync_start_date": "give the moment to sync from, such as 2026-01-01T00:00:00Z",
}


def read_settings(configuration: Mapping[str, Any]) -> Settings:
    """The Settings a configuration means; a key left blank has its default.

    Raises SettingsError naming every mistake: the key, what was given (never the token) and what would be right.
    """
    values, mistakes = {}, []
    for name, key in KEYS.items():
        try:
            values[key.setting] = read_key(configuration, name)
        except SettingsError as mistake:
            mistakes.append(str(mistake))
    mistakes += _contradictions(values)
    if mistakes:
        count = "a mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        raise SettingsError(f"The configuration has {count}:\n" + "\n".join(f"- {mistake}" for mistake in mistakes))
    return Settings(**values)


def read_key(configuration: Mapping[str, Any], name: str) -> Any:
    """The value of one key. Raises SettingsError naming the key, what was given (never a secret) and what would be right."""
    try:
        text = _text(configuration, name)
        if name != "api_token" and _holds_token(configuration, text):
            raise ValueError("an access token belongs into api_token alone")
        return KEYS[name].read(text)
    except ValueError as right:
        raise SettingsError(f"{name}: {_given(configuration, name)}; {right}") from None


def _contradictions(values: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong between keys that are right by themselves; `values` lacks those that are not."""
    if values.get("object_id") and values.get("object_type") == "":
        yield "object_id: needs object_type; give the type of the object too, such as CONTACT"
    if values.get("hash_columns") and values.get("hash_salt") == "":
        yield "hash_salt: missing; give any long secret text, which hash_columns needs"
    for key in ("drop_columns", "hash_columns", "rename_columns"):
        named = [item if isinstance(item, str) else item[0] for item in values.get(key, ())]
        if values.get("table_layout") == "single" and "properties" in named:
            yield f"{key}: properties is the one column of them all in the layout single; name what is in it"
    for key in ("drop_columns", "hash_columns", "string_columns"):
        named = values.get(key, ())
        is_meant = matcher(named)
        for old, new in values.get("rename_columns", ()):
            for name in (new.replace("*", "x"), *named):
                found = star(new).fullmatch(destination_name(name))
                if found and is_meant(name) and not is_meant(old.replace("*", found[1]) if "*" in old else old):
                    yield f"{key}: {new} is a name that rename_columns gives; give the name that the column has before, {old}"
                    break


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
    if not text and name in REQUIRED:
        raise ValueError(REQUIRED[name])
    return text


def _given(configuration: Mapping[str, Any], name: str) -> str:
    given = configuration.get(name)
    if given is None or (isinstance(given, str) and not given.strip()):
        return "missing"
    secret = name in SECRETS or _holds_token(configuration, str(given))
    return "not usable as given (not shown)" if secret else f"given {str(given)[:80]!r}"


def _digest(value: Any) -> str:
    """Enough to tell a change, too little to tell the value."""
    return hashlib.sha256(repr(value).encode(errors="replace")).hexdigest()[:4]


def _holds_token(configuration: Mapping[str, Any], text: str) -> bool:
    token = configuration.get("api_token")
    return bool(re.search(r"\bpat-", text)) or (isinstance(token, str) and len(token) > 3 and token in text)
