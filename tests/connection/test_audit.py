"""Audits: what became visible late is found and delivered, what that costs, and what is said of
it.
"""

import json
import re
import threading
import time
from contextlib import suppress

import pytest

from pipeline.audits import budget as audit
from pipeline.hubspot import clock
from pipeline.timestamps import DAY, MINUTE, to_ms, to_text
from simulator import Behaviour, Simulator, generated, listed
from simulator.lateness import backdated, converting
from tests.support import (
    BASE,
    END,
    START,
    TYPE,
    Delivered,
    Destination,
    Killed,
    event,
    sync_into,
    truth,
)

HOUR = 60 * MINUTE
START_TEXT = to_text(BASE)


class Life:
    """A connection over many days: `pass_and_sync` lets time pass, by both clocks, and syncs."""

    def __init__(self, monkeypatch, *events, history=None, **behaviour):
        self.now, self.delivered = BASE, Delivered()
        monkeypatch.setattr(clock, "local_now", lambda: self.now)
        history = history or listed(events)
        self.sim = Simulator(
            {TYPE: history}, Behaviour(clock=lambda: self.now, hide_future=True, **behaviour)
        )

    def pass_and_sync(self, ms, times=1, **keys):
        for _ in range(times):
            self.now += ms
            self.sim.requests.clear()
            sync_into(self.delivered, self.sim, **keys)

    def row(self):
        return max(self.delivered.rows["sync_run"].values(), key=lambda row: row["started_at"])

    def __enter__(self):
        self.sim.__enter__()
        return self

    def __exit__(self, *error):
        self.sim.__exit__(*error)


# What it costs


@pytest.mark.parametrize("every, most_upserts", [(10, 35_000), (1000, 20_000)])
def test_a_month_with_events_three_days_late(monkeypatch, every, most_upserts):
    """A sync every six hours, then twenty quiet days."""
    history = generated(12_000, START, to_text(BASE + 30 * DAY), profile="short")
    with Life(monkeypatch, history=history, late=backdated(every, 3 * DAY)) as life:
        requests = 0
        for _ in range(200):
            life.pass_and_sync(6 * HOUR)
            requests += len(life.sim.requests)
    assert life.delivered.ids() == truth(history)
    assert len(life.delivered.upserts) <= most_upserts and requests <= 800
    found = sum(row["late"] for row in life.delivered.rows["sync_run"].values())
    assert found in (
        12_000 // every - 1,
        12_000 // every,
    )  # the last event is after the cursor: a sync finds it


def test_the_visits_of_a_visitor_before_his_conversion_are_delivered(monkeypatch):
    history = generated(2_000, START, to_text(BASE + 30 * DAY), profile="short")
    with Life(monkeypatch, history=history, late=converting(history, 3, 9 * DAY)) as life:
        life.pass_and_sync(DAY, 60)
    assert life.delivered.ids() == truth(history)


def test_at_small_volumes_an_audit_is_one_request_for_each_age_and_day(monkeypatch):
    history = generated(20 * 120, START, END, profile="short")
    with Life(monkeypatch, history=history) as life:
        for day in range(100):
            life.pass_and_sync(DAY)
            ages = sum(2**n <= day for n in range(9))
            assert len(life.sim.requests) <= 1 + ages
        assert sum(row["late"] for row in life.delivered.rows["sync_run"].values()) == 0


