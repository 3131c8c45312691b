"""Settings (typed, frozen) from the configuration (strings, as Fivetran passes them). All mistakes
are reported at once.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.config.keys import GONE, KEYS, LAYOUTS, REQUIRED, SECRETS
from pipeline.errors import SettingsError
from pipeline.names.destination import destination_name
from pipeline.names.patterns import matcher, nearest, star_pattern
from pipeline.names.tables import EVENT_TABLE, table_name


@dataclass(frozen=True)
class Settings:
    """The validated configuration of a sync. Times and durations are in milliseconds."""

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
    page_size: int
    checkpoint_interval: int
    lookback: int
    audit_days: int
    max_outage: int
    concurrency: int
    quota_reserve: int
    api_base_url: str
    api_version: str

    @property
    def is_single_table(self) -> bool:
        """Whether all event types share the table EVENT_TABLE."""
        return self.table_layout == "single"

    def table_of(self, event_type: str) -> str:
        """The table that an event type's rows go to."""
        return EVENT_TABLE if self.is_single_table else table_name(event_type)

    def fingerprint(self, event_type: str) -> str | None:
        """The settings that rows and cursors depend on, as text; None if all have their defaults. A
        cursor with another fingerprint says nothing about these rows.
        """
        table = self.table_of(event_type)
        chosen = {
            "table_layout": "" if self.table_layout == LAYOUTS[0] else self.table_layout,
            "table": "" if table in (event_type, EVENT_TABLE) else table,
            "object_type": self.object_type,
            "object_id": self.object_id,
            "property_filters": self.property_filters
            and f"#{_digest(sorted(self.property_filters))}",  # they may name a person
            "properties": ", ".join(sorted(self.properties)),
        }
        return ", ".join(f"{key} {value}" for key, value in chosen.items() if value) or None


def read_settings(configuration: Mapping[str, Any]) -> Settings:
    """The Settings of a configuration; a blank key falls back to its default.

    Raises SettingsError naming every mistake: the key, the value (never a secret) and what would be
    valid.
    """
    values, mistakes = {}, []
    for name, key in KEYS.items():
        try:
            values[key.setting] = read_key(configuration, name)
        except SettingsError as mistake:
            mistakes.append(str(mistake))
    mistakes += _contradictions(values)
    mistakes += _misspelled_keys(configuration)
    if mistakes:
        count = "a mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        raise SettingsError(f"The configuration has {count}:\n" + "\n".join(f"- {mistake}" for mistake in mistakes))
    return Settings(**values)


def read_key(configuration: Mapping[str, Any], name: str) -> Any:
    """The value of one key. Raises SettingsError naming the key, the text (never a secret) and what
    would be valid.
    """
    try:
        text = _text(configuration, name)
        if name != "api_token" and _holds_token(configuration, text):
            raise ValueError("an access token belongs only in api_token")
        return KEYS[name].parse(text)
    except ValueError as expected:
        raise SettingsError(f"{name}: {_given(configuration, name)}; {expected}") from None


def _contradictions(values: Mapping[str, Any]) -> Iterator[str]:
    """Yields contradictions between keys, each of them valid by itself; `values` lacks invalid
    ones.
    """
    if values.get("object_id") and values.get("object_type") == "":
        yield "object_id: needs object_type; give the type of the object too, such as contact"
    if values.get("hash_columns") and values.get("hash_salt") == "":
        yield "hash_salt: missing; give any long secret text, which hash_columns needs"
    for key in ("drop_columns", "hash_columns", "rename_columns"):
        named = [item if isinstance(item, str) else item[0] for item in values.get(key, ())]
        if values.get("table_layout") == "single" and "properties" in named:
            if key == "rename_columns":
                yield ("rename_columns: in the layout single, properties are one JSON column and cannot be renamed")
            else:
                yield (
                    f"{key}: in the layout single, all properties are in the column properties; "
                    "name the property instead"
                )
    for key in ("drop_columns", "hash_columns", "string_columns"):
        named = values.get(key, ())
        is_meant = matcher(named)
        for old, new in values.get("rename_columns", ()):
            for name in (new.replace("*", "x"), *named):
                found = star_pattern(new).fullmatch(destination_name(name))
                if found and is_meant(name) and not is_meant(old.replace("*", found[1]) if "*" in old else old):
                    yield f"{key}: {old} is renamed to {new}; write {old}"
                    break


