from types import SimpleNamespace

import pytest

from pipeline.hubspot import client, clock, rate_limit, retry
from tests.hubspot.clients import FakeClock, error_of
from tests.hubspot.wire import Wire, http


@pytest.fixture(name="clock")
def fake_clock(monkeypatch):
    fake = FakeClock()
    for module in (client, clock, rate_limit, retry):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: fake.seconds))
    return fake


@pytest.fixture
def answered(clock):
    """The error that an answer ends in: its type and its message."""

    def ask(body, status=400, headers=None, **options):
        with Wire(http(body, status, **headers or {})) as wire:
            return error_of(wire, clock, **options)

    return ask
