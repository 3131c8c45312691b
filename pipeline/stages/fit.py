"""Values of columns that are declared as numbers or moments."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from toolz import curry

from pipeline.hubspot.events_api import occurred_text
from pipeline.names.columns import MISFITS
from pipeline.names.destination import destination_name
from pipeline.stages.flatten import Row
from pipeline.timestamps import to_ms

# A decimal and not a 64-bit float, which would round long ids
NUMBER = {"type": "DECIMAL", "precision": 38, "scale": 18}
MOMENT = "UTC_DATETIME"


@curry
def fit_types(types: Mapping[str, Any], rows: Iterable[Row]) -> Iterator[Row]:
    """Fits the values of columns declared as NUMBER or MOMENT to that type; an empty text becomes
    None, as it does where a type is inferred. At a value that does not fit, the SDK would fail, or
    round it: it moves to the JSON column `misfits`, under the name of its column. `types` are by
    the destination's names.

    >>> list(fit_types({"seats": NUMBER})([{"id": "a", "seats": "7"}, {"id": "b", "seats": "many"}]))
    [{'id': 'a', 'seats': '7'}, {'id': 'b', 'seats': None, 'misfits': {'seats': 'many'}}]
    """
    fits: Fits = {
        name: _as_moment if kind == MOMENT else _as_number for name, kind in types.items() if kind in (NUMBER, MOMENT)
    }
    return _fit(fits, rows) if fits else iter(rows)


Fits = dict[str, Callable[[Any], Any]]  # a value as its column's type holds it; None: it does not fit


def _fit(fits: Fits, rows: Iterable[Row]) -> Iterator[Row]:
    columns: list[str] = []
    typed: Fits = {}
    for row in rows:
        if list(row) != columns:  # most rows have the columns of the one before
            columns = list(row)
            by_name = {name: fits.get(destination_name(name)) for name in columns}
            typed = {name: fit for name, fit in by_name.items() if fit}
        yield _fitted(typed, row) if typed else row


def _fitted(typed: Fits, row: Row) -> Row:
    """The row with its values fitted; the row itself if all of them fit, as most do."""
    fitted: Row = {}
    misfits: Row = {}
    for name, fit in typed.items():
        value = row[name]
        if value is not None and (fitting := fit(value)) is not value:
            fitted[name] = fitting
            if fitting is None and value != "" and value == value:  # NaN is no value
                misfits[name] = value
    if misfits:
        fitted[MISFITS] = misfits
    return row | fitted if fitted else row


def _as_number(value: Any) -> str | None:
    """A number as the text of a decimal; None if NUMBER does not hold it exactly.

    >>> _as_number("-1.10"), _as_number(12), _as_number("1e3"), _as_number("0." + "3" * 19), _as_number("n/a")
    ('-1.10', '12', '1000', None, None)
    """
    text = value if type(value) is str else str(value) if type(value) in (int, float) else ""
    if _DECIMAL(text):
        return text
    exact = f"{Decimal(text):f}" if _WITH_EXPONENT(text) else ""
    return exact if _DECIMAL(exact) else None


def _as_moment(value: Any) -> datetime | None:
    """A moment from ISO 8601 text (UTC if it names no zone) or from milliseconds since 1970; None
    if it is neither, or finer than a millisecond.

    >>> _as_moment("2026-05-21T02:00:00+02:00") == _as_moment("1779321600000") == _as_moment("2026-05-21")
    True
    """
    text = occurred_text(value)
    try:
        return _EPOCH + timedelta(milliseconds=to_ms(text)) if not _FINER(text) else None
    except (ValueError, TypeError, AttributeError, OverflowError):
        return None


_WITH_EXPONENT = re.compile(r"-?[0-9]{1,40}(?:\.[0-9]{1,40})?[eE][+-]?[0-9]{1,2}").fullmatch
_DECIMAL = re.compile(r"-?[0-9]{1,20}(?:\.[0-9]{1,18})?").fullmatch
_FINER = re.compile(r"[.,][0-9]{3}0*[1-9]").search
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