def gone_keys(configuration: Mapping[str, Any]) -> list[str]:
    """A sentence about the keys of earlier versions that are set and do nothing any more, if any.

    >>> gone_keys({"dedupe_window": "", "sync_metrics": "false"})[0][:76]
    'Keys of earlier versions that do nothing any more: sync_metrics (the table s'
    """
    gone = [f"{name} ({instead})" for name, instead in GONE.items() if configuration.get(name)]
    cure = 'Cure: delete them, or where they are deployed set them to "".'
    listed = ", ".join(gone)
    return [f"Keys of earlier versions that do nothing any more: {listed}. {cure}"] if gone else []


def unknown_keys(configuration: Mapping[str, Any]) -> list[str]:
    """A sentence for each unknown key that resembles no known one; the others are mistakes.

    >>> unknown_keys({"zzz": "10", "page_sise": "10"})
    ["configuration key 'zzz' is unknown and ignored."]
    """
    return [
        f"configuration key {shown} is unknown and ignored." for shown, near in _unknown(configuration) if near is None
    ]


def _misspelled_keys(configuration: Mapping[str, Any]) -> Iterator[str]:
    """Yields a mistake for each unknown key that resembles a known one: with that one's default, a
    sync would do what nobody asked for.
    """
    for shown, near in _unknown(configuration):
        if near:
            yield f"{shown}: there is no such key; did you mean '{near}'?"


def _unknown(configuration: Mapping[str, Any]) -> Iterator[tuple[str, str | None]]:
    """Yields each unknown key as it may be shown, and the known key nearest to it."""
    for name in map(str, configuration):
        if name not in KEYS and name not in GONE:
            shown = "(not shown)" if _holds_token(configuration, name) else _shortened(name, 60)
            yield shown, next(iter(nearest(name.lower()[:60], KEYS)), None)


def _shortened(text: str, length: int) -> str:
    """A text to quote in a message: of a long word with a digit in it, only the beginning.

    Such a word may be an access token in the wrong place: HubSpot does not document what those of
    service keys look like.

    >>> _shortened("e_visited page", 80), _shortened("token=5ec2e75e-c2e7-4a11-9b0d-0123456789ab", 80)
    ("'e_visited page'", "'toke…'")
    """
    words = re.sub(r"[\w+/=~-]{20,}", lambda word: f"{word[0][:4]}…" if re.search(r"\d", word[0]) else word[0], text)
    return repr(words[:length])


def _text(configuration: Mapping[str, Any], name: str) -> str:
    given = configuration.get(name)
    if given is not None and not isinstance(given, str):
        raise ValueError("must be a string (every value of the configuration is a string)")
    text = (given or "").strip() or KEYS[name].default
    if not text and name in REQUIRED:
        raise ValueError(REQUIRED[name])
    return text


def _given(configuration: Mapping[str, Any], name: str) -> str:
    given = configuration.get(name)
    if given is None or (isinstance(given, str) and not given.strip()):
        return "missing"
    secret = name in SECRETS or _holds_token(configuration, str(given))
    if name == "property_filters":  # their values may name a person
        given = re.sub(r"(?<=[=:])[^;]+", "…", str(given))
    return "not usable as given (not shown)" if secret else f"given {_shortened(str(given), 80)}"


def _digest(value: Any) -> str:
    """A hash long enough to notice a change, and too short to reveal the value."""
    return hashlib.sha256(repr(value).encode(errors="replace")).hexdigest()[:4]


def _holds_token(configuration: Mapping[str, Any], text: str) -> bool:
    """Whether a text certainly holds an access token: this configuration's, or one in the shape of
    a private app's (pat-na1-…).
    """
    token = configuration.get("api_token")
    return bool(re.search(r"\bpat-[a-z]+[0-9]+-", text)) or (
        isinstance(token, str) and len(token) > 3 and token in text
    )
