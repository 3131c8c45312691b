"""The second look: what became visible late is found and delivered, what that costs, and what is
said of it.
"""

import json
import re
import threading
from contextlib import suppress
from itertools import pairwise

import pytest

from pipeline.audits import budget, looks, subject
from pipeline.audits.cells import Kind
from pipeline.audits.looks import Looks
from pipeline.audits.text import decode
from pipeline.hubspot import clock
from pipeline.reading.reader import Reader
from pipeline.timestamps import DAY, MINUTE, to_ms, to_text
from simulator import Behaviour, Simulator, generated, listed
from simulator.lateness import backdated, converting
from tests.support import BASE, END, START, TYPE, Delivered, Destination, Killed, event, sync_into, truth

HOUR = 60 * MINUTE
START_TEXT = to_text(BASE)


class Life:
    """A connection over many days: `pass_and_sync` lets time pass, by both clocks, and syncs."""

    def __init__(self, monkeypatch, *events, history=None, **behaviour):
        self.now, self.delivered = BASE, Delivered()
        monkeypatch.setattr(clock, "local_now", lambda: self.now)
        history = history or listed(events)
        self.sim = Simulator({TYPE: history}, Behaviour(clock=lambda: self.now, hide_future=True, **behaviour))

    def pass_and_sync(self, ms, times=1, **keys):
        for _ in range(times):
            self.now += ms
            self.sim.requests.clear()
            sync_into(self.delivered, self.sim, **keys)

    def row(self):
        return max(self.delivered.rows["sync_run"].values(), key=lambda row: row["started_at"])

    def progress(self):
        return self.delivered.state["event_types"][TYPE]

    def ranges(self):
        return list(self.delivered.rows.get("audited_range", {}).values())

    def __enter__(self):
        self.sim.__enter__()
        return self

    def __exit__(self, *error):
        self.sim.__exit__(*error)


# What it costs


