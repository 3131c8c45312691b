"""What each key becomes, what a value may not be, and which keys contradict each other."""

import pytest

from pipeline.config.keys import KEYS
from pipeline.errors import SettingsError
from pipeline.timestamps import to_ms
from tests.stages.rows import read

SERVICE_KEY = "5ec2e75e-c2e7-4a11-9b0d-7b1d94e3f06c"  # HubSpot documents no look of it
VALID = {
    "api_token": {SERVICE_KEY: SERVICE_KEY}, "page_size": {" 1 ": 1}, "checkpoint_interval": {"500": 500},
    "initial_sync_start_date": dict.fromkeys(("2026-01-01", "2026-01-01T02:00:00+02:00"), to_ms("2026-01-01T00:00:00Z")),
    "event_types": {" b ,a,, b": ("b", "a")}, "lookback_minutes": {"0": 0, "90": 5_400_000},
    "max_outage_minutes": {"0.5": 30_000}, "api_version": {"v3": "v3"},
    "api_base_url": {"https://api-eu1.hubapi.com/": "https://api-eu1.hubapi.com"} | {url: url for url in (
        "http://127.0.0.1:8000", "http://127.9.9.9", "http://localhost:1", "http://LOCALHOST", "http://[::1]:8000",
        "https://localhost:8443", "https://hubapi.com", "https://API-EU1.hubapi.com:443",
    )},
    "property_filters": {
        # the value of a filter is everything after the first equals sign
        "a=b=c": (("a", "b=c"),), " hs_city = são paulo ;; hs_country=us; ": (("hs_city", "são paulo"), ("hs_country", "us")),
        "a=&+%25\"'": (("a", "&+%25\"'"),), "é=1,2": (("é", "1,2"),),
        # no tokens
        "hs_title=pat-smith": (("hs_title", "pat-smith"),), "hs_title=/pat-catalogue": (("hs_title", "/pat-catalogue"),),
    },
}  # fmt: skip


@pytest.mark.parametrize("key, text", [(key, text) for key, texts in VALID.items() for text in texts])
def test_a_key_is_parsed_into_its_setting(key, text):
    assert getattr(read(**{key: text}), KEYS[key].setting) == VALID[key][text]


INVALID = {
    "event_types": [
        "e visited, page", "e_a b_c", "!e_a", "!e_a, !pe*", "! e_a, *", "!!e_a, *", "!", "e_a;e_b", "e_[ab]", "é*", "e_a/../b",
        "*&limit=1", "e_a, e_b!", ",", " , ,", ";",
    ],
    "page_size": [0, 5, 1.5, True, False, [], ["e"], {"a": 1}], "concurrency": ["0", "17", "-4", "many", "4.0", "1e1", "٣"],
    "api_base_url": [
        "http://127.0.0.1.example.com", "http://localhost.example.com", "http://api.hubapi.com", "http://10.0.0.1",
        "http://0.0.0.0", "http://127.0.0.1@example.com", "https://user:password@api.hubapi.com", "ftp://127.0.0.1",
        "https://api.hubapi.com/events", "https://api.hubapi.com?a=b", "https://api.hubapi.com#a", "api.hubapi.com", "https://",
        "https://[", "https://a:99999", "//api.hubapi.com", "http:127.0.0.1", "https://a b", "https://example.com",
        "https://nothubapi.com", "https://10.0.0.1", "https://api.hubapi.com.example.com", "https://hubapi.com.",
        "https://api.hubapi.com%2eexample.com", "https://[::2]",
    ],
    "rename_columns": [
        "hs_url=id", "hs_url=event_type", "hs_url=eventType", "hs_url=occurred", "hs_url=occurredAt", "hs_url=objectId",
        "hs_url=_fivetran_synced", "id=key", "eventType=type", "event_type=type", "occurred=at", "hs_url", "hs_url=", "=url",
        "a=b=c", "a=b c", "a=b, c=b", "a=b, a=c", "hsUrl=a, hs_url=b", "a*=b", "a=b*", "a**=b*", "*=*", "a=1b", "a=é", "a?=b",
        "x_*=properties", "a=properties",
    ],
    "drop_columns": ["id", "ID", "eventType", "event_type", "occurred", "occurredAt", "a b", "a;b", "a=b", "!a"],
    "hash_columns": ["id", "eventType", "occurred", "hs_ip, occurred_at", "a b", "a;b"],
    "string_columns": ["a b", "a=b"],
    "property_filters": ["hs_city", "hs_city;", "=x", "hs_city=", "hs_city=a; hs_city=b", "a=1; b"],
    "properties": ["hs_*", "hs url", "a;b", "h?"],
    "table_layout": ["Single", "both"], "object_type": ["CON TACT", "a,b"],
}  # fmt: skip


@pytest.mark.parametrize("key, text", [(key, text) for key, texts in INVALID.items() for text in texts], ids=str)
def test_an_invalid_value_is_refused_under_its_key(key, text):
    with pytest.raises(SettingsError, match=f"\n- {key}: given") as error:
        read(**{key: text})
    assert str(error.value).count("\n- ") == 1


@pytest.mark.parametrize("keys, named", [
    ({"hash_columns": "email", "hash_salt": ""}, "hash_salt"), ({"object_id": "7"}, "object_id"),
    ({"rename_columns": "hs_ip=addr", "drop_columns": "addr"}, "drop_columns"),
    ({"rename_columns": "hs_ip=addr", "hash_columns": "Addr"}, "hash_columns"),
    ({"rename_columns": "hs_ip=client_addr", "drop_columns": "client_*"}, "drop_columns"),
    ({"rename_columns": "hs_*=page_*", "hash_columns": "page_ip"}, "hash_columns"),
    ({"table_layout": "single", "rename_columns": "properties=props"}, "rename_columns: .* cannot be renamed"),
    ({"table_layout": "single", "drop_columns": "properties"}, "drop_columns: .* name the property instead"),
    ({"table_layout": "single", "hash_columns": "properties"}, "hash_columns: .* name the property instead"),
])  # fmt: skip
def test_contradictory_keys_are_refused(keys, named):
    with pytest.raises(SettingsError, match=f"- {named}"):
        read(**keys)
