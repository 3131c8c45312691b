"""The destination of a sync."""

from collections.abc import Callable
from typing import Any, NamedTuple


class Sink(NamedTuple):
    """The operations of the SDK, or anything that takes the same arguments: `upsert(table, row)`,
    `checkpoint(state)`, and `warn(sentence)` and `log(sentence)` for the operator.
    """

    upsert: Callable[[str, dict[str, Any]], Any]
    checkpoint: Callable[[dict[str, Any]], Any]
    warn: Callable[[str], Any]
    log: Callable[[str], Any]
