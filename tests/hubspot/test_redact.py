"""A token that HubSpot echoes is never repeated, in any spelling, and not even in part."""

import html
import json
import re
import time
from urllib.parse import unquote

import pytest

from pipeline.errors import Refused
from pipeline.hubspot.client import Client
from tests.hubspot.clients import QUERY, TOKEN, error_of
from tests.hubspot.wire import Wire, http


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 530])
def test_an_echoed_token_is_redacted_from_errors_and_log(status, clock):
    context = {"requiredScopes": [f"scope-{TOKEN}"]}
    body = {
        "message": f"the limit of {TOKEN} is bad",
        "correlationId": f"{TOKEN}-1",
        "context": context,
    }
    logged = []
    with Wire(http(body, status)) as wire:
        _, text = error_of(wire, clock, max_outage=60_000, log=logged.append)
    assert "<api_token>" in text and not any(TOKEN in sentence for sentence in logged)


def each(write, text=TOKEN):
    return "".join(map(write, text))


SPELLINGS = {  # in the JSON
    "plain": TOKEN,
    "all as JSON": each(lambda c: f"\\u{ord(c):04x}"),
    "some as JSON": "\\u0070at\\u002D" + TOKEN[4:],
    "JSON in JSON": each(lambda c: f"\\\\u{ord(c):04X}"),
    "beside half an emoji": f"\\ud83d\\ude00\\u0070{TOKEN[1:]}\\ud83d\\ude00",
    "hexadecimal": each(lambda c: f"\\\\x{ord(c):02x}"),
    "in braces": each(lambda c: f"\\\\u{{{ord(c):x}}}"),
    "percent": each(lambda c: f"%{ord(c):02x}"),
    "percent of percent": each(lambda c: f"%25{ord(c):02X}"),
    "percent in JSON": each(lambda c: f"\\u0025{ord(c):02x}"),
    "entities": each(lambda c: f"&#{ord(c)};"),
    "hexadecimal entities": each(lambda c: f"&#x{ord(c):04X};"),
    "an entity without an end": "&#112" + TOKEN[1:],
    "entities of entities": each(lambda c: f"&amp;#{ord(c)};"),
    "some of each": each(lambda c: {"p": "%70", "a": "\\u0061", "-": "&#x2d;"}.get(c, c)),
    "capitals": TOKEN.upper(),
}  # fmt: skip


def seen(text):
    """The text with every escape in it decoded, as a reader may decode it."""
    for _ in range(3):
        text = html.unescape(
            unquote(
                re.sub(r"\\+[ux]\{?([0-9a-fA-F]+)\}?", lambda code: chr(int(code[1], 16)), text)
            )
        )
    return text.lower()


@pytest.mark.parametrize("status", [400, 401, 403, 500])
@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("padding", [0, 470, 480, 490])
def test_no_spelling_of_an_echoed_token_is_repeated_in_whole_or_in_part(
    status, spelling, padding, clock
):
    text = "x" * padding + SPELLINGS[spelling]
    body = (
        f'{{"message": "{text}", "correlationId": "{text}", "errors": [{{"context": '
        f'{{"missingScopes": ["{text}"]}}}}]}}'
    )
    assert TOKEN in seen(json.loads(body)["message"])
    with Wire(http(body.encode(), status)) as wire:
        message = seen(error_of(wire, clock, max_outage=1_000)[1])
    assert TOKEN[:9] not in message and TOKEN[-9:] not in message


def test_an_escaped_slash_does_not_hide_a_token(clock):
    token = "key/with/slashes+and=more"
    body = json.dumps({"message": token}).replace("/", "\\/")
    with (
        Wire(http(body.encode(), 400)) as wire,
        Client(token, wire.url, "2026-03") as client,
        pytest.raises(Refused) as raised,
    ):
        client.page(QUERY, clock)
    assert "with" not in str(raised.value)


@pytest.mark.parametrize("spelling", ["plain", "percent", "entities", "capitals"])
def test_no_spelling_of_a_token_in_a_location_is_repeated_in_whole_or_in_part(spelling, clock):
    with Wire(
        http(b"", 302, Location="http://127.0.0.1:1/" + "x" * 160 + SPELLINGS[spelling])
    ) as wire:
        assert TOKEN[:9] not in seen(error_of(wire, clock)[1])


@pytest.mark.parametrize("piece", ["\\", "\\u", "%25", "&amp;", "&#0", "pat-na1", "\\u0070at"])
def test_text_that_nearly_spells_the_token_many_times_is_redacted_fast(piece, clock):
    began = time.monotonic()
    with Wire(http({"message": piece * 200_000}, 400)) as wire:
        error_of(wire, clock)
    assert time.monotonic() - began < 5
