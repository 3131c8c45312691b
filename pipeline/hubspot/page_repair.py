"""Repair of a page that is complete but that orjson refuses: replaces what cannot be represented, and changes nothing else.

Half an emoji (a lone surrogate, from text cut by UTF-16 units), text that is not UTF-8, objects nested beyond any use, numbers
beyond any type: without this, one bad property would block a sync at that page forever.
"""
import math
import re
from collections.abc import Iterator

MAX_JSON_DEPTH = 200  # below what orjson reads (1,024) and writes (254)

# No pattern here repeats a group: on a page of garbage, that would take 65 bytes of memory per repeat.
_TOKEN = re.compile(
    rb"""\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}
    |(?P<half>\\u[dD][89a-fA-F][0-9a-fA-F]{2})
    |\\.
    |(?P<quote>")
    |(?P<open>[\[{]+)
    |(?P<close>[\]}]+)
    |(?P<odd>NaN|-?Infinity)
    |(?P<number>-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)""",
    re.DOTALL | re.VERBOSE,
)


def repair(body: bytes | bytearray) -> tuple[bytes, int]:
    r"""The body with what cannot be represented replaced, and the number of replacements: half a character by U+FFFD, a number
    beyond 64 bits by its text, NaN by null, what is nested too deep by a text that says so.

    >>> repair(b'{"a": "\\ud83d!", "b": "\\ud83d\\ude00", "c": 123456789012345678901}')
    (b'{"a": "\\ufffd!", "b": "\\ud83d\\ude00", "c": "123456789012345678901"}', 2)
    """
    text = body.decode("utf-8", "replace").encode()
    replaced = text.count("\ufffd".encode()) - body.count("\ufffd".encode())
    pieces: list[bytes] = []
    copied = 0
    for start, end, instead in _replacements(text):
        pieces += text[copied:start], instead
        copied, replaced = end, replaced + 1
    return b"".join([*pieces, text[copied:]]), replaced


def _replacements(text: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yields the start and end of each piece of the text to replace, and its replacement."""
    in_text, depth, cut_from = False, 0, 0
    for token in _TOKEN.finditer(text):
        kind, levels = token.lastgroup, token.end() - token.start()
        if kind == "quote":
            in_text = not in_text
        elif in_text:
            if kind == "half" and depth < MAX_JSON_DEPTH:
                yield *token.span(), b"\\ufffd"
        elif kind == "open":
            if depth < MAX_JSON_DEPTH <= depth + levels:
                cut_from = token.start() + MAX_JSON_DEPTH - depth - 1
            depth += levels
        elif kind == "close":
            if depth >= MAX_JSON_DEPTH > depth - levels:
                yield cut_from, token.start() + depth - MAX_JSON_DEPTH + 1, b'"(nested too deep)"'
            depth -= levels
        elif kind in ("odd", "number") and depth < MAX_JSON_DEPTH and not _fits(token.group()):
            yield *token.span(), b"null" if kind == "odd" else b'"' + token.group() + b'"'


def _fits(number: bytes) -> bool:
    """Whether a number fits into 64 bits: one of 19 digits may, one of fewer does, and a fraction has only to be finite."""
    digits = number.lstrip(b"-")
    if not digits.isdigit():
        return math.isfinite(float(number))
    return len(digits) < 19 or (len(digits) == 19 and -(2**63) <= int(number) < 2**63)
