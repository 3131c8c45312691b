"""Random bytes as HubSpot's answer: they end in rows or in an error with a cure, and in bounded memory."""

import json
import math
import re
import subprocess
import sys
from contextlib import suppress

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline import Client, ConnectorError, Sink, read_settings, sync
from pipeline.hubspot.client import _parse
from pipeline.hubspot.page_repair import MAX_JSON_DEPTH, may_be_rounded, repair
from pipeline.stages.serialize import json_text
from simulator import generated
from tests.hubspot.clients import QUERY, client_of
from tests.hubspot.wire import Wire, http
from tests.sdk import ROOT
from tests.support import START, TYPE

PAGE = b'{"results":[%s],"paging":{"next":{"after":"MTc0MQ%%3D%%3D","link":"https://api.hubapi.com/"}}}' % b",".join(
    map(generated(3, malformed_every=3, profile="short").body, range(3))
)
TOKENS = (
    *rb'\ud83d \ude00 \u0000 \ " { } [ ] , : null true NaN -Infinity 1e400 - "results" "paging" "after" "id"'.split(),
    *b'"properties" "9999-12-31T23:59:59.999Z" "0000-00-00"'.split(), b"9" * 30, b"1" * 5000, b"\xff", b"\xed\xa0\x80", b"\x00",
    b"\xef\xbb\xbf", b"[" * 1500, b'{"a":' * 1500, b"}" * 1500,
)  # fmt: skip
law = settings(deadline=None, max_examples=120)


@st.composite
def mutated(draw):
    """A real page after a few cuts, insertions and repetitions."""
    page = bytearray(PAGE)
    for _ in range(draw(st.integers(1, 5))):
        at, end = sorted(draw(st.tuples(st.integers(0, len(page)), st.integers(0, len(page)))))
        end = min(end, at + draw(st.sampled_from((0, 1, 10, 10_000))))
        page[at:end] = draw(st.sampled_from(TOKENS) | st.binary(max_size=8) | st.just(bytes(page[at:end]) * 2))
    return bytes(page)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from((TYPE, START)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3), max_leaves=6,
)  # fmt: skip


def like(value):
    """JSON like this value, with anything in place of some of the values in it."""
    if isinstance(value, dict):
        same = st.fixed_dictionaries({name: like(value[name]) for name in value}, optional={"new": ANYTHING})
    else:
        same = st.tuples(*map(like, value)) if isinstance(value, list) else st.just(value)
    return same | same | same | ANYTHING


mutated_json = like(orjson.loads(PAGE)).map(json.dumps).map(str.encode)
BODIES = (
    st.binary(max_size=200) | mutated() | mutated_json | st.lists(st.sampled_from(TOKENS), max_size=8).map(b"".join)
)


class Answered(Client):
    """A client whose attempts get these bodies in turn, and then the last one again."""

    bodies = ()

    def _attempt(self, url, query, stop, is_retry):
        return 200, bytearray(self.bodies.pop(0) if len(self.bodies) > 1 else self.bodies[0])


def test_any_answer_is_a_page_or_a_connector_error_with_its_status_and_a_cure():
    with Wire(b"") as wire, client_of(wire, max_outage=0) as client:

        @settings(deadline=None, max_examples=200)
        @given(BODIES, st.sampled_from((200, 400, 401, 403, 404, 500, 530, None)), st.integers(0, 60))
        @example(b"", 403, 0)
        @example(b"[]", 400, 0)
        @example(b'{"message": {}, "errors": 5, "context": [1]}', 403, 0)
        def check(body, status, whole):
            """Without a status, it is no HTTP from some byte on."""
            wire.answers = [http(body, status) if status else http(body)[:whole] + body]
            try:
                page = client.page(QUERY)
            except ConnectorError as error:
                assert "Cure: " in str(error)
                assert status in (200, None) or f"HubSpot answered {status}: " in str(error)
            else:
                assert isinstance(page.events, list) and status in (200, None)
                assert page.cursor is None or (isinstance(page.cursor, str) and page.cursor)

        check()


