"""Takes out of HubSpot's texts, where they enter, the token, however it is spelled, in whole or in
part, and control characters, which would forge lines of a log.
"""

import re
from array import array
from base64 import b64encode
from collections.abc import Callable, Iterator
from functools import partial

RUN = 8  # characters of the token in a row that are redacted; fewer reveal little
SHOWN = "<api_token>"
_PASSES = 3  # for one spelling inside another
_PUBLIC = re.compile("pat-[a-z]+[0-9]+-")  # what the tokens of all private apps begin with

# A character as it is escaped for JSON, a URL or HTML, or for one inside another of its kind; and
# what may stand between two characters. Every repeat is bounded, or garbage would take forever.
_ESCAPE = re.compile(
    r"\\{1,8}u\{?0{0,8}([0-9a-f]{2,4})\}?|\\{1,8}x\{?0{0,8}([0-9a-f]{2})\}?"
    r"|%(?:25){0,4}([0-9a-f]{2})|&(?:amp;){0,4}#(?:x0{0,8}([0-9a-f]{1,6})|0{0,8}(?P<decimal>[0-9]{1,7}));?"
    r"|\\{1,8}[nrt]?|\s{1,99}",
    re.IGNORECASE,
)
# of a terminal or a log: raw, or escaped in JSON (where an escaped backslash begins no escape)
_CONTROL = re.compile(
    r"(\\\\)|\\(?:[nrtbf]|u00[01][0-9a-f])|[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]"
)
_LOWER = {ord(char): char.lower() for char in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}  # never another length
_BASE64 = str.maketrans("-_", "+/")


def redactor(token: str) -> Callable[[str], str]:
    r"""A function that replaces in a text control characters, the token, and each part of it of
    eight characters or more, except the public prefix alone; also in capitals, broken over lines,
    in base64, or escaped for JSON, a URL or HTML, or for one inside another.

    >>> redactor("pat-1")(r"pat-1, \u0070\u0061t-1, %70at%2d1, &#x70;at&#45;1")
    '<api_token>, <api_token>, <api_token>, <api_token>'
    >>> redactor("pat-na1-0123456789abcdef")("pat-na1-…89abcdef, pat-na1-…cdef")
    'pat-na1-…<api_token>, pat-na1-…cdef'
    """
    public = _PUBLIC.match(token)
    prefix = public[0] if public else ""
    secret = token if len(token) < len(prefix) + RUN else token[len(prefix) :]
    return partial(
        _redact,
        prefix.translate(_LOWER),
        frozenset(_parts(secret.translate(_LOWER), RUN)),
        frozenset(_base64_parts(secret)),
    )


def one_line(text: str) -> str:
    r"""A text without control characters, each replaced by a space.

    >>> one_line("a\nb\x1b[2J"), one_line(r'{"a": "b\nc\\nd"}')
    ('a b [2J', '{"a": "b c\\\\nd"}')
    """
    return _CONTROL.sub(lambda found: found[1] or " ", text)


def _redact(prefix: str, parts: frozenset[str], base64_parts: frozenset[str], text: str) -> str:
    decoded, begins, ends = _decode(text)
    lower = decoded.translate(_LOWER)
    found = [*_places(lower, parts), *_places(decoded.translate(_BASE64), base64_parts)]
    pieces, copied = list[str](), 0
    for begin, end in _joined(sorted(found)):
        if prefix and lower.endswith(prefix, 0, begin):
            begin -= len(prefix)
        pieces += text[copied : begins[begin]], SHOWN
        copied = ends[end - 1]
    return one_line("".join([*pieces, text[copied:]]))


def _decode(text: str) -> tuple[str, "array[int]", "array[int]"]:
    """A text without escapes and white space, and where each of its characters begins and ends in
    the text as it was.
    """
    begins, ends = array("q", range(len(text))), array("q", range(1, len(text) + 1))
    for _ in range(_PASSES):
        decoded, copied = list[str](), 0
        new_begins, new_ends = array("q"), array("q")
        for escape in _ESCAPE.finditer(text):
            at, end = escape.span()
            decoded.append(text[copied:at])
            new_begins += begins[copied:at]
            new_ends += ends[copied:at]
            copied = end
            if digits := next(filter(None, escape.groups()), None):
                code = int(digits, 10 if escape["decimal"] else 16)
                decoded.append(chr(code) if code < 0x110000 else "\ufffd")
                new_begins.append(begins[at])
                new_ends.append(ends[end - 1])
        if not copied:
            break
        begins, ends = new_begins + begins[copied:], new_ends + ends[copied:]
        text = "".join([*decoded, text[copied:]])
    return text, begins, ends


def _parts(text: str, length: int) -> Iterator[str]:
    """Every part of a text of that length; the whole if it is shorter."""
    for at in range(max(1, len(text) - length + 1)):
        yield text[at : at + length]


def _base64_parts(secret: str) -> Iterator[str]:
    """What a secret looks like in base64, whatever stands before and after it: three ways, of which
    every part as long as RUN characters always make.
    """
    for shift in range(3 if len(secret) >= RUN else 0):
        bits = 8 * (shift + len(secret))
        whole = b64encode(bytes(shift) + secret.encode()).decode()[: bits // 6]
        yield from _parts(whole[-(-8 * shift // 6) :], 8 * RUN // 6 - 1)


def _places(text: str, parts: frozenset[str]) -> Iterator[tuple[int, int]]:
    """Yields where each of these parts stands in a text, overlapping or not."""
    for part in parts:
        at = text.find(part)
        while at >= 0:
            yield at, at + len(part)
            at = text.find(part, at + 1)


def _joined(places: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Sorted places, those that overlap or touch as one."""
    joined: tuple[int, int] | None = None
    for begin, end in places:
        if joined and begin <= joined[1]:
            joined = joined[0], max(joined[1], end)
            continue
        if joined:
            yield joined
        joined = begin, end
    if joined:
        yield joined
