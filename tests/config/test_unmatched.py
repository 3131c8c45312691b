"""Columns that the configuration names and no event has are reported with the nearest one: a typo
would protect nothing.
"""

import re

import pytest

from pipeline import ConnectorError
from pipeline.config import unmatched as module
from pipeline.config.unmatched import collect_into
from pipeline.timestamps import local_now, to_text
from simulator import Behaviour, Simulator, generated, listed
from tests.sdk import failures
from tests.support import START, TYPE, Delivered, sync_into

OTHER = "pe1_signup"
SALT = {"hash_salt": "pepper"}


def event(n=0, /, **properties):
    own = {"id": f"id-{n}", "eventType": TYPE, "occurredAt": START, "objectId": "7", "objectType": "CONTACT"}
    return {**own, "properties": {"hs_ip": "127.0.0.1", "hs_url": "/", "geo": {"city": "Berlin"}, **properties}}


def of_other(n, **properties):
    return event(n, **properties) | {"eventType": OTHER}


def served(*events, **behaviour):
    return Simulator({TYPE: listed(events or [event()])}, Behaviour(**behaviour))


def warnings(sim, **keys):
    """Those of a later sync with these keys: the first one may end in an error instead."""
    others = {name: keys[name] for name in keys if name not in ("drop_columns", "hash_columns")}
    delivered = sync_into(Delivered(), sim, **others)
    delivered.warnings.clear()
    return sync_into(delivered, sim, **keys).warnings


TYPOS = [  # the nearest column, None if there is none
    ("drop_columns", "hs_ipp", "hs_ip"), ("drop_columns", "hs_ipp*", "hs_ip"), ("drop_columns", "goe_city", "geo_city"),
    ("hash_columns", "hsIpp", "hs_ip"), ("rename_columns", "hs_ulr", "hs_url"), ("string_columns", "hs_ulr", "hs_url"),
    ("drop_columns", "*email*", None), ("hash_columns", "salary", None), ("properties", "hs_city", None),
]  # fmt: skip


def keys_of(key, name):
    return {key: f"{name}=url" if key == "rename_columns" else name, **SALT}


@pytest.mark.parametrize("key, name, near", TYPOS)
@pytest.mark.parametrize("layout", ["per_event_type", "single"])
def test_a_column_that_no_event_has_is_reported_with_the_nearest_one_if_one_is_near(key, name, near, layout):
    with served() as sim:
        (message,) = warnings(sim, table_layout=layout, **keys_of(key, name))
    assert message.startswith(f"{key}: ") and (f"{name} (did you mean {near}?)" if near else name) in message
    assert near or "did you mean" not in message


@pytest.mark.parametrize("key, name, near", [*TYPOS, ("properties", "hsUrl", "hs_url")])
def test_the_setup_test_fails_on_a_typo_and_passes_on_what_may_just_be_rare(key, name, near):
    with served() as sim:
        found = failures(sim, **keys_of(key, name))
    assert len(found) == (near is not None)
    for label, message in found.items():
        assert "columns" in label and message.startswith(f"{key}: ") and f"{name} (did you mean {near}?)" in message


@pytest.mark.parametrize("keys", [
    {}, {"drop_columns": "hs_ip, hsUrl, geo_*, *rl, object_id"}, {"hash_columns": "geoCity", **SALT}, {"properties": "hs_url"},
    {"string_columns": "occurred, id, event_type, hs_ip"}, {"rename_columns": "hs_*=page_*", "drop_columns": "hs_ip"},
    {"string_columns": "hs_page_id, hs_form_id"},
], ids=str)  # fmt: skip
def test_columns_that_events_have_are_not_reported(keys):
    with served() as sim:
        assert warnings(sim, **keys) == []


def test_a_column_of_a_single_event_among_many_or_of_one_event_type_is_not_reported():
    histories = {TYPE: listed([*map(event, range(50)), event(50, late="1")]), OTHER: listed([of_other(1, shoe="9")])}
    with Simulator(histories) as sim:
        keys = {"drop_columns": "late, shoe", "event_types": "*", "page_size": "7", "checkpoint_interval": "5"}
        assert sync_into(Delivered(), sim, **keys).warnings == []


@pytest.mark.parametrize("keys", [{"drop_columns": "hs_ipp"}, {"properties": "hs_ulr"}], ids=str)
def test_without_events_nothing_is_reported(keys):
    with Simulator({TYPE: generated(0)}) as sim:
        assert warnings(sim, **keys) == [] and failures(sim, **keys) == {}


def test_more_columns_than_are_remembered_prove_nothing(monkeypatch):
    monkeypatch.setattr(module, "MAX_COLUMNS", 20)
    with served(*(event(n, **{f"p{n}": "x"}) for n in range(100))) as sim:
        assert warnings(sim, drop_columns="hs_ipp") == []
    columns = set()
    collect = collect_into(columns)
    for n in range(1000):
        collect([f"p{n}"])
    assert len(columns) <= 20


def test_a_start_date_in_the_future_is_reported_by_the_sync_and_the_setup_tests():
    tomorrow = to_text(local_now() + 2 * 86_400_000)
    with served() as sim:
        (message,) = warnings(sim, initial_sync_start_date=tomorrow)
        assert "initial_sync_start_date" in message and tomorrow in message and "future" in message
        (message,) = failures(sim, initial_sync_start_date=tomorrow).values()
        assert "initial_sync_start_date" in message and "future" in message


# A misspelled name that would leave a column readable ends the first sync


@pytest.mark.parametrize("keys", [
    {"drop_columns": "hs_ipp"}, {"hash_columns": "hsIpp", **SALT}, {"drop_columns": "geo_citty", "table_layout": "single"},
    {"drop_columns": "hs_url, hs_ipp", "hash_columns": "hs_url", **SALT},
], ids=str)  # fmt: skip
def test_a_misspelled_protection_ends_the_first_sync_before_its_first_row(keys):
    with served(7, event()) as sim:
        delivered = Delivered()
        for _ in range(2):  # as Fivetran, which tries again
            with pytest.raises(ConnectorError, match="(hs_ip|geo_city) would be") as raised:
                sync_into(delivered, sim, **keys)
            assert not delivered.upserts
    cure = re.search(r"write (\S+)\.$", str(raised.value))[1]
    assert cure.endswith("*") and cure[:-1] in str(keys)


@pytest.mark.parametrize("names", ["hs_ipp*", "hs_*p", "shoe", "hs_ip", "hsIp", "hs_email, hs_emails"])
def test_a_pattern_and_a_name_near_to_nothing_or_to_what_is_protected_too_are_delivered(names):
    with served(event(hs_email="a@b.c")) as sim:
        assert sync_into(Delivered(), sim, drop_columns=names).ids() == {"id-0"}


def test_only_the_event_types_with_a_near_column_are_held_back():
    with Simulator({TYPE: listed([event()]), OTHER: listed([of_other(1, hs_shoe="9")])}) as sim:
        delivered = Delivered()
        with pytest.raises(ConnectorError, match=f"{OTHER}: nothing is delivered"):
            sync_into(delivered, sim, drop_columns="hs_shoes", event_types=f"{OTHER}, {TYPE}")
        assert delivered.ids() == {"id-0"} and not delivered.ids(OTHER)
        sync_into(delivered, sim, drop_columns="hs_shoe", event_types=f"{OTHER}, {TYPE}")
        assert delivered.ids(OTHER) == {"id-1"}
