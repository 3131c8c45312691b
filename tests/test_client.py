"""The client against a HubSpot that fails in every way it can: what is tried again, what is raised, what is never shown."""
import gzip
import html
import json
import re
import socketserver
import threading
import time
from contextlib import suppress
from email.utils import formatdate
from types import SimpleNamespace
from urllib.parse import unquote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline import client as module
from pipeline import clock as clock_module
from pipeline import quota
from pipeline.client import Client
from pipeline.errors import BadAnswer, ConnectorError, QuotaSpent, Refused, Stopped, Unauthorized, Unavailable
from pipeline.moments import to_ms
from simulator import Behaviour, Simulator, generated
from tests.support import END, START

TYPE = "e_visited_page"
TOKEN = "pat-na1-5ec2e75e-c2e7-4a11-9b0d-0123456789ab"
QUERY = {"eventType": TYPE, "limit": 50}
T0 = to_ms("2035-01-01T00:00:00Z")
HISTORY = generated(120, START, END)
TRUTH = [HISTORY.event(i) for i in range(120)]
law = settings(deadline=None, max_examples=100)


def served(**behaviour):
    return Simulator({TYPE: HISTORY}, Behaviour(**behaviour))


def client_of(server, version="2026-03", **options):
    return Client(TOKEN, server.url, version, **options)


class Clock(threading.Event):
    """A stop event whose waits take no time but this clock's, which is also the client's."""

    def __init__(self):
        super().__init__()
        self.seconds, self.waits, self.set_at_wait = 1_000.0, [], False

    def wait(self, timeout=None):
        self.waits.append(timeout)
        self.seconds += timeout
        if self.set_at_wait:
            self.set()
        return self.is_set()

    def hubspot(self):
        return T0 + int((self.seconds - 1_000) * 1000)


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    for timed in (module, quota, clock_module):
        monkeypatch.setattr(timed, "time", SimpleNamespace(monotonic=lambda: clock.seconds))
    return clock


class Wire:
    """A server that answers with exactly these bytes (or pieces of them), request by request, the last one ever after."""

    def __init__(self, *answers):
        self.answers, self.heads = list(answers), []

    def __enter__(self):
        wire = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                lines = iter(self.rfile.readline, b"\r\n")
                wire.heads.append(b"".join(lines).decode())
                answer = wire.answers[0] if len(wire.answers) == 1 else wire.answers.pop(0)
                with suppress(OSError):
                    for piece in [answer] if isinstance(answer, bytes) else answer:
                        self.wfile.write(piece)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def http(body, status=200, length=True, **headers):
    if isinstance(body, dict):
        body = json.dumps(body).encode()
    if length:
        headers["Content-Length"] = len(body)
    lines = [f"HTTP/1.1 {status} x", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "\r\n"]).encode() + body


def chunked(body, size, **headers):
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    frame = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return http(frame + b"0\r\n\r\n", length=False, Transfer_Encoding="chunked", **headers)


GOOD = http({"results": [{"id": "a"}]})


# The good case


@pytest.mark.parametrize(
    "version, path",
    [
        ("v3", "/events/v3/events"),
        ("2025-09", "/events/event-occurrences/2025-09"),
        ("2026-03", "/events/event-occurrences/2026-03"),
        ("2026-09", "/events/event-occurrences/2026-09"),
    ],
)
def test_a_page_and_the_event_types_come_from_the_versions_own_paths(version, path):
    with served(extra_event_types=("ae2_x",)) as sim, client_of(sim, version) as client:
        assert client.page({**QUERY, "occurredAfter": START}).results == TRUTH[:50]
        assert client.event_types() == [TYPE, "ae2_x"]
    first, second = sim.requests
    assert (first.path, second.path) == (path, f"{path}/event-types")
    assert first.query == {"eventType": [TYPE], "limit": ["50"], "occurredAfter": [START]}
    assert first.headers["authorization"] == f"Bearer {TOKEN}" and "json" in first.headers["accept"]


def test_a_cursor_is_decoded_once_and_leads_through_every_page():
    with served(cursor_decodes="once", cursors="strict") as sim, client_of(sim) as client:
        found, after = [], None
        while page := client.page(QUERY | ({"after": after} if after else {})):
            found += page.results
            after = page.after
            if after is None:
                break
    assert found == TRUTH and len(sim.requests) == 3
    assert not any("%" in text for asked in sim.requests for text in asked.query.get("after", []))


