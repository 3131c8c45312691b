"""What the owner of the data wants of its columns: left out, hashed, renamed; and nothing of it is anywhere, or lost."""
import hashlib
import json
from fnmatch import fnmatchcase

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.errors import SettingsError
from pipeline.names import ADDED, OWN, PREFIX, destination_name, is_fixed
from pipeline.settings import read_settings
from pipeline.shaping import keep_whole, new_names, protect, protection, rename_columns
from pipeline.stages import flatten, leaves, serialize_lists
from simulator import Behaviour, Simulator, listed
from tests.support import START, Delivered, configuration, sync_into
from tests.test_connector import everything_left, home, project, run  # noqa: F401 (fixtures)

TYPE, SALT = "e_visited_page", "pepper and salt"
law = settings(deadline=None, max_examples=80)


def event(**properties):
    own = {"id": "id-1", "eventType": TYPE, "occurredAt": START, "objectId": "7", "objectType": "CONTACT"}
    return {**own, "properties": properties}


def shaped(event, drop=(), hashed=(), renames=()):
    """The row that an event becomes."""
    protected = protect(protection(tuple(drop), tuple(hashed), SALT))([event])
    return next(rename_columns(renames)(serialize_lists(flatten(protected))))


def digest(text):
    return hashlib.sha256((SALT + text).encode()).hexdigest()


def read(**keys):
    given_keys = {"api_token": "pat-na1-x", "initial_sync_start_date": START, "hash_salt": SALT, **keys}
    return read_settings(given_keys)


# The laws of dropping and hashing

STEPS = st.sampled_from([
    "hs_ip", "hsIp", "hs", "ip", "Ip", "email", "user_email", "id", "ID", "event_type", "a", "a_b", "b", "properties",
    "properties_hs_ip", "properties_id", "objectId", "url", "é",
])  # fmt: skip
PATHS = STEPS | st.lists(STEPS, min_size=2, max_size=3).map(tuple)
COLUMNS = st.lists(
    st.sampled_from(["hs_ip", "hsIp", "*ip*", "*email*", "email", "a_b", "a*", "properties_*", "*_id", "geo_?p", "*", "url"]),
    max_size=3,
    unique=True,
)


@st.composite
def events(draw):
    """Events that nest, each of whose values is found nowhere else in them."""
    numbers = iter(range(10**6))

    def value():
        text = f"value-{next(numbers)}-"
        return draw(st.sampled_from([text, [text], [{"deep": text}, 1]]))

    def fields(paths):
        made = {}
        for path in paths:
            *above, name = (path,) if isinstance(path, str) else path
            place = made
            for step in above:
                place = place.setdefault(step, {})
                if not isinstance(place, dict):
                    break
            else:
                place.setdefault(name, value())
        return made

    own = fields(draw(st.lists(PATHS.filter(lambda path: path not in (*OWN, "properties")), max_size=3)))
    own = {name: inner for name, inner in own.items() if name not in (*OWN, "properties")}
    return {**event(**fields(draw(st.lists(PATHS, max_size=7)))), **own, "objectId": value()}


def spelled(name):
    return {name, destination_name(name)}


def matches(patterns, column):
    """Whether one of the patterns tells the column, in whatever spelling."""
    pairs = [(a, b) for pattern in patterns for a in {pattern, *([] if set(pattern) & set("*?") else spelled(pattern))}
             for b in spelled(column)]  # fmt: skip
    return not is_fixed(column) and any(fnmatchcase(name, pattern) for pattern, name in pairs)


def rivals(column):
    """The names under which the same value might stand, were it not for others."""
    names = [destination_name(column)]
    while names[-1].startswith(PREFIX):
        names.append(names[-1].removeprefix(PREFIX))
    return names


def text_of(value):
    return value if isinstance(value, str) else json.dumps(value)


def found_in(value, row):
    marks = [part for part in text_of(value).split('"') if part.startswith("value-")]
    return any(mark in text_of(cell) for mark in marks for cell in row.values())


@law
@given(events(), COLUMNS, COLUMNS)
@example(event(hs_ip="value-1-", hsIp="value-2-"), ["hs_ip"], [])
@example(event(hs_ip="value-1-", hs={"ip": "value-2-"}), ["hs_ip"], [])
def test_what_is_in_a_dropped_or_hashed_column_is_nowhere_in_the_row(event, drop, hashed):
    before, row = shaped(event), shaped(event, drop, hashed)
    for column, value in before.items():
        if matches(drop, column) or matches(hashed, column):
            assert not found_in(value, row)
    for column, value in row.items():
        assert not matches(drop, column)
        if matches(hashed, column):
            assert not any(found_in(clear, {column: value}) for clear in before.values())


