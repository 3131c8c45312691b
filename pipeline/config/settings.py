"""The configuration (strings, as Fivetran passes them) read into Settings (typed, frozen), every mistake found at once."""
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.config.keys import KEYS, LAYOUTS, REQUIRED, SECRETS
from pipeline.config.suggest import nearest
from pipeline.errors import SettingsError
from pipeline.names.destination import destination_name
from pipeline.names.patterns import matcher, star
from pipeline.names.tables import SINGLE, table_name


@dataclass(frozen=True)
class Settings:
    """What a sync needs to know, checked. Moments and durations are milliseconds, counts are records."""

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

    def fingerprint(self, event_type: str) -> str | None:
        """What rows and cursors depend on besides the event type, as text; None for the defaults. A cursor with another
        fingerprint says nothing of these rows."""
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


def read_settings(configuration: Mapping[str, Any]) -> Settings:
    """The Settings that a configuration means; a key left blank falls back to its default.

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
        return KEYS[name].parse(text)
    except ValueError as right:
        raise SettingsError(f"{name}: {_given(configuration, name)}; {right}") from None


def _contradictions(values: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong between keys that are right by themselves; those that are not are missing from `values`."""
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
    """A sentence for each key that has no meaning, with the known key nearest to it.

    >>> unknown_keys({"page_sise": "10"})
    ["configuration key 'page_sise' is unknown and ignored; did you mean 'page_size'?"]
    """
    return [
        f"configuration key {_shown(name)} is unknown and ignored; did you mean '{nearest(name.lower()[:60], KEYS)[0]}'?"
        for name in map(str, configuration)
        if name not in KEYS
    ]


def _shown(name: str) -> str:
    return "(not shown)" if "pat-" in name else repr(name[:60])


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
    """Enough to notice a change, too little to reveal the value."""
    return hashlib.sha256(repr(value).encode(errors="replace")).hexdigest()[:4]


def _holds_token(configuration: Mapping[str, Any], text: str) -> bool:
    token = configuration.get("api_token")
    return bool(re.search(r"\bpat-", text)) or (isinstance(token, str) and len(token) > 3 and token in text)