NEXT = {"link": "https://api.hubapi.com/events/v3/events?limit=50&after=MTc0Mw%3D%3D&eventType=e_a"}


@pytest.mark.parametrize(
    "paging, after",
    [
        ({"next": {"after": "MTc0Mw%3D%3D"}}, "MTc0Mw=="),
        ({"next": {"after": "MTc0Mw=="}}, "MTc0Mw=="),
        ({"next": {"after": "a%2Bb%2Fc%3D"}}, "a+b/c="),
        ({"next": {"after": "a+b/c="}}, "a+b/c="),
        ({"next": {"after": 1743}}, "1743"),
        ({"next": {"after": "MTc0Mw%3D%3D", "link": 7}, "total": 7}, "MTc0Mw=="),
        ({"next": NEXT}, "MTc0Mw=="),
        *(({"next": {"after": unreadable, **NEXT}}, "MTc0Mw==") for unreadable in ("", None, {}, [], True)),
        ({"next": {"link": "?after=a%2Bb#top"}}, "a+b"),
    ],
)
def test_what_the_next_pages_cursor_is(paging, after):
    with Wire(http({"results": [], "paging": paging}), GOOD) as wire, client_of(wire) as client:
        page = client.page(QUERY)
        assert page.after == after and not page.unclear
        client.page({**QUERY, "after": after})
    sent = after.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")
    assert f"&after={sent} " in wire.heads[1]


LAST = [{}, {"paging": None}, {"paging": {}}, {"paging": {"next": None}}, {"paging": {"total": 7}}]


@pytest.mark.parametrize("paging", LAST, ids=str)
def test_a_page_that_names_no_next_plainly_is_the_last(paging):
    with Wire(http({"results": [], **paging})) as wire, client_of(wire) as client:
        page = client.page(QUERY)
    assert page.after is None and not page.unclear


UNREADABLE = [[], "more", 7, True, *({"next": value} for value in (
    {}, [], "x", 7, True, False, {"after": ""}, {"after": None}, {"after": []}, {"after": 1.5}, {"after": True}, {"link": None},
    {"link": "https://api.hubapi.com/?limit=5"}, {"link": "?after="}, {"link": "?hereafter=x"},
))]  # fmt: skip


@pytest.mark.parametrize("paging", UNREADABLE, ids=str)
def test_paging_that_cannot_be_read_is_unclear_and_no_last_page(paging):
    with Wire(http({"results": [{"id": "a"}], "paging": paging})) as wire, client_of(wire) as client:
        page = client.page(QUERY)
    assert page.after is None and page.unclear and page.results == [{"id": "a"}]
    assert len(wire.heads) == 1


def test_a_cursor_that_repeats_is_given_back_for_the_walk_to_judge(clock):
    with served(fault=lambda asked: "repeat_cursor" if "after" in asked.query else None) as sim, client_of(sim) as client:
        after = client.page(QUERY, clock).after
        assert client.page({**QUERY, "after": after}, clock).after == after
    assert len(sim.requests) == 2


BIG = json.dumps({"results": [{"id": str(n), "properties": {"hs_url": "/" * 50}} for n in range(5_000)]}).encode()


@pytest.mark.parametrize(
    "answer",
    [
        http(gzip.compress(BIG), Content_Encoding="gzip"),
        chunked(BIG, 1_000),
        chunked(gzip.compress(BIG), 7, Content_Encoding="gzip"),
        http(BIG, length=False),
    ],
    ids=["gzip", "chunked", "chunked gzip", "until the end of the connection"],
)
def test_a_body_is_read_whole_however_it_is_sent(answer):
    with Wire(answer) as wire, client_of(wire) as client:
        page = client.page(QUERY)
    assert len(page.results) == 5_000 and page.size == len(BIG)
    assert len(wire.heads) == 1


def test_a_cut_emoji_does_not_cost_the_page():
    with served(faults={1: "lone_surrogate"}) as sim, client_of(sim, max_outage=0) as client:
        assert [event["id"] for event in client.page(QUERY).results] == [event["id"] for event in TRUTH[:50]]


def test_a_whole_number_too_large_for_any_column_becomes_a_float_as_in_the_sdk():
    with served(faults={1: "huge_int"}) as sim, client_of(sim) as client:
        assert float("1234567890" * 4) in client.page(QUERY).results[0]["properties"].values()


