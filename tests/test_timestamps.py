"""Timestamps: text to milliseconds and back, and ValueError for any other text."""

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.timestamps import to_ms, to_text

law = settings(deadline=None)
FIRST, LAST = to_ms("0001-01-01T00:00:00Z"), to_ms("9999-12-31T23:59:59.999Z")
OFFSETS = st.integers(-23 * 60 - 59, 23 * 60 + 59)


@law
@given(st.integers(FIRST, LAST) | st.integers())
@example(10**400)
@example(-(10**400))
def test_milliseconds_survive_a_round_trip_through_text_or_become_the_first_or_last_timestamp(ms):
    text = to_text(ms)
    assert to_ms(text) == min(max(ms, FIRST), LAST)
    assert len(text) == 24 and text.endswith("Z")


@law
@given(st.datetimes(), st.sampled_from(["", "Z", "z"]), st.integers(0, 9))
def test_a_fraction_may_have_any_length_and_is_cut_to_milliseconds(moment, zone, digits):
    fraction = f"{moment.microsecond:06}000"[:digits]
    text = moment.isoformat(timespec="seconds") + (f".{fraction}" if fraction else "") + zone
    whole = (moment.replace(microsecond=0) - datetime(1970, 1, 1)) // timedelta(milliseconds=1)
    assert to_ms(text) == whole + int(f"{fraction}000"[:3])


@law
@given(st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)), OFFSETS, st.sampled_from([":", "", "hours"]))
def test_an_offset_shifts_the_timestamp(moment, minutes, shape):
    if shape == "hours":
        minutes = int(minutes / 60) * 60
    sign, (hours, rest) = "-" if minutes < 0 else "+", divmod(abs(minutes), 60)
    offset = f"{sign}{hours:02}" + ("" if shape == "hours" else f"{shape}{rest:02}")
    moment = moment.replace(microsecond=0)
    aware = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    assert to_ms(moment.isoformat() + offset) == aware.timestamp() * 1000


@pytest.mark.parametrize("text, same", [
    ("2026-05-21", "2026-05-21T00:00:00.000Z"), ("2026-05-21T01:36", "2026-05-21T01:36:00.000Z"),
    ("2026-05-21 01:36:04Z", "2026-05-21T01:36:04.000Z"), (" 2026-05-21T01:36:04Z\n", "2026-05-21T01:36:04.000Z"),
    ("2026-05-21T03:36:04.3299999+02:00", "2026-05-21T01:36:04.329Z"),
    ("1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999Z"),
])  # fmt: skip
def test_common_shapes_of_iso_8601_are_read(text, same):
    assert to_text(to_ms(text)) == same


@pytest.mark.parametrize("text", [
    "", "Z", "yesterday", "2026", "2026-13-01", "2026-02-30T00:00:00Z", "2026-05-21T25:00:00Z", "2026-05-21T01:60:00Z",
    "2026-05-21T01:36:04+24:00", "2026-05-21T01:36:04+00:60", "2026-05-21T01:36+02Z", "0000-01-01T00:00:00Z",
    "٢٠٢٦-05-21T01:36:04Z", "2026-05-21T01:36:04.Z", "2026-05-21T01:36:04ZZ", "1779327364329", "2026-W21-4T01:36:04Z",
])  # fmt: skip
def test_a_text_that_is_not_a_timestamp_is_a_value_error(text):
    with pytest.raises(ValueError):
        to_ms(text)


NEARLY = st.text("0123456789-+:.,TtZz W", min_size=1, max_size=30) | st.from_regex(
    r"\d{4}-\d\d-\d\dT\d\d:?\d\d:?\d\d([.,]\d{0,7})?([Zz]|[+-]\d\d:?\d\d)?", fullmatch=True
)


@settings(deadline=None, max_examples=300)
@given(st.text() | NEARLY)
def test_any_text_is_a_timestamp_or_a_value_error(text):
    try:
        ms = to_ms(text)
    except ValueError:
        return
    assert to_text(ms)
