"""The moment of an event and the cursor of the next page, in every shape that HubSpot has used or might."""

import math

import pytest

from pipeline.hubspot.events_api import occurred_ms, occurred_text
from tests.hubspot.clients import GOOD, QUERY, client_of
from tests.hubspot.wire import Wire, http

MS = 1571160013253
TEXT = "2019-10-15T17:20:13.253Z"


@pytest.mark.parametrize("value", [TEXT, MS, float(MS), str(MS)], ids=repr)
def test_text_and_epoch_milliseconds_are_the_same_moment(value):
    assert occurred_ms({"occurredAt": value}) == MS and occurred_text(value) == TEXT


@pytest.mark.parametrize("value", [
    None, True, 0, 5, -MS, 1571160013, "1571160013", 10**30, math.nan, math.inf, "20260521", "\u0661" * 13, "1" * 5000, [MS],
    {"a": MS},
], ids=lambda value: repr(value)[:30])  # fmt: skip
def test_what_is_no_moment_is_none_and_stays_as_it_is(value):
    assert occurred_ms({"occurredAt": value}) is None and occurred_text(value) is value


# The cursor of the next page

NEXT = {"link": "https://api.hubapi.com/events/v3/events?limit=50&after=MTc0Mw%3D%3D&eventType=e_a"}


@pytest.mark.parametrize(
    "paging, cursor",
    [
        ({"next": {"after": "MTc0Mw%3D%3D"}}, "MTc0Mw=="), ({"next": {"after": "MTc0Mw=="}}, "MTc0Mw=="),
        ({"next": {"after": "a%2Bb%2Fc%3D"}}, "a+b/c="), ({"next": {"after": "a+b/c="}}, "a+b/c="),
        ({"next": {"after": 1743}}, "1743"), ({"next": {"after": "MTc0Mw%3D%3D", "link": 7}, "total": 7}, "MTc0Mw=="),
        ({"next": NEXT}, "MTc0Mw=="),
        *(({"next": {"after": unreadable, **NEXT}}, "MTc0Mw==") for unreadable in ("", None, {}, [], True)),
        ({"next": {"link": "?after=a%2Bb#top"}}, "a+b"),
    ],
)  # fmt: skip
def test_a_cursor_is_decoded_once_and_sent_back_encoded_once(paging, cursor):
    with Wire(http({"results": [], "paging": paging}), GOOD) as wire, client_of(wire) as client:
        page = client.page(QUERY)
        assert page.cursor == cursor and not page.unclear
        client.page({**QUERY, "after": cursor})
    sent = cursor.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")
    assert f"&after={sent} " in wire.heads[1]


LAST = [None, {}, {"next": None}, {"total": 7}]
UNREADABLE = [[], "more", 7, True, *({"next": value} for value in (
    {}, [], "x", 7, True, False, {"after": ""}, {"after": None}, {"after": []}, {"after": 1.5}, {"after": True}, {"link": None},
    {"link": "https://api.hubapi.com/?limit=5"}, {"link": "?after="}, {"link": "?hereafter=x"},
))]  # fmt: skip


@pytest.mark.parametrize("paging", [*LAST, *UNREADABLE], ids=str)
def test_a_page_without_next_is_the_last_and_one_with_unreadable_paging_is_not_taken_for_it(paging):
    with Wire(http({"results": [{"id": "a"}], "paging": paging})) as wire, client_of(wire) as client:
        page = client.page(QUERY)
    assert page.cursor is None and page.unclear == (paging not in LAST) and page.events == [{"id": "a"}]
    assert len(wire.heads) == 1