def test_an_object_nested_beyond_use_does_not_cost_the_page():
    with served(faults={1: "deep"}) as sim, client_of(sim, max_outage=0) as client:
        assert [event["id"] for event in client.page(QUERY).results] == [event["id"] for event in TRUTH[:50]]


# What is tried again


PASSING = [
    "423", "429", "429:no-retry-after", "477", "500", "502", "503", "504", *map(str, range(520, 528)), "html", "empty", "cut",
    "cut_clean", "reset", "no_results", "results_null", "results_string",
]  # fmt: skip


@pytest.mark.parametrize("kind", PASSING)
def test_what_passes_is_asked_again_until_the_page_is_whole(kind, clock):
    with served(faults={1: kind, 2: kind}) as sim, client_of(sim) as client:
        assert client.page(QUERY, clock).results == TRUTH[:50]
    assert len(sim.requests) == 3 and len(clock.waits) == 2
    assert sim.requests[0].query == sim.requests[2].query


@pytest.mark.parametrize(
    "answer",
    [
        chunked(BIG, 1_000)[:200_000],
        chunked(BIG, 1_000)[:-5],
        http(gzip.compress(BIG)[:-100], Content_Encoding="gzip"),
        http(BIG, Content_Encoding="gzip"),
        http(b"[]"),
        http(b"null"),
        http({"results": [], "paging": {}}, status=204, length=False),
        b"",
        b"garbage\r\n\r\n",
    ],
    ids=["cut in a chunk", "cut between chunks", "cut gzip", "no gzip", "a list", "null", "204", "nothing", "no HTTP"],
)
def test_an_answer_that_is_none_is_asked_again(answer, clock):
    with Wire(answer, GOOD) as wire, client_of(wire) as client:
        assert client.page(QUERY, clock).results == [{"id": "a"}]
    assert len(wire.heads) == 2


def test_an_answer_that_hangs_is_asked_again(monkeypatch, clock):
    monkeypatch.setattr(module, "TIMEOUTS", (1.0, 0.1))
    with served(faults={1: "hang"}) as sim, client_of(sim) as client:
        assert client.page(QUERY, clock).results == TRUTH[:50]
    assert len(sim.requests) == 2


def dripping(head=b"HTTP/1.1 200 OK\r\n\r\n", step=lambda: time.sleep(0.01)):
    yield head
    while True:
        yield b" "
        step()


DRIPS = {"status line": b"HTTP/1.1 200 ", "headers": b"HTTP/1.1 200 OK\r\nX-Slow: ", "body": b"HTTP/1.1 200 OK\r\n\r\n"}


@pytest.mark.parametrize("part", DRIPS)
def test_a_dripping_answer_ends_at_a_deadline_and_is_asked_again(part, monkeypatch):
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.1)
    began = time.monotonic()
    with Wire(dripping(DRIPS[part]), GOOD) as wire, client_of(wire) as client:
        assert client.page(QUERY).results == [{"id": "a"}]
    assert len(wire.heads) == 2 and time.monotonic() - began < 5


def test_a_body_beyond_all_pages_is_given_up(monkeypatch):
    monkeypatch.setattr(module, "ANSWER_BYTES", 10_000)
    with Wire(dripping(step=lambda: None)) as wire, client_of(wire) as client, pytest.raises(BadAnswer, match="page_size"):
        client.page(QUERY)
    assert len(wire.heads) == 1


def test_the_waits_grow_and_are_jittered(clock, monkeypatch):
    monkeypatch.setattr(module.backoff, "full_jitter", lambda most: most)
    with served(fault=lambda asked: "500") as sim, client_of(sim) as client, pytest.raises(Unavailable):
        client.page(QUERY, clock)
    assert clock.waits[:6] == [0.5, 1, 2, 4, 8, 16] and set(clock.waits[6:]) == {30}


@pytest.mark.parametrize("status", ["423", "429", "477", "503"])
def test_the_wait_is_what_hubspot_asks_for(status, clock):
    with served(faults={1: f"{status}:retry-after=7"}) as sim, client_of(sim) as client:
        client.page(QUERY, clock)
    assert clock.waits == [7]


