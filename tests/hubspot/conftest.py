import pytest

from pipeline.hubspot import client, clock, rate_limit, retry
from tests.hubspot.clients import FakeClock, error_of
from tests.hubspot.wire import Wire, http


@pytest.fixture(name="clock")
def fake_clock(monkeypatch):
    return FakeClock().drives(monkeypatch, client, clock, rate_limit, retry)


@pytest.fixture
def answered(clock):
    """The error that an answer ends in: its type and its message."""

    def ask(body, status=400, headers=None, **options):
        with Wire(http(body, status, **headers or {})) as wire:
            return error_of(wire, clock, **options)

    return ask
