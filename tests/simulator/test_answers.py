"""What the simulator refuses, and everything that it does wrong when asked to: the tests of faults would pass without
them.
"""

import json
import socket
from uuid import UUID

import pytest
import requests

from simulator import Behaviour, Simulator
from tests.simulator.client import DATED, END, START, cursor_of, get, ids, served, small, truth, walk

# Refusals


def test_what_the_api_does_not_have_is_refused(session):
    with served(max_limit=50) as sim:
        assert get(session, sim, "/events/v4/events").status_code == 404
        assert session.post(sim.url + DATED).status_code == 405
        assert [get(session, sim, properties="x" * length).status_code for length in (16_000, 17_000, 200_000)] == [
            200, 414, 414,
        ]  # fmt: skip
        assert get(session, sim, occurredAfter="2026-01-05T00:00:00+00:00").status_code == 200
        assert get(session, sim, occurredAfter="yesterday").status_code == 400
        assert [get(session, sim, limit=limit).status_code for limit in (51, 0, -1, "x")] == [400] * 4
        sim.behaviour.limit_policy = "clamp"
        assert len(get(session, sim, limit=51).json()["results"]) == 50


def test_the_quota_is_a_rolling_window(session):
    now, statuses = 0, []
    with served(quota=(3, 10_000), clock=lambda: now) as sim:
        for now in (0, 4_000, 9_999, 9_999, 10_000, 10_000, 14_000):  # noqa: B007
            answer = get(session, sim)
            statuses.append((answer.status_code, int(answer.headers["X-HubSpot-RateLimit-Remaining"])))
        assert [status for status, _ in statuses] == [200, 200, 200, 429, 200, 429, 200]
        assert [remaining for _, remaining in statuses] == [2, 1, 0, 0, 0, 0, 0]
        refused = get(session, sim)
        assert refused.json()["policyName"] == "TEN_SECONDLY_ROLLING"
        assert refused.headers["Retry-After"] == "6"
        sim.behaviour.extra_headers = {"X-HubSpot-RateLimit-Max": "many"}
        assert get(session, sim).headers["X-HubSpot-RateLimit-Max"] == "many"


def test_others_and_the_day_draw_on_the_quota_too(session):
    now = 86_400_000 * 5
    with served(quota=(10, 10_000), others_per_second=0.8, daily_quota=4, clock=lambda: now) as sim:
        assert [get(session, sim).status_code for _ in range(3)] == [200, 200, 429]
        now += 10_000
        answers = [get(session, sim) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert answers[2].json()["policyName"] == "DAILY"
        assert answers[2].headers["X-HubSpot-RateLimit-Daily-Remaining"] == "0"
        now += 86_400_000
        assert get(session, sim).status_code == 200


# Faults


def faulty(session, kind, **query):
    with served(faults={1: kind}) as sim:
        answer = get(session, sim, **query)
        assert sim.requests[0].fault == kind and sim.requests[0].status == answer.status_code
        return answer


OF_THE_API = (400, 401, 403, 404, 405, 423, 429, 477, 500)
OF_THE_PROXY = (414, 502, 503, 504, *range(520, 528), 530)


def test_each_status_and_the_fields_that_its_document_requires(session):
    statuses = [*OF_THE_API, *OF_THE_PROXY]
    with served(faults={n: str(status) for n, status in enumerate(statuses, 1)}) as sim:
        answers = [get(session, sim) for _ in statuses]
    assert [answer.status_code for answer in answers] == statuses
    for answer in answers[: len(OF_THE_API)]:
        error = answer.json()
        assert UUID(error["correlationId"]) and all(isinstance(error[name], str) for name in ("message", "category"))


def test_options_of_a_status(session):
    assert faulty(session, "429").headers["Retry-After"] == "1"
    assert "Retry-After" not in faulty(session, "429:no-retry-after").headers
    assert faulty(session, "477:retry-after=86400").headers["Retry-After"] == "86400"
    assert faulty(session, "429:daily").json()["policyName"] == "DAILY"


def test_answers_that_are_not_json(session):
    answer = faulty(session, "html")
    assert answer.status_code == 200 and answer.headers["Content-Type"].startswith("text/html")
    assert faulty(session, "empty").content == b""
    for broken in (answer, faulty(session, "cut_clean")):
        with pytest.raises(ValueError):
            broken.json()
    answer = faulty(session, "redirect")
    assert answer.status_code == 302 and answer.headers["Location"] == Behaviour().redirect_to


@pytest.mark.parametrize("kind, status", [("cut", 200), ("reset", None), ("hang", None)])
def test_after_a_broken_connection_the_page_is_complete_when_asked_again(session, kind, status):
    with served(faults={1: kind}) as sim:
        with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError, requests.Timeout)):
            get(session, sim, timeout=0.2 if kind == "hang" else 5)
        assert walk(session, sim) == truth(small())
        assert sim.requests[0].status == status


def test_a_dripping_answer_comes_byte_by_byte():
    with served(faults={1: "drip"}) as sim, socket.create_connection(("127.0.0.1", sim.port)) as us:
        us.sendall(b"GET /events/v3/events HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"".join(us.recv(100) for _ in range(6))[:6] == b"HTTP/1"


@pytest.mark.parametrize("kind", ["foreign_type", "outside", "unordered", "lone_surrogate", "huge_int", "duplicate"])
def test_faults_in_content_that_lose_no_event(session, kind):
    answer = faulty(session, kind, limit=20, occurredAfter=START, occurredBefore=END)
    found, expected = json.loads(answer.content)["results"], truth(small())[:20]
    assert set(ids(expected)) <= set(ids(found))
    assert (ids(found) == ids(expected)) == (kind in ("lone_surrogate", "huge_int"))
    strangers = [event for event in found if event["id"] not in ids(expected)]
    if kind == "foreign_type":
        assert [event["eventType"] for event in strangers] == ["e_foreign"]
    elif kind == "outside":
        assert [event["occurredAt"] < START for event in strangers] == [True]
    elif kind in ("lone_surrogate", "huge_int"):
        odd = found[0]["properties"].pop("hs_simulated")
        assert (odd == "\ud83d" or odd >= 10**39) and found == expected


def test_faults_in_content_that_hide_events(session):
    assert "results" not in faulty(session, "no_results").json()
    assert faulty(session, "results_null").json()["results"] is None
    assert faulty(session, "results_string").json()["results"] == "none"
    assert faulty(session, "deep").content.count(b'{"a":') == 2000
    assert faulty(session, "ends").json() == {"results": []}
    last, partial, shard = (faulty(session, kind).json() for kind in ("last", "partial", "shard"))
    assert len(last["results"]) == 20 and "paging" not in last
    assert len(partial["results"]) == 10 and partial["numErrors"] == 1
    assert 5 < len(shard["results"]) < 20


def test_cursors_that_lead_nowhere(session):
    with served(faults={2: "repeat_cursor", 4: "backward_cursor"}) as sim:
        second = cursor_of(get(session, sim).json())
        two, three, four = (cursor_of(get(session, sim, after=second).json()) for _ in range(3))
    assert two == four == second != three


def test_an_unknown_fault_is_an_error_at_once():
    for unknown in ({"faults": {1: "501"}}, {"fault_kinds": ("explode",)}):
        with pytest.raises(ValueError, match="no such fault"):
            Simulator({}, Behaviour(**unknown))
