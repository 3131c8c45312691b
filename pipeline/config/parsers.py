"""Parsers: each turns the text of a key into its value, or raises ValueError with what would be
valid.
"""

import re
from collections.abc import Callable, Iterable
from itertools import combinations
from urllib.parse import urlsplit

from pipeline.hubspot.address import DOMAIN, HUBSPOT, is_loopback, takes_tokens
from pipeline.names.columns import RESERVED, is_fixed
from pipeline.names.destination import destination_name
from pipeline.names.patterns import star_pattern
from pipeline.timestamps import MINUTE, to_ms

# how `fivetran configuration` saves a secret; `fivetran` commands pass on the secret itself
ENCRYPTED = "fivetran_encrypted:"
PLACEHOLDER = "your-access-token"  # in configuration.json.example


def secret(text: str) -> str:
    if text.startswith(ENCRYPTED):
        raise ValueError(
            "only `fivetran` commands can read this encrypted value: use a configuration file with the value itself"
        )
    return text


def token(text: str) -> str:
    secret(text)
    if text == PLACEHOLDER:
        raise ValueError("put your own access token in the place of the example's")
    if not re.fullmatch(r"[!-~]+", text):  # anything else cannot stand in an HTTP header
        raise ValueError("give the token without spaces, line breaks or the word 'Bearer'")
    return text


def date_to_ms(text: str) -> int:
    try:
        return to_ms(text)
    except ValueError:
        raise ValueError("give an ISO 8601 date such as 2026-01-01T00:00:00Z") from None


def event_types(text: str) -> tuple[str, ...]:
    names = _items(text)
    if not all(re.fullmatch(r"!?[A-Za-z0-9_.*?-]{1,255}", name) for name in names):
        raise ValueError(
            "give names and patterns, separated by commas, such as e_visited_page, pe*_signup, !e_*_metadata"
        )
    if not names:
        raise ValueError("give at least one name, such as e_visited_page")
    if all(name.startswith("!") for name in names):
        raise ValueError("exclusions alone select nothing: add * to select everything else")
    return names


def _items(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(item.strip() for item in text.split(",") if item.strip()))


def one_of(choices: tuple[str, ...]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(f"give one of {', '.join(choices)}")
        return text

    return read


def single_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.-]{0,255}", text):
        raise ValueError("give one name or id: only letters, digits, _, . and -")
    return text


def property_filters(text: str) -> tuple[tuple[str, str], ...]:
    pairs = _pairs(item for item in text.split(";") if item.strip())
    names = [name for name, _ in pairs]
    if not all(name and value for name, value in pairs) or len(set(names)) < len(names):
        raise ValueError(
            "give name=value, each name once, separated by semicolons: hs_country=germany; hs_browser=Chrome"
        )
    return pairs


def _pairs(items: Iterable[str]) -> tuple[tuple[str, str], ...]:
    return tuple((name.strip(), value.strip()) for name, _, value in (item.partition("=") for item in items))


def patterns(text: str) -> tuple[str, ...]:
    words = _items(text)
    if not all(re.fullmatch(r"[^\s=;!]+", word) for word in words):
        raise ValueError("give names and patterns, separated by commas, such as hs_user_agent, *email*")
    return words


def plain_names(text: str) -> tuple[str, ...]:
    names = _items(text)
    if not all(re.fullmatch(r"[^\s=;!*?]+", name) for name in names):
        raise ValueError("give names separated by commas, such as hs_url, hs_title")
    return names


def columns(text: str) -> tuple[str, ...]:
    columns = patterns(text)
    if fixed := [column for column in columns if is_fixed(column)]:
        raise ValueError(f"{', '.join(fixed)} cannot be changed: rows are identified and ordered by it")
    return columns


def renames(text: str) -> tuple[tuple[str, str], ...]:
    pairs = _pairs(_items(text))
    if not all(re.fullmatch(r"[^\s=*?]+|[^\s=*?]*\*[^\s=*?]*", old) and new for old, new in pairs):
        raise ValueError("give old=new, separated by commas, such as hs_url=page_url; one * may stand on both sides")
    if not all(
        re.fullmatch(r"(?!\*$)[A-Za-z_*][A-Za-z0-9_*]*", new) and old.count("*") == new.count("*") for old, new in pairs
    ):
        raise ValueError(
            "give new names of letters, digits and _; include * exactly where the old name does, never alone"
        )
    if uneven := [f"{old}={new}" for old, new in pairs if "*" in old and _edges(old) != _edges(new)]:
        raise ValueError(f"{', '.join(uneven)}: put the same _ before and after the * on both sides, as in hs_*=page_*")
    if fixed := [old for old, _ in pairs if is_fixed(old)]:
        raise ValueError(f"{', '.join(fixed)} cannot be changed: rows are identified and ordered by it")
    if taken := [new for _, new in pairs if destination_name(new) in RESERVED or new.startswith("properties")]:
        raise ValueError(f"{', '.join(taken)} is a name that every table has, or may have: give another new name")
    for (old, new), (other_old, other_new) in combinations(pairs, 2):
        if destination_name(old) == destination_name(other_old) or _can_meet(new, other_new):
            raise ValueError(
                f"{old}={new} and {other_old}={other_new} can meet in one column: name each old "
                "column and each new one once"
            )
    return pairs


def _edges(name: str) -> tuple[bool, bool]:
    begin, end = name.split("*")
    return begin.endswith("_"), end.startswith("_")


def _can_meet(name: str, other: str) -> bool:
    """Whether two names, each with at most one *, can stand for the same column.

    >>> _can_meet("page_*", "page_url"), _can_meet("page_*", "p*"), _can_meet("page_*", "utm_*")
    (True, True, False)
    """
    if "*" not in other:
        return bool(star_pattern(name).fullmatch(destination_name(other)))
    if "*" not in name:
        return _can_meet(other, name)
    begin, end = map(destination_name, name.split("*"))
    other_begin, other_end = map(destination_name, other.split("*"))
    begins = begin.startswith(other_begin) or other_begin.startswith(begin)
    return begins and (end.endswith(other_end) or other_end.endswith(end))


def whole_number(low: int, high: int, unit: str, times: int = 1) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,12}", text) or not low <= int(text) <= high:
            raise ValueError(f"give a whole number of {unit} from {low} to {high}")
        return int(text) * times

    return read


def minutes_to_ms(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,6})?", text) or not 0 < float(text) <= 1440:
        raise ValueError("give a number of minutes above 0, up to 1440")
    return max(1, int(float(text) * MINUTE))


def base_url(text: str) -> str:
    expected = (
        f"give {HUBSPOT}, or another host of {DOMAIN}, without a path; the token is sent nowhere "
        "else, except to this machine (http is allowed there: http://127.0.0.1:8000)"
    )
    try:
        url = urlsplit(text)
        host, _ = url.hostname or "", url.port  # reading the port checks it
    except ValueError:
        raise ValueError(expected) from None
    safe = url.scheme == "https" or (url.scheme == "http" and is_loopback(host))
    plain = "@" not in url.netloc and url.path in ("", "/") and not url.query and not url.fragment
    if not (safe and plain and takes_tokens(host) and re.fullmatch(r"[A-Za-z0-9.:-]+", host)):
        raise ValueError(expected)
    return f"{url.scheme}://{url.netloc}"
