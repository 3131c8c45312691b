"""What a value may be: columns, renames, filters, and keys that contradict each other."""

import pytest

from pipeline.errors import SettingsError
from tests.stages.rows import SALT, read

INVALID = {
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


@pytest.mark.parametrize("key, text", [(key, text) for key, texts in INVALID.items() for text in texts])
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
    ({"table_layout": "single", "rename_columns": "properties=props"}, "rename_columns"),
    ({"table_layout": "single", "drop_columns": "properties"}, "drop_columns"),
    ({"table_layout": "single", "hash_columns": "properties"}, "hash_columns"),
])  # fmt: skip
def test_contradictory_keys_are_refused(keys, named):
    with pytest.raises(SettingsError, match=f"- {named}:"):
        read(**keys)


@pytest.mark.parametrize("key, text, cure", [
    ("rename_columns", "properties=props", "cannot be renamed"), ("drop_columns", "properties", "name the property instead"),
    ("hash_columns", "properties", "name the property instead"),
])  # fmt: skip
def test_the_one_column_of_the_single_layout_is_refused_with_what_to_do_instead(key, text, cure):
    with pytest.raises(SettingsError, match=cure):
        read(**{"table_layout": "single", key: text})


@pytest.mark.parametrize("text, pairs", [
    ("a=b=c", [("a", "b=c")]), (" hs_city = são paulo ;; hs_country=us; ", [("hs_city", "são paulo"), ("hs_country", "us")]),
    ("a=&+%25\"'", [("a", "&+%25\"'")]), ("é=1,2", [("é", "1,2")]),
])  # fmt: skip
def test_the_value_of_a_filter_is_everything_after_the_first_equals_sign(text, pairs):
    assert list(read(property_filters=text).property_filters) == pairs


def test_the_salt_is_never_shown():
    settings = read(hash_columns="email")
    assert SALT not in repr(settings) and settings.hash_salt == SALT
    with pytest.raises(SettingsError) as error:
        read(hash_columns="a b", hash_salt=SALT, page_size="0")
    assert SALT not in str(error.value)