def test_the_wait_may_be_a_date_by_hubspots_clock(clock):
    header = {"Retry-After": formatdate(T0 / 1000 + 42, usegmt=True)}
    with served(faults={1: "429"}, extra_headers=header, clock=clock.hubspot) as sim, client_of(sim) as client:
        client.page(QUERY, clock)
    assert clock.waits == [42]


def test_a_lock_without_a_wait_is_tried_after_two_seconds(clock):
    with served(faults={1: "423"}) as sim, client_of(sim) as client:
        client.page(QUERY, clock)
    assert clock.waits == [2]


@pytest.mark.parametrize("header", ["soon", "nan", "inf", "-inf", "-5", "", "9" * 400, "Thu, 99 Foo 0000 00:00:00 GMT", "1; 2"])
def test_a_retry_after_that_means_nothing_is_no_wait_without_end(header, clock):
    with served(faults={1: "503"}, extra_headers={"Retry-After": header}) as sim, client_of(sim) as client:
        assert client.page(QUERY, clock).results == TRUTH[:50]
    assert len(clock.waits) == 1 and 0 <= clock.waits[0] <= 30


def test_an_endless_retry_after_is_an_outage(clock):
    with served(faults={1: "503"}, extra_headers={"Retry-After": "1e308"}) as sim:
        assert failed(sim, clock)[0] is Unavailable


@pytest.mark.parametrize("header", ["0", "-1", formatdate(0, usegmt=True)])
def test_a_retry_after_of_now_does_not_make_a_storm_of_requests(header, clock):
    kinds = dict.fromkeys(range(1, 21), "503")
    with served(faults=kinds, extra_headers={"Retry-After": header}) as sim, client_of(sim) as client:
        client.page(QUERY, clock)
    assert sum(clock.waits) > 1


# What ends in an error


def failed(sim, clock, query=QUERY, **options):
    with client_of(sim, **options) as client, pytest.raises(ConnectorError) as raised:
        client.page(query, clock)
    message = str(raised.value)
    assert TOKEN not in message
    return raised.type, message


@pytest.mark.parametrize(
    "status, kind, message, cure",
    [
        ("400", Refused, "Invalid input", "event_types"),
        ("401", Unauthorized, "Authentication credentials not found", "api_token"),
        ("403", Refused, "This app hasn't been granted", "business-intelligence"),
        ("404", Refused, "Resource not found", "api_version"),
    ],
)
def test_what_does_not_pass_is_raised_with_hubspots_words_and_the_cure(status, kind, message, cure, clock):
    with served(fault=lambda asked: status) as sim:
        raised, text = failed(sim, clock)
    assert raised is kind and clock.waits == [] and len(sim.requests) == 1
    assert f"HubSpot answered {status}: {message}" in text and cure in text
    assert re.search(r"correlationId [0-9a-f]{8}-[0-9a-f-]{27}", text)


def test_a_malformed_token_is_named_whoever_says_so(clock):
    with served(fault=lambda asked: "530") as sim:
        raised, text = failed(sim, clock)
    assert raised is Unauthorized and "530" in text and "api_token" in text and len(sim.requests) == 1


def test_a_wrong_token_is_named(clock):
    with served(token="another") as sim:
        raised, text = failed(sim, clock)
    assert raised is Unauthorized and "expired" in text and "api_token" in text


@pytest.mark.parametrize("name", ["requiredScopes", "requiredGranularScopes", "missingScopes"])
def test_the_scopes_an_app_lacks_are_named_wherever_hubspot_names_them(name, clock):
    errors = [{"context": {name: ["scope-a", "scope-b"]}}, None, "x"]
    body = {"message": "no", "errors": errors, "context": {name: "scope-c"}}
    with Wire(http(body, 403)) as wire:
        raised, text = failed(wire, clock)
    assert raised is Refused and "scope-a, scope-b, scope-c" in text and "api_token" in text


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"5", {}, {"message": None}, {"message": {}, "errors": 5, "context": [1]}], ids=str
)
@pytest.mark.parametrize("status", [400, 401, 403, 404, 530])
def test_an_error_may_say_anything_or_nothing(body, status, clock):
    with Wire(http(body, status)) as wire:
        raised, text = failed(wire, clock)
    assert raised in (Refused, Unauthorized) and str(status) in text and "Cure:" in text


def test_a_limit_too_high_names_page_size(clock):
    with served(max_limit=1000) as sim:
        raised, text = failed(sim, clock, {**QUERY, "limit": 1001})
    assert raised is Refused and "page_size" in text and "1000" in text


