"""Repair of a page that is complete but that orjson refuses: replaces what cannot be represented,
and changes nothing else.

Half an emoji (a lone surrogate, from text cut by UTF-16 units), text that is not UTF-8, objects
nested beyond any use, numbers beyond any type: without this, one bad property would block a sync at
that page forever.
"""

import json
import math
import re
from typing import Any

import orjson

MAX_JSON_DEPTH = 254  # what orjson writes; it reads 1,024, and json as much as the stack holds

# No pattern here repeats a group: on a page of garbage, that would take 65 bytes of memory per
# repeat.
_HIGH, _LOW = rb"\\u[dD][89abAB][0-9a-fA-F]{2}", rb"\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_HALF = re.compile(
    rb"\\u[dD](?:[89abAB][0-9a-fA-F]{2}(?!%b)|[c-fC-F][0-9a-fA-F]{2}(?<!%b%b))"
    % (_LOW, _HIGH, _LOW)
)
_TOKEN = re.compile(r'"[^"]*"|(?P<open>[\[{]+)|(?P<close>[\]}]+)')


def repair(body: bytes | bytearray) -> tuple[Any, int]:
    r"""The JSON of a body with what cannot be represented replaced, and the number of replacements:
    half a character by U+FFFD, a number beyond 64 bits by its text, NaN by null, what is nested too
    deep by a text that says so.

    Raises ValueError for a body that is not JSON, and RecursionError for one that never ends its
    nesting.

    >>> repair(b'{"a": "\\ud83d!", "b": "\\ud83d\\ude00", "c": 123456789012345678901}')
    ({'a': '\ufffd!', 'b': '\U0001f600', 'c': '123456789012345678901'}, 2)
    """
    body = body.replace(
        rb"\\", rb"\u005c"
    )  # the same character; now each backslash begins an escape
    whole, halves = _HALF.subn(rb"\\ufffd", body)
    text = whole.decode("utf-8", "replace")
    replaced = halves + text.count("\ufffd") - body.count("\ufffd".encode())
    try:
        answer, numbers = _read(text)
    except RecursionError:
        text, cuts = _without_depth(text)
        answer, numbers = _read(text)
        replaced += cuts
    return answer, replaced + numbers


def _read(text: str) -> tuple[Any, int]:
    """The JSON of a text, and how many of its numbers had to be replaced. Raises RecursionError if
    it is nested too deep.
    """
    replaced = 0

    def instead(value: str | None) -> str | None:
        nonlocal replaced
        replaced += 1
        return value

    def whole(digits: str) -> int | str | None:
        fits = len(digits) <= 20 and -(2**63) <= int(digits) < 2**63
        return int(digits) if fits else instead(digits)

    def fraction(digits: str) -> float | str | None:
        return float(digits) if math.isfinite(float(digits)) else instead(digits)

    answer = json.loads(
        text, parse_int=whole, parse_float=fraction, parse_constant=lambda name: instead(None)
    )
    try:
        orjson.dumps(answer)
    except orjson.JSONEncodeError:
        raise RecursionError from None
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
