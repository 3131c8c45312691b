"""The table of promises and the tests agree."""

import re

from tests.sdk import ROOT

PAGE = ROOT / "docs" / "promises.md"
ROWS = [line for line in PAGE.read_text("utf-8").splitlines() if "](../tests/" in line]
PROOFS = re.findall(r"\[([^]]+)\]\((../tests/[^)]*)\)", "\n".join(ROWS))


def test_every_promise_names_tests_that_exist():
    assert len(ROWS) > 15
    for test, file in PROOFS:
        assert f"\ndef {test}(" in (PAGE.parent / file).read_text("utf-8"), f"{file}: no {test}"


def test_no_row_is_without_a_test_and_no_file_of_promises_is_left_out():
    table = PAGE.read_text("utf-8").partition("|---|---|\n")[2].partition("\n\n")[0]
    assert table.splitlines() == ROWS
    files = {f"../tests/promises/{path.name}" for path in (ROOT / "tests/promises").glob("test_*")}
    assert files <= {file for _, file in PROOFS}
