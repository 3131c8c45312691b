"""A token that HubSpot echoes is never repeated, in any spelling, and not even in part."""

import html
import json
import re
import time
from base64 import b64decode, b64encode, encodebytes, urlsafe_b64encode
from urllib.parse import unquote

import pytest

from pipeline.errors import Refused
from pipeline.hubspot.client import Client
from pipeline.hubspot.redact import redactor
from tests.hubspot.clients import QUERY, TOKEN, client_of
from tests.hubspot.wire import Wire, http


def each(write, text=TOKEN):
    return "".join(map(write, text))


SPELLINGS = {  # in the JSON
    "plain": TOKEN, "capitals": TOKEN.upper(), "an entity without an end": "&#112" + TOKEN[1:],
    "all as JSON": each(lambda c: f"\\u{ord(c):04x}"), "some as JSON": "\\u0070at\\u002D" + TOKEN[4:],
    "JSON in JSON": each(lambda c: f"\\\\u{ord(c):04X}"), "in braces": each(lambda c: f"\\\\u{{{ord(c):x}}}"),
    "beside half an emoji": f"\\ud83d\\ude00\\u0070{TOKEN[1:]}\\ud83d\\ude00",
    "hexadecimal": each(lambda c: f"\\\\x{ord(c):02x}"), "percent": each(lambda c: f"%{ord(c):02x}"),
    "percent of percent": each(lambda c: f"%25{ord(c):02X}"), "percent in JSON": each(lambda c: f"\\u0025{ord(c):02x}"),
    "entities": each(lambda c: f"&#{ord(c)};"), "hexadecimal entities": each(lambda c: f"&#x{ord(c):04X};"),
    "entities of entities": each(lambda c: f"&amp;#{ord(c)};"),
    "some of each": each(lambda c: {"p": "%70", "a": "\\u0061", "-": "&#x2d;"}.get(c, c)),
}  # fmt: skip


def seen(text):
    """The text with every escape in it decoded, as a reader may decode it."""
    for _ in range(3):
        text = html.unescape(unquote(re.sub(r"\\+[ux]\{?([0-9a-fA-F]+)\}?", lambda code: chr(int(code[1], 16)), text)))
    return text.lower()


@pytest.mark.parametrize("status, padding", [(302, 160), (400, 0), (401, 470), (403, 480), (500, 490), (500, 480)])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_no_spelling_of_an_echoed_token_is_repeated_in_whole_or_in_part(status, spelling, padding, answered):
    text, logged = "x" * padding + SPELLINGS[spelling], []
    body = f'{{"message": "{text}", "correlationId": "{text}", "errors": [{{"context": {{"missingScopes": ["{text}"]}}}}]}}'
    assert TOKEN in seen(json.loads(body)["message"])
    location = {"Location": f"http://127.0.0.1:1/{text}"}
    _, message = answered(body.encode(), status, location, max_outage=60_000, log=logged.append)
    assert bool(logged) == (status == 500)
    for sentence in map(seen, [message, *logged]):
        assert TOKEN[:9] not in sentence and TOKEN[-9:] not in sentence


SECRET = TOKEN.removeprefix("pat-na1-")
PARTS = {
    "abbreviated": f"{TOKEN[:20]}…{TOKEN[-8:]}", "with asterisks": f"{TOKEN[:16]}********", "without its prefix": SECRET,
    "the end": SECRET[-12:], "broken by a newline": f"{TOKEN[:14]}\n{TOKEN[14:]}", "broken by lines": "\r\n  ".join(TOKEN),
    "broken by an escaped newline": f"{TOKEN[:14]}\\n{TOKEN[14:]}", "capitals without its prefix": SECRET.upper(),
    "escaped without its prefix": each(lambda c: f"%{ord(c):02x}", SECRET),
    **{f"in base64 after {before!r}": b64encode(f"{before}{TOKEN}:x".encode()).decode() for before in ("", "u", "me", "abc")},
    "in base64 for a URL": urlsafe_b64encode(f"Bearer {TOKEN}".encode()).decode().rstrip("="),
    "in base64 without its prefix": b64encode(SECRET.encode()).decode(),
    "in base64, abbreviated": b64encode(TOKEN.encode()).decode()[15:45],
    "in base64 by lines": encodebytes(f"{'x' * 40}{TOKEN}".encode()).decode(),
}  # fmt: skip


