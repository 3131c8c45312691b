"""A client and every answer it may get: a page read whole, an attempt repeated, an error, or a request given up."""

import gzip
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import repeat

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.errors import BadAnswer, Refused, Stopped
from pipeline.hubspot import client as module
from pipeline.hubspot import transport
from tests.hubspot.clients import GOOD, QUERY, T0, TOKEN, TRANSIENT, TRUTH, client_of, error_of, served
from tests.hubspot.wire import Wire, chunked, http
from tests.support import START, TYPE

law = settings(deadline=None, max_examples=100)


@pytest.mark.parametrize("version, path", [
    ("v3", "/events/v3/events"), ("2025-09", "/events/event-occurrences/2025-09"),
    ("2026-03", "/events/event-occurrences/2026-03"), ("2026-09", "/events/event-occurrences/2026-09"),
])  # fmt: skip
def test_each_api_version_has_its_own_paths(version, path):
    with served(extra_event_types=("ae2_x",)) as sim, client_of(sim, version) as client:
        assert client.page({**QUERY, "occurredAfter": START}).events == TRUTH[:50]
        assert client.event_types() == [TYPE, "ae2_x"]
    first, second = sim.requests
    assert (first.path, second.path) == (path, f"{path}/event-types")
    assert first.query == {"eventType": [TYPE], "limit": ["50"], "occurredAfter": [START]}
    assert first.headers["authorization"] == f"Bearer {TOKEN}" and "json" in first.headers["accept"]


BIG = json.dumps({"results": [{"id": str(n), "properties": {"hs_url": "/" * 50}} for n in range(5_000)]}).encode()
FRAMED = {
    "gzip": http(gzip.compress(BIG), Content_Encoding="gzip"), "chunked": chunked(BIG, 1_000),
    "chunked gzip": chunked(gzip.compress(BIG), 7, Content_Encoding="gzip"),
    "until the end of the connection": http(BIG, length=False),
}  # fmt: skip


@pytest.mark.parametrize("framed", FRAMED)
def test_a_body_is_read_whole_however_it_is_encoded_or_framed(framed):
    with Wire(FRAMED[framed]) as wire, client_of(wire) as client:
        page = client.page(QUERY)
    assert len(page.events) == 5_000 and page.size == len(BIG)
    assert len(wire.heads) == 1


@pytest.mark.parametrize("fault, kept", [
    ("lone_surrogate", "\ufffd"), ("deep", "nested too deep"), ("huge_int", "1234567890" * 4),
])  # fmt: skip
def test_a_value_beyond_what_a_parser_takes_does_not_cost_the_page(fault, kept):
    with served(faults={1: fault}) as sim, client_of(sim, max_outage=0) as client:
        events = client.page(QUERY).events
    assert [event["id"] for event in events] == [event["id"] for event in TRUTH[:50]]
    assert kept in str(events[0]["properties"])


# Retried


@pytest.mark.parametrize("kind", [*TRANSIENT, "hang"])
def test_a_transient_failure_is_retried_until_the_page_is_whole(kind, clock, monkeypatch):
    if kind == "hang":
        monkeypatch.setattr(module, "TIMEOUTS", (1.0, 0.1))
    with served(faults={1: kind, 2: kind}) as sim, client_of(sim) as client:
        assert client.page(QUERY, clock).events == TRUTH[:50]
    assert len(sim.requests) == 3 and len(clock.waits) == 2
    assert sim.requests[0].query == sim.requests[2].query


BROKEN = {
    "cut in a chunk": chunked(BIG, 1_000)[:200_000], "cut between chunks": chunked(BIG, 1_000)[:-5],
    "cut gzip": http(gzip.compress(BIG)[:-100], Content_Encoding="gzip"), "no gzip": http(BIG, Content_Encoding="gzip"),
    "a list": http(b"[]"), "null": http(b"null"), "204": http({"results": [], "paging": {}}, status=204, length=False),
    "nothing": b"", "no HTTP": b"garbage\r\n\r\n",
}  # fmt: skip


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_answer_is_retried(broken, clock):
    with Wire(BROKEN[broken], GOOD) as wire, client_of(wire) as client:
        assert client.page(QUERY, clock).events == [{"id": "a"}]
    assert len(wire.heads) == 2


def test_all_requests_wait_a_second_at_least_after_a_429(monkeypatch, clock):
    """HubSpot counts what it refuses, too."""
    monkeypatch.setattr(module, "delays", lambda: repeat(0.0))
    with served(faults={1: "429:no-retry-after"}) as sim, client_of(sim) as client:
        client.page(QUERY, clock)
    assert clock.waits == [1.0]


def dripping(head=b"HTTP/1.1 200 OK\r\n\r\n", step=lambda: time.sleep(0.01), piece=b" "):
    yield head
    while True:
        yield piece
        step()


INTERIM = b"HTTP/1.1 %d x\r\nLink: </>; rel=preload\r\nContent-Length: 7\r\n\r\n"
DRIPS = {
    "status line": {"head": b"HTTP/1.1 200 "}, "headers": {"head": b"HTTP/1.1 200 OK\r\nX-Slow: "},
    "body": {"head": b"HTTP/1.1 200 OK\r\n\r\n"}, "interim answers": {"head": b"", "piece": INTERIM % 102},
}  # fmt: skip


