"""Where the files of a backfill go: a folder that the client and all workers share."""

import re
from pathlib import Path

from pipeline.errors import SettingsError


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
