"""Cursors look as live ones do: with and without padding, with and without a bar at the end, with
both kinds of type id.
"""

from base64 import b64decode
from itertools import product
from urllib.parse import unquote

import pytest

from simulator import Simulator
from simulator.cursor import Look, Position, decode, encode
from tests.simulator.client import TYPE, get, ids, pages, served, small, truth

LOOKS = [Look(*look) for look in product((0, 1, 2), (True, False), ("4", "6"))]


def cursors(session, sim, **query):
    """The percent-encoded cursors of a walk."""
    return [page["paging"]["next"]["after"] for page in pages(session, sim, **query) if "paging" in page]


def look(cursor):
    raw = unquote(cursor)
    fields = b64decode(raw, validate=True).decode().split("|")
    return Look(raw.count("="), fields[-1] == "", fields[3][0])


@pytest.mark.parametrize("order", ["ascending", "descending", "shuffled"])
def test_they_vary_by_position_and_lose_no_event(session, order):
    with served(order=order) as sim:
        found = list(pages(session, sim, limit=3))
        named = cursors(session, sim, limit=3)
        assert named == cursors(session, sim, limit=3)
    assert sorted(ids(event for page in found for event in page["results"])) == sorted(ids(truth(small())))
    assert {(each.padding, each.ends_in_bar) for each in map(look, named)} == set(product((0, 1, 2), (True, False)))
    assert all(raw.count("%") == raw.count("%3D") + raw.count("%2F") + raw.count("%2B") for raw in named)


@pytest.mark.parametrize("wanted", LOOKS, ids=str)
def test_each_way_to_look_can_be_had_alone(session, wanted):
    options = {"cursor_padding": wanted.padding, "cursor_bar": wanted.ends_in_bar, "cursor_type_id": wanted.type_id}
    with served(history=small(60), **options) as sim:
        named = cursors(session, sim, limit=7)
    assert len(named) == 8 and {*map(look, named)} == {wanted}


def test_the_type_id_says_whose_event_type_it_is(session):
    with Simulator({name: small(2, event_type=name) for name in (TYPE, "pe1_signup", "ae2_opened")}) as sim:
        kinds = {name: look(*cursors(session, sim, limit=1, eventType=name)).type_id for name in sim.histories}
    assert kinds == {TYPE: "4", "pe1_signup": "6", "ae2_opened": "6"}


@pytest.mark.parametrize("wanted", [Look(), *LOOKS], ids=str)
def test_a_cursor_is_its_position_however_it_looks(wanted):
    for n in range(200):
        position = Position(1_779_327_364_329 + n * n, n % 7, 2**32 - n, n, 2**64 - n, 10**12 + n, n, n % 3, n)
        assert decode(unquote(encode(position, "e_ü", wanted))) == position


@pytest.mark.parametrize("garbage", ["x", "AAAA", "zzzz====", "fHx8fA==", "fHx8fHw", "MTc0Mw==", "é"])
@pytest.mark.parametrize("decodes", ["once", "any"])
def test_garbage_is_refused(session, garbage, decodes):
    with served(cursor_decodes=decodes) as sim:
        answer = get(session, sim, after=garbage)
        assert answer.status_code == 400 and answer.json()["category"] == "VALIDATION_ERROR"
