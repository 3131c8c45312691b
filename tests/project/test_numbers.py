"""HubSpot's JSON numbers through the SDK's inference into a real DuckDB file: exact, whatever kind their column held
before.
"""

import json
from decimal import Decimal
from itertools import product

from simulator import Simulator, listed
from tests.sdk import rows, run
from tests.support import TYPE, configuration, event

NUMBERS = [
    "0", "-7", "19.99", "-0.0", "1e22", "-1.25e-9", "5e-324", "9007199254740993", "9223372036854775807",
    "-9223372036854775808", "9223372036854775808", "18446744073709551615", "18446744073709551616",
    "-18446744073709551617", "123456789012345678901234567890",
]  # fmt: skip
OTHERS = ["true", '"abc"', '"2026-01-01"', '"0.5"', "null", "[1.5,18446744073709551617]"]
KINDS = [*NUMBERS, *OTHERS]
PAIRS = list(product(range(len(KINDS)), repeat=2))


class Written(Simulator):
    """A simulator of one event, whose properties are written exactly like this."""

    def __init__(self, n, properties):
        history = listed([event("2026-02-01T00:00:00Z", n)])
        written = ",".join(f'"{name}":{value}' for name, value in properties.items())
        history.bodies = [history.bodies[0].replace(b'"properties":{}', b'"properties":{%b}' % written.encode())]
        super().__init__({TYPE: history})


def test_a_number_is_exact_whatever_kind_came_before_and_after_it(project):
    columns = {f"n_{a}_{b}_x": (a, b, (a + 2 * b + 1) % len(KINDS)) for a, b in PAIRS}
    for n in range(3):  # three syncs, each with one event that no later sync reads again
        sent = {column: KINDS[kinds[n]] for column, kinds in columns.items()}
        with Written(n, sent) as sim:
            run(project, configuration(sim, audit_days="0"))
    held = {id_: values for id_, *values in rows(project, ", ".join(["id", *columns]))}
    wrong = [
        (column, [KINDS[kind] for kind in kinds], value)
        for n in range(3)
        for (column, kinds), value in zip(columns.items(), held[f"id-{n}"], strict=True)
        if KINDS[kinds[n]] in NUMBERS and Decimal(str(value)) != Decimal(KINDS[kinds[n]])
    ]
    assert not wrong, (len(wrong), wrong[:10])


def test_a_number_in_a_list_is_exact(project):
    sent = f'[{",".join(NUMBERS)},{{"deep":[{NUMBERS[-1]}]}}]'
    with Written(0, {"hs_list": sent}) as sim:
        run(project, configuration(sim))
    ((held,),) = rows(project, "hs_list")
    exactly = {"parse_int": Decimal, "parse_float": Decimal}
    assert json.loads(held, **exactly) == json.loads(sent, **exactly)


def test_a_number_in_a_column_of_text_is_its_digits_though_the_column_is_renamed(project):
    digits = "9007199254740993"
    with Written(0, {"hs_n": digits, "hs_m": digits}) as sim:
        run(project, configuration(sim, string_columns="hsN, hs_m", rename_columns="hs_n=plain"))
    assert rows(project, "plain, hs_m") == [(digits, digits)]
