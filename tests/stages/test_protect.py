"""Dropped and hashed columns: their values are nowhere, and every other value stays."""

import hashlib
import json
from fnmatch import fnmatchcase
from itertools import product

import duckdb
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.hubspot.events_api import FIELDS
from pipeline.names.columns import PREFIX, is_fixed
from pipeline.names.destination import destination_name
from pipeline.stages.flatten import flatten, leaves
from pipeline.stages.protect import protect, protection
from pipeline.stages.serialize import properties_as_json, serialize_lists
from simulator import Behaviour, Simulator, listed
from tests.sdk import everything_left, run
from tests.stages.rows import SALT, event, law, row_of
from tests.support import START, TYPE, Delivered, configuration, sync_into


def digest(text):
    return hashlib.sha256((SALT + text).encode()).hexdigest()


STEPS = st.sampled_from([
    "hs_ip", "hsIp", "hs", "ip", "Ip", "email", "user_email", "id", "ID", "event_type", "a", "a_b", "b", "properties",
    "properties_hs_ip", "properties_id", "objectId", "url", "é",
])  # fmt: skip
PATHS = STEPS | st.lists(STEPS, min_size=2, max_size=3).map(tuple)
COLUMNS = st.lists(st.sampled_from([
    "hs_ip", "hsIp", "*ip*", "*email*", "email", "a_b", "a*", "properties_*", "*_id", "geo_?p", "*", "url",
]), max_size=3, unique=True)  # fmt: skip


@st.composite
def events(draw):
    """Nested events, in which no value occurs twice."""
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

    own = fields(draw(st.lists(PATHS.filter(lambda path: path not in (*FIELDS, "properties")), max_size=3)))
    own = {name: inner for name, inner in own.items() if name not in (*FIELDS, "properties")}
    return {**event(**fields(draw(st.lists(PATHS, max_size=7)))), **own, "objectId": value()}


def spellings(name):
    return {name, destination_name(name)}


def matches(patterns, column):
    """Whether a column matches one of the patterns, in either spelling."""
    pairs = [(a, b) for pattern in patterns for a in {pattern, *([] if set(pattern) & set("*?") else spellings(pattern))}
             for b in spellings(column)]  # fmt: skip
    return not is_fixed(column) and any(fnmatchcase(name, pattern) for pattern, name in pairs)


def rivals(column):
    """The names that the same value would have without its competitors."""
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
@example(event(a={"geo": {"ip": "value-0-"}}), ["a*"], [])
def test_what_is_dropped_or_hashed_is_nowhere_in_the_row_and_every_other_value_in_its_column(event, drop, hashed):
    """The event itself is not changed."""
    sent, whole, row = json.dumps(event), row_of(event), row_of(event, drop, hashed)
    assert json.dumps(event) == sent and set(map(destination_name, row)) <= set(map(destination_name, whole))
    for column, value in whole.items():
        if matches([*drop, *hashed], column):
            assert not found_in(value, row)
        elif not any(matches([*drop, *hashed], name) for name in rivals(column)):
            assert found_in(value, row) or value in row.values()
    for column, value in row.items():
        assert not matches(drop, column)
        assert not matches(hashed, column) or not any(found_in(clear, {column: value}) for clear in whole.values())
    assert all(row[name] == event.get(name) for name in ("id", "eventType", "occurredAt")) and row["occurred"] == START


ALIKE = [
    {"hs_ip": "S"}, {"hsIp": "S"}, {"HS_IP": "S"}, {"hs_ip": "S", "hsIp": "S"}, {"hs_ip": "S", "hs": {"ip": "S"}},
    {"HS_IP": "S", "hs_ip": "S", "hs": {"Ip": "S"}},
]  # fmt: skip
PLACES = [
    *product(ALIKE, ("hs_ip", "hsIp", "hs_i*")),
    ({"hs ip": "S"}, "hs_ip"), ({"hs_ïp": "S"}, "hs_ip"), ({"ip": 7777777}, "i?"), ({"ips": ["S", "1"]}, "ips"),
    ({"ips": [{"ip": "S"}]}, "ips"), ({"geo": {"ip": "S"}}, "geo_ip"), ({"geo": {"ip": "S"}}, "geo*"),
    ({"geo": {"ipAddress": "S"}}, "*ip_address"), ({"a": {"b": {"c": "S"}}}, "a_b_c"), ({"id": "S"}, "properties_id"),
    ({"id": "S"}, "*_id"), ({"eventType": "S"}, "propertiesEventType"),
]  # fmt: skip


