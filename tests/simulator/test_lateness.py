"""Events that no look-back catches: backdated ones, and the visits of those who become contacts
later.
"""

from collections import defaultdict

import pytest

from simulator import Simulator, listed
from simulator.__main__ import _behaviour, _histories, _parser
from simulator.instants import DAY_MS, iso, milliseconds
from simulator.lateness import backdated, converting, latest
from tests.simulator.client import START, TYPE, ids, served, small, walk

DAWN = milliseconds(START)
HOUR = 3_600_000
CUSTOM = "pe1_signup"


def visits(events=250):
    """(moment, visitor) of each visit, in order."""
    history = small(events)
    return [(history.time(i), history.event(i)["objectId"]) for i in range(events)]


def visible(each, moments, every, ms, now):
    """Whether a visit is visible: written down independently of the simulator, from what HubSpot's
    knowledge base says.
    """
    moment, visitor = each
    first = min(other for other, who in moments if who == visitor)
    nth = 1 + list(dict.fromkeys(who for _, who in moments)).index(visitor)
    return moment <= now and (nth % every != 0 or moment >= first + ms or first + ms <= now)


@pytest.mark.parametrize("order", ["ascending", "ingested"])
@pytest.mark.parametrize("every, ms", [(1, 6 * HOUR), (3, 4 * HOUR), (2, 5 * DAY_MS)])
def test_a_visitor_who_becomes_a_contact_brings_the_earlier_visits_along(session, order, every, ms):
    history, moments = small(), visits()
    late = converting(history, every, ms)
    with served(history=history, order=order, late=late, hide_future=True, clock=lambda: now) as sim:
        for now in range(DAWN, DAWN + 7 * DAY_MS, 11 * HOUR):
            found = ids(walk(session, sim, limit=100))
            seen = [i for i, each in enumerate(moments) if visible(each, moments, every, ms, now)]
            came = {i: moments[i][0] + late(i, moments[i][0]) for i in seen}
            assert sorted(found) == sorted(history.event(i)["id"] for i in seen)
            assert order == "ascending" or found == [
                history.event(i)["id"] for i in sorted(seen, key=lambda i: (came[i], i))
            ]


def test_the_earlier_visits_come_at_one_moment_and_the_later_ones_at_once():
    history, moments = small(), visits()
    late = converting(history, 1, 6 * HOUR)
    by_visitor = defaultdict(list)
    for i, (moment, visitor) in enumerate(moments):
        by_visitor[visitor].append((moment, moment + late(i, moment)))
    for came in by_visitor.values():
        conversion = came[0][0] + 6 * HOUR
        assert came == [(moment, max(moment, conversion)) for moment, _ in came]
    assert any(len({shown for _, shown in came}) > 1 for came in by_visitor.values())


def test_each_event_type_has_its_own_lateness(session):
    histories = {TYPE: small(20), CUSTOM: small(20, event_type=CUSTOM)}
    with Simulator(histories) as sim:
        now = DAWN + 2 * DAY_MS
        sim.behaviour.clock, sim.behaviour.late = lambda: now, {CUSTOM: backdated(5, 9 * DAY_MS)}
        assert len(walk(session, sim)) == 20
        hidden = [histories[CUSTOM].event(i)["id"] for i in (4, 9, 14, 19)]
        assert {*ids(walk(session, sim, eventType=CUSTOM))}.isdisjoint(hidden)
        now += 9 * DAY_MS
        found = walk(session, sim, eventType=CUSTOM, limit=7)
        assert len(found) == 20
        assert found[4]["id"] == hidden[0]
        assert found[4]["occurredAt"] < iso(now - 9 * DAY_MS).decode()


def test_events_that_are_no_visits_are_not_late():
    odd = [5, {"id": "no visitor", "occurredAt": START}, {"id": "undated", "objectId": "7"}]
    history = listed([*odd, {"id": "visit", "objectId": "7", "occurredAt": START}])
    late = converting(history, 1, HOUR)
    delays = {str(history.event(i)): late(i, history.time(i)) for i in range(len(history))}
    assert sorted(delays.values()) == [0, 0, 0, HOUR]


def test_lateness_on_the_command_line():
    command = [
        "--event-type",
        f"{TYPE}=90",
        "--event-type",
        f"{CUSTOM}=30",
        "--backdated",
        "10=5000",
        "--converting",
        "2=90000",
    ]
    options = _parser().parse_args([*command, "--late-ms", "7", "--order", "ingested"])
    histories = _histories(options)
    behaviour = _behaviour(options, histories)
    assert set(behaviour.late) == {TYPE, CUSTOM} and behaviour.ingested is None
    for name, history in histories.items():
        expected = latest(backdated(1, 7), backdated(10, 5000), converting(history, 2, 90_000))
        moments = list(enumerate(map(history.time, range(len(history)))))
        assert [behaviour.late[name](*each) for each in moments] == [expected(*each) for each in moments]
        assert {7, 5000, 90_000} <= {expected(*each) for each in moments}
    assert _behaviour(_parser().parse_args(["--events", "1"]), {TYPE: small(1)}).late is None


@pytest.mark.parametrize("text", ["0=5", "x=5", "5", "=", "-1=5"])
def test_a_lateness_that_cannot_be_read_is_an_error_of_the_command_line(text, capsys):
    for flag in ("--backdated", "--converting", "--ingested-late"):
        with pytest.raises(SystemExit):
            _parser().parse_args([flag, text])
        assert flag in capsys.readouterr().err
