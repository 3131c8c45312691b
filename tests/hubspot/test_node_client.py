"""HubSpot's official Node client reads the simulator as its users read HubSpot: its pages, cursors and errors."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from simulator.instants import milliseconds
from tests.hubspot.clients import TRUTH, served
from tests.support import TYPE

FOLDER = Path(__file__).parents[1] / "node"
NODE = shutil.which("node")
INSTALLED = NODE and (FOLDER / "node_modules" / ".package-lock.json").is_file()
WHY = "the client is not installed: make long does it, where there is npm and a registry that answers"
pytestmark = [pytest.mark.long, pytest.mark.skipif(not INSTALLED, reason=WHY)]


def read_by_client(sim, cursors):
    command = [NODE, FOLDER / "page.mjs", sim.url, TYPE, cursors]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("decodes, cursors", [("once", "decoded"), ("any", "decoded"), ("any", "as-given")])
def test_the_official_client_reads_every_event(decodes, cursors):
    with served(cursor_decodes=decodes) as sim:
        read = read_by_client(sim, cursors)
    assert read["events"] == [[event["id"], milliseconds(event["occurredAt"]), event["properties"]] for event in TRUTH]
    assert read["types"] == [TYPE]


def test_the_official_client_encodes_a_cursor_once_more_so_its_users_must_decode_it():
    for cursors, encoded in (("as-given", True), ("decoded", False)):
        with served(cursor_decodes="any", cursor_padding=2) as sim:
            read_by_client(sim, cursors)
        sent = [asked.query["after"] for asked in sim.requests if "after" in asked.query]
        assert len(sent) > 1 and ("%3D" in str(sent)) == ("%" in str(sent)) == encoded


def test_the_official_client_reads_the_words_of_an_error():
    with served(forbidden=[TYPE]) as sim:
        refused = read_by_client(sim, "decoded")
    assert refused["code"] == 403 and refused["message"]
