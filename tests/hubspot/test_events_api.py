"""The moment of an event, in every shape that HubSpot has used."""

import math

import pytest

from pipeline.hubspot.events_api import occurred_ms, occurred_text

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
