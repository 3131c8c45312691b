from types import SimpleNamespace

import pytest

from pipeline.hubspot import client, clock, rate_limit, retry
from tests.hubspot.clients import FakeClock


@pytest.fixture(name="clock")
def fake_clock(monkeypatch):
    fake = FakeClock()
    for module in (client, clock, rate_limit, retry):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: fake.seconds))
    return fake
