"""What every test shares: generated cases are the same in each run, so that a failure means a change
(HYPOTHESIS_PROFILE=long looks for new cases), and the fixtures of more than one room."""
import json
import os
import shutil
import time

import pytest
from fivetran_connector_sdk_common import constants
from hypothesis import settings

from simulator import Behaviour
from tests.sdk import ROOT
from tests.support import TYPE, Quiet

settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("long", max_examples=10_000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home of its own, in which the SDK's core has just looked for a newer version of itself: no request leaves."""
    settings = tmp_path / "home" / constants.ROOT_LOCATION.replace("connector_sdk", "connector_sdk_core") / "_config.json"
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps({"lastVersionCheck": int(time.time())}))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DO_NOT_TRACK", "1")
    return settings.parents[2]


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
        sim.requests.clear()
        sim.histories = dict(zip((TYPE, "pe1_signup"), histories, strict=False))
        sim.behaviour = Behaviour(**behaviour)
        return sim

    return behave