@pytest.mark.parametrize("part", DRIPS)
def test_a_dripping_answer_is_given_up_at_a_deadline_and_retried(part, monkeypatch):
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.1)
    with Wire(dripping(**DRIPS[part]), GOOD) as wire, client_of(wire) as client:
        assert client.page(QUERY).events == [{"id": "a"}]
    assert len(wire.heads) == 2


def test_what_all_workers_read_at_once_is_bounded_and_the_bound_is_free_again_afterwards(monkeypatch):
    monkeypatch.setattr(module, "ANSWER_BYTES", 10_000)
    half_read, refused = threading.Event(), threading.Event()
    page = http({"results": [{"id": "a" * 8_000}]})

    def paused(head):
        yield page[:8_000]
        half_read.set()
        refused.wait(10)
        yield page[8_000:]

    with Wire(paused, page) as wire, client_of(wire, connections=2) as client, ThreadPoolExecutor(1) as pool:
        first = pool.submit(client.page, QUERY)
        half_read.wait(10)
        with pytest.raises(BadAnswer, match="page_size"):
            for _ in range(1_000):  # soon the first worker has read what was sent
                client.page(QUERY)
        refused.set()
        assert first.result().events == client.page(QUERY).events == [{"id": "a" * 8_000}]


@pytest.mark.parametrize("statuses", [(100,), (102,), (103,), (103, 100, 199)], ids=str)
def test_interim_answers_are_skipped(statuses, clock):
    with Wire(b"".join(INTERIM % status for status in statuses) + GOOD) as wire, client_of(wire) as client:
        assert client.page(QUERY, clock).events == [{"id": "a"}]
    assert len(wire.heads) == 1


# Stopping


def test_a_stopped_client_sends_no_request():
    stop = threading.Event()
    stop.set()
    with served() as sim, client_of(sim) as client, pytest.raises(Stopped):
        client.page(QUERY, stop)
    assert sim.requests == []


@pytest.mark.parametrize("behaviour", [{"faults": {1: "503:retry-after=600"}}, {"quota": (1, 10_000)}], ids=str)
def test_a_stop_ends_a_wait_without_a_further_request(behaviour, clock):
    clock.set_at_wait = True
    with served(**behaviour) as sim, client_of(sim) as client, pytest.raises(Stopped):
        for _ in range(2):
            client.page(QUERY, clock)
    assert len(clock.waits) == len(sim.requests) == 1


SOON = 20  # seconds: less than any timeout, more than a busy machine takes


@pytest.mark.parametrize("part", [*DRIPS, "hang"])
def test_a_stop_soon_ends_an_answer_that_hangs_or_drips(part, monkeypatch):
    monkeypatch.setattr(module, "STOP_SECONDS", 0.1)
    monkeypatch.setattr(transport, "POLL_SECONDS", 0.1)
    stop = threading.Event()
    stopper = threading.Timer(0.1, stop.set)
    began = time.monotonic()
    slow = Wire(dripping(**DRIPS[part])) if part in DRIPS else served(faults={1: "hang"})
    with slow, client_of(slow) as client, pytest.raises(Stopped):
        stopper.start()
        client.page(QUERY, stop)
    stopper.join()
    assert time.monotonic() - began < SOON


# Where the token goes


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_the_error_names_api_base_url(status, clock):
    with served() as other, Wire(http(b"", status, Location=f"{other.url}/events?token={TOKEN}")) as wire:
        raised, text = error_of(wire, clock)
    assert raised is Refused and "api_base_url" in text and other.url in text
    assert other.requests == [] and len(wire.heads) == 1


@pytest.mark.parametrize("loopback", [True, False])
def test_a_netrc_entry_does_not_replace_the_token(loopback, monkeypatch, tmp_path):
    thief = "login thief password secret"
    (tmp_path / ".netrc").write_text(f"machine 127.0.0.1 {thief}\ndefault {thief}\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    # for other hosts, the environment counts
    monkeypatch.setattr(module, "is_loopback", lambda host: loopback)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with served() as sim, client_of(sim) as client:
        client.page(QUERY)
    assert sim.requests[0].headers["authorization"] == f"Bearer {TOKEN}"


def test_no_cookie_is_kept():
    with Wire(http({"results": []}, Set_Cookie="name=value; Path=/")) as wire, client_of(wire) as client:
        client.page(QUERY)
        client.page(QUERY)
    assert "cookie" not in wire.heads[1].lower()


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
def test_requests_to_loopback_bypass_every_proxy(variable, monkeypatch):
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with served() as proxy, served() as sim, client_of(sim) as client:
        monkeypatch.setenv(variable, proxy.url)
        assert client.page(QUERY).events == TRUTH[:50]
    assert proxy.requests == [] and len(sim.requests) == 1


@pytest.mark.parametrize("status", [200, 400])
def test_the_clock_is_set_by_the_date_of_every_answer_an_error_too(status, clock):
    faults = {} if status == 200 else {1: str(status)}
    with served(faults=faults, clock=clock.hubspot) as sim, client_of(sim) as client:
        with suppress(Refused):
            client.page(QUERY, clock)
        assert client.clock.now() == T0 and len(sim.requests) == 1


# Laws


ASCII = st.characters(min_codepoint=32, max_codepoint=126)
HEADERS = st.text("0123456789 :,+-.eGMTThuJanFeb", max_size=40) | st.text(ASCII)


def test_no_header_spoils_a_good_answer():
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
                assert client.page(QUERY).events == [] and isinstance(client.clock.now(), int)

        check()