def test_two_weeks_with_events_three_days_late_cost_little_more_than_their_rows(monkeypatch):
    """A sync every six hours, then ten quiet days. 1,000 upserts are the look-back's."""
    number, late = 6_000, 600
    history = generated(number, START, to_text(BASE + 15 * DAY), profile="short")
    with Life(monkeypatch, history=history, late=backdated(number // late, 3 * DAY)) as life:
        requests = 0
        for _ in range(100):
            life.pass_and_sync(6 * HOUR)
            requests += len(life.sim.requests)
    assert life.delivered.ids() == truth(history)
    assert len(life.delivered.upserts) <= number + 1000 + 3 * late and requests <= 225
    found = sum(row["late"] for row in life.delivered.rows["sync_run"].values())
    # the last event is after the cursor: a sync finds it
    assert found in (late - 1, late)


def test_the_visits_of_a_visitor_before_his_conversion_are_delivered(monkeypatch):
    history = generated(2_000, START, to_text(BASE + 30 * DAY), profile="short")
    with Life(monkeypatch, history=history, late=converting(history, 3, 9 * DAY)) as life:
        life.pass_and_sync(DAY, 60)
    assert life.delivered.ids() == truth(history)


def test_at_small_volumes_an_audit_is_one_request_for_each_age_and_day(monkeypatch):
    history = generated(20 * 40, START, to_text(BASE + 40 * DAY), profile="short")
    with Life(monkeypatch, history=history) as life:
        for day in range(40):
            life.pass_and_sync(DAY)
            ages = sum(2**n <= day for n in range(9))
            assert len(life.sim.requests) <= 1 + ages + 1  # the second look at yesterday's
        assert sum(row["late"] for row in life.delivered.rows["sync_run"].values()) == 0


@pytest.mark.long
def test_a_full_page_is_audited_with_hardly_more_than_a_request(monkeypatch):
    """Ten pages a day, in bursts, for 40 days: no more than 9 requests for each page of events that
    are audited at all nine ages of a year.
    """
    history = generated(80_000, START, to_text(BASE + 40 * DAY), "bursty", profile="short")
    requests = events = 0
    with Life(monkeypatch, history=history) as life:
        for _ in range(40):
            life.pass_and_sync(DAY, page_size="200")
            requests += sum("properties" in request.query for request in life.sim.requests)
            if life.row()["audited"]:
                events += int(recounted(life))
    assert events > 200_000 and requests <= events / 200 * 9 / 7.6


def recounted(life):
    line = next(line for line in reversed(life.delivered.log) if "audited" in line)
    return line.split(" stretches of ")[1].split(" ")[0].replace(",", "")


def test_a_sync_with_no_audit_due_is_one_request(monkeypatch):
    with Life(monkeypatch, *(event(BASE + n * HOUR, n) for n in range(500))) as life:
        life.pass_and_sync(10 * DAY + HOUR)
        for _ in range(10):
            life.pass_and_sync(HOUR)
            assert len(life.sim.requests) == 1
        life.pass_and_sync(DAY)
        assert len(life.sim.requests) > 1


def test_an_audit_asks_for_one_small_property_and_for_all_if_that_is_refused(monkeypatch):
    events = [event(BASE + n * HOUR, n, hs_long="x" * 99, hs_short="1") for n in range(240)]
    for refuses in (False, True):
        with Life(monkeypatch, *events) as life:
            fault = "400" if refuses else None
            life.sim.behaviour.fault = lambda request, fault=fault: fault if "properties" in request.query else None
            life.pass_and_sync(DAY, 12)
            audits = [request for request in life.sim.requests if "occurredBefore" in request.query]
            assert audits and {tuple(request.query.get("properties", ())) for request in audits} >= {("hs_short",)}
            assert any("properties" not in request.query for request in audits) == refuses
            assert life.row()["audited"] > 0 and life.row()["late"] == 0 and not life.delivered.warnings


def test_audits_stop_when_half_of_the_days_quota_is_spent(monkeypatch):
    with Life(monkeypatch, *(event(BASE + n * HOUR, n) for n in range(240)), daily_quota=1000) as life:
        life.pass_and_sync(DAY, 3)
        life.sim.behaviour.daily_quota, until = 8, life.row()["complete_until"]
        life.pass_and_sync(DAY)
        life.sim.rate_limit.today = 5
        life.pass_and_sync(0)
        assert life.row()["audited"] == 0
        life.sim.behaviour.daily_quota = 1000
        life.pass_and_sync(DAY)
        assert life.row()["audited"] > 0 and to_ms(life.row()["complete_until"]) > to_ms(until)


def test_what_the_allowance_does_not_suffice_for_is_audited_by_the_next_syncs(monkeypatch):
    monkeypatch.setattr(budget, "FREE_REQUESTS", 1)
    monkeypatch.setattr(budget, "REQUESTS_FOR_EACH", 0)
    history = generated(4_000, START, to_text(BASE + 10 * DAY), profile="short")
    with Life(monkeypatch, history=history, late=backdated(50, 30 * HOUR)) as life:
        for _ in range(10):
            life.pass_and_sync(DAY, page_size="100")
        behind = life.row()["complete_until"]
        for _ in range(200):
            life.pass_and_sync(HOUR, page_size="100")
            # one walk, and what differs
            assert sum("occurredBefore" in request.query for request in life.sim.requests) <= 16
        assert life.delivered.ids() == truth(history) and to_ms(life.row()["complete_until"]) > to_ms(behind)


def test_what_half_a_spent_quota_leaves_is_in_the_log_and_after_a_week_a_warning(monkeypatch):
    with Life(monkeypatch, *(event(BASE + n * HOUR, n) for n in range(20 * 24)), daily_quota=1000) as life:
        left = []
        for _ in range(20):
            # others were first
            life.sim.rate_limit.day, life.sim.rate_limit.today = ((life.now + DAY) // DAY, 600)
            life.pass_and_sync(DAY)
            left.append(
                any("Left to the next sync" in line and "half of the account's" in line for line in life.delivered.log)
            )
            warned = [text for text in life.delivered.warnings if "more than a week behind" in text]
            # its first second look was due on the second day
            assert bool(warned) == (life.now >= BASE + 10 * DAY)
            life.delivered.log.clear()
    assert left == [False, *[True] * 19] and len(set(warned)) == 1 and "soon after midnight" in warned[0]


def test_what_a_syncs_share_of_requests_leaves_is_in_the_log_and_after_a_week_a_warning(monkeypatch):
    monkeypatch.setattr(budget, "FREE_REQUESTS", 1)
    monkeypatch.setattr(budget, "REQUESTS_FOR_EACH", 0)
    history = generated(4_000, START, to_text(BASE + 20 * DAY), profile="short")
    with Life(monkeypatch, history=history) as life:
        life.pass_and_sync(DAY, 5, page_size="10")
        assert any(
            "Left to the next sync" in line and f"of {TYPE}: the share of" in line for line in life.delivered.log
        )
        assert not life.delivered.warnings
        life.pass_and_sync(DAY, 15, page_size="10")
        assert any("sync more often" in text for text in life.delivered.warnings)


# What it finds and says


def test_after_a_pause_it_is_found_at_the_age_that_it_has_by_then(monkeypatch):
    events = [event(BASE + n * HOUR, n) for n in range(24)]
    with Life(monkeypatch, *events, late=lambda i, ms: 3 * DAY * (ms == BASE + 5 * HOUR)) as life:
        life.pass_and_sync(2 * DAY)
        life.pass_and_sync(10 * DAY)
    assert life.row()["late_by_age"] == {"8": 1}


def test_rejected_events_are_not_counted(monkeypatch):
    odd = [{"id": "", "eventType": TYPE, "occurredAt": to_text(BASE + n * HOUR)} for n in range(50)]
    with Life(monkeypatch, *(event(BASE + n * HOUR, n) for n in range(240)), *odd) as life:
        life.pass_and_sync(DAY, 12)
        rejected = len(life.delivered.rows["rejected_event"])
        life.delivered.upserts.clear()
        life.pass_and_sync(DAY, 6)
    assert rejected and len(life.delivered.upserts) < 12
    assert not any(row["late"] for row in life.delivered.rows["sync_run"].values())


@pytest.mark.parametrize("days", ["2", "256"])
def test_a_history_of_less_than_a_day_is_adopted_too(monkeypatch, days):
    events = [event(BASE + n * HOUR, n) for n in range(4, 240)]
    start = to_text(BASE + 4 * HOUR)
    with Life(monkeypatch, *events) as life:
        life.pass_and_sync(23 * HOUR, initial_sync_start_date=start, audit_days="0")
        life.pass_and_sync(HOUR, initial_sync_start_date=start, audit_days=days)
        assert [begin for begin, _ in adopted(life)] == [start]
        life.sim.histories = {TYPE: listed([*events, event(BASE + 10 * HOUR + 1, 999)])}
        life.pass_and_sync(DAY, 4, initial_sync_start_date=start, audit_days=days)
    assert "id-999" in life.delivered.ids()


def adopted(life):
    """The ranges that the log names as adopted, in order."""
    said = re.compile("what was delivered from (.*?) to (.*?) is audited from now on")
    return [match.groups() for line in life.delivered.log for match in said.finditer(line)]


def test_while_a_history_is_adopted_complete_until_says_so(monkeypatch):
    monkeypatch.setattr(budget, "FREE_REQUESTS", 2)
    monkeypatch.setattr(budget, "REQUESTS_FOR_EACH", 0)
    with Life(monkeypatch, *(event(BASE + n * HOUR, n) for n in range(240))) as life:
        life.pass_and_sync(12 * DAY, audit_days="0", page_size="10")
        seen = []
        for _ in range(60):
            life.pass_and_sync(10 * MINUTE, page_size="10")
            seen.append(life.row()["complete_until"])
    assert seen == sorted(seen) and seen[0] < to_text(BASE + 5 * DAY)
    assert not life.delivered.warnings, "what was never counted is not behind"
    assert seen[-1] == life.delivered.state["event_types"][TYPE]["occurred"]


def test_a_look_back_that_becomes_shorter_leaves_nothing_out(monkeypatch):
    """What the longer one would have read again is read again once more: nobody has counted it
    yet.
    """
    late = BASE + 8 * DAY + 1
    events = [*(event(BASE + n * HOUR, n) for n in range(240)), event(late, 999)]
    with Life(monkeypatch, *events, late=lambda i, ms: (2 * DAY + HOUR) * (ms == late)) as life:
        life.pass_and_sync(10 * DAY, lookback_minutes="4320")
        life.pass_and_sync(6 * HOUR, lookback_minutes="60")
        assert "id-999" in life.delivered.ids()
        life.pass_and_sync(6 * HOUR, lookback_minutes="60")
        assert len(life.sim.requests) == 1


@pytest.mark.parametrize("hour", [0, 3, 239], ids="hour {}".format)
def test_what_came_late_while_the_start_date_was_later_is_delivered_when_it_moves_back(monkeypatch, hour):
    """Before the start date nothing is delivered, and so nothing is audited."""
    events = [event(BASE + n * HOUR, n) for n in range(240)]
    with Life(monkeypatch, *events) as life:
        life.pass_and_sync(10 * DAY + HOUR)
        later = {"initial_sync_start_date": to_text(BASE + 5 * DAY + hour * HOUR)}
        life.pass_and_sync(HOUR, **later)
        life.sim.histories = {TYPE: listed([*events, event(BASE + 5 * DAY + (hour - 1) * HOUR + 1, 999)])}
        life.pass_and_sync(DAY, 8, **later)
        assert "id-999" not in life.delivered.ids()
        life.pass_and_sync(DAY)
        assert life.delivered.ids() == {f"id-{n}" for n in (*range(240), 999)}


def test_a_local_clock_a_year_ahead_costs_no_audit(monkeypatch):
    """HubSpot's clock is not known before its first answer."""
    events = [event(BASE + n * HOUR, n) for n in range(240)]
    with Life(monkeypatch, *events) as life:
        monkeypatch.setattr(clock, "local_now", lambda: life.now + 365 * DAY)
        life.pass_and_sync(DAY, 9)
        life.sim.histories = {TYPE: listed([*events, event(BASE + 5 * DAY, 999)])}
        life.pass_and_sync(DAY, 9)
        assert (
            "id-999" in life.delivered.ids()
            and sum(row["late"] for row in life.delivered.rows["sync_run"].values()) == 1
        )


def test_an_audit_that_is_refused_is_a_warning_and_the_sync_is_complete(monkeypatch):
    with Life(monkeypatch, *(event(BASE + n * HOUR, n) for n in range(240))) as life:
        life.pass_and_sync(DAY, 9)
        life.sim.behaviour.fault = lambda request: "400" if "occurredBefore" in request.query else None
        life.pass_and_sync(DAY)
        assert life.row()["outcome"] == "complete" and any(
            "could not be audited" in text for text in life.delivered.warnings
        )
        until = to_ms(life.row()["complete_until"])
        life.sim.behaviour.fault = None
        life.pass_and_sync(HOUR)
        assert life.row()["audited"] > 0 and to_ms(life.row()["complete_until"]) > until


def test_what_hubspot_does_not_send_any_more_stops_no_other_audit(monkeypatch):
    events = [event(BASE + n * HOUR, n) for n in range(20 * 24)]
    poisoned = BASE + 2 * DAY

    def refuse(request):
        after, before = (request.query.get(name, [""])[0] for name in ("occurredAfter", "occurredBefore"))
        return "400" if before and to_ms(after) <= poisoned <= to_ms(before) else None

    with Life(monkeypatch, *events, late=backdated(20, 3 * DAY)) as life:
        life.pass_and_sync(DAY, 3)
        life.sim.behaviour.fault = refuse
        life.pass_and_sync(DAY, 30)
    assert life.delivered.ids() >= {f"id-{n}" for n in range(4 * 24, 20 * 24)}
    assert to_ms(life.row()["complete_until"]) <= poisoned
    assert any("2026-01-03" in text and "could not be audited" in text for text in life.delivered.warnings)


def test_no_more_requests_at_once_than_the_configuration_allows(monkeypatch):
    lock, now, most, both = threading.Lock(), [0], [0], threading.Event()

    def counting(request):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
            if now[0] > 1:
                both.set()
        if request.number > 20:  # the windows of the first sync are cut by then
            both.wait(10)  # until a second one has come
        with lock:
            now[0] -= 1

    events = [event(BASE + n * MINUTE, n) for n in range(6000)]
    with Life(monkeypatch, *events, late=backdated(30, 30 * HOUR), fault=counting) as life:
        life.pass_and_sync(DAY, 9, page_size="100", concurrency="2")
    assert most[0] == 2 and life.delivered.ids() == {f"id-{n}" for n in range(6000)}


def test_the_ledgers_of_many_event_types_share_their_room_in_the_state(monkeypatch):
    """Those of forty would take 34,000 characters, and 25,000 at their coarsest."""
    monkeypatch.setattr(subject, "STATE_SIZE", 20_000)
    names = [f"pe1_t{n}" for n in range(40)]
    with Life(monkeypatch) as life:
        life.sim.histories = {name: generated(300, START, END, event_type=name, seed=n) for n, name in enumerate(names)}
        for days in (125, 1, 1):
            life.pass_and_sync(days * DAY, event_types="pe1_*")
            saved = life.delivered.state["event_types"].values()
            assert sum(len(each["ledger"]) for each in saved) < 26_000
        assert len(json.dumps(life.delivered.state)) < 50_000
        assert all(life.delivered.ids(name) == truth(life.sim.histories[name]) for name in names)


# What is looked at, and when


@pytest.mark.parametrize("hour, days", [(1, 1), (17, 1), (19, 2), (23, 2)])
def test_all_that_is_delivered_is_counted_again_at_the_first_midnight_six_hours_later(monkeypatch, hour, days):
    """However old it is: here half a year."""
    with Life(monkeypatch, *(event(BASE + n * HOUR, n) for n in range(4000))) as life:
        life.pass_and_sync(200 * DAY + hour * HOUR)
        cursor, began = life.progress()["occurred"], life.now
        for _ in range(49):
            if life.row()["audited"]:
                break
            assert life.row()["complete_until"] == START_TEXT
            life.pass_and_sync(HOUR)
        assert (life.now // DAY) - (began // DAY) == days and recounted(life) == "3999"
        again = [written for written in life.delivered.upserts[4000:] if written != "id-3999"]
        assert life.row()["complete_until"] >= cursor and not again


def test_a_second_look_finds_what_the_first_reading_lacked_however_old_it_is(monkeypatch):
    """One shard of three did not answer for a quarter of the first sync."""
    events = [event(BASE + n * HOUR, n) for n in range(6000)]
    first = [each for n, each in enumerate(events) if n % 3 or not 1000 <= n < 2500]
    with Life(monkeypatch, *events) as life:
        life.sim.histories = {TYPE: listed(first)}
        life.pass_and_sync(251 * DAY)
        life.sim.histories = {TYPE: listed(events)}
        life.pass_and_sync(HOUR)
        assert life.row()["complete_until"] == START_TEXT
        life.pass_and_sync(DAY)
        assert life.delivered.ids() == {f"id-{n}" for n in range(6000)}
        assert len(life.delivered.upserts) < 6000 * 1.3


def test_a_late_event_is_found_when_its_age_has_doubled_and_it_alone_is_written(monkeypatch):
    late = BASE + 5 * DAY + 7 * HOUR + 1
    events = [event(BASE + n * 10 * MINUTE, n) for n in range(6 * 144)] + [event(late, 9999)]
    with Life(monkeypatch, *events, late=lambda i, ms: 3 * DAY * (ms == late)) as life:
        life.pass_and_sync(DAY, 8)
        assert "id-9999" not in life.delivered.ids()
        life.delivered.upserts.clear()
        life.pass_and_sync(DAY)
    # and the last event, as each sync does that finds nothing new
    assert [written for written in life.delivered.upserts if written != "id-863"] == ["id-9999"]
    assert life.row()["late"] == 1 and life.row()["late_by_age"] == {"4": 1}
    assert life.row()["event_types"][TYPE]["late"] == {"4": 1}
    said = f"came late: 1 (1 at 4 d), vanished: 0, complete until {life.row()['complete_until']}."
    assert any(said in line for line in life.delivered.log)
    (found,) = life.ranges()
    assert found["range_start"] <= to_text(late) < found["range_end"]
    assert (found["late"], found["vanished"], found["whole"]) == (1, 0, False)


def test_a_range_is_named_after_its_rows_and_before_its_sums_are_saved(monkeypatch):
    events = [event(BASE + n * HOUR, n) for n in range(240)]
    with Life(monkeypatch, *events, late=backdated(10, 30 * HOUR)) as life:
        life.delivered = Ordered()
        life.pass_and_sync(DAY, 12)
    order = life.delivered.order
    places = [n for n, (what, _) in enumerate(order) if what == "audited_range"]
    assert places
    for place in places:
        written = {row["id"] for what, row in order[:place] if what == TYPE}
        found = order[place][1]
        inside = [each for each in events if found["range_start"] <= each["occurredAt"] < found["range_end"]]
        assert {each["id"] for each in inside} <= written


def test_no_more_is_taken_for_second_looks_than_a_quarter_of_the_days_quota(monkeypatch):
    """The state keeps the day and what was taken of it."""
    history = generated(4_000, START, to_text(BASE + 30 * DAY), profile="short")
    with Life(monkeypatch, history=history, daily_quota=400) as life:
        life.sim.rate_limit.day = None
        life.pass_and_sync(40 * DAY, page_size="50")
        taken = []
        for _ in range(12):
            life.sim.rate_limit.today = 0
            life.pass_and_sync(12 * HOUR, page_size="50", concurrency="1")
            taken.append(life.delivered.state["looks"]["taken"])
        days = [max(pair) for pair in zip(taken[1::2], taken[2::2], strict=False)]
    assert 60 <= max(days) <= 100 + 4  # one walk more than it says
    assert life.row()["complete_until"] > to_text(BASE + 29 * DAY)


def test_what_the_time_for_second_looks_does_not_suffice_for_is_left(monkeypatch):
    with Life(monkeypatch, *(event(BASE + n * HOUR, n) for n in range(240))) as life:
        life.pass_and_sync(DAY, 3)
        life.now += 2 * DAY
        # no time has passed, or a clock was set back
        life.delivered.state["looks"]["began"] = to_text(life.now + HOUR)
        life.pass_and_sync(0)
        assert any("Left to the next sync" in line for line in life.delivered.log)


def test_a_sync_begins_with_the_looks_that_the_last_one_owed(monkeypatch):
    events = [event(BASE + n * HOUR, n) for n in range(240)]
    with Life(monkeypatch, *events, late=backdated(10, 30 * HOUR)) as life:
        life.delivered = Destination()
        life.pass_and_sync(DAY, 5)
        life.delivered.fuse = 3
        with suppress(Killed):
            life.pass_and_sync(DAY, checkpoint_interval="1")
        assert life.delivered.fuse < 0 and life.delivered.state["looks"]["owed"]
        life.delivered.fuse = None
        life.pass_and_sync(HOUR)
        first = [request.query for request in life.sim.requests[:2]]
        assert "occurredBefore" in first[1] and not life.delivered.state["looks"]["owed"]


# Silence


def test_silence_that_events_follow_is_read_once_more_at_the_end_of_the_same_sync(monkeypatch):
    """Also without audits; what it brings is not late."""
    for days in ("256", "0"):
        history = generated(4_000, START, to_text(BASE + 40 * DAY), profile="short")
        with Life(monkeypatch, history=history) as life:
            blinded(life, monkeypatch)
            life.pass_and_sync(41 * DAY, page_size="20", audit_days=days)
            assert life.delivered.ids() == truth(history)
            assert life.row()["late"] == 0 and not life.ranges()


def test_silence_that_is_owed_stays_in_the_state_and_the_next_sync_begins_with_it(monkeypatch):
    for days in ("256", "0"):
        history = generated(4_000, START, to_text(BASE + 40 * DAY), profile="short")
        with Life(monkeypatch, history=history) as life:
            life.delivered = Destination()
            blinded(life, monkeypatch, Killed)
            with suppress(Killed):
                life.pass_and_sync(41 * DAY, page_size="20", audit_days=days)
            assert life.delivered.ids() != truth(history)
            silent = [c for c in decode(life.progress()["ledger"]) if c.kind == Kind.SILENT]
            assert silent
            life.pass_and_sync(HOUR, page_size="20", audit_days=days)
            assert life.delivered.ids() == truth(history)


def test_a_quiet_type_does_not_hold_complete_until_for_ever(monkeypatch):
    """Two syncs a day apart have read the silence after its last event."""
    with Life(monkeypatch, *(event(BASE + n * HOUR, n) for n in range(24))) as life:
        life.pass_and_sync(6 * HOUR, 4 * 30)
        assert life.row()["complete_until"] > to_text(life.now - 3 * DAY)
        for _ in range(8):
            life.pass_and_sync(6 * HOUR)
            assert len(life.sim.requests) <= 2
        before = life.row()["complete_until"]
        life.sim.histories = {TYPE: listed([*(event(BASE + n * HOUR, n) for n in range(24)), event(life.now, 99)])}
        life.pass_and_sync(6 * HOUR)
        assert "id-99" in life.delivered.ids() and life.row()["complete_until"] >= before


def test_a_type_without_any_event_is_complete_up_to_the_silence_that_was_read_twice(monkeypatch):
    with Life(monkeypatch) as life:
        life.pass_and_sync(DAY)
        assert life.row()["complete_until"] is None
        life.pass_and_sync(DAY + MINUTE, 2)
        assert life.row()["complete_until"] > to_text(life.now - 3 * DAY)


def test_complete_until_is_null_if_any_selected_type_has_none(monkeypatch):
    with Life(monkeypatch, *(event(BASE + n * HOUR, n) for n in range(240))) as life:
        life.pass_and_sync(DAY, 5, event_types=TYPE)
        assert life.row()["complete_until"]
        life.sim.histories["pe1_new"] = listed([])
        life.pass_and_sync(DAY, event_types=f"{TYPE}, pe1_new")
        assert life.row()["complete_until"] is None


# What vanishes, and what merges


def test_a_fall_is_believed_only_when_a_look_on_a_later_day_falls_too(monkeypatch):
    events = [event(BASE + n * 10 * MINUTE, n) for n in range(10 * 144)]
    with Life(monkeypatch, *events) as life:
        life.pass_and_sync(DAY, 10)
        life.sim.histories = {TYPE: listed(events[:1300] + events[1305:])}
        life.delivered.upserts.clear()
        for _ in range(12):
            if life.ranges():
                break
            life.pass_and_sync(6 * HOUR)
        assert not any(row["vanished"] or row["whole"] for row in life.ranges())
        assert life.row()["vanished"] == 0 and life.row()["complete_until"] <= to_text(BASE + 9 * DAY + 2 * HOUR)
        assert len(life.delivered.upserts) < 80  # the buckets that differ
        life.pass_and_sync(DAY)
        assert life.row()["vanished"] == 5 and any(row["whole"] for row in life.ranges())
        assert any("no longer has" in text and "rows stay" in text for text in life.delivered.warnings)
        life.pass_and_sync(DAY, 5)
    assert sum(row["vanished"] for row in life.ranges()) == 5
    assert life.delivered.ids() == {f"id-{n}" for n in range(10 * 144)}
    whole = [row for row in life.ranges() if row["whole"]]
    for row in whole:  # everything that is left of it was written after that
        left = {
            e["id"] for e in events[:1300] + events[1305:] if row["range_start"] <= e["occurredAt"] < row["range_end"]
        }
        assert left <= set(life.delivered.upserts)


def test_an_answer_that_lacks_events_for_a_moment_tells_nobody_to_delete_rows(monkeypatch):
    events = [event(BASE + n * HOUR, n) for n in range(240)]
    with Life(monkeypatch, *events) as life:
        life.pass_and_sync(DAY, 10)
        life.sim.histories = {TYPE: listed(events[::2])}
        life.pass_and_sync(DAY)
        life.sim.histories = {TYPE: listed(events)}
        life.pass_and_sync(DAY, 8)
    assert life.ranges() and not any(row["vanished"] or row["whole"] for row in life.ranges())
    assert sum(row["vanished"] for row in life.delivered.rows["sync_run"].values()) == 0


def test_of_a_contact_that_was_merged_its_bucket_alone_is_written(monkeypatch):
    events = [event(BASE + n * MINUTE, n) for n in range(2 * 1440)]
    with Life(monkeypatch, *events) as life:
        life.pass_and_sync(DAY, 3)
        events[1440 + 700]["objectId"] = "2"
        life.sim.histories = {TYPE: listed(events)}
        life.delivered.upserts.clear()
        life.pass_and_sync(DAY, 5)
    assert life.delivered.rows[TYPE][f"id-{1440 + 700}"]["objectId"] == "2"
    late = [row["late"] + row["vanished"] for row in life.delivered.rows["sync_run"].values()]
    assert sum(late) == 0 and len(set(life.delivered.upserts)) < 120


def test_that_much_comes_late_is_said_once_as_long_as_it_lasts(monkeypatch):
    events = [event(BASE + n * HOUR, n) for n in range(60 * 24)]
    with Life(monkeypatch, *events, late=backdated(4, 30 * HOUR)) as life:
        life.pass_and_sync(DAY, 60)
    said = [text for text in life.delivered.warnings if "came late" in text]
    assert len(said) == 1 and "lookback_minutes" in said[0]


# What is lost, adopted or cut


def test_a_history_that_was_never_counted_is_adopted_without_a_row(monkeypatch):
    """As 1.0.0 has delivered it: version 1 of the state."""
    events = [event(BASE + n * HOUR, n) for n in range(240)]
    with Life(monkeypatch, *events) as life:
        life.pass_and_sync(12 * DAY, audit_days="0")
        fields = ("occurred", "read_at", "start_date", "finished_at")
        saved = {name: life.progress()[name] for name in fields}
        life.delivered.states.append({"version": 1, "event_types": {TYPE: saved}})
        life.delivered.upserts.clear()
        life.pass_and_sync(DAY)
        assert len(life.delivered.upserts) <= 1 and not life.ranges()
        assert life.row()["complete_until"] == life.progress()["occurred"]
        assert adopted(life) == [(START_TEXT, to_text(BASE + 239 * HOUR))]
        life.sim.histories = {TYPE: listed([*events, event(BASE + 5 * DAY, 999)])}
        life.pass_and_sync(DAY, 9)
    assert "id-999" in life.delivered.ids()


def test_what_is_adopted_is_saved_as_it_is_counted(monkeypatch):
    monkeypatch.setattr(looks, "SAVE_SECONDS", 0)
    with Life(monkeypatch, *(event(BASE + n * HOUR, n) for n in range(240))) as life:
        life.delivered = Destination()
        life.pass_and_sync(12 * DAY, audit_days="0", page_size="10")
        life.delivered.fuse = 6
        with suppress(Killed):
            life.pass_and_sync(DAY, page_size="10")
        kinds = {cell.kind for cell in decode(life.progress()["ledger"])}
        assert life.delivered.fuse < 0 and kinds == {Kind.UNCOUNTED, Kind.LOOKED}
        assert adopted(life) == [(START_TEXT, to_text(BASE + 239 * HOUR))]
        life.delivered.fuse = None
        life.pass_and_sync(HOUR, page_size="10")
        assert START_TEXT < adopted(life)[1][0] < adopted(life)[1][1] == to_text(BASE + 239 * HOUR)


def test_nothing_before_the_start_date_is_adopted(monkeypatch):
    later = to_text(BASE + 5 * DAY)
    with Life(monkeypatch, *(event(BASE + n * HOUR, n) for n in range(240))) as life:
        life.pass_and_sync(12 * DAY, audit_days="0")
        life.pass_and_sync(DAY, 3, initial_sync_start_date=later)
        assert [begin for begin, _ in adopted(life)] == [later]


@pytest.mark.parametrize("text", ["", "eJw=.AAAA"])
def test_a_ledger_that_is_lost_is_delivered_again_and_never_adopted(monkeypatch, text):
    events = [event(BASE + n * HOUR, n) for n in range(240)]
    with Life(monkeypatch, *events) as life:
        life.pass_and_sync(DAY, 11)
        life.sim.histories = {TYPE: listed([*events, event(BASE + 5 * DAY + 1, 999)])}
        life.progress()["ledger"] = text
        life.pass_and_sync(DAY)
        assert "id-999" in life.delivered.ids() and not adopted(life)
        assert life.row()["late"] == 0 and life.row()["complete_until"] == START_TEXT
        life.pass_and_sync(DAY, 2)
        assert life.row()["complete_until"] > to_text(BASE + 9 * DAY) and life.row()["late"] == 0


def test_a_cell_across_a_moved_start_date_is_cut_and_delivered_again(monkeypatch):
    events = [event(BASE + n * HOUR, n) for n in range(240)]
    later = {"initial_sync_start_date": to_text(BASE + 5 * DAY + 2 * HOUR)}
    with Life(monkeypatch, *events) as life:
        life.pass_and_sync(DAY, 11)
        life.sim.histories = {TYPE: listed([*events, event(BASE + 5 * DAY + HOUR + 1, 999)])}
        life.delivered.upserts.clear()
        life.pass_and_sync(DAY, **later)
        life.pass_and_sync(DAY, **later)
        assert "id-999" not in life.delivered.ids()
        assert set(life.delivered.upserts) >= {f"id-{n}" for n in range(122, 126)}
        assert not set(life.delivered.upserts) & {f"id-{n}" for n in range(122)}
        assert sum(row["late"] + row["vanished"] for row in life.delivered.rows["sync_run"].values()) == 0
        life.pass_and_sync(DAY)
    assert "id-999" in life.delivered.ids()


def test_while_the_start_date_is_after_the_cursor_nothing_is_looked_at(monkeypatch):
    events = [event(BASE + n * HOUR, n) for n in range(240)]
    with Life(monkeypatch, *events) as life:
        life.pass_and_sync(DAY, 11)
        for _ in range(4):
            life.pass_and_sync(DAY, initial_sync_start_date=to_text(BASE + 12 * DAY))
            assert life.row()["audited"] == 0 and len(life.sim.requests) == 1


def test_what_a_killed_sync_has_delivered_is_counted_as_far_as_its_last_checkpoint(monkeypatch):
    events = [event(BASE + n * HOUR, n) for n in range(240)]
    with Life(monkeypatch, *events) as life:
        life.delivered = Destination()
        life.delivered.fuse = 200
        with suppress(Killed):
            life.pass_and_sync(12 * DAY, page_size="10", checkpoint_interval="10")
        cells, occurred = decode(life.progress()["ledger"]), life.progress()["occurred"]
        behind = sum(each["occurredAt"] < occurred for each in events)
        assert behind > 100 and sum(cell.sum.events for cell in cells) == behind
        assert {cell.kind for cell in cells} == {Kind.DELIVERED}
        life.delivered.fuse = None
        life.pass_and_sync(HOUR)
        assert not adopted(life) and life.delivered.ids() == {f"id-{n}" for n in range(240)}


@pytest.mark.parametrize("fuse", [None, 30, 90])
def test_a_gap_is_counted_while_it_is_delivered(monkeypatch, fuse):
    events = [event(BASE + n * HOUR, n) for n in range(240)]
    with Life(monkeypatch, *events) as life:
        life.delivered = Destination()
        life.pass_and_sync(10 * DAY, initial_sync_start_date=to_text(BASE + 5 * DAY))
        life.delivered.upserts.clear()
        life.delivered.fuse = fuse
        with suppress(Killed):
            life.pass_and_sync(HOUR, page_size="10", checkpoint_interval="7")
        life.delivered.fuse = None
        life.pass_and_sync(HOUR)
        assert not {f"id-{n}" for n in range(120, 238)} & set(life.delivered.upserts)
        cells = decode(life.progress()["ledger"])
        assert all(first.end == second.begin for first, second in pairwise(cells))
        assert sum(cell.sum.events for cell in cells) == 239
        life.pass_and_sync(DAY, 2)
        assert life.delivered.ids() == {f"id-{n}" for n in range(240)}
        assert life.row()["complete_until"] > to_text(BASE + 9 * DAY) and not life.ranges()
        life.sim.histories = {TYPE: listed([*events, event(BASE + 2 * DAY, 999)])}
        life.pass_and_sync(DAY, 9)
        assert "id-999" in life.delivered.ids()


# What fails


def test_a_type_whose_sync_failed_is_not_looked_at(monkeypatch):
    names = f"{TYPE}, pe1_other"
    with Life(monkeypatch, *(event(BASE + n * HOUR, n) for n in range(240))) as life:
        life.sim.histories["pe1_other"] = generated(100, START, END, event_type="pe1_other")
        life.pass_and_sync(DAY, 9, event_types=names)
        life.sim.behaviour.fault = lambda request: (
            "400" if "occurredBefore" not in request.query and TYPE in request.query.get("eventType", ()) else None
        )
        life.pass_and_sync(DAY, event_types=names)
        asked = [r for r in life.sim.requests if "occurredBefore" in r.query and TYPE in r.query.get("eventType", ())]
        assert not asked and life.row()["event_types"][TYPE]["outcome"] == "refused"


def test_an_outage_while_cells_are_counted_ends_the_looks_and_is_not_halved(monkeypatch):
    with Life(monkeypatch, *(event(BASE + n * HOUR, n) for n in range(240))) as life:
        life.pass_and_sync(DAY, 9)
        life.sim.behaviour.fault = lambda request: "401" if "occurredBefore" in request.query else None
        life.pass_and_sync(DAY)
        assert sum("occurredBefore" in request.query for request in life.sim.requests) <= 4
        assert life.row()["audited"] == 0 and life.row()["outcome"] == "complete"


def test_what_the_full_read_lacks_keeps_its_sums_and_stays_due(monkeypatch):
    """The count saw a late event; the read that was to deliver it does not."""
    events = [event(BASE + n * HOUR, n, hs_a="1") for n in range(240)]
    late = event(BASE + 5 * DAY + 1, 999, hs_a="1")
    with Life(monkeypatch, *events) as life:
        life.pass_and_sync(DAY, 11)

        def hide(request):
            is_count = "properties" in request.query
            life.sim.histories = {TYPE: listed([*events, late] if is_count else events)}

        life.sim.behaviour.fault = hide
        life.pass_and_sync(DAY, 8)
        assert "id-999" not in life.delivered.ids() and not life.ranges()
        assert life.row()["complete_until"] <= to_text(BASE + 5 * DAY + 1)
        life.sim.behaviour.fault, life.sim.histories = None, {TYPE: listed([*events, late])}
        life.pass_and_sync(HOUR)
        assert "id-999" in life.delivered.ids() and sum(r["late"] for r in life.ranges()) == 1


def test_a_small_property_that_is_refused_is_not_asked_for_again(monkeypatch):
    events = [event(BASE + n * HOUR, n, hs_short="1") for n in range(240)]
    with Life(monkeypatch, *events) as life:
        life.sim.behaviour.fault = lambda request: "400" if "properties" in request.query else None
        life.pass_and_sync(240 * HOUR)
        life.pass_and_sync(2 * DAY, page_size="10", concurrency="1")
        refused = [request for request in life.sim.requests if "properties" in request.query]
        assert len(refused) == 1 and life.row()["audited"] > 0


def test_what_is_read_out_of_turn_is_not_counted(monkeypatch):
    """Only the walk that made a window whole is: here, others have read events that it lacks."""
    real = Reader.pages

    def twice(self, span, known_events=None):
        for page in real(self, span, known_events):
            lacking = [each | {"id": f"{each['id']}-lacking"} for each in page["results"]]
            yield {"results": lacking, "counted": False}
            yield page

    monkeypatch.setattr(Reader, "pages", twice)
    with Life(monkeypatch, *(event(BASE + n * HOUR, n) for n in range(240))) as life:
        life.pass_and_sync(DAY, 12)
        assert sum(cell.sum.events for cell in decode(life.progress()["ledger"])) <= 240
        assert not life.ranges()


def test_nothing_is_saved_for_looks_that_find_nothing(monkeypatch):
    names = [f"pe1_t{n}" for n in range(8)]
    with Life(monkeypatch) as life:
        life.sim.histories = {
            name: generated(300, START, to_text(BASE + 10 * DAY), event_type=name, seed=n)
            for n, name in enumerate(names)
        }
        for _ in range(9):
            life.pass_and_sync(DAY, event_types="pe1_*")
        saved = len(life.delivered.states)
        life.pass_and_sync(DAY, event_types="pe1_*")
        assert life.row()["audited"] > 8 and len(life.delivered.states) - saved <= 8 + 1


def blinded(life, monkeypatch, error=None):
    """Answers ranges around one moment as empty, on every connection until the looks begin or end
    in an error.
    """
    moment, look = BASE + 20 * DAY, Looks.at_silence

    def fault(request):
        after, before = (request.query.get(f"occurred{name}", [""])[0] for name in ("After", "Before"))
        return "ends" if before and to_ms(after) <= moment <= to_ms(before) else None

    def see(self, subjects):
        bad = {request.connection for request in life.sim.requests}
        life.sim.behaviour.fault = lambda asked: fault(asked) if asked.connection in bad else None
        monkeypatch.setattr(Looks, "at_silence", look)
        if error:
            raise error
        return look(self, subjects)

    life.sim.behaviour.fault = fault
    monkeypatch.setattr(Looks, "at_silence", see)


class Ordered(Delivered):
    """Remembers the order of rows and states."""

    def __init__(self):
        super().__init__()
        self.order = []

    def upsert(self, table, row):
        super().upsert(table, row)
        self.order.append((table, row))


def test_a_fall_is_not_believed_if_what_is_sent_then_is_all_there(monkeypatch):
    """Only the counts of looks lack events, on two days: their requests name one property."""
    events = [event(BASE + n * 10 * MINUTE, n, hs_url="/") for n in range(5 * 144)]
    with Life(monkeypatch, *events) as life:
        life.sim.behaviour.fault = lambda request: "shard" if "properties" in request.query else None
        life.pass_and_sync(DAY, 9)
        assert life.delivered.ids() == {f"id-{n}" for n in range(5 * 144)}
        assert not any(row["vanished"] or row["whole"] for row in life.ranges())
        life.sim.behaviour.fault = None
        life.pass_and_sync(DAY, 3)
    assert life.row()["complete_until"] > to_text(BASE + 4 * DAY)
    assert not any(row["vanished"] or row["whole"] for row in life.ranges())


def test_silence_before_a_start_date_that_moves_earlier_was_not_looked_at(monkeypatch):
    """A type without events since its start date; then what lies before is falsely empty, once."""
    events = [event(BASE + n * HOUR, n) for n in range(48)]
    later = to_text(BASE + 20 * DAY)
    with Life(monkeypatch, *events) as life:
        for _ in range(3):
            life.pass_and_sync(30 * DAY, initial_sync_start_date=later)
        life.sim.behaviour.fault = lambda request: "ends"
        life.pass_and_sync(HOUR)
        assert not life.delivered.ids() and life.row()["complete_until"] is None
        life.sim.behaviour.fault = None
        life.pass_and_sync(HOUR)
        assert life.delivered.ids() == {f"id-{n}" for n in range(48)}