@pytest.mark.parametrize("layout", ["per_event_type", "single"])
@pytest.mark.parametrize("properties, column", PLACES, ids=str)
def test_a_column_is_protected_wherever_its_value_is(properties, column, layout):
    properties = json.loads(json.dumps(properties).replace('"S"', '"sensitive"'))
    for drop, hashed in ([column], []), ([], [column]), ([column], [column]):
        events = protect(protection(tuple(drop), tuple(hashed), SALT))([event(**properties)])
        row = next(serialize_lists(flatten(properties_as_json(layout == "single")(events))))
        left = json.dumps(row)
        assert "sensitive" not in left and "7777777" not in left
        if not drop:
            assert all(
                digest(str(value)) in left for value in leaves(properties).values() if not isinstance(value, list)
            )


def test_a_hash_is_the_sha256_of_the_salt_and_the_value():
    properties = {"email": "ü@b.c", "n": 5, "yes": True, "of": ["a"], "none": None, "blank": ""}
    row = row_of(event(**properties), hashed=properties)
    assert row["email"] == digest("ü@b.c") and row["n"] == digest("5") and row["yes"] == digest("true")
    assert row["of"] == digest('["a"]') and row["none"] is None and row["blank"] == ""


def test_dropping_wins_over_hashing_and_no_pattern_touches_the_fixed_columns():
    row = row_of(event(ip="1.1.1.1", x="y"), ["ip"], ["*"])
    assert "ip" not in row and row["x"] == digest("y") and row["objectId"] == digest("7")
    assert (row["id"], row["eventType"], row["occurredAt"], row["occurred"]) == ("id-1", TYPE, START, START)
    assert set(row_of(event(ip="1.1.1.1", x="y"), ["*"])) == {"id", "eventType", "occurredAt", "occurred"}


@pytest.mark.parametrize("raw", [
    7, None, "text", [], {}, {"properties": None}, {"properties": [{"hs_ip": "9.9.9.9"}]}, [{"properties": {"hs_ip": "9.9.9.9"}}],
    [[[{"hs_ip": "9.9.9.9"}]]], {"hs_ip": "9.9.9.9"}, {"id": {"hs_ip": "9.9.9.9"}, "properties": {"hs": {"ip": "9.9.9.9"}}},
], ids=str)  # fmt: skip
def test_a_rejected_value_of_any_shape_is_protected(raw):
    left = json.dumps(protection(("*hs_ip",))(raw))
    assert "9.9.9.9" not in left
    if "9.9.9.9" not in json.dumps(raw):
        assert json.loads(left) == raw


# Nowhere in anything that a sync leaves behind

MARKS = ["203.0.113.77", "mallory@secret.example", "+49-555-0199"]


@pytest.mark.parametrize(("layout", "how"), [("single", "drop_columns"), ("per_event_type", "hash_columns")])
def test_a_dropped_or_hashed_value_is_nowhere_in_what_a_sync_leaves_behind(project, capfd, layout, how):
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


def test_a_filter_on_a_protected_column_is_in_no_state_or_log():
    with Simulator({TYPE: listed([event(email=MARKS[1])])}) as sim:
        delivered = sync_into(Delivered(), sim, drop_columns="email", property_filters=f"email={MARKS[1]}")
        assert delivered.ids() == {"id-1"}
        sync_into(delivered, sim, drop_columns="email")
    assert MARKS[1] not in json.dumps([delivered.states, delivered.log, delivered.warnings, delivered.rows])
