"""A client under test, what it talks to, and a clock that only its waits move."""

import threading
from types import SimpleNamespace

import pytest

from pipeline.errors import ConnectorError
from pipeline.hubspot.client import Client
from pipeline.timestamps import to_ms
from simulator import Behaviour, Simulator, generated
from tests.hubspot.wire import http
from tests.support import END, START, TYPE

TOKEN = "pat-na1-5ec2e75e-c2e7-4a11-9b0d-0123456789ab"
QUERY = {"eventType": TYPE, "limit": 50}
T0 = to_ms("2035-01-01T00:00:00Z")
HISTORY = generated(120, START, END)
TRUTH = [HISTORY.event(i) for i in range(120)]
GOOD = http({"results": [{"id": "a"}]})
TRANSIENT = (  # faults of the simulator after which another attempt gets the page
    "423", "429", "429:no-retry-after", "477", "500", "502", "503", "504", *map(str, range(520, 528)), "html", "empty", "cut",
    "cut_clean", "reset", "no_results", "results_null", "results_string",
)  # fmt: skip


def served(**behaviour):
    return Simulator({TYPE: HISTORY}, Behaviour(**behaviour))


def gone():
    """A server that answers no more."""
    with served() as sim:
        pass
    return sim


def client_of(server, version="2026-03", **options):
    return Client(TOKEN, server.url, version, **options)


def error_of(server, clock, query=QUERY, **options):
    """The error that asking for a page ends in: its type and its message, which never contains the token."""
    with client_of(server, **options) as client, pytest.raises(ConnectorError) as raised:
        client.page(query, clock)
    message = str(raised.value)
    assert TOKEN not in message
    return raised.type, message


class FakeClock(threading.Event):
    """A stop event whose waits return at once and only move this clock, which the client goes by too."""

    def __init__(self):
        super().__init__()
        self.seconds, self.waits, self.set_at_wait = 1_000.0, [], False

    def wait(self, timeout=None):
        self.waits.append(timeout)
        self.seconds += timeout
        if self.set_at_wait:
            self.set()
        return self.is_set()

    def drives(self, patch, *modules):
        for module in modules:
            patch.setattr(module, "time", SimpleNamespace(monotonic=lambda: self.seconds))
        return self

    def hubspot(self):
        """HubSpot's time, ms."""
        return T0 + int((self.seconds - 1_000) * 1000)
