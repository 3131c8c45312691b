"""Where the files of a backfill go: a folder or an object store, whatever fsspec knows, that the
client and all workers reach under one address. That they do is proved before the first window.
"""

import re
import uuid
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from dask.distributed import Client as Dask
from fsspec.core import url_to_fs

from pipeline import ConnectorError

HIDDEN = ".backfill"  # below the address: marks, and files on their way
OBJECT_STORES = {"s3", "gs", "abfs"}  # an object appears whole, and needs no folder
READERS = 32  # footers read at once


class StorageError(ConnectorError):
    """The storage cannot be used, or does not hold what was written."""


class Footer(NamedTuple):
    """What the footer of a Parquet file says of it."""

    rows: int


def address_of(given: str | Path) -> str:
    """An address as every machine understands it. Raises StorageError if no storage has it.

    >>> address_of("/mnt/lake/")
    'file:///mnt/lake'
    """
    try:
        if re.match(r"\w[\w+.-]*:/(?!/)", str(given)):
            raise ValueError("a Path cannot hold it, write it as text")
        fs, path = url_to_fs(str(given))
    except (ImportError, ValueError) as error:
        raise StorageError(
            f"{given} cannot be written to: {error}. Cure: name a folder that all workers share, or "
            "an address such as s3://bucket/folder, and install its package here and on every "
            "worker: s3fs for s3://, gcsfs for gs://, adlfs for abfs://."
        ) from None
    return str(fs.unstrip_protocol(path.rstrip("/")))


def put(local: Path, address: str, name: str) -> None:
    """Copies a local file into the storage, where it appears whole or not at all."""
    fs, root = url_to_fs(address)
    if OBJECT_STORES.intersection([fs.protocol] if isinstance(fs.protocol, str) else fs.protocol):
        fs.put_file(str(local), f"{root}/{name}", max_concurrency=1)
        return
    path, on_its_way = f"{root}/{name}", f"{root}/{HIDDEN}/{uuid.uuid4().hex}"
    for each in (path, on_its_way):
        fs.makedirs(each.rpartition("/")[0], exist_ok=True)
    fs.put_file(str(local), on_its_way)
    fs.mv(on_its_way, path)


def files(address: str) -> set[str]:
    """The names of all files below an address."""
    fs, root = url_to_fs(address)
    fs.invalidate_cache()
    return {path[len(root) + 1 :] for path in fs.find(root)}


def footers(address: str, names: Collection[str]) -> dict[str, Footer]:
    """The footers of these Parquet files, without those of files that are broken."""
    fs, root = url_to_fs(address)

    def footer(name: str) -> Footer | None:
        with suppress(pa.ArrowInvalid), fs.open(f"{root}/{name}", block_size=2**16) as file:
            return Footer(pq.read_metadata(file).num_rows)
        return None

    with ThreadPoolExecutor(READERS) as readers:
        read = zip(names, readers.map(footer, names), strict=True)
        return {name: footer for name, footer in read if footer is not None}


def prove_shared(dask: Dask, address: str) -> str:
    """Leaves a mark that each worker must find, and looks for the mark that each leaves. Returns
    the mark, for workers that join later. Raises StorageError if nothing can be written, and
    StorageError, which names the workers that fail.
    """
    try:
        mark = leave_mark(address)
    except Exception as error:  # each storage has its own
        raise StorageError(
            f"{address} cannot be written to: {error!r}. Cure: see that it exists, and that this "
            "machine and every worker have credentials that may write there."
        ) from error
    answers = dask.run(exchange_marks, address, mark, on_error="return")
    there = files(address)
    apart = [
        f"{worker} ({answer if isinstance(answer, Exception) else 'its mark is not there'})"
        for worker, answer in answers.items()
        if answer not in there
    ]
    if apart:
        raise StorageError(
            f"{address} is not the same for this machine and for {', '.join(apart)}. Cure: name "
            "one that this machine and every worker reach."
        )
    return mark


@cache
def exchange_marks(address: str, mark: str) -> str:
    """On a worker, once: finds the client's mark, and leaves one. Returns its name."""
    fs, root = url_to_fs(address)
    fs.invalidate_cache()
    if not fs.exists(f"{root}/{mark}"):
        raise StorageError("it does not find this machine's mark")
    return leave_mark(address)


def leave_mark(address: str) -> str:
    """Puts a small file into the storage, in the way of any other. Returns its name."""
    name = f"{HIDDEN}/{uuid.uuid4().hex}.mark"
    put(Path(__file__), address, name)
    return name


def clean(address: str) -> None:
    """Removes the marks, and what lost workers had on its way."""
    fs, root = url_to_fs(address)
    with suppress(Exception):  # who may write may still not delete, and nobody reads what stays
        fs.rm(f"{root}/{HIDDEN}", recursive=True)
