"""Repairs a page that is complete but that orjson refuses, or would round: replaces what cannot be
represented, and changes nothing else.

Half an emoji (a lone surrogate, from text cut by UTF-16 units), text that is not UTF-8, objects
nested beyond any use, numbers beyond any type: without this, one bad property would block a sync at
that page forever. Integers beyond 64 bits, of which orjson makes floats without a word, are kept.
"""

import json
import math
import re
from typing import Any

MAX_JSON_DEPTH = 254  # what orjson writes; it reads 1,024, and json as much as the stack holds
MAX_DIGITS = 4_000  # of a number; Python makes integers of 4,300 at most

# Integers beyond 64 bits have 20 digits or more: four in a row among every fifth byte of the page,
# ten among every second. Those are looked for first, since searching every byte costs more than
# parsing.
_SAMPLES = ((5, b"0000"), (2, b"0000000000"))
_DIGITS_AS_0 = bytes(b"0"[0] if byte in b"0123456789" else 0 for byte in range(256))
_LARGE = re.compile(rb"[\s:,\[]-?[0-9]{20}")

# No pattern here repeats a group: on a page of garbage, that would take 65 bytes of memory per
# repeat.
_HIGH, _LOW = rb"\\u[dD][89abAB][0-9a-fA-F]{2}", rb"\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_HALF = re.compile(rb"\\u[dD](?:[89abAB][0-9a-fA-F]{2}(?!%b)|[c-fC-F][0-9a-fA-F]{2}(?<!%b%b))" % (_LOW, _HIGH, _LOW))
_TOKEN = re.compile(r'"[^"]*"|(?P<open>[\[{]+)|(?P<close>[\]}]+)')


def may_be_rounded(body: bytes | bytearray) -> bool:
    """Whether a body may hold an integer beyond 64 bits: true of all that do, and of few others.

    >>> may_be_rounded(b'{"n": 18446744073709551617}'), may_be_rounded(b'{"n": "18446744073709551617"}')
    (True, False)
    """
    for step, run in _SAMPLES:
        digits = body[::step].translate(_DIGITS_AS_0)
        found = digits.find(run)
        if found < 0:
            return False
    while found >= 0:
        at = found * step
        if _LARGE.search(body, max(0, at - step - 1), at + 30):
            return True
        found = digits.find(run, found + len(run))
    return False


def repair(body: bytes | bytearray) -> tuple[Any, int]:
    r"""The JSON of a body with what cannot be represented replaced, and the number of replacements:
    half a character becomes U+FFFD, a number beyond any type its text, NaN null, and what is nested
    too deep a text that says so.

    Raises ValueError for a body that is not JSON, and RecursionError for one that never ends its
    nesting.

    >>> repair(b'{"a": "\\ud83d!", "b": "\\ud83d\\ude00", "c": 123456789012345678901}')
    ({'a': '\ufffd!', 'b': '\U0001f600', 'c': 123456789012345678901}, 1)
    """
    # the same character; now each backslash begins an escape
    body = body.replace(rb"\\", rb"\u005c")
    whole, halves = _HALF.subn(rb"\\ufffd", body)
    text = whole.decode("utf-8", "replace")
    replaced = halves + text.count("\ufffd") - body.count("\ufffd".encode())
    text, cuts = _without_depth(text)
    answer, numbers = _read(text)
    return answer, replaced + cuts + numbers


def _read(text: str) -> tuple[Any, int]:
    """The JSON of a text, and how many of its numbers had to be replaced."""
    replaced = 0

    def instead(value: str | None) -> str | None:
        nonlocal replaced
        replaced += 1
        return value

    def whole(digits: str) -> int | str | None:
        return int(digits) if len(digits) <= MAX_DIGITS else instead(digits)

    def fraction(digits: str) -> float | str | None:
        return float(digits) if math.isfinite(float(digits)) else instead(digits)

    answer = json.loads(text, parse_int=whole, parse_float=fraction, parse_constant=lambda name: instead(None))
    return answer, replaced


def _without_depth(text: str) -> tuple[str, int]:
    """The text of some JSON without what is nested deeper than MAX_JSON_DEPTH, and the number of
    cuts.
    """
    pieces: list[str] = []
    copied = depth = cut_from = 0
    for token in _TOKEN.finditer(text.replace(r"\"", "__")):
        if token.lastgroup is None:
            continue
        levels = token.end() - token.start()
        if token.lastgroup == "open":
            if depth <= MAX_JSON_DEPTH < depth + levels:
                cut_from = token.start() + MAX_JSON_DEPTH - depth
            depth += levels
        else:
            if depth - levels <= MAX_JSON_DEPTH < depth:
                pieces += text[copied:cut_from], '"(nested too deep)"'
                copied = token.start() + depth - MAX_JSON_DEPTH
            depth -= levels
    return "".join([*pieces, text[copied:]]), len(pieces) // 2
