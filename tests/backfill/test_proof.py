"""A state is given only if every row is proved where the client looks for it: real workers, some with a disk of their
own.
"""

import subprocess
import threading
from contextlib import ExitStack

import pytest

from backfill import backfill
from pipeline import ConnectorError, read_settings
from simulator import Simulator, generated
from tests.backfill.processes import worker
from tests.support import TYPE, configuration

pytestmark = pytest.mark.long

# runs a command where a folder is a disk of its own, or is written to such a disk
APART = 'mount -t tmpfs apart "$0" && exec "$@"'
ABOVE = (
    "above=$(mktemp -d) && mount -t tmpfs above $above && mkdir $above/upper $above/work && "
    'mount -t overlay -o lowerdir="$0",upperdir=$above/upper,workdir=$above/work above "$0" && '
    'exec "$@"'
)


def apart(folder, mount):
    """Comes before a command that is to see the folder so."""
    return "unshare", "--mount", "sh", "-c", mount, folder


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "history").mkdir()
    return tmp_path / "history"


@pytest.fixture(autouse=True, scope="module")
def mounting():
    if subprocess.run(["/usr/bin/env", "unshare", "--mount", "true"], capture_output=True).returncode:
        pytest.skip("this user may not make a mount namespace")


@pytest.mark.parametrize("mount", [APART, ABOVE], ids=["apart", "above"])
def test_a_worker_with_a_disk_of_its_own_is_told_before_the_first_window(dask, folder, mount):
    with (
        Simulator({TYPE: generated(3_000)}) as sim,
        worker(dask.scheduler.address),
        worker(dask.scheduler.address, *apart(folder, mount)),
    ):
        dask.wait_for_workers(2)
        with pytest.raises(ConnectorError, match="not the same here.*Cure: name an") as told:
            backfill(dask, read_settings(configuration(sim)), folder)
        assert str(told.value).count("tcp://") == 1
        assert len(sim.requests) <= 5
    assert not any(folder.iterdir())


def test_a_worker_that_joins_late_with_a_disk_of_its_own_leaves_no_state(dask, folder):
    """Its files are missed at the end, and the next run reads their windows."""
    joined = threading.Event()
    with Simulator({TYPE: generated(3_000)}) as sim, worker(dask.scheduler.address), ExitStack() as later:
        dask.wait_for_workers(1)
        sim.behaviour.fault = lambda asked: joined.wait(60) and None if asked.number > 5 else None

        def join(_):
            if not joined.is_set():
                later.enter_context(worker(dask.scheduler.address, *apart(folder, ABOVE)))
                dask.wait_for_workers(2)
                joined.set()

        settings = read_settings(configuration(sim))
        with pytest.raises(ConnectorError, match="are not at"):
            backfill(dask, settings, folder, tell=join)
        later.close()
        left = backfill(dask, settings, folder)
    assert left.rows[TYPE] == 3_000