@pytest.mark.long
@pytest.mark.parametrize("shape", ["uniform", "bursty"])
def test_a_full_page_is_audited_with_hardly_more_than_a_request(monkeypatch, shape):
    """10,000 events a day, 40 days: no more than 9 requests for 1,000 events that are audited at
    all nine ages of a year.
    """
    history = generated(400_000, START, to_text(BASE + 40 * DAY), shape, profile="short")
    requests = events = 0
    with Life(monkeypatch, history=history) as life:
        for _ in range(40):
            life.pass_and_sync(DAY)
            requests += sum("properties" in request.query for request in life.sim.requests)
            events += sum(
                map(int, life.row()["event_types"][TYPE]["audited"] and [recounted(life)] or [0])
            )
    assert events > 1_000_000 and requests <= events / 1000 * 9 / 7.6


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
            life.sim.behaviour.fault = lambda request, fault=fault: (
                fault if "properties" in request.query else None
            )
            life.pass_and_sync(DAY, 12)
            audits = [request for request in life.sim.requests if "occurredBefore" in request.query]
            assert audits and {
                tuple(request.query.get("properties", ())) for request in audits
            } >= {("hs_short",)}
            assert any("properties" not in request.query for request in audits) == refuses
            assert (
                life.row()["audited"] > 0
                and life.row()["late"] == 0
                and not life.delivered.warnings
            )


def test_audits_stop_when_half_of_the_days_quota_is_spent(monkeypatch):
    with Life(
        monkeypatch, *(event(BASE + n * HOUR, n) for n in range(240)), daily_quota=1000
    ) as life:
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
    monkeypatch.setattr(audit, "FREE_REQUESTS", 1)
    monkeypatch.setattr(audit, "REQUESTS_FOR_EACH", 0)
    history = generated(4_000, START, to_text(BASE + 10 * DAY), profile="short")
    with Life(monkeypatch, history=history, late=backdated(50, 30 * HOUR)) as life:
        for _ in range(10):
            life.pass_and_sync(DAY, page_size="100")
        behind = life.row()["complete_until"]
        for _ in range(200):
            life.pass_and_sync(HOUR, page_size="100")
            assert (
                sum("occurredBefore" in request.query for request in life.sim.requests) <= 16
            )  # one walk, and what differs
        assert life.delivered.ids() == truth(history) and to_ms(
            life.row()["complete_until"]
        ) > to_ms(behind)


@pytest.mark.parametrize("fuse", range(300, 1500, 170))
def test_a_kill_while_stretches_are_delivered_again_repeats_one_at_most(monkeypatch, fuse):
    """Sixteen neighbors differ. HubSpot sends them as one window, which the watermark passes only
    at its end.
    """
    history = generated(4_000, START, to_text(BASE + DAY), profile="short")
    with Life(monkeypatch, history=history, late=backdated(20, 10 * HOUR)) as life:
        life.delivered = Destination()
        life.pass_and_sync(DAY + HOUR)
        life.delivered.fuse = fuse
        with suppress(Killed):
            life.pass_and_sync(DAY)
        assert (
            life.delivered.fuse < 0 and len(life.delivered.waiting) <= 260
        )  # a stretch, and what the sync itself delivers
        life.delivered.fuse = None
        life.pass_and_sync(HOUR)
    assert life.delivered.ids() == truth(history)


def test_what_half_a_spent_quota_leaves_is_in_the_log_and_after_a_week_a_warning(monkeypatch):
    with Life(
        monkeypatch, *(event(BASE + n * HOUR, n) for n in range(20 * 24)), daily_quota=1000
    ) as life:
        left = []
        for _ in range(20):
            life.sim.rate_limit.day, life.sim.rate_limit.today = (
                (life.now + DAY) // DAY,
                600,
            )  # others were first
            life.pass_and_sync(DAY)
            left.append(
                any(
                    "Left to the next sync" in line and "half of the account's" in line
                    for line in life.delivered.log
                )
            )
            warned = [text for text in life.delivered.warnings if "more than a week behind" in text]
            assert bool(warned) == (
                life.now > BASE + 6 * HOUR + DAY + 7 * DAY
            )  # its first stretch was due at a day
            life.delivered.log.clear()
    assert (
        left == [False, *[True] * 19]
        and len(set(warned)) == 1
        and "soon after midnight" in warned[0]
    )


