"""The memory of a sync does not grow with the number of events."""

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from tests.sdk import ROOT
from tests.support import configuration

pytestmark = pytest.mark.long

# the first fill what a sync remembers; chance adds up to 15 MB to a peak
FEW, MANY = 60_000, 600_000
COUNTS = {"few": FEW, "many": MANY}
SYNC = """
import json, resource, sys
from pathlib import Path
from pipeline import Sink, read_settings, sync

delivered = 0

def upsert(table, row):
    global delivered
    delivered += table not in ("event_property", "sync_run")

nothing = lambda _: None
sync(read_settings(json.loads(sys.argv[1])), {}, Sink(upsert, nothing, nothing, nothing))

if sys.platform == "linux":  # its ru_maxrss starts at that of the parent process
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    peak = int(status["VmHWM"].split()[0]) * 1024
else:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([delivered, peak]))
"""
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}


@contextmanager
def simulator(*arguments):
    """The URL of a simulator in a separate process, so that its memory is not counted."""
    command = [sys.executable, "-m", "simulator", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT) as process:
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def url():
    with simulator("--profile", "short", *(f"--event-type={name}={count}" for name, count in COUNTS.items())) as url:
        yield url


def peak_memory(url, event_type, **keys):
    """How many events a sync delivers, and the most memory that its process holds."""
    given = configuration(SimpleNamespace(url=url), event_types=event_type, **keys)
    command = [sys.executable, "-c", SYNC, json.dumps(given)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, env=ENVIRONMENT, check=True)
    return json.loads(done.stdout)


def test_ten_times_the_events_take_the_same_memory(url):
    """With one worker: how far several prefetch, and so the peak, is chance, which the next test bounds."""
    delivered, few = peak_memory(url, "few", concurrency="1")
    assert delivered == FEW
    delivered, many = peak_memory(url, "many", concurrency="1")
    assert delivered == MANY
    assert many - few < 40 * (MANY - FEW)  # bytes: less than any id takes


def test_the_default_settings_stay_under_200_mb(url):
    delivered, peak = peak_memory(url, "many")
    assert delivered == MANY
    assert peak < 200_000_000
