"""Where the files of a backfill go: a folder that the client and all workers share. That they do is
proved before the first window and counted after the last.
"""

import re
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path

import pyarrow.parquet as pq
from dask.distributed import Client as Dask

from pipeline.errors import ConnectorError, SettingsError

CURE = "Cure: name a folder that this machine and every worker reach under one path."


class NotShared(ConnectorError):
    """The workers' files are not where this machine looks for them."""


def folder_of(address: str | Path) -> Path:
    """The folder that an address means. Raises SettingsError for one with a scheme (`Path` leaves
    one slash of two): it would be a folder of that name on each machine.

    >>> folder_of("/mnt/lake")
    PosixPath('/mnt/lake')
    """
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", str(address)):
        raise SettingsError(
            f"A backfill writes to a folder, and {address} is none. Cure: mount that storage under "
            "one path on this machine and on every worker, and name the path."
        )
    return Path(address).absolute()


def prove_shared(dask: Dask, folder: Path) -> None:
    """Leaves a mark that each worker must find, and looks for the mark that each leaves. Raises
    NotShared, which names the workers for which that fails.
    """
    marks = folder / f".marks-{uuid.uuid4().hex}"
    marks.mkdir(parents=True)
    try:
        answers = dask.run(_leave_mark, marks, on_error="return")
        found = {path.name for path in marks.iterdir()}
    finally:
        shutil.rmtree(marks, ignore_errors=True)
    apart = {worker: mark for worker, mark in answers.items() if mark not in found}
    if apart:
        said = [
            f"{worker} ({mark if isinstance(mark, Exception) else 'its mark is not there'})"
            for worker, mark in apart.items()
        ]
        raise NotShared(
            f"{folder} is not the same folder on this machine and on {', '.join(said)}. {CURE}"
        )


def _leave_mark(marks: Path) -> str:
    mark = marks / uuid.uuid4().hex
    mark.touch()  # fails where the client's folder is not
    return mark.name


def prove_written(reports: Mapping[Path, int]) -> None:
    """Compares the rows reported for each file with its footer. Raises NotShared, which names the
    files that differ.
    """
    there = {path: pq.read_metadata(path).num_rows if path.exists() else None for path in reports}
    differ = [path for path, rows in reports.items() if there[path] != rows]
    if differ:
        path = differ[0]
        found = "is not there" if there[path] is None else f"holds {there[path]:,}"
        raise NotShared(
            f"Of {len(reports):,} files, {len(differ):,} are not what the workers reported: "
            f"{path}, {reports[path]:,} rows, {found}. {CURE} Then start again: what is missing is "
            "read."
        )
