"""What every test shares: generated cases are the same in each run, so that a failure means a
change (HYPOTHESIS_PROFILE=long looks for new cases), and the fixtures of more than one room.
"""

import os
import shutil
from collections import Counter

import pytest
from hypothesis import settings

from tests.sdk import ROOT, make_home
from tests.support import TYPE, Quiet

settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("long", max_examples=10_000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home of its own for the SDK."""
    monkeypatch.setenv("HOME", str(make_home(tmp_path / "home")))
    monkeypatch.setenv("DO_NOT_TRACK", "1")
    return tmp_path / "home"


@pytest.fixture
def project(tmp_path, home):
    """A folder for one run of the SDK, with a home of its own."""
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


@pytest.fixture
def staged(project):
    shutil.copytree(ROOT / "pipeline", project / "pipeline", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("connector.py", "requirements.txt"):
        shutil.copy(ROOT / name, project)
    return project


@pytest.fixture(scope="module")
def sim():
    with Quiet({}) as sim:
        yield sim


@pytest.fixture
def simulated(sim):
    def behave(*histories, **behaviour):
        sim.renew(dict(zip((TYPE, "pe1_signup"), histories, strict=False)), **behaviour)
        return sim

    return behave


@pytest.fixture
def account(sim):
    """The simulator with these histories, by event type."""

    def behave(histories, **behaviour):
        sim.renew(histories, **behaviour)
        return sim

    return behave


def pytest_terminal_summary(terminalreporter):
    """What was skipped, and what installs it: each reason once."""
    skipped = terminalreporter.stats.get("skipped", [])
    for reason, tests in Counter(report.longrepr[2] for report in skipped).items():
        terminalreporter.write_line(f"{tests} skipped: {reason.removeprefix('Skipped: ')}")