def test_what_a_syncs_share_of_requests_leaves_is_in_the_log_and_after_a_week_a_warning(
    monkeypatch,
):
    monkeypatch.setattr(audit, "FREE_REQUESTS", 1)
    monkeypatch.setattr(audit, "REQUESTS_FOR_EACH", 0)
    history = generated(4_000, START, to_text(BASE + 20 * DAY), profile="short")
    with Life(monkeypatch, history=history) as life:
        life.pass_and_sync(DAY, 5, page_size="10")
        assert any(
            "Left to the next sync" in line and f"of {TYPE}: the share of" in line
            for line in life.delivered.log
        )
        assert not life.delivered.warnings
        life.pass_and_sync(DAY, 15, page_size="10")
        assert any("sync more often" in text for text in life.delivered.warnings)


def test_audit_days_0_audits_nothing(monkeypatch):
    with Life(monkeypatch, *(event(BASE + n * HOUR, n) for n in range(240))) as life:
        for _ in range(12):
            life.pass_and_sync(DAY, audit_days="0")
            assert len(life.sim.requests) == 1
        assert (
            "stretches" not in json.dumps(life.delivered.state)
            and life.row()["complete_until"] is None
        )


# What it finds and says


def test_a_late_event_is_found_at_the_next_age_and_only_its_stretch_is_written_again(monkeypatch):
    late = BASE + 5 * DAY + 7 * HOUR + 1
    events = [event(BASE + n * 10 * MINUTE, n) for n in range(6 * 144)] + [event(late, 9999)]
    with Life(monkeypatch, *events, late=lambda i, ms: 3 * DAY * (ms == late)) as life:
        life.pass_and_sync(DAY, 9)
        assert "id-9999" not in life.delivered.ids()
        life.delivered.upserts.clear()
        life.pass_and_sync(DAY)
    assert "id-9999" in life.delivered.ids() and len(life.delivered.upserts) < 40
    assert life.row()["late"] == 1 and life.row()["late_by_age"] == {"4": 1}
    assert life.row()["event_types"][TYPE]["late"] == {"4": 1}
    said = f"came late: 1 (1 at 4 d), vanished: 0, complete until {life.row()['complete_until']}."
    assert any(said in line for line in life.delivered.log)


def test_after_a_pause_it_is_found_at_the_age_that_it_has_by_then(monkeypatch):
    events = [event(BASE + n * HOUR, n) for n in range(24)]
    with Life(monkeypatch, *events, late=lambda i, ms: 3 * DAY * (ms == BASE + 5 * HOUR)) as life:
        life.pass_and_sync(2 * DAY)
        life.pass_and_sync(10 * DAY)
    assert life.row()["late_by_age"] == {"8": 1}


def test_much_that_came_late_is_a_warning(monkeypatch):
    with Life(
        monkeypatch, *(event(BASE + n * HOUR, n) for n in range(240)), late=backdated(4, 30 * HOUR)
    ) as life:
        life.pass_and_sync(DAY, 12)
    assert (
        len(
            {
                warning
                for warning in life.delivered.warnings
                if "came late" in warning and "lookback_minutes" in warning
            }
        )
        == 1
    )


def test_what_vanished_is_reported_and_stays(monkeypatch):
    events = [event(BASE + n * HOUR, n) for n in range(240)]
    with Life(monkeypatch, *events) as life:
        life.pass_and_sync(DAY, 10)
        life.sim.histories = {TYPE: listed(events[:200] + events[205:])}
        life.pass_and_sync(DAY, 8)
    assert sum(row["vanished"] for row in life.delivered.rows["sync_run"].values()) == 5
    assert life.delivered.ids() == {f"id-{n}" for n in range(240)}
    assert any(
        "no longer has" in warning and "rows stay" in warning for warning in life.delivered.warnings
    )


def test_a_contact_that_was_merged_into_another_is_corrected(monkeypatch):
    events = [event(BASE + n * HOUR, n) for n in range(240)]
    with Life(monkeypatch, *events) as life:
        life.pass_and_sync(DAY, 10)
        events[220]["objectId"] = "2"
        life.sim.histories = {TYPE: listed(events)}
        life.pass_and_sync(DAY, 8)
    assert life.delivered.rows[TYPE]["id-220"]["objectId"] == "2"
    assert (
        sum(row["late"] + row["vanished"] for row in life.delivered.rows["sync_run"].values()) == 0
    )


