"""Proves by marks that the client and all workers write to the same storage."""

import uuid
from functools import cache
from pathlib import Path
from socket import gethostname

from dask.distributed import Client as Dask

from frames.storage import HIDDEN, files, put
from pipeline import ConnectorError

CURE = "Cure: name an address that this machine and every worker reach."


def prove_shared(dask: Dask, address: str) -> str:
    """Leaves a mark that each worker must find, and looks for the mark that each leaves. Returns
    the mark, for workers that join later. Raises ConnectorError, which names the workers that fail.
    """
    try:
        mark = leave_mark(address)
    except Exception as error:  # each storage has its own
        raise ConnectorError(
            f"{address} cannot be written to: {error!r}. Cure: make sure that it exists, and that "
            "this machine and every worker have credentials to write there."
        ) from error
    answers, there = dask.run(exchange_marks, address, mark, on_error="return"), files(address)
    apart = [f"{worker} ({mark})" for worker, mark in answers.items() if mark not in there]
    if apart:
        raise ConnectorError(f"{address} is not the same here and for {', '.join(apart)}. {CURE}")
    return mark


@cache
def exchange_marks(address: str, mark: str) -> str:
    """On a worker, once: finds the client's mark, and leaves one. Returns its name."""
    if not files(address, mark):
        raise ConnectorError(f"No mark of the client is at {address} on {gethostname()}. {CURE}")
    return leave_mark(address)


def leave_mark(address: str) -> str:
    """Puts a small file into the storage, as any other is put there. Returns its name."""
    name = f"{HIDDEN}/{uuid.uuid4().hex}.mark"
    put(Path(__file__), address, name)
    return name