def test_an_unknown_event_type_names_event_types(clock):
    with served() as sim:
        raised, text = failed(sim, clock, {"eventType": "e_unknown"})
    assert raised is Refused and "e_unknown" in text and "event_types" in text


def test_the_daily_limit_ends_the_sync_at_once_and_says_until_when(clock):
    with served(fault=lambda asked: "429:daily") as sim:
        raised, text = failed(sim, clock)
    assert raised is QuotaSpent and "daily" in text and "midnight" in text and len(sim.requests) == 1


@pytest.mark.parametrize("kind", ["477:retry-after=86400", "429:retry-after=86400"])
def test_a_wait_that_is_too_long_ends_the_sync_cleanly_and_says_until_when(kind, clock):
    with served(fault=lambda asked: kind, clock=clock.hubspot) as sim:
        raised, text = failed(sim, clock)
    assert raised is Unavailable and clock.waits == [] and "2035-01-02T00:00:00.000Z" in text and len(sim.requests) == 1


@pytest.mark.parametrize("minutes", [1, 15])
def test_an_outage_ends_in_an_error_that_says_since_when_how_often_and_what_was_said(minutes, clock):
    with served(fault=lambda asked: "500", clock=clock.hubspot) as sim:
        raised, text = failed(sim, clock, max_outage=minutes * 60_000)
    assert raised is Unavailable and f"attempts: {len(sim.requests)}" in text
    assert "HubSpot answered 500: internal error" in text and "max_outage_minutes" in text
    assert abs(to_ms(re.search(r"since (\S+Z)", text)[1]) - T0) <= 1000  # a Date header has whole seconds
    assert minutes * 60 - 30 <= sum(clock.waits) <= minutes * 60


def test_a_good_answer_ends_an_outage(clock):
    with served(fault=lambda asked: "503:retry-after=600" if asked.number % 2 else None) as sim, client_of(sim) as client:
        for _ in range(3):
            assert client.page(QUERY, clock).results
    assert clock.waits == [600] * 3


def test_an_outage_is_told_once_a_request(clock):
    said = []
    with served(faults=dict.fromkeys(range(1, 9), "502")) as sim, client_of(sim, log=said.append) as client:
        client.page(QUERY, clock)
    assert len(said) == 1 and "502" in said[0]


def test_nobody_listening_is_an_outage(clock):
    with served() as sim:
        pass
    raised, text = failed(sim, clock)
    assert raised is Unavailable and "Connection" in text


# Stopping


def test_nothing_is_asked_once_stopped():
    stop = threading.Event()
    stop.set()
    with served() as sim, client_of(sim) as client, pytest.raises(Stopped):
        client.page(QUERY, stop)
    assert sim.requests == []


def test_a_long_wait_ends_as_soon_as_it_is_stopped():
    stop = threading.Event()
    stopper = threading.Timer(0.05, stop.set)
    with served(fault=lambda asked: "503:retry-after=600") as sim, client_of(sim) as client, pytest.raises(Stopped):
        stopper.start()
        client.page(QUERY, stop)
    stopper.join()
    assert len(sim.requests) == 1


def test_a_wait_for_the_rate_limit_ends_without_a_request_when_it_is_stopped(clock):
    with served(quota=(1, 10_000)) as sim, client_of(sim) as client:
        client.page(QUERY, clock)
        clock.set_at_wait = True
        with pytest.raises(Stopped):
            client.page(QUERY, clock)
    assert len(clock.waits) == 1 and len(sim.requests) == 1


def stopped_after(seconds, sim):
    """How long a request went on that was stopped after some seconds."""
    stop = threading.Event()
    stopper = threading.Timer(seconds, stop.set)
    began = time.monotonic()
    with client_of(sim) as client, pytest.raises(Stopped):
        stopper.start()
        client.page(QUERY, stop)
    stopper.join()
    return time.monotonic() - began


@pytest.mark.parametrize("part", DRIPS)
def test_a_dripping_answer_ends_as_soon_as_it_is_stopped(part):
    with Wire(dripping(DRIPS[part])) as wire:
        assert stopped_after(0.1, wire) < 3


@pytest.mark.parametrize("fault", ["hang", "drip"])
def test_an_answer_that_hardly_comes_ends_soon_when_it_is_stopped(fault):
    with served(faults={1: fault}) as sim:
        assert stopped_after(0.1, sim) < 3


