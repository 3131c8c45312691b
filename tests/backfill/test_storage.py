"""Which addresses a backfill takes, and what it says of others."""

import doctest
from pathlib import Path

import pytest

from backfill import backfill, storage
from pipeline import read_settings
from pipeline.errors import SettingsError
from tests.support import configuration


def test_the_examples_in_the_code_hold():
    assert doctest.testmod(storage).failed == 0


@pytest.mark.parametrize(
    "address", ["s3://lake/history", "nosuchscheme://lake/history", Path("s3://lake/history")]
)
def test_an_address_that_is_no_folder_is_refused_before_the_first_request(
    address, simulated, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    sim = simulated()
    with pytest.raises(SettingsError, match="Cure: mount that storage"):
        backfill(None, read_settings(configuration(sim)), address)
    assert sim.requests == [] and list(tmp_path.iterdir()) == []
