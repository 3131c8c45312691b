"""Memory that is freed goes back to the machine."""
import ctypes
import sys

M_MMAP_THRESHOLD = -3  # as glibc numbers it
LARGE = 128 * 1024  # bytes; glibc's own default, which it raises by itself as large blocks are freed


def give_back() -> None:
    """Has large blocks returned when they are freed, on Linux.

    glibc keeps what a thread frees for that thread: with pages read by 16 workers that is 100 MB that nobody uses. Measured
    at pages of 2 MB: a peak of 254 MB without this, of 154 MB with it, at the same CPU.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # other C libraries than glibc have none, and no such habit
        if mallopt is not None:
            mallopt(M_MMAP_THRESHOLD, LARGE)