def runs(text, of=SECRET):
    """The parts of eight characters of the secret that a reader finds in a text: as it is, without
    white space, or decoded from base64 from any of its characters on.
    """
    bare = re.sub(r"\s|\\[nrt]", "", seen(text))
    words = re.findall(r"[A-Za-z0-9+/]{12,}", re.sub(r"\s", "", text).translate(str.maketrans("-_", "+/")))
    texts = [word[at : at + (len(word) - at) // 4 * 4] for word in words for at in range(4)]
    clear = [bare, *(b64decode(text).decode("latin-1") for text in texts)]
    return [of[n : n + 8] for n in range(len(of) - 7) if any(of[n : n + 8] in each for each in clear)]


@pytest.mark.parametrize("spelling", PARTS)
@pytest.mark.parametrize("status", [400, 500])
def test_no_part_of_an_echoed_token_is_repeated(spelling, status, answered):
    text = f"The token {PARTS[spelling]} is bad."
    assert runs(text)
    for body in ({"message": text, "correlationId": PARTS[spelling]}, text.encode()):
        _, message = answered(body, status, max_outage=1_000)
        assert not runs(message) and "<api_token>" in message


def test_the_rest_of_a_text_and_the_public_prefix_stay():
    text = f'Tokens begin with "pat-na1-"; 100%, a\\\\nb &amp; c, \u00e9, %20: UXVpdGU=. {TOKEN[:14]}'
    assert redactor(TOKEN)(text) == text
    assert redactor(TOKEN)(f"{text} but {TOKEN}!") == f"{text} but <api_token>!"


def test_an_escaped_slash_does_not_hide_a_token(clock):
    token = "key/with/slashes+and=more"
    answer = http(json.dumps({"message": token}).replace("/", "\\/").encode(), 400)
    with Wire(answer) as wire, Client(token, wire.url, "2026-03") as client, pytest.raises(Refused) as raised:
        client.page(QUERY, clock)
    assert "with" not in str(raised.value)


@pytest.mark.parametrize("piece", ["\\", "\\u", "%25", "&amp;", "&#0", "pat-na1", "\\u0070at"])
def test_text_that_nearly_spells_the_token_many_times_is_redacted_fast(piece, answered):
    began = time.process_time()
    answered({"message": piece * 100_000})
    assert time.process_time() - began < 5


FORGED = [
    "\n2026-05-21 INFO sync succeeded", "\r\x1b[2J", "\x1b]8;;http://127.0.0.1\x07", "\u2028x", "\x85y", "\u202ez",
]  # fmt: skip


@pytest.mark.parametrize("forged", FORGED, ids=ascii)
@pytest.mark.parametrize("status", [302, 400, 403, 429, 500])
def test_no_text_of_hubspot_forges_a_line_or_moves_a_cursor(status, forged, answered):
    text = f"No{forged}"
    said = {"message": text, "correlationId": text, "category": text, "policyName": text,
            "errors": [{"message": text, "code": text}], "context": {"requiredScopes": [text]}}  # fmt: skip
    location, logged = {"Location": "http://127.0.0.1/\x1b[2J"}, []
    for body in (said, text.encode(), json.dumps(said, ensure_ascii=False).encode()):
        _, message = answered(body, status, location, max_outage=60_000, log=logged.append)
        assert message.isprintable() and all(map(str.isprintable, logged))


def test_no_name_of_an_event_type_does(clock):
    names = [f"e_a{forged}" for forged in FORGED]
    with Wire(http({"eventTypes": names})) as wire, client_of(wire) as client:
        assert all(name.isprintable() for name in client.event_types(clock))
