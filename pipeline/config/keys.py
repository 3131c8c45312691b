"""The keys of the configuration: for each its field of Settings (settings.py), default, parser, and
text in the setup form, which asks only for what most connections need. Who sets the other keys, and
why: docs/configuration.md.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from pipeline.config.parsers import (
    base_url,
    columns,
    date_to_ms,
    event_types,
    minutes_to_ms,
    one_of,
    patterns,
    plain_names,
    property_filters,
    renames,
    secret,
    single_name,
    token,
    whole_number,
)
from pipeline.hubspot.address import HUBSPOT
from pipeline.timestamps import MINUTE

# The default is the newest that has been seen to answer for events; how long each is supported:
# docs/access.md.
API_VERSIONS = ("2026-03", "2026-09", "2025-09", "v3")
LAYOUTS = ("per_event_type", "single")
SECRETS = ("api_token", "hash_salt")


class Key(NamedTuple):
    """One key: the field of Settings that it fills, its default and its parser; its label, help and
    choices in the setup form. A key without a label is accepted, but not in the form.
    """

    setting: str
    default: str
    parse: Callable[[str], Any]
    label: str = ""
    help: str = ""
    choices: tuple[str, ...] = ()


# In the order of the setup form.
KEYS = {
    "api_token": Key(
        "api_token", "", token, "Access token",
        "Of a HubSpot service key (Development, Keys, Service keys), or of a private app that you "
        "already have.",
    ),
    "initial_sync_start_date": Key(
        "start", "", date_to_ms, "Sync events from",
        "An ISO 8601 date such as 2026-01-01T00:00:00Z. Older events are not synced. If you move "
        "it earlier, the missing range is read.",
    ),
    "event_types": Key(
        "event_types", "e_visited_page", event_types, "Event types",
        "Names and patterns, separated by commas, such as e_visited_page, pe*_signup, "
        "!e_*_metadata; * is every type.",
    ),
    "table_layout": Key(
        "table_layout", "per_event_type", one_of(LAYOUTS), "Tables",
        "One per event type, or a single table, event, with the properties as one JSON column. A "
        "change reads the history again.",
        LAYOUTS,
    ),
    "drop_columns": Key(
        "drop_columns", "", columns, "Columns to drop",
        "Names and patterns, separated by commas, such as hs_ip*.",
    ),
    "hash_columns": Key(
        "hash_columns", "", columns, "Columns to hash",
        "Names and patterns, separated by commas, such as *email*: their values become salted "
        "SHA-256. Needs the salt.",
    ),
    "hash_salt": Key(
        "hash_salt", "", secret, "Salt for hashed columns",
        "Any long secret text. Changing it changes every hash.",
    ),
    "lookback_minutes": Key(
        "lookback", "60", whole_number(0, 43_200, "minutes", MINUTE), "Look-back in minutes",
        "Events can become visible late, so each sync reads this much again. 0 to 43200.",
    ),
    "audit_days": Key(
        "audit_days", "256", whole_number(0, 3650, "days"), "Days to audit",
        "What was delivered is compared with HubSpot at an age of 1, 2, 4, … days, up to this "
        "many, and what came late is delivered. 0 to 3650; 0 is off.",
    ),
    "page_size": Key(
        "page_size", "1000", whole_number(1, 10_000, "events"), "Events per request",
        "1 to 10000. Lower it if HubSpot refuses the limit.",
    ),
    "checkpoint_interval": Key(
        "checkpoint_interval", "10000", whole_number(1, 1_000_000, "records"),
        "Records between checkpoints",
        "1 to 1000000. An interrupted sync repeats up to this many, plus the windows it was "
        "reading.",
    ),
    "concurrency": Key(
        "concurrency", "4", whole_number(1, 16, "requests at once"), "Concurrent requests",
        "1 to 16. More helps if HubSpot is slow to answer. (Further keys stand in "
        "configuration.json alone; `fivetran configuration` writes the file anew, without them.)",
    ),
    "rename_columns": Key("rename_columns", "", renames),
    "string_columns": Key("string_columns", "", patterns),
    "object_type": Key("object_type", "", single_name),
    "object_id": Key("object_id", "", single_name),
    "property_filters": Key("property_filters", "", property_filters),
    "properties": Key("properties", "", plain_names),
    "quota_reserve_percent": Key("quota_reserve", "10", whole_number(0, 90, "percent")),
    "max_outage_minutes": Key("max_outage", "15", minutes_to_ms),
    "api_version": Key("api_version", API_VERSIONS[0], one_of(API_VERSIONS)),
    "api_base_url": Key("api_base_url", HUBSPOT, base_url),
}  # fmt: skip
REQUIRED = {
    "api_token": ("give the access token of a HubSpot service key, or of a private app that you already have"),
    "initial_sync_start_date": "give the date to sync from, such as 2026-01-01T00:00:00Z",
}
# Keys of earlier versions that do nothing any more, and what holds instead.
GONE = {
    "deep_reread_days": "audit_days takes its place",
    "dedupe_window": "the last 20,000 ids are remembered",
    "sync_metrics": "the table sync_run is always written",
}