def test_rejected_events_are_not_counted(monkeypatch):
    odd = [{"id": "", "eventType": TYPE, "occurredAt": to_text(BASE + n * HOUR)} for n in range(50)]
    with Life(monkeypatch, *(event(BASE + n * HOUR, n) for n in range(240)), *odd) as life:
        life.pass_and_sync(DAY, 12)
        rejected = len(life.delivered.rows["rejected_event"])
        life.delivered.upserts.clear()
        life.pass_and_sync(DAY, 6)
    assert rejected and len(life.delivered.upserts) < 12
    assert not any(row["late"] for row in life.delivered.rows["sync_run"].values())


def test_a_history_that_was_delivered_uncounted_is_adopted_without_a_row(monkeypatch):
    """As by version 3 of the state, which had a daily re-read instead."""
    with Life(monkeypatch, *(event(BASE + n * HOUR, n) for n in range(240))) as life:
        life.pass_and_sync(12 * DAY, audit_days="0")
        old = {
            "version": 3,
            "event_types": {
                TYPE: life.delivered.state["event_types"][TYPE] | {"deep_read_at": START}
            },
        }
        life.delivered.states.append(old)
        life.delivered.upserts.clear()
        life.pass_and_sync(DAY)
        assert len(life.delivered.upserts) <= 1
        assert life.row()["complete_until"] == life.delivered.state["event_types"][TYPE]["occurred"]
        life.sim.histories = {
            TYPE: listed(
                [event(BASE + n * HOUR, n) for n in range(240)] + [event(BASE + 5 * DAY, 999)]
            )
        }
        life.pass_and_sync(DAY, 9)
    assert "id-999" in life.delivered.ids()


@pytest.mark.parametrize("days", ["1", "256"])
def test_a_history_of_less_than_a_day_is_adopted_too(monkeypatch, days):
    events = [event(BASE + n * HOUR, n) for n in range(4, 240)]
    start = to_text(BASE + 4 * HOUR)
    with Life(monkeypatch, *events) as life:
        life.pass_and_sync(23 * HOUR, initial_sync_start_date=start, audit_days="0")
        life.pass_and_sync(HOUR, initial_sync_start_date=start, audit_days=days)
        assert [begin for begin, _ in adopted(life)] == [start]
        life.sim.histories = {TYPE: listed([*events, event(BASE + 10 * HOUR + 1, 999)])}
        life.pass_and_sync(DAY, 3, initial_sync_start_date=start, audit_days=days)
    assert "id-999" in life.delivered.ids()


def test_the_log_names_what_is_adopted_also_if_that_is_killed(monkeypatch):
    """A part of it is then saved as counted."""
    with Life(monkeypatch, *(event(BASE + n * HOUR, n) for n in range(240))) as life:
        life.delivered = Destination()
        life.pass_and_sync(12 * DAY, audit_days="0", page_size="10")
        life.delivered.fuse = 6
        with suppress(Killed):
            life.pass_and_sync(DAY, page_size="10")
        assert (
            life.delivered.fuse < 0
            and "-" in life.delivered.state["event_types"][TYPE]["stretches"]
        )
        assert adopted(life) == [(START_TEXT, to_text(BASE + 239 * HOUR))]
        life.delivered.fuse = None
        life.pass_and_sync(HOUR, page_size="10")
        assert START_TEXT < adopted(life)[1][0] < adopted(life)[1][1] == to_text(BASE + 239 * HOUR)


