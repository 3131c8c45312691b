"""The memory of a sync does not grow with what it delivers."""
import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from tests.support import START

EVENTS = (100_000, 1_000_000)
SYNC = """
import json, resource, sys
from pipeline import Sink, read_settings, sync

delivered = 0

def upsert(table, row):
    global delivered
    delivered += 1

nothing = lambda _: None
sync(read_settings(json.loads(sys.argv[1])), {}, Sink(upsert, nothing, nothing, nothing))
print(json.dumps([delivered, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)]))
"""
ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}


@contextmanager
def simulator(*arguments):
    """The URL of a simulator in a process of its own, so that its memory is not counted."""
    command = [sys.executable, "-m", "simulator", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT) as process:
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def peak_memory(url, event_type, events):
    configuration = {"api_token": "pat-na1-x", "initial_sync_start_date": START, "api_base_url": url, "event_types": event_type}
    command = [sys.executable, "-c", SYNC, json.dumps(configuration)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, env=ENVIRONMENT, check=True)
    delivered, peak = json.loads(done.stdout)
    assert delivered == events
    return peak


def test_ten_times_the_events_take_the_same_memory():
    few, many = EVENTS
    with simulator("--event-type", f"few={few}", "--event-type", f"many={many}") as url:
        peak_of_few, peak_of_many = peak_memory(url, "few", few), peak_memory(url, "many", many)
    assert peak_of_many - peak_of_few < 20 * (many - few)
    assert peak_of_many < 150_000_000
