"""Who visits: visits come in sessions, and some visitors submit a form."""

from collections import Counter
from itertools import groupby

import pytest

from simulator import Simulator, generated, listed, submissions
from tests.simulator.client import TYPE, ids, walk

FORMS = "e_form_submission_v2"
HALF_A_MINUTE = 30_000


def visitors(history):
    return [history.event(i)["objectId"] for i in range(len(history))]


def test_a_few_successive_visits_belong_to_one_visitor():
    everyone = visitors(generated(6_000))
    runs = Counter(len([*run]) for _, run in groupby(everyone))
    assert {1, 2, 3, 4, 5, 6, 7} <= runs.keys() and runs.total() in range(1_300, 1_700)
    # two sessions of one visitor in a row
    assert sum(runs[length] for length in runs if length > 7) < 30
    assert len(set(everyone)) > 250 and max(Counter(everyone).values()) < 100


@pytest.mark.parametrize("options", [{"profile": "short"}, {"event_type": "pe7_order"}], ids=str)
def test_no_other_events_come_in_sessions(options):
    runs = [len([*run]) for _, run in groupby(visitors(generated(6_000, **options)))]
    assert len(runs) > 5_900


def test_the_visitor_of_an_event_does_not_depend_on_what_was_asked_before():
    there = visitors(generated(300))
    again = generated(300)
    assert [again.event(i)["objectId"] for i in reversed(range(300))] == there[::-1]
    assert visitors(generated(300, seed=1)) != there


@pytest.mark.parametrize("every", [1, 7, 33, 300, 301])
def test_a_form_follows_half_a_minute_after_a_visit_of_its_visitor(every):
    visits = generated(300)
    forms = submissions(visits, every)
    assert len(forms) == 300 // every
    for i in range(len(forms)):
        before = (i + 1) * every - 1
        assert forms.time(i) == visits.time(before) + HALF_A_MINUTE
        assert forms.event(i)["objectId"] == visits.event(before)["objectId"]
        assert forms.event(i)["eventType"] == FORMS
    assert len({forms.event(i)["id"] for i in range(len(forms))}) == len(forms)


def test_forms_are_in_the_order_of_time_and_ranked_by_it():
    forms = submissions(generated(2_100), 7)
    same = listed(forms.event(i) for i in range(len(forms)))
    times = [forms.time(i) for i in range(len(forms))]
    assert times == sorted(times) == [same.time(i) for i in range(len(same))]
    for ms in times:
        assert [forms.rank(ms - 1), forms.rank(ms), forms.rank(ms + 1)] == [
            same.rank(ms - 1),
            same.rank(ms),
            same.rank(ms + 1),
        ]
        assert forms.rank(ms, 2**30) == forms.rank(ms + 1)


def test_forms_are_served_like_other_events(session):
    forms = submissions(generated(700), 7)
    with Simulator({TYPE: generated(9), FORMS: forms}) as sim:
        assert ids(walk(session, sim, eventType=FORMS, limit=7)) == [forms.event(i)["id"] for i in range(100)]