@pytest.mark.parametrize("before, days", [("0", "4"), ("2", "4"), ("0", "256")])
def test_the_log_names_once_what_is_too_old_when_audits_begin(monkeypatch, before, days):
    events = [event(BASE + n * HOUR, n) for n in range(20 * 24)]
    with Life(monkeypatch, *events) as life:
        life.pass_and_sync(DAY, 20, audit_days=before)
        life.pass_and_sync(DAY, 3, audit_days=days)
        said = [line for line in life.delivered.log if "audits begin. What was delivered" in line]
        oldest = to_text(BASE + (21 - int(days)) * DAY)
        assert [f"from {START_TEXT} to {oldest[:13]}" in line for line in said] == [True] * (
            days != "256"
        )


def test_what_was_too_old_altogether_when_audits_began_is_named_once(monkeypatch):
    with Life(monkeypatch, *(event(BASE + n * HOUR, n) for n in range(24))) as life:
        life.pass_and_sync(DAY, 20, audit_days="0")
        life.pass_and_sync(DAY, 3, audit_days="4")
        assert [
            line.split(" is older")[0]
            for line in life.delivered.log
            if "older than the last age" in line
        ] == [
            (
                f"{TYPE}: audits begin. What was delivered from {START_TEXT} to "
                f"{to_text(BASE + 23 * HOUR)}"
            )
        ]


def adopted(life):
    """The ranges that the log names as adopted, in order."""
    said = re.compile("what was delivered from (.*?) to (.*?) is audited from now on")
    return [match.groups() for line in life.delivered.log for match in said.finditer(line)]


def test_while_a_history_is_adopted_complete_until_says_so(monkeypatch):
    monkeypatch.setattr(audit, "FREE_REQUESTS", 2)
    monkeypatch.setattr(audit, "REQUESTS_FOR_EACH", 0)
    with Life(monkeypatch, *(event(BASE + n * HOUR, n) for n in range(240))) as life:
        life.pass_and_sync(12 * DAY, audit_days="0", page_size="10")
        seen = []
        for _ in range(60):
            life.pass_and_sync(10 * MINUTE, page_size="10")
            seen.append(life.row()["complete_until"])
    assert seen == sorted(seen) and seen[0] < to_text(BASE + 5 * DAY)
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


def test_a_gap_is_counted_while_it_is_delivered(monkeypatch):
    events = [event(BASE + n * HOUR, n) for n in range(240)]
    with Life(monkeypatch, *events) as life:
        life.pass_and_sync(10 * DAY, initial_sync_start_date=to_text(BASE + 5 * DAY))
        life.pass_and_sync(HOUR)
        assert life.delivered.ids() == {f"id-{n}" for n in range(240)} and life.row()[
            "complete_until"
        ] > to_text(BASE + 9 * DAY)
        life.sim.histories = {TYPE: listed([*events, event(BASE + 2 * DAY, 999)])}
        life.pass_and_sync(DAY, 9)
        assert "id-999" in life.delivered.ids()


@pytest.mark.parametrize("hour", [0, 3, 239], ids="hour {}".format)
def test_what_came_late_while_the_start_date_was_later_is_delivered_when_it_moves_back(
    monkeypatch, hour
):
    """Before the start date nothing is delivered, and so nothing is audited."""
    events = [event(BASE + n * HOUR, n) for n in range(240)]
    with Life(monkeypatch, *events) as life:
        life.pass_and_sync(10 * DAY + HOUR)
        later = {"initial_sync_start_date": to_text(BASE + 5 * DAY + hour * HOUR)}
        life.pass_and_sync(HOUR, **later)
        life.sim.histories = {
            TYPE: listed([*events, event(BASE + 5 * DAY + (hour - 1) * HOUR + 1, 999)])
        }
        life.pass_and_sync(DAY, 8, **later)
        assert "id-999" not in life.delivered.ids()
        life.pass_and_sync(DAY)
        assert life.delivered.ids() == {f"id-{n}" for n in (*range(240), 999)}