@law
@given(events(), COLUMNS, COLUMNS)
def test_every_other_value_is_kept_where_it_was_and_the_event_is_not_changed(event, drop, hashed):
    sent = json.dumps(event)
    row, whole = shaped(event, drop, hashed), shaped(event)
    assert json.dumps(event) == sent
    assert set(map(destination_name, row)) <= set(map(destination_name, whole))
    for column, value in whole.items():
        if not any(matches([*drop, *hashed], name) for name in rivals(column)):
            assert found_in(value, row) or value in row.values()
    assert all(row[name] == event.get(name) for name in ("id", "eventType", "occurredAt")) and row["occurred"] == START


@pytest.mark.parametrize("nested", [{"geo": {"ip": "secret"}}, {"geo": {"ip": {"v4": "secret"}}}], ids=str)
def test_nothing_is_left_where_all_of_an_object_is_dropped(nested):
    row = shaped(event(**nested), ["geo_*"])
    assert set(row) == {*OWN, "occurred"}


# By example

PLACES = {
    "a property": ({"hs_ip": "S"}, "hs_ip"), "spelt otherwise": ({"hsIp": "S"}, "hs_ip"),
    "asked otherwise": ({"hs_ip": "S"}, "hsIp"), "in capitals": ({"HS_IP": "S"}, "hs_ip"),
    "nested": ({"geo": {"ip": "S"}}, "geo_ip"), "deep": ({"a": {"b": {"c": "S"}}}, "a_b_c"),
    "nested by a pattern": ({"geo": {"ipAddress": "S"}}, "*ip_address"), "of an object": ({"geo": {"ip": "S"}}, "geo*"),
    "with a prefix": ({"id": "S"}, "properties_id"), "with a prefix by a pattern": ({"id": "S"}, "*_id"),
    "with a prefix, otherwise": ({"eventType": "S"}, "propertiesEventType"), "a list": ({"ips": ["S", "1"]}, "ips"),
    "a list of objects": ({"ips": [{"ip": "S"}]}, "ips"), "a number": ({"ip": 7777777}, "ip"),
    "nothing but a ?": ({"ip": "S"}, "i?"), "a blank in it": ({"hs ip": "S"}, "hs_ip"), "an accent": ({"hs_ïp": "S"}, "hs_ip"),
}  # fmt: skip


@pytest.mark.parametrize("layout", ["per_event_type", "single"])
@pytest.mark.parametrize("place", PLACES)
def test_a_column_is_protected_wherever_its_value_stands(place, layout):
    properties, column = PLACES[place]
    properties = json.loads(json.dumps(properties).replace('"S"', '"sensitive"'))
    (value,) = leaves(properties).values()
    for drop, hashed in ([column], []), ([], [column]), ([column], [column]):
        stages = protect(protection(tuple(drop), tuple(hashed), SALT))([event(**properties)])
        row = next(serialize_lists(flatten(keep_whole(layout == "single")(stages))))
        left = json.dumps(row)
        assert "sensitive" not in left and "7777777" not in left
        if not drop and not isinstance(value, list):
            assert digest(str(value)) in left


COMPETING = [{"hs_ip": "1.1.1.1", "hsIp": "2.2.2.2"}, {"hs_ip": "1.1.1.1", "hs": {"ip": "2.2.2.2"}},
             {"HS_IP": "1.1.1.1", "hs_ip": "2.2.2.2", "hs": {"Ip": "1.1.1.1"}}]  # fmt: skip


@pytest.mark.parametrize("properties", COMPETING, ids=str)
@pytest.mark.parametrize("how", ["drop", "hashed"])
@pytest.mark.parametrize("column", ["hs_ip", "hsIp", "hs_i*"])
def test_two_values_that_compete_for_a_protected_name_are_both_protected(properties, how, column):
    row = shaped(event(**properties), **{how: [column]})
    assert not {"1.1.1.1", "2.2.2.2"} & set(map(str, row.values()))


def test_a_hash_is_the_sha256_of_the_salt_and_the_value():
    properties = {"email": "ü@b.c", "n": 5, "yes": True, "of": ["a"], "none": None, "blank": ""}
    row = shaped(event(**properties), hashed=properties)
    assert row["email"] == digest("ü@b.c") and row["n"] == digest("5") and row["yes"] == digest("true")
    assert row["of"] == digest('["a"]') and row["none"] is None and row["blank"] == ""


def test_what_is_dropped_and_hashed_is_dropped_and_the_keys_stay_by_any_pattern():
    row = shaped(event(ip="1.1.1.1", x="y"), ["ip"], ["*"])
    assert "ip" not in row and row["x"] == digest("y") and row["objectId"] == digest("7")
    assert (row["id"], row["eventType"], row["occurredAt"], row["occurred"]) == ("id-1", TYPE, START, START)
    assert set(shaped(event(ip="1.1.1.1", x="y"), ["*"])) == {"id", "eventType", "occurredAt", "occurred"}


