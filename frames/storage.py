"""Files in a folder or an object store: whatever fsspec knows, under one address."""

import re
import uuid
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from fsspec.core import url_to_fs

from pipeline import ConnectorError

HIDDEN = ".backfill"  # below an address: files under way, and what nobody is to read
OBJECT_STORES = {"s3", "gs", "abfs"}  # an object appears whole, and needs no folder
READERS = 32  # footers read at once
ARROW = "ARROW:schema"  # metadata of every file


class Footer(NamedTuple):
    """What the footer of a Parquet file says, without Arrow's own metadata."""

    rows: int
    metadata: dict[str, str]


def address_of(given: str | Path) -> str:
    """An address as every machine understands it. Raises ConnectorError if it is of no storage.

    >>> address_of("/mnt/lake/")
    'file:///mnt/lake'
    """
    try:
        if re.match(r"\w[\w+.-]*:/(?!/)", str(given)):
            raise ValueError("a Path cannot hold it, write it as text")
        fs, path = url_to_fs(str(given))
    except (ImportError, ValueError) as error:
        raise ConnectorError(
            f"{given} cannot be written to: {error}. Cure: name a folder that all workers share, or "
            "s3://bucket/folder (package s3fs), gs://… (gcsfs), abfs://… (adlfs), and install the "
            "package here and on every worker."
        ) from None
    return str(fs.unstrip_protocol(path.rstrip("/") or "/"))


def put(local: Path, address: str, name: str) -> None:
    """Copies a local file to an address, where it appears whole or not at all."""
    fs, root = url_to_fs(address)
    path, on_its_way = f"{root}/{name}", f"{root}/{HIDDEN}/{uuid.uuid4().hex}"
    if OBJECT_STORES.intersection([fs.protocol] if isinstance(fs.protocol, str) else fs.protocol):
        fs.put_file(str(local), path, max_concurrency=1)
    else:
        for each in (path, on_its_way):
            fs.makedirs(each.rpartition("/")[0], exist_ok=True)
        fs.put_file(str(local), on_its_way)
        fs.mv(on_its_way, path)


def files(address: str, name: str = "") -> set[str]:
    """The names of all files below an address, or of the one named, if it is there."""
    fs, root = url_to_fs(address)
    fs.invalidate_cache()
    return {path[len(root) + 1 :] for path in fs.find(f"{root}/{name}".rstrip("/"))}


def footers(address: str, names: Collection[str]) -> dict[str, Footer]:
    """The footers of these Parquet files, except broken ones."""
    fs, root = url_to_fs(address)

    def footer(name: str) -> Footer | None:
        with suppress(pa.ArrowInvalid), fs.open(f"{root}/{name}", block_size=2**16) as file:
            read = pq.read_metadata(file)
            about = {key.decode(): text.decode() for key, text in (read.metadata or {}).items()}
            return Footer(read.num_rows, {key: about[key] for key in about if key != ARROW})
        return None

    with ThreadPoolExecutor(READERS) as readers:
        found = zip(names, readers.map(footer, names), strict=True)
        return {name: footer for name, footer in found if footer}


def clean(address: str) -> None:
    """Removes what is hidden below an address, as far as that is allowed."""
    fs, root = url_to_fs(address)
    with suppress(Exception):  # each storage has its own errors
        fs.rm(f"{root}/{HIDDEN}", recursive=True)
