"""Patterns for columns, in HubSpot's spelling or the destination's; and the known name that a
misspelled one was probably meant to be.
"""

import difflib
import fnmatch
import re
from collections.abc import Callable, Iterable
from functools import lru_cache

from pipeline.names.columns import is_fixed
from pipeline.names.destination import destination_name

NEAR = 0.6  # likeness (0 to 1) from which on a name is taken for a misspelling


def is_pattern(name: str) -> bool:
    return "*" in name or "?" in name


def matcher(patterns: tuple[str, ...]) -> Callable[[str], bool]:
    """A predicate of columns: whether one matches any of these names and patterns (*, ?), in either
    spelling. A fixed column never does.

    >>> is_secret = matcher(("*email*", "hsIp"))
    >>> is_secret("hs_email_domain"), is_secret("hs_ip"), is_secret("hs_url"), matcher(("*",))("id")
    (True, True, False, False)
    """
    spellings = "|".join(
        fnmatch.translate(spelling) for pattern in patterns for spelling in (pattern, _as_destination(pattern))
    )
    match = re.compile(spellings or r"(?!)").match
    return lambda name: bool(match(name) or match(destination_name(name))) and not is_fixed(name)


def _as_destination(pattern: str) -> str:
    return "".join(piece if piece in "*?" else destination_name(piece) for piece in re.split(r"([*?])", pattern))


@lru_cache(maxsize=1024)
def star_pattern(name: str) -> re.Pattern[str]:
    """A regular expression that matches destination names, for a name with at most one *, whose
    group is what the * stands for.

    >>> star_pattern("hsUtm*").fullmatch("hs_utm_source")[1]
    '_source'
    """
    return re.compile("(.+)".join(re.escape(destination_name(piece)) for piece in name.split("*")))


def nearest(name: str, known: Iterable[str], count: int = 1, likeness: float = NEAR) -> list[str]:
    """Up to `count` known names near to a name, the nearest first; `likeness` is how near they must
    be.

    >>> nearest("page_sise", ["page_size", "properties"]), nearest("page_sise", ["properties"])
    (['page_size'], [])
    """
    return difflib.get_close_matches(name, list(known), n=count, cutoff=likeness)
