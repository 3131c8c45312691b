"""Events that cannot become rows are rejected, each with the reason."""

import pytest

from pipeline.stages.events import keep_type, reject_malformed
from tests.stages.rows import event

MALFORMED = {
    "not an object": [None, 5, "event", [], [{"id": "a"}]],
    "no id": [{}, {"id": ""}, {"id": None}, {"id": {}, "occurredAt": "2026-05-21T01:36:04Z"}],
    "no occurredAt": [{"id": "a"}, {"id": "a", "occurredAt": ""}, {"id": "a", "occurredAt": None}],
    "unreadable occurredAt": [
        {"id": "a", "occurredAt": occurred}
        for occurred in ("yesterday", "2026-13-01", 5, True, [], {}, ["2026-05-21T01:36:04Z"], {"value": 5})
    ],
}


@pytest.mark.parametrize("reason", MALFORMED)
def test_a_malformed_event_is_rejected_with_the_reason(reason):
    bad, good, rejected = MALFORMED[reason], event(), []
    assert list(reject_malformed(lambda *why: rejected.append(why))([good, *bad, good])) == [good, good]
    assert rejected == [(each, reason) for each in bad]


def test_an_event_of_another_type_is_rejected_and_one_without_a_type_gets_it():
    same, other, unnamed, rejected = ({"id": "1", "eventType": "e_a"}, {"id": "2", "eventType": "e_b"}, {"id": "3"}, [])
    kept = list(keep_type("e_a", lambda event, reason: rejected.append(event))([same, other, unnamed]))
    assert kept == [same, {"id": "3", "eventType": "e_a"}]
    assert rejected == [other]
    assert unnamed == {"id": "3"}
