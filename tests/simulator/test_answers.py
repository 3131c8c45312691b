"""What the simulator refuses, and everything that it does wrong when asked to: the tests of faults would pass without
them.
"""

import pytest

from simulator import Behaviour, Simulator
from tests.simulator.client import DATED, cursor_of, get, served

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


# Faults that the client's tests would not miss: tests/hubspot/ holds what all others do


def test_faults_in_content_that_hide_events(session):
    with served(faults=dict(enumerate(("ends", "last", "partial", "shard"), 1))) as sim:
        ends, last, partial, shard = (get(session, sim).json() for _ in range(4))
    assert ends == {"results": []}
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
