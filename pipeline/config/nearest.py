"""The known name that a misspelled one was probably meant to be."""
import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str], most: int = 1, likeness: float = 0.0) -> list[str]:
    """The known names nearest to a name, the nearest first, up to `most`; `likeness` (0 to 1) is how near they must be.

    >>> nearest("page_sise", ["page_size", "properties"]), nearest("page_sise", ["properties"], likeness=0.8)
    (['page_size'], [])
    """
    return difflib.get_close_matches(name, list(known), n=most, cutoff=likeness)