@pytest.mark.parametrize("raw", [
    7, None, "text", [], {}, {"properties": None}, {"properties": [{"hs_ip": "9.9.9.9"}]}, [{"properties": {"hs_ip": "9.9.9.9"}}],
    [[[{"hs_ip": "9.9.9.9"}]]], {"hs_ip": "9.9.9.9"}, {"id": {"hs_ip": "9.9.9.9"}, "properties": {"hs": {"ip": "9.9.9.9"}}},
], ids=str)  # fmt: skip
def test_whatever_is_rejected_is_protected(raw):
    left = json.dumps(protection(("*hs_ip",))(raw))
    assert "9.9.9.9" not in left
    if "9.9.9.9" not in json.dumps(raw):
        assert json.loads(left) == raw


# Nowhere at all

MARKS = ["203.0.113.77", "mallory@secret.example", "+49-555-0199"]


@pytest.mark.parametrize("layout", ["per_event_type", "single"])
@pytest.mark.parametrize("how", ["drop_columns", "hash_columns"])
def test_what_is_dropped_or_hashed_is_nowhere_a_run_leaves(project, capfd, layout, how):  # noqa: F811
    ip, email, phone = MARKS
    secret = {"hs_ip": ip, "contact": {"userEmail": email, "phones": [phone]}, "id": phone, "hs_title": "kept"}
    odd = [
        event(**secret), event(**secret) | {"id": "id-2", "ipAddress": ip}, event(**secret) | {"id": None},
        event(**secret) | {"occurredAt": "yesterday"}, event(**secret) | {"eventType": "e_other"}, [event(**secret)],
        {"properties": secret}, event(**secret) | {"id": "id-3", "objectId": phone},
    ]  # fmt: skip
    fault = {"fault": lambda request: "500" if request.number == 2 else None}
    columns = "hsIp, *ip_address, *email*, contact_phones, properties_id, objectId"
    with Simulator({TYPE: listed(odd)}, Behaviour(**fault)) as sim:
        run(project, configuration(sim, hash_salt=SALT, table_layout=layout, page_size="2", **{how: columns}))
    printed = capfd.readouterr()
    with duckdb.connect(str(project / "files" / "warehouse.db"), read_only=True) as database:
        tables = ("event" if layout == "single" else TYPE, "rejected_event", "sync_run")
        held = [database.table(f"tester.{name}").project("COLUMNS(*)::VARCHAR").fetchall() for name in tables]
        assert list(map(len, held)) == [3, 5, 1]
    dumped = str(held)
    left = dumped + printed.out + printed.err + everything_left(project).decode("latin-1")
    assert not [mark for mark in MARKS if mark in left] and SALT not in left
    assert "kept" in dumped and (digest(ip) in dumped) == (how == "hash_columns")


def test_a_filter_on_a_protected_column_is_not_in_state_or_log():
    event_of_a_person = event(email=MARKS[1])
    with Simulator({TYPE: listed([event_of_a_person])}) as sim:
        delivered = sync_into(Delivered(), sim, drop_columns="email", property_filters=f"email={MARKS[1]}")
        assert delivered.ids() == {"id-1"}
        sync_into(delivered, sim, drop_columns="email")
    assert MARKS[1] not in json.dumps([delivered.states, delivered.log, delivered.warnings, delivered.rows])


# New names

OLD = [
    "hs_url", "hsUrl", "hsurl", "hs_title", "title", "url", "page_url", "x_b", "hs_a_b", "a", "b", "properties_b", "my_id", "xd",
    "hs_type", "hs_synced", "e", "properties_url", "foo", "objectId", "objectType", "geo_lat", "hs_page_id",
]  # fmt: skip
RENAMES = st.lists(
    st.sampled_from([
        "hs_url=url", "hs_title=title", "a=b", "b=a", "hs_*=page_*", "hs*=p_*", "x_*=page_a_*", "foo=page_url", "x*=i*",
        "hs_*=event_*", "hs_*=_fivetran_*", "my_*=object_*", "hs_*=occ*", "*_id=*_key", "objectId=contact_id", "*=x_*",
        "e=occurred_b", "title=hs_title", "hs_*=properties_*", "geo_lat=lat", "hsUrl=link", "*b=*c",
    ]), max_size=3, unique=True,
).map(", ".join)  # fmt: skip


def renames_of(text):
    """The pairs of a configuration; None where it is refused."""
    try:
        return read(rename_columns=text, string_columns="none_of_them").rename_columns
    except SettingsError as error:
        assert "- rename_columns" in str(error)
        return None


