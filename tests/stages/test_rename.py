"""Renamed columns: no value is lost to another's new name, and the fixed columns stay."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.errors import SettingsError
from pipeline.hubspot.events_api import FIELDS
from pipeline.names.columns import ADDED
from pipeline.names.destination import destination_name
from pipeline.stages.rename import new_names, rename_columns
from tests.stages.rows import event, law, read, row_of
from tests.support import START

OLD = [
    "hs_url", "hsUrl", "hsurl", "hs_title", "title", "url", "page_url", "x_b", "hs_a_b", "a", "b", "properties_b", "my_id", "xd",
    "hs_type", "hs_synced", "e", "properties_url", "foo", "objectId", "objectType", "geo_lat", "hs_page_id",
]  # fmt: skip
RENAMES = st.lists(
    st.sampled_from([
        "hs_url=url", "hs_title=title", "a=b", "b=a", "hs_*=page_*", "hs*=p_*", "x_*=page_a_*", "foo=page_url", "x*=i*",
        "*=x*", "*_type=*_kind", "i*=j*", "occurred*=at*", "*d=*e", "*_at=*_on",
        "hs_*=event_*", "hs_*=_fivetran_*", "my_*=object_*", "hs_*=occ*", "*_id=*_key", "objectId=contact_id", "*=x_*",
        "e=occurred_b", "title=hs_title", "hs_*=properties_*", "geo_lat=lat", "hsUrl=link", "*b=*c",
    ]), max_size=3, unique=True,
).map(", ".join)  # fmt: skip


def renames_of(text):
    """The pairs that a configuration sets; None if it is refused."""
    try:
        return read(rename_columns=text, string_columns="none_of_them").rename_columns
    except SettingsError as error:
        assert "- rename_columns" in str(error)
        return None


@st.composite
def columns(draw):
    """The columns of a row from flatten: no two share a destination name."""
    names = [*FIELDS, *draw(st.lists(st.sampled_from(OLD), max_size=8)), "occurred"]
    return tuple({destination_name(name): name for name in reversed(names)}.values())[::-1]


@law
@given(RENAMES, columns())
@example("hs_*=page_*, foo=page_url", (*FIELDS, "hs_url", "foo", "occurred"))
@example("hs_*=page_*, x_*=page_a_*", (*FIELDS, "hs_a_b", "x_b", "occurred"))
@example("hs*=p_*", (*FIELDS, "hs_url", "hsurl", "occurred"))
@example("hs_*=_fivetran_*", (*FIELDS, "hs_synced", "occurred"))
@example("a=b", (*FIELDS, "b", "properties_b", "occurred"))
@example("hs_*=event_*", (*FIELDS, "hs_type", "occurred"))
@example("x*=i*", (*FIELDS, "occurred"))
@example("hs_*=occ*", (*FIELDS, "occurred"))
@example("my_*=object_*", (*FIELDS, "occurred"))
@example("*d=*e", (*FIELDS, "occurred"))
@example("*_at=*_on", (*FIELDS, "occurred"))
def test_no_value_is_lost_and_no_two_columns_share_a_destination_name(text, names):
    """Nor does a new name depend on the other columns or on the rows before, nor is a fixed column moved, or an own field
    that is not named.
    """
    renames = renames_of(text)
    if renames is None:
        return
    row, new = {name: f"value of {name}" for name in names}, new_names(renames, names)
    renamed, bare, again = rename_columns(renames)([row, {"id": "another"}, row])
    assert renamed == again and bare == {"id": "another"} and tuple(row) == names
    assert [renamed[name] for name in new] == list(row.values())
    taken = set(map(destination_name, ADDED)) - {"occurred"}
    given_names = set(map(destination_name, renamed))
    assert len(given_names) == len(row) and not taken & given_names
    for name, its_own in zip(names, new, strict=True):
        alone = tuple(dict.fromkeys((*FIELDS, name, "occurred")))
        assert its_own == new_names(renames, alone)[alone.index(name)]
    may_move = any(old in ("objectId", "objectType") or old[0] == "*" for old, _ in renames)
    own = ["id", "eventType", "occurredAt", "occurred", *([] if may_move else ["objectId", "objectType"])]
    assert [new[names.index(name)] for name in own] == own


@pytest.mark.parametrize("text, properties, renamed", [
    ("hs_url=url", {"hs_url": "1"}, {"url": "1"}), ("hsUrl=url", {"hs_url": "1"}, {"url": "1"}),
    ("hs_url=url", {"hsUrl": "1"}, {"url": "1"}), ("geo_lat=lat", {"geo": {"lat": "1"}}, {"lat": "1"}),
    ("hs_title=title", {"hs_title": "1", "title": "2"}, {"title": "1", "properties_title": "2"}),
    ("hs_title=title", {"title": "2"}, {"properties_title": "2"}), ("hs_title=title", {"Title": "2"}, {"properties_Title": "2"}),
    ("a=b, b=a", {"a": "1", "b": "2"}, {"b": "1", "a": "2"}),
    ("hs_*=page_*", {"hs_url": "1", "x": "2"}, {"page_url": "1", "x": "2"}),
    ("*_lat=*_x", {"page_lat": "1", "id": "2"}, {"page_x": "1", "properties_id": "2"}),
    ("hs_title=hs_title", {"hs_title": "1"}, {"hs_title": "1"}), ("hs_a=hs_title", {"hs_a": "1", "hs_title": "2"},
     {"hs_title": "1", "properties_hs_title": "2"}),
])  # fmt: skip
def test_a_renamed_row(text, properties, renamed):
    row = row_of(event(**properties), renames=read(rename_columns=text).rename_columns)
    own = {name: value for name, value in event().items() if name != "properties"} | {"occurred": START}
    assert row == own | renamed