# The token


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 530])
def test_a_token_that_hubspot_echoes_is_not_repeated(status, clock):
    context = {"requiredScopes": [f"scope-{TOKEN}"]}
    body = {"message": f"the limit of {TOKEN} is bad", "correlationId": f"{TOKEN}-1", "context": context}
    said = []
    with Wire(http(body, status)) as wire:
        _, text = failed(wire, clock, max_outage=60_000, log=said.append)
    assert "<api_token>" in text and not any(TOKEN in sentence for sentence in said)


def each(write, text=TOKEN):
    return "".join(map(write, text))


ESCAPED = {  # as it stands in the JSON
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
    """The text as a reader may read it: with whatever is escaped in it decoded."""
    for _ in range(3):
        text = html.unescape(unquote(re.sub(r"\\+[ux]\{?([0-9a-fA-F]+)\}?", lambda code: chr(int(code[1], 16)), text)))
    return text.lower()


@pytest.mark.parametrize("status", [400, 401, 403, 500])
@pytest.mark.parametrize("escaped", ESCAPED)
@pytest.mark.parametrize("padding", ["", "x" * 480])
def test_a_token_that_is_echoed_in_another_spelling_is_not_repeated(status, escaped, padding, clock):
    text = padding + ESCAPED[escaped]
    body = f'{{"message": "{text}", "correlationId": "{text}", "errors": [{{"context": {{"missingScopes": ["{text}"]}}}}]}}'
    assert TOKEN in seen(json.loads(body)["message"])
    with Wire(http(body.encode(), status)) as wire:
        said = seen(failed(wire, clock, max_outage=1_000)[1])
    assert TOKEN[:9] not in said and TOKEN[-9:] not in said


def test_a_slash_in_a_token_may_be_escaped_too(clock):
    token = "key/with/slashes+and=more"
    body = json.dumps({"message": token}).replace("/", "\\/")
    with Wire(http(body.encode(), 400)) as wire, Client(token, wire.url, "2026-03") as client, pytest.raises(Refused) as raised:
        client.page(QUERY, clock)
    assert "with" not in str(raised.value)


@pytest.mark.parametrize("header", ["percent", "entities", "capitals"])
def test_an_escaped_token_in_a_location_is_not_repeated(header, clock):
    with Wire(http(b"", 302, Location="http://127.0.0.1:1/" + "x" * 160 + ESCAPED[header])) as wire:
        assert TOKEN[:9] not in seen(failed(wire, clock)[1])


@pytest.mark.parametrize("piece", ["\\", "\\u", "%25", "&amp;", "&#0", "pat-na1", "\\u0070at"])
def test_an_error_that_nearly_spells_the_token_a_million_times_is_read_soon(piece, clock):
    began = time.monotonic()
    with Wire(http({"message": piece * 200_000}, 400)) as wire:
        failed(wire, clock)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("padding", [470, 480, 490])
def test_not_even_a_part_of_an_echoed_token_is_repeated(padding, clock):
    with Wire(http({"message": "x" * padding + TOKEN}, 400)) as wire:
        assert TOKEN[:9] not in failed(wire, clock)[1]


def test_not_even_a_part_of_a_token_in_a_location_is_repeated(clock):
    with Wire(http(b"", 302, Location="http://127.0.0.1:1/" + "x" * 160 + TOKEN)) as wire:
        assert TOKEN[:9] not in failed(wire, clock)[1]


@pytest.mark.parametrize("path", ["/", f"/events?token={TOKEN}"])
def test_a_redirect_is_not_followed_and_names_api_base_url(path, clock):
    with served() as other, served(fault=lambda asked: "redirect", redirect_to=other.url + path) as sim:
        raised, text = failed(sim, clock)
    assert raised is Refused and "api_base_url" in text and other.url in text
    assert other.requests == [] and len(sim.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_kind_of_redirect_is_followed(status, clock):
    with served() as other, Wire(http(b"", status, Location=other.url)) as wire:
        assert failed(wire, clock)[0] is Refused
    assert other.requests == []


@pytest.mark.parametrize("loopback", [True, False])
def test_a_netrc_entry_changes_nothing(loopback, monkeypatch, tmp_path):
    for name in (".netrc", "_netrc"):
        (tmp_path / name).write_text("machine 127.0.0.1 login thief password secret\ndefault login thief password secret\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setattr(module, "is_loopback", lambda host: loopback)  # elsewhere the environment is trusted
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with served() as sim, client_of(sim) as client:
        client.page(QUERY)
    assert sim.requests[0].headers["authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
def test_no_proxy_sees_what_is_sent_to_loopback(variable, monkeypatch):
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with served() as proxy, served() as sim, client_of(sim) as client:
        monkeypatch.setenv(variable, proxy.url)
        assert client.page(QUERY).results == TRUTH[:50]
    assert proxy.requests == [] and len(sim.requests) == 1


# HubSpot's clock


def test_now_is_hubspots_clock_and_goes_on(clock):
    with served(clock=clock.hubspot) as sim, client_of(sim) as client:
        client.page(QUERY, clock)
        assert client.now() == T0
        clock.seconds += 5.5
        assert client.now() == T0 + 5_500


@pytest.mark.parametrize("header", [False, "garbage"])
def test_without_a_readable_date_now_is_this_machines_clock(header, clock, monkeypatch):
    monkeypatch.setattr(clock_module, "local_now", lambda: 123)
    with served(date_header=header, clock=clock.hubspot) as sim, client_of(sim) as client:
        assert client.page(QUERY, clock).results and client.now() == 123 and not client.clock.is_told()
        sim.behaviour.date_header = True
        client.page(QUERY, clock)
        sim.behaviour.date_header = header
        client.page(QUERY, clock)
        assert client.now() == T0


def test_an_error_tells_the_time_too(clock):
    with served(fault=lambda asked: "400", clock=clock.hubspot) as sim, client_of(sim) as client:
        with pytest.raises(Refused):
            client.page(QUERY, clock)
        assert client.now() == T0


# Laws


HEADERS = st.text("0123456789 :,+-.eGMTThuJanFeb", max_size=40) | st.text(st.characters(min_codepoint=32, max_codepoint=126))


def test_no_header_breaks_a_good_answer():
    names = ["Max", "Remaining", "Interval-Milliseconds", "Daily", "Daily-Remaining"]
    with Wire(b"") as wire:

        @law
        @given(HEADERS, HEADERS)
        @example("Thu, 01 Jan 0000 00:00:00 GMT", "1e999")
        @example("Thu, 01 Jan 9999 00:00:00 -9999", "")
        def check(date, limit):
            limits = dict.fromkeys([f"X-HubSpot-RateLimit-{name}" for name in names], limit)
            wire.answers = [http({"results": []}, Date=date, Retry_After=limit, **limits)]
            with client_of(wire) as client:
                assert client.page(QUERY).results == [] and isinstance(client.now(), int)

        check()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["next", "after", "a"]), inner, max_size=3),
)
BODIES = (
    st.binary()
    | JSON.map(lambda value: json.dumps(value).encode())
    | st.fixed_dictionaries({"results": JSON}, optional={"paging": JSON}).map(lambda value: json.dumps(value).encode())
    | st.sampled_from([b'{"a":' * 5_000, b"[" * 100_000, b'{"results":[' + b"9" * 5_000 + b"]}"])
    | st.sampled_from([b"\xef\xbb\xbf{}", b'{"results":[NaN]}', b'{"results":["\\ud83d"]}', b'{"results":["\xff"]}'])
)


@pytest.mark.parametrize("status", [200, 400, 403, 429, 500])
def test_no_body_raises_anything_but_a_connector_error(status):
    with Wire(b"") as wire, client_of(wire, max_outage=0) as client:

        @law
        @given(BODIES)
        def check(body):
            wire.answers = [http(body, status)]
            try:
                page = client.page(QUERY)
            except ConnectorError as error:
                assert str(error)
            else:
                assert isinstance(page.results, list) and isinstance(page.after, (str, type(None))) and status == 200

        check()


def test_no_answer_at_all_raises_anything_but_a_connector_error():
    with Wire(b"") as wire, client_of(wire, max_outage=0) as client:

        @law
        @given(st.binary() | st.binary().map(GOOD[:30].__add__) | st.integers(0, len(GOOD) - 1).map(lambda n: GOOD[:n]))
        def check(answer):
            wire.answers = [answer]
            with suppress(ConnectorError):
                client.page(QUERY)

        check()