@st.composite
def columns(draw):
    """The columns of a row, as flatten gives them: no two are one for the destination."""
    names = [*OWN, *draw(st.lists(st.sampled_from(OLD), max_size=8)), "occurred"]
    return tuple({destination_name(name): name for name in reversed(names)}.values())[::-1]


@law
@given(RENAMES, columns())
@example("hs_*=page_*, foo=page_url", (*OWN, "hs_url", "foo", "occurred"))
@example("hs_*=page_*, x_*=page_a_*", (*OWN, "hs_a_b", "x_b", "occurred"))
@example("hs*=p_*", (*OWN, "hs_url", "hsurl", "occurred"))
@example("hs_*=_fivetran_*", (*OWN, "hs_synced", "occurred"))
def test_a_rename_loses_no_value_and_makes_no_two_columns_one(text, names):
    renames = renames_of(text)
    if renames is None:
        return
    row = {name: f"value of {name}" for name in names}
    (renamed,) = rename_columns(renames)([row])
    assert list(renamed.values()) == list(row.values())
    assert len(set(map(destination_name, renamed))) == len(row)
    taken = set(map(destination_name, ADDED)) - {"occurred"}
    assert not taken & set(map(destination_name, renamed))


@law
@given(RENAMES, columns())
@example("hs_*=event_*", (*OWN, "hs_type", "occurred"))
@example("x*=i*", (*OWN, "occurred"))
@example("hs_*=occ*", (*OWN, "occurred"))
def test_no_rename_moves_what_rows_are_told_apart_by(text, names):
    renames = renames_of(text)
    if renames is not None:
        new = dict(zip(names, new_names(renames, names), strict=True))
        assert all(new[name] == name for name in ("id", "eventType", "occurredAt", "occurred"))


@law
@given(RENAMES, columns())
@example("my_*=object_*", (*OWN, "occurred"))
def test_no_rename_moves_an_own_field_that_it_does_not_name(text, names):
    renames = renames_of(text)
    if renames is not None and not any(old in ("objectId", "objectType") or old.startswith("*") for old, _ in renames):
        new = dict(zip(names, new_names(renames, names), strict=True))
        assert (new["objectId"], new["objectType"]) == ("objectId", "objectType")


@law
@given(RENAMES, columns())
@example("a=b", (*OWN, "b", "properties_b", "occurred"))
@example("hs_*=page_*, foo=page_url", (*OWN, "hs_url", "foo", "occurred"))
def test_a_new_name_is_the_same_whatever_other_columns_there_are(text, names):
    renames = renames_of(text)
    if renames is not None:
        new = dict(zip(names, new_names(renames, names), strict=True))
        for name in names:
            alone = tuple(dict.fromkeys((*OWN, name, "occurred")))
            assert new[name] == new_names(renames, alone)[alone.index(name)]


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
def test_a_rename_by_example(text, properties, renamed):
    row = shaped(event(**properties), renames=read(rename_columns=text).rename_columns)
    own = {name: value for name, value in event().items() if name != "properties"} | {"occurred": START}
    assert row == own | renamed


# What is refused

BAD = {
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
    "table_layout": ["Single", "both"], "object_type": ["CON TACT", "a,b"], "sync_metrics": ["yes", "0"],
}  # fmt: skip


@pytest.mark.parametrize("key, text", [(key, text) for key, texts in BAD.items() for text in texts])
def test_what_cannot_be_right_is_refused_by_its_key(key, text):
    with pytest.raises(SettingsError, match=f"\n- {key}: given") as error:
        read(**{key: text})
    assert str(error.value).count("\n- ") == 1


def test_all_mistakes_are_told_at_once():
    with pytest.raises(SettingsError) as error:
        read(**{key: texts[0] for key, texts in BAD.items()}, event_types="a b", object_id="1", hash_salt="")
    assert all(f"- {key}:" in str(error.value) for key in [*BAD, "event_types"] if key != "properties")


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
def test_keys_that_contradict_each_other_are_refused(keys, named):
    with pytest.raises(SettingsError, match=f"- {named}:"):
        read(**keys)


@pytest.mark.parametrize("text, pairs", [
    ("a=b=c", [("a", "b=c")]), (" hs_city = são paulo ;; hs_country=us; ", [("hs_city", "são paulo"), ("hs_country", "us")]),
    ("a=&+%25\"'", [("a", "&+%25\"'")]), ("é=1,2", [("é", "1,2")]),
])  # fmt: skip
def test_a_filter_is_all_behind_the_first_equals_sign(text, pairs):
    assert list(read(property_filters=text).property_filters) == pairs


def test_the_salt_is_a_secret():
    chosen = read(hash_columns="email")
    assert SALT not in repr(chosen) and chosen.hash_salt == SALT
    with pytest.raises(SettingsError) as error:
        read(hash_columns="a b", hash_salt=SALT, page_size="0")
    assert SALT not in str(error.value)
