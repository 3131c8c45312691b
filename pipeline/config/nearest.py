"""The known name that a misspelled one was probably meant to be."""

import difflib
from collections.abc import Iterable

NEAR = 0.6  # likeness (0 to 1) from which on a name is taken for a misspelling


def nearest(name: str, known: Iterable[str], most: int = 1, likeness: float = NEAR) -> list[str]:
    """The known names near to a name, the nearest first, up to `most`; `likeness` is how near they
    must be.

    >>> nearest("page_sise", ["page_size", "properties"]), nearest("page_sise", ["properties"])
    (['page_size'], [])
    """
    return difflib.get_close_matches(name, list(known), n=most, cutoff=likeness)
