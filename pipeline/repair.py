"""A page that is whole but that orjson refuses, made readable: what cannot be represented is replaced, nothing else changes.

Half of an emoji (a lone surrogate, from text cut by UTF-16 units), text that is no UTF-8, objects nested beyond any use,
numbers beyond any type: without this one bad property would keep a sync on its page for ever.
"""
import math
import re
from collections.abc import Iterator

MOST_LEVELS = 200  # below what orjson reads (1,024) and writes (254)
INT64_DIGITS = 19

_TEXT = rb'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)'  # one cut short ends at the end, or each of its quotes would be tried
_BRACKETS = re.compile(_TEXT + rb"|(?P<open>[\[{]+)|(?P<close>[\]}]+)", re.DOTALL)
_VALUE = re.compile(
    rb"(?P<text>" + _TEXT + rb")|(?P<odd>NaN|-?Infinity)|(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)", re.DOTALL
)
_ESCAPE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<half>\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\.", re.DOTALL
)


def repair(body: bytes | bytearray) -> tuple[bytes, int]:
    """The body with what cannot be represented replaced, and in how many values: half a character by U+FFFD, a
    number beyond 64 bits by its text, NaN by null, what is nested too deep by a text that says so.

    >>> repair(b'{"a": "\\\\ud83d!", "b": "\\\\ud83d\\\\ude00", "c": 123456789012345678901}')
    (b'{"a": "\\\\ufffd!", "b": "\\\\ud83d\\\\ude00", "c": "123456789012345678901"}', 2)
    """
    text = body.decode("utf-8", "replace").encode()
    replaced = text.count("\ufffd".encode()) - body.count("\ufffd".encode())
    shallow = list(_without_depths(text))
    replaced += len(shallow) // 2

    def instead(value: "re.Match[bytes]") -> bytes:
        nonlocal replaced
        found = value.group()
        if value.lastgroup == "text":
            if b"\\u" in found:
                found = _ESCAPE.sub(lambda escape: b"\\ufffd" if escape["half"] else escape.group(), found)
                replaced += found != value.group()
            return found
        if value.lastgroup == "odd" or not _fits(found):
            replaced += 1
            return b"null" if value.lastgroup == "odd" else b'"' + found + b'"'
        return found

    return _VALUE.sub(instead, b"".join(shallow)), replaced


def _without_depths(text: bytes) -> Iterator[bytes]:
    """The text in pieces: what stays and what stands for something nested too deep, in turn."""
    depth, kept_from, cut_from = 0, 0, 0
    for token in _BRACKETS.finditer(text):
        levels = len(token.group())
        if token.lastgroup == "open":
            if depth < MOST_LEVELS <= depth + levels:
                cut_from = token.start() + MOST_LEVELS - depth - 1
            depth += levels
        elif token.lastgroup == "close":
            if depth >= MOST_LEVELS > depth - levels:
                yield text[kept_from:cut_from]
                yield b'"(nested too deep)"'
                kept_from = token.start() + depth - MOST_LEVELS + 1
            depth -= levels
    yield text[kept_from:]


def _fits(number: bytes) -> bool:
    if number.lstrip(b"-").isdigit():
        return len(number.lstrip(b"-")) < INT64_DIGITS
    return math.isfinite(float(number))
