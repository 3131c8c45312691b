"""The table of promises and the tests agree."""

import re

from tests.sdk import ROOT

PAGE = ROOT / "docs" / "promises.md"
if not PAGE.exists():
    PAGE = ROOT / "README.md"
TABLE = re.search(r"\n\| promise \|.*\n((?:\|.*\n)+)", PAGE.read_text("utf-8"))[1]
ROWS = [
    [(test, PAGE.parent / file) for test, file in re.findall(r"\[([^]]+)\]\(([^)]*)\)", row)]
    for row in TABLE.splitlines()[1:]
]


def test_every_promise_names_tests_that_exist():
    for row, line in zip(ROWS, TABLE.splitlines()[1:], strict=True):
        assert row, line
        for test, file in row:
            assert file.exists(), line
            assert "/" in test or "." in test or f"\ndef {test}(" in file.read_text("utf-8"), line


def test_every_file_of_what_must_hold_in_any_world_proves_a_promise():
    named = {file.resolve() for row in ROWS for _, file in row}
    assert not {*(ROOT / "tests" / "promises").glob("test_*.py")} - named