@given(BODIES, st.integers(1, 2))
@example(PAGE.replace(b"hs_url", rb"\ud83d"), 1)
@law
def test_a_sync_of_any_pages_ends_in_writable_rows_or_a_connector_error(body, concurrency):
    rows = []
    keys = {"api_token": "pat-na1-x", "initial_sync_start_date": START, "max_outage_minutes": "0.00001",
            "api_base_url": "http://127.0.0.1:1"}  # fmt: skip
    sink = Sink(lambda table, row: rows.append(row), json.dumps, lambda _: None, lambda _: None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.config.connect.Client", Answered)
        patch.setattr(Answered, "bodies", [body, PAGE, b'{"results":[]}'])
        with suppress(ConnectorError):
            sync(read_settings({**keys, "concurrency": str(concurrency)}), {}, sink)
        assert len(Answered.bodies) < 3
    for row in (row for row in rows if "event_types" not in row):
        for name, value in row.items():
            assert isinstance(value, (str, int, float, bool, type(None)))
            f"{name}{value}".encode()


# The repair of pages that orjson refuses (pipeline/hubspot/page_repair.py)


@given(BODIES)
@law
def test_a_repair_reads_whatever_json_reads_and_orjson_can_write_it(body):
    try:
        answer, replaced = repair(body)
    except (ValueError, RecursionError):
        with pytest.raises((ValueError, RecursionError)):
            json.loads(body.decode("utf-8", "replace"))
        return
    assert json.loads(json_text(answer)) == answer and replaced >= 0
    with suppress(orjson.JSONDecodeError):
        assert orjson.loads(body) == answer or replaced or may_be_rounded(b" " + body)


@given(
    st.text(" ,:1é", max_size=9),
    st.sampled_from(('"n":', '"n": ', "[", "[1,", "[ 1 ,\t")),
    st.integers(2**64, 10**60) | st.integers(-(10**60), -(10**20)),
)
@example("", "[", 10**20)
@law
def test_no_integer_beyond_64_bits_is_rounded(before, opening, number):
    value = f"{opening}{number}{']' * opening.count('[')}"
    field = value if value.startswith('"') else f'"n":{value}'
    body = f'{{"before":{json.dumps(before)},{field},"results":[]}}'.encode()
    answer, replaced = _parse(body)
    assert answer == json.loads(body) and not replaced


HALVES = (r"\ud83d", r"\uDE00", r"\uDBFF", r"\udc00")
TEXTS = st.text(st.characters() | st.sampled_from('\ud83d\ude00\\"/\ufffd\u0000[]{}'), max_size=8)
WHOLE = st.integers(-(2**63), 2**63 - 1) | st.integers(-(10**40), 10**40) | st.just(2**63 - 1)
VALUES = st.recursive(
    st.none() | st.booleans() | WHOLE | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text('a"\\[é', max_size=3), inner, max_size=4), max_leaves=20,
)  # fmt: skip


def represented(value):
    """A value after a repair: what JSON and orjson can represent is unchanged."""
    if isinstance(value, str):
        return re.sub("[\ud800-\udfff]", "\ufffd", value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list):
        return [represented(inner) for inner in value]
    return {name: represented(inner) for name, inner in value.items()} if isinstance(value, dict) else value


@given(VALUES, st.booleans())
@law
def test_a_repair_changes_only_what_cannot_be_represented(value, ascii):
    text = json.dumps({"results": [value]}, ensure_ascii=ascii)
    answer, replaced = repair(text.encode("utf-8", "surrogatepass" if ascii else "replace"))
    if not ascii:
        text = text.encode("utf-8", "replace").decode()
    expected = represented(json.loads(text))
    assert repr(answer) == repr(expected)  # as repr: 1 is not 1.0, nor True
    assert bool(replaced) == (expected != json.loads(text) or "NaN" in text)


@given(
    st.lists(st.sampled_from((*HALVES, r"\\", r"\"", r"\u005c", r"\ufffd", "u", "d83d", "é")), max_size=8).map("".join)
)
@law
def test_each_half_character_is_replaced_once_however_it_is_escaped(escaped):
    answer, replaced = repair(f'["{escaped}"]'.encode())
    (text,) = json.loads(f'["{escaped}"]')
    assert answer == [represented(text)] and replaced == len(re.findall("[\ud800-\udfff]", text))


@pytest.mark.parametrize("text, instead", [
    ("1e400", "1e400"), ("-1e999", "-1e999"), ("9223372036854775808", 2**63),
    ("-18446744073709551617", -(2**64) - 1), ("-9223372036854775808", -(2**63)),
    ("1" * 5000, "1" * 5000), ("Infinity", None), ("-Infinity", None), ("NaN", None), ("-0", 0), ("1E2", 100.0),
])  # fmt: skip
def test_a_number_that_fits_no_type_becomes_its_text_and_what_is_no_number_null(text, instead):
    answer, replaced = repair(f'[{text}, "\xff{text}"]'.encode())
    assert repr(answer) == repr([instead, f"\xff{text}"]) and replaced == (type(instead) not in (int, float))


@given(st.integers(MAX_JSON_DEPTH, 3000), st.sampled_from(("[]", "{}", "both")), VALUES)
@settings(deadline=None, max_examples=30)
def test_a_repair_cuts_out_what_is_nested_too_deep_and_keeps_its_neighbors(levels, kind, value):
    opening, closing = {"[]": ("[", "]"), "{}": ('{"a":', "}"), "both": (r'[1, {"]}\"\\":', '}, "[{"]')}[kind]
    deep, whole = opening * levels + "1" + closing * levels, json.dumps(represented(value))
    answer, cuts = repair(f'{{"results":[{whole},{deep},{whole},{deep}]}}'.encode())
    first, one, second, other = answer["results"]
    assert first == second == json.loads(whole) and one == other and cuts == 2
    assert orjson.dumps(one).count(b"nested too deep") == 1


@pytest.mark.parametrize("levels", [1, MAX_JSON_DEPTH - 3])
def test_a_repair_keeps_what_is_nested_less_deep(levels):
    text = '{"results":[%s]}' % ("[" * levels + "NaN" + "]" * levels)
    assert orjson.dumps(repair(text.encode())[0]).decode() == text.replace("NaN", "null")


@pytest.mark.parametrize("kind, megabytes", [
    ("page", 20), ("half an emoji", 20), ("brackets", 20), ("cut", 5), ("objects", 5), ("quotes", 1),
])  # fmt: skip
def test_a_large_body_is_read_in_bounded_memory(kind, megabytes):
    command = [sys.executable, "-m", "tests.hubspot.large_body", kind, str(megabytes)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, cwd=ROOT)
    assert int(done.stdout) < 10 * megabytes + 80
