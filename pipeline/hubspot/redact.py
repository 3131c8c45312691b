"""Redaction of the token in HubSpot's texts, however it is escaped there."""

import re
from collections.abc import Callable
from functools import partial


def redactor(token: str) -> Callable[[str], str]:
    r"""A function that replaces the token in a text, also where some or all of its characters are
    escaped: for JSON, for a URL, for HTML, or for one inside another.

    >>> redactor("pat-1")(r"pat-1, \u0070\u0061t-1, %70at%2d1, &#x70;at&#45;1")
    '<api_token>, <api_token>, <api_token>, <api_token>'
    """
    return partial(re.compile("".join(map(_spellings, token)), re.IGNORECASE).sub, "<api_token>")


def _spellings(char: str) -> str:
    """A pattern for a character and its escapes. Every repeat in it is bounded, or it would take
    forever on garbage.
    """
    decimal, code = ord(char), f"{ord(char):x}"
    return (
        rf"(?:\\{{0,8}}(?:{re.escape(char)}|[ux]\{{?0{{0,8}}{code}\}}?)"
        rf"|%(?:25){{0,4}}{code}"
        rf"|&(?:amp;){{0,4}}#(?:0{{0,8}}{decimal}|x0{{0,8}}{code});?)"
    )
