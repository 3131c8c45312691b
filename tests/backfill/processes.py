"""Dask's clusters, and its own programs as processes, which can be killed."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager

from dask.distributed import Client as Dask
from dask.distributed import LocalCluster

from tests.sdk import ROOT

ENVIRONMENT = {"PYTHONPATH": str(ROOT)}


@contextmanager
def process(*command, cwd=ROOT, **given):
    """A process that is killed at the end, if it still runs."""
    running = subprocess.Popen([*map(str, command)], cwd=cwd, env=os.environ | ENVIRONMENT, text=True, **given)
    try:
        yield running
    finally:
        running.kill()
        running.communicate()


@contextmanager
def cluster(workers):
    """The client of a cluster of so many processes."""
    with LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=":0") as local, Dask(local) as client:
        yield client


def worker(scheduler, *before, preload=None):
    """A worker; `before` is put before its command, `preload` is code that it runs first."""
    command = [sys.executable, "-m", "distributed.cli.dask_worker", scheduler,
               "--nthreads", "1", "--no-nanny", "--no-dashboard"]  # fmt: skip
    command += ["--preload", preload] if preload else []
    return process(*before, *command, stderr=subprocess.DEVNULL)


def command(address, scheduler, cwd):
    """`python -m backfill`, which a SIGINT ends though a shell in the background ignores it."""
    options = ["--scheduler", scheduler] if scheduler else []
    return process(
        sys.executable, "-m", "backfill", address, *options,
        cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=default_sigint,
    )  # fmt: skip


def default_sigint():
    signal.signal(signal.SIGINT, signal.SIG_DFL)