@pytest.mark.parametrize("days", ["1", "30"])
def test_a_type_that_went_quiet_is_audited_to_the_end_and_then_left_alone(monkeypatch, days):
    with Life(monkeypatch, *(event(BASE + n * HOUR, n) for n in range(240))) as life:
        life.pass_and_sync(6 * HOUR, 4 * 30, audit_days=days)
        for _ in range(40):
            life.pass_and_sync(6 * HOUR, audit_days=days)
            assert len(life.sim.requests) == 1
            assert (
                life.row()["complete_until"]
                == life.delivered.state["event_types"][TYPE]["occurred"]
            )


def test_what_fewer_audit_days_have_dropped_is_adopted_by_more(monkeypatch):
    events = [event(BASE + n * HOUR, n) for n in range(40 * 24)]
    with Life(monkeypatch, *events) as life:
        life.pass_and_sync(DAY, 40)
        life.pass_and_sync(DAY, audit_days="4")
        life.pass_and_sync(DAY)
        life.sim.histories = {TYPE: listed([*events, event(BASE + 20 * DAY + 1, 9999)])}
        life.pass_and_sync(DAY, 30)
    assert "id-9999" in life.delivered.ids()


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
        life.sim.behaviour.fault = lambda request: (
            "400" if "occurredBefore" in request.query else None
        )
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
        after, before = (
            request.query.get(name, [""])[0] for name in ("occurredAfter", "occurredBefore")
        )
        return "400" if before and to_ms(after) <= poisoned <= to_ms(before) else None

    with Life(monkeypatch, *events, late=backdated(20, 3 * DAY)) as life:
        life.pass_and_sync(DAY, 3)
        life.sim.behaviour.fault = refuse
        life.pass_and_sync(DAY, 30)
    assert life.delivered.ids() >= {f"id-{n}" for n in range(4 * 24, 20 * 24)}
    assert to_ms(life.row()["complete_until"]) <= poisoned
    assert any(
        "2026-01-03" in text and "could not be audited" in text for text in life.delivered.warnings
    )


@pytest.mark.parametrize(
    "text",
    ["x", "10 10.-5.AAAAAAAAAAc.2", "10 10.5.AAAAAAAAAAc.-1", "zzzzzzzzz 10.5.AAAAAAAAAAc.2"],
)
def test_stretches_that_are_broken_count_as_not_counted(monkeypatch, text):
    with Life(monkeypatch, *(event(BASE + n * HOUR, n) for n in range(240))) as life:
        life.pass_and_sync(DAY, 9)
        life.delivered.state["event_types"][TYPE]["stretches"] = text
        life.pass_and_sync(DAY, 2)
        assert life.row()["outcome"] == "complete" and any(
            "is audited from now on" in line for line in life.delivered.log
        )
        life.sim.histories = {
            TYPE: listed(
                [*(event(BASE + n * HOUR, n) for n in range(240)), event(BASE + 5 * DAY, 999)]
            )
        }
        life.pass_and_sync(DAY, 9)
        assert "id-999" in life.delivered.ids()


def test_no_more_requests_at_once_than_the_configuration_allows(monkeypatch):
    lock, now, most = threading.Lock(), [0], [0]

    def counting(request):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.005)
        with lock:
            now[0] -= 1

    events = [event(BASE + n * MINUTE, n) for n in range(6000)]
    with Life(monkeypatch, *events, late=backdated(30, 30 * HOUR), fault=counting) as life:
        life.pass_and_sync(DAY, 9, page_size="100", concurrency="2")
    assert most[0] == 2 and life.delivered.ids() == {f"id-{n}" for n in range(6000)}


def test_the_state_of_many_event_types_stays_small(monkeypatch):
    names = [f"pe1_t{n}" for n in range(200)]
    with Life(monkeypatch) as life:
        life.sim.histories = {
            name: generated(300, START, END, event_type=name, seed=n)
            for n, name in enumerate(names)
        }
        for days in (125, 1, 1):
            life.pass_and_sync(days * DAY, event_types="*")
            assert max(len(json.dumps(state)) for state in life.delivered.states) < 1_000_000
        assert all(life.delivered.ids(name) == truth(life.sim.histories[name]) for name in names)
