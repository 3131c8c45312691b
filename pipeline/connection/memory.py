"""Memory that one thread frees becomes available to the others."""

import ctypes
import sys

M_ARENA_MAX = -8  # as glibc numbers it


def share_freed_memory() -> None:
    """Lets every thread reuse what any other has freed, on Linux.

    glibc keeps what a thread frees for that thread. Measured with 200,000 live page visits: the
    peak is 94 MB with 4 workers and 98 with 16; without this, 127 and 154. It changes the whole
    process, which in production runs nothing else. Having large blocks returned to the machine
    instead (M_MMAP_THRESHOLD) keeps the peak as low, but costs 22 µs an event instead of 18.
    """
    if sys.platform == "linux":
        mallopt = getattr(
            ctypes.CDLL(None), "mallopt", None
        )  # other C libraries than glibc have none, and no such habit
        if mallopt is not None:
            mallopt(M_ARENA_MAX, 1)
