"""The second look: what became visible late is found and delivered, what that costs, and what is said of it."""

import json
import re
import threading
from contextlib import ExitStack, suppress
from itertools import pairwise

import pytest

from pipeline.audits import budget, looks, subject
from pipeline.audits.cells import Kind
from pipeline.audits.looks import Looks
from pipeline.audits.text import decode
from pipeline.commands.read_again import read_again
from pipeline.hubspot import clock
from pipeline.reading.reader import Reader
from pipeline.timestamps import DAY, MINUTE, to_ms, to_text
from simulator import Behaviour, Simulator, generated, listed
from simulator.lateness import backdated
from tests.support import BASE, END, START, TYPE, Delivered, Destination, Killed, event, sync_into, truth

HOUR = 60 * MINUTE


def after(ms):
    """The moment so long after the start date."""
    return to_text(BASE + ms)


def every(ms, number):
    """So many events, one after the other."""
    return [event(BASE + n * ms, n) for n in range(number)]


def short(number, days):
    """A history of so many events that take little memory."""
    return generated(number, START, after(days * DAY), profile="short")


def ids(numbers):
    return {f"id-{n}" for n in numbers}


HOURLY = every(HOUR, 240)  # ten days
LAST = after(239 * HOUR)


class Life:
    """A connection over many days: `pass_and_sync` lets time pass, by both clocks, and syncs."""

    def __init__(self, monkeypatch, history, **behaviour):
        self.now, self.delivered = BASE, Delivered()
        monkeypatch.setattr(clock, "local_now", lambda: self.now)
        self.sim = Simulator({}, Behaviour(clock=lambda: self.now, hide_future=True, **behaviour))
        self.show(history)

    def show(self, history):
        """HubSpot has these events from now on."""
        self.sim.histories = {TYPE: listed(history) if isinstance(history, list) else history}

    def pass_and_sync(self, ms, times=1, **keys):
        for _ in range(times):
            self.now += ms
            self.sim.requests.clear()
            sync_into(self.delivered, self.sim, **keys)

    def be_killed(self, ms, fuse, **keys):
        """The same, with a sync that is killed after so many operations."""
        self.delivered.fuse = fuse
        with suppress(Killed):
            self.pass_and_sync(ms, **keys)
        self.delivered.fuse = None

    @property
    def run(self):
        return self.delivered.run

    @property
    def complete_until(self):
        return self.run["complete_until"]

    def total(self, *names):
        """What all syncs have found."""
        return sum(row[name] for row in self.delivered.rows["sync_run"].values() for name in names)

    def progress(self):
        return self.delivered.state["event_types"][TYPE]

    def cells(self):
        return decode(self.progress()["ledger"])

    def ranges(self):
        return list(self.delivered.rows.get("audited_range", {}).values())

    def looked(self):
        """The requests of the last sync that have an end: its looks'."""
        return [request for request in self.sim.requests if "occurredBefore" in request.query]

    def recounted(self):
        """How many events the last looks have counted, by the log."""
        counted = re.findall("audited .* stretches of (.*?) events", "\n".join(self.delivered.log))
        return int(counted[-1].replace(",", ""))

    def adopted(self):
        """The ranges that the log names as adopted, in order."""
        return re.findall(
            "what was delivered from (.*?) to (.*?) is audited from now on", "\n".join(self.delivered.log)
        )

    def warned(self, said):
        return [warning for warning in self.delivered.warnings if said in warning]


@pytest.fixture
def live(monkeypatch):
    """Begins the life of a connection."""
    with ExitStack() as simulators:

        def begin(history, **behaviour):
            life = Life(monkeypatch, history, **behaviour)
            simulators.enter_context(life.sim)
            return life

        yield begin


@pytest.fixture
def no_allowance(monkeypatch):
    """Looks may take hardly any request."""
    monkeypatch.setattr(budget, "FREE_REQUESTS", 1)
    monkeypatch.setattr(budget, "REQUESTS_FOR_EACH", 0)


def is_count(request):
    """Whether it only counts: then it asks for one property."""
    return "properties" in request.query


# What it costs


def test_two_weeks_with_events_three_days_late_cost_little_more_than_their_rows(live):
    """A sync every six hours, then ten quiet days. 1,000 upserts are the look-back's."""
    number, late, requests = 6_000, 600, 0
    history = short(number, 15)
    life = live(history, late=backdated(number // late, 3 * DAY))
    for _ in range(100):
        life.pass_and_sync(6 * HOUR)
        requests += len(life.sim.requests)
    assert life.delivered.ids() == truth(history)
    assert len(life.delivered.upserts) <= number + 1000 + 3 * late and requests <= 225
    # the last event is after the cursor: a sync finds it
    assert life.total("late") in (late - 1, late)


def test_at_small_volumes_an_audit_is_one_request_for_each_age_and_day(live):
    life = live(short(20 * 40, 40))
    for day in range(40):
        life.pass_and_sync(DAY)
        ages = sum(2**n <= day for n in range(9))
        assert len(life.sim.requests) <= 1 + ages + 1  # the second look at yesterday's
    assert life.total("late") == 0


@pytest.mark.parametrize("refuses", [False, True])
def test_an_audit_asks_for_one_small_property_and_for_all_once_that_is_refused(live, refuses):
    life = live([event(BASE + n * HOUR, n, hs_long="x" * 99, hs_short="1") for n in range(240)])
    life.sim.behaviour.fault = lambda request: "400" if refuses and is_count(request) else None
    life.pass_and_sync(10 * DAY)
    life.pass_and_sync(2 * DAY, page_size="10", concurrency="1")
    counts = [request for request in life.looked() if is_count(request)]
    assert {tuple(request.query["properties"]) for request in counts} == {("hs_short",)}
    assert len(counts) == 1 if refuses else counts == life.looked()
    assert life.run["audited"] > 0 and life.run["late"] == 0 and not life.delivered.warnings


def test_what_half_a_spent_quota_leaves_is_in_the_log_and_after_a_week_a_warning(live):
    life, left = live(every(HOUR, 20 * 24), daily_quota=1000), []
    for _ in range(20):
        # others were first
        life.sim.rate_limit.day, life.sim.rate_limit.today = (life.now + DAY) // DAY, 600
        life.delivered.log.clear()
        life.pass_and_sync(DAY)
        left.append(any("Left to the next" in line and "half of the account's" in line for line in life.delivered.log))
        assert life.run["audited"] == 0
        warned = life.warned("more than a week behind")
        # its first second look was due on the second day
        assert bool(warned) == (life.now >= BASE + 10 * DAY)
    assert left == [False, *[True] * 19] and len(set(warned)) == 1 and "soon after midnight" in warned[0]
    until = life.complete_until
    life.pass_and_sync(DAY)
    assert life.run["audited"] > 0 and life.complete_until > until


def test_what_the_allowance_does_not_suffice_for_is_audited_by_the_next_syncs(live, no_allowance):
    history = short(4_000, 10)
    life = live(history, late=backdated(50, 30 * HOUR))
    life.pass_and_sync(DAY, 10, page_size="100")
    behind = life.complete_until
    for _ in range(200):
        life.pass_and_sync(HOUR, page_size="100")
        assert len(life.looked()) <= 16  # one walk, and what differs
    assert life.delivered.ids() == truth(history) and life.complete_until > behind


def test_what_a_syncs_share_of_requests_leaves_is_in_the_log_and_after_a_week_a_warning(live, no_allowance):
    life = live(short(4_000, 20))
    life.pass_and_sync(DAY, 5, page_size="10")
    assert any("Left to the next sync" in line and f"of {TYPE}: the share of" in line for line in life.delivered.log)
    assert not life.delivered.warnings
    life.pass_and_sync(DAY, 15, page_size="10")
    assert life.warned("sync more often")


def test_no_more_is_taken_for_second_looks_than_a_quarter_of_the_days_quota(live):
    """The state keeps the day and what was taken of it."""
    life, taken = live(short(4_000, 30), daily_quota=400), []
    life.sim.rate_limit.day = None
    life.pass_and_sync(40 * DAY, page_size="50")
    for _ in range(12):
        life.sim.rate_limit.today = 0
        life.pass_and_sync(12 * HOUR, page_size="50", concurrency="1")
        taken.append(life.delivered.state["looks"]["taken"])
    assert 60 <= max(taken) <= 100 + 4  # one walk more than it says
    assert life.complete_until > after(29 * DAY)


def test_what_the_time_for_second_looks_does_not_suffice_for_is_left(live):
    life = live(HOURLY)
    life.pass_and_sync(DAY, 3)
    life.now += 2 * DAY
    # no time has passed, or a clock was set back
    life.delivered.state["looks"]["began"] = to_text(life.now + HOUR)
    life.pass_and_sync(0)
    assert any("Left to the next sync" in line for line in life.delivered.log)


def test_nothing_is_saved_for_looks_that_find_nothing(live):
    names = [f"pe1_t{n}" for n in range(8)]
    life = live([])
    life.sim.histories = {
        name: generated(300, START, after(10 * DAY), event_type=name, seed=n) for n, name in enumerate(names)
    }
    life.pass_and_sync(DAY, 9, event_types="pe1_*")
    saved = len(life.delivered.states)
    life.pass_and_sync(DAY, event_types="pe1_*")
    assert life.run["audited"] > 8 and len(life.delivered.states) - saved <= 8 + 1


def test_no_more_requests_at_once_than_the_configuration_allows(live):
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

    life = live(every(MINUTE, 6000), late=backdated(30, 30 * HOUR), fault=counting)
    life.pass_and_sync(DAY, 9, page_size="100", concurrency="2")
    assert most[0] == 2 and life.delivered.ids() == ids(range(6000))


def test_the_ledgers_of_many_event_types_share_their_room_in_the_state(live, monkeypatch):
    """Those of forty would take 34,000 characters, and 25,000 at their coarsest."""
    monkeypatch.setattr(subject, "STATE_SIZE", 20_000)
    names = [f"pe1_t{n}" for n in range(40)]
    life = live([])
    life.sim.histories = {name: generated(300, START, END, event_type=name, seed=n) for n, name in enumerate(names)}
    for days in (125, 1, 1):
        life.pass_and_sync(days * DAY, event_types="pe1_*")
        assert sum(len(each["ledger"]) for each in life.delivered.state["event_types"].values()) < 26_000
    assert len(json.dumps(life.delivered.state)) < 50_000
    assert all(life.delivered.ids(name) == truth(life.sim.histories[name]) for name in names)


# What is looked at, and when


@pytest.mark.parametrize("hour, days", [(1, 1), (17, 1), (19, 2), (23, 2)])
def test_all_that_is_delivered_is_counted_again_at_the_first_midnight_six_hours_later(live, hour, days):
    """However old it is: here half a year."""
    life = live(every(HOUR, 4000))
    life.pass_and_sync(200 * DAY + hour * HOUR)
    cursor, began = life.progress()["occurred"], life.now
    for _ in range(49):
        if life.run["audited"]:
            break
        assert life.complete_until == after(0)
        life.pass_and_sync(HOUR)
    assert life.now // DAY - began // DAY == days and life.recounted() == 3999
    assert life.complete_until >= cursor and set(life.delivered.upserts[4000:]) == {"id-3999"}


def test_a_second_look_finds_what_the_first_reading_lacked_however_old_it_is(live):
    """One shard of three did not answer for a quarter of the first sync."""
    events = every(HOUR, 6000)
    life = live([each for n, each in enumerate(events) if n % 3 or not 1000 <= n < 2500])
    life.pass_and_sync(251 * DAY)
    life.show(events)
    life.pass_and_sync(HOUR)
    assert life.complete_until == after(0)
    life.pass_and_sync(DAY)
    assert life.delivered.ids() == ids(range(6000)) and len(life.delivered.upserts) < 6000 * 1.3


@pytest.mark.parametrize("pause, age", [(DAY, "4"), (6 * DAY, "8")])
def test_a_late_event_is_found_when_its_age_has_doubled_and_it_alone_is_written(live, pause, age):
    """After a pause, at the age that it has by then, to a power of two."""
    late = BASE + 5 * DAY + 7 * HOUR + 1
    life = live([*every(10 * MINUTE, 6 * 144), event(late, 9999)], late=lambda i, ms: 3 * DAY * (ms == late))
    life.pass_and_sync(DAY, 8)
    assert "id-9999" not in life.delivered.ids()
    life.delivered.upserts.clear()
    life.pass_and_sync(pause)
    # and the last event, as each sync does that finds nothing new
    assert [written for written in life.delivered.upserts if written != "id-863"] == ["id-9999"]
    assert life.run["late"] == 1 and life.run["late_by_age"] == {age: 1} == life.run["event_types"][TYPE]["late"]
    assert life.run["event_types"][TYPE]["seconds"] > 0
    said = f"came late: 1 (1 at {age} d), vanished: 0, complete until {life.complete_until}."
    assert any(said in line for line in life.delivered.log)
    (found,) = life.ranges()
    assert found["range_start"] <= to_text(late) < found["range_end"]
    assert (found["late"], found["vanished"], found["whole"]) == (1, 0, False)


class Ordered(Delivered):
    """Remembers the order of rows."""

    def __init__(self):
        super().__init__()
        self.order = []

    def upsert(self, table, row):
        super().upsert(table, row)
        self.order.append((table, row))


def test_a_range_is_named_after_its_rows_and_before_its_sums_are_saved(live):
    life = live(HOURLY, late=backdated(10, 30 * HOUR))
    life.delivered = Ordered()
    life.pass_and_sync(DAY, 12)
    order = life.delivered.order
    ranges = [(place, row) for place, (table, row) in enumerate(order) if table == "audited_range"]
    assert ranges
    for place, found in ranges:
        written = {row["id"] for table, row in order[:place] if table == TYPE}
        inside = [each for each in HOURLY if found["range_start"] <= each["occurredAt"] < found["range_end"]]
        assert {each["id"] for each in inside} <= written


def test_a_sync_begins_with_the_looks_that_the_last_one_owed(live):
    life = live(HOURLY, late=backdated(10, 30 * HOUR))
    life.delivered = Destination()
    life.pass_and_sync(DAY, 5)
    life.be_killed(DAY, 3, checkpoint_interval="1")
    assert life.delivered.state["looks"]["owed"]
    life.pass_and_sync(HOUR)
    assert life.sim.requests[1] in life.looked() and not life.delivered.state["looks"]["owed"]


def test_rejected_events_are_not_counted(live):
    odd = [{"id": "", "eventType": TYPE, "occurredAt": after(n * HOUR)} for n in range(50)]
    life = live([*HOURLY, *odd])
    life.pass_and_sync(DAY, 12)
    rejected = len(life.delivered.rows["rejected_event"])
    life.delivered.upserts.clear()
    life.pass_and_sync(DAY, 6)
    assert rejected and len(life.delivered.upserts) < 12 and life.total("late") == 0


def test_a_look_back_that_becomes_shorter_leaves_nothing_out(live):
    """What the longer one would have read again is read again once more: nobody has counted it yet."""
    late = BASE + 8 * DAY + 1
    life = live([*HOURLY, event(late, 999)], late=lambda i, ms: (2 * DAY + HOUR) * (ms == late))
    life.pass_and_sync(10 * DAY, lookback_minutes="4320")
    life.pass_and_sync(6 * HOUR, lookback_minutes="60")
    assert "id-999" in life.delivered.ids()
    life.pass_and_sync(6 * HOUR, lookback_minutes="60")
    assert len(life.sim.requests) == 1


@pytest.mark.parametrize("hour", [0, 3, 239], ids="hour {}".format)
def test_what_came_late_while_the_start_date_was_later_is_delivered_when_it_moves_back(live, hour):
    """Before the start date nothing is delivered, and so nothing is audited."""
    life, later = live(HOURLY), {"initial_sync_start_date": after(5 * DAY + hour * HOUR)}
    life.pass_and_sync(10 * DAY + HOUR)
    life.pass_and_sync(HOUR, **later)
    life.show([*HOURLY, event(BASE + 5 * DAY + (hour - 1) * HOUR + 1, 999)])
    life.pass_and_sync(DAY, 8, **later)
    assert "id-999" not in life.delivered.ids()
    life.pass_and_sync(DAY)
    assert life.delivered.ids() == ids((*range(240), 999))


def test_a_local_clock_a_year_ahead_costs_no_audit(live, monkeypatch):
    """HubSpot's clock is not known before its first answer."""
    life = live(HOURLY)
    monkeypatch.setattr(clock, "local_now", lambda: life.now + 365 * DAY)
    life.pass_and_sync(DAY, 9)
    life.show([*HOURLY, event(BASE + 5 * DAY, 999)])
    life.pass_and_sync(DAY, 9)
    assert "id-999" in life.delivered.ids() and life.total("late") == 1


# Silence


def blinded(life, monkeypatch, error=None):
    """Answers ranges around one moment as empty, on every connection until the looks begin or end in an error."""
    moment, look = BASE + 20 * DAY, Looks.at_silence

    def fault(request):
        begin, before = (request.query.get(f"occurred{name}", [""])[0] for name in ("After", "Before"))
        return "ends" if before and to_ms(begin) <= moment <= to_ms(before) else None

    def see(self, subjects):
        bad = {request.connection for request in life.sim.requests}
        life.sim.behaviour.fault = lambda asked: fault(asked) if asked.connection in bad else None
        monkeypatch.setattr(Looks, "at_silence", look)
        if error:
            raise error
        return look(self, subjects)

    life.sim.behaviour.fault = fault
    monkeypatch.setattr(Looks, "at_silence", see)


@pytest.mark.parametrize("days", ["256", "0"])
def test_silence_that_events_follow_is_read_once_more_at_the_end_of_the_same_sync(live, monkeypatch, days):
    """Also without audits; what it brings is not late."""
    history = short(4_000, 40)
    life = live(history)
    blinded(life, monkeypatch)
    life.pass_and_sync(41 * DAY, page_size="20", audit_days=days)
    assert life.delivered.ids() == truth(history)
    assert life.run["late"] == 0 and not life.ranges()


@pytest.mark.parametrize("days", ["256", "0"])
def test_silence_that_is_owed_stays_in_the_state_and_the_next_sync_begins_with_it(live, monkeypatch, days):
    history = short(4_000, 40)
    life = live(history)
    life.delivered = Destination()
    blinded(life, monkeypatch, Killed)
    life.be_killed(41 * DAY, None, page_size="20", audit_days=days)
    assert life.delivered.ids() != truth(history)
    assert Kind.SILENT in {cell.kind for cell in life.cells()}
    life.pass_and_sync(HOUR, page_size="20", audit_days=days)
    assert life.delivered.ids() == truth(history)


def test_a_quiet_type_does_not_hold_complete_until_for_ever(live):
    """Two syncs a day apart have read the silence after its last event."""
    life = live(every(HOUR, 24))
    life.pass_and_sync(6 * HOUR, 4 * 30)
    assert life.complete_until > to_text(life.now - 3 * DAY)
    for _ in range(8):
        life.pass_and_sync(6 * HOUR)
        assert len(life.sim.requests) <= 2
    before = life.complete_until
    life.show([*every(HOUR, 24), event(life.now, 99)])
    life.pass_and_sync(6 * HOUR)
    assert "id-99" in life.delivered.ids() and life.complete_until >= before


def test_a_type_without_any_event_is_complete_up_to_the_silence_that_was_read_twice(live):
    life = live([])
    life.pass_and_sync(DAY)
    assert life.complete_until is None
    life.pass_and_sync(DAY + MINUTE, 2)
    assert life.complete_until > to_text(life.now - 3 * DAY)


def test_complete_until_is_null_if_any_selected_type_has_none(live):
    life = live(HOURLY)
    life.pass_and_sync(DAY, 5, event_types=TYPE)
    assert life.complete_until
    life.sim.histories["pe1_new"] = listed([])
    life.pass_and_sync(DAY, event_types=f"{TYPE}, pe1_new")
    assert life.complete_until is None


def test_silence_before_a_start_date_that_moves_earlier_was_not_looked_at(live):
    """A type without events since its start date; then what lies before is falsely empty, once."""
    life = live(every(HOUR, 48))
    life.pass_and_sync(30 * DAY, 3, initial_sync_start_date=after(20 * DAY))
    life.sim.behaviour.fault = lambda request: "ends"
    life.pass_and_sync(HOUR)
    assert not life.delivered.ids() and life.complete_until is None
    life.sim.behaviour.fault = None
    life.pass_and_sync(HOUR)
    assert life.delivered.ids() == ids(range(48))


# What vanishes, and what merges


def test_a_fall_is_believed_only_when_a_look_on_a_later_day_falls_too(live):
    events = every(10 * MINUTE, 10 * 144)
    life, left = live(events), events[:1300] + events[1303:1340] + events[1342:]  # of two cells
    life.pass_and_sync(DAY, 10)
    life.show(left)
    life.delivered.upserts.clear()
    for _ in range(12):
        if life.ranges():
            break
        life.pass_and_sync(6 * HOUR)
    assert not any(row["vanished"] or row["whole"] for row in life.ranges())
    assert life.run["vanished"] == 0 and life.complete_until <= after(9 * DAY + 2 * HOUR)
    assert len(life.delivered.upserts) < 80  # the buckets that differ
    life.pass_and_sync(DAY)
    assert life.run["vanished"] == 5 and any(row["whole"] for row in life.ranges())
    assert any("rows stay" in warning for warning in life.warned("no longer has"))
    life.pass_and_sync(DAY, 5)
    assert sum(row["vanished"] for row in life.ranges()) == 5
    assert life.delivered.ids() == ids(range(10 * 144))
    for row in life.ranges():
        if row["whole"]:  # everything that is left of it was written after that
            inside = {each["id"] for each in left if row["range_start"] <= each["occurredAt"] < row["range_end"]}
            assert inside <= set(life.delivered.upserts)


def test_an_answer_that_lacks_events_for_a_moment_tells_nobody_to_delete_rows(live):
    life = live(HOURLY)
    life.pass_and_sync(DAY, 10)
    life.show(HOURLY[::2])
    life.pass_and_sync(DAY)
    life.show(HOURLY)
    life.pass_and_sync(DAY, 8)
    assert life.ranges() and not any(row["vanished"] or row["whole"] for row in life.ranges())
    assert life.total("vanished") == 0


def test_a_fall_is_not_believed_if_what_is_sent_then_is_all_there(live):
    """Only the counts of looks lack events, on two days: their requests name one property."""
    life = live([event(BASE + n * 10 * MINUTE, n, hs_url="/") for n in range(5 * 144)])
    life.sim.behaviour.fault = lambda request: "shard" if is_count(request) else None
    life.pass_and_sync(DAY, 9)
    assert life.delivered.ids() == ids(range(5 * 144))
    assert not any(row["vanished"] or row["whole"] for row in life.ranges())
    life.sim.behaviour.fault = None
    life.pass_and_sync(DAY, 3)
    assert life.complete_until > after(4 * DAY)
    assert not any(row["vanished"] or row["whole"] for row in life.ranges())


def test_of_a_contact_that_was_merged_its_bucket_alone_is_written(live):
    events, number = every(MINUTE, 2 * 1440), 1440 + 700
    life = live(events)
    life.pass_and_sync(DAY, 3)
    events[number]["objectId"] = "2"
    life.show(events)
    life.delivered.upserts.clear()
    life.pass_and_sync(DAY, 5)
    assert life.delivered.rows[TYPE][f"id-{number}"]["objectId"] == "2"
    assert life.total("late", "vanished") == 0 and len(set(life.delivered.upserts)) < 120


def test_that_much_comes_late_is_said_once_as_long_as_it_lasts(live):
    life = live(every(HOUR, 30 * 24), late=backdated(4, 30 * HOUR))
    life.pass_and_sync(DAY, 30)
    (said,) = life.warned("came late")
    assert "lookback_minutes" in said


# What is lost, adopted or cut


def test_a_history_that_was_never_counted_is_adopted_without_a_row(live):
    """As 1.0.0 has delivered it: version 1 of the state."""
    life = live(HOURLY)
    life.pass_and_sync(12 * DAY, audit_days="0")
    saved = {name: life.progress()[name] for name in ("occurred", "read_at", "start_date", "finished_at")}
    life.delivered.states.append({"version": 1, "event_types": {TYPE: saved}})
    life.delivered.upserts.clear()
    life.pass_and_sync(DAY)
    assert len(life.delivered.upserts) <= 1 and not life.ranges()
    assert life.complete_until == life.progress()["occurred"]
    assert life.adopted() == [(after(0), LAST)]
    life.show([*HOURLY, event(BASE + 5 * DAY, 999)])
    life.pass_and_sync(DAY, 9)
    assert "id-999" in life.delivered.ids() and life.total("late") == 1


def test_while_a_history_is_adopted_complete_until_says_so(live, no_allowance):
    life, seen = live(HOURLY), []
    life.pass_and_sync(12 * DAY, audit_days="0", page_size="10")
    for _ in range(60):
        life.pass_and_sync(10 * MINUTE, page_size="10")
        seen.append(life.complete_until)
    assert seen == sorted(seen) and seen[0] < after(5 * DAY)
    assert not life.delivered.warnings, "what was never counted is not behind"
    assert seen[-1] == life.progress()["occurred"]


def test_what_is_adopted_is_saved_as_it_is_counted(live, monkeypatch):
    monkeypatch.setattr(looks, "SAVE_SECONDS", 0)
    life = live(HOURLY)
    life.delivered = Destination()
    life.pass_and_sync(12 * DAY, audit_days="0", page_size="10")
    life.be_killed(DAY, 6, page_size="10")
    assert {cell.kind for cell in life.cells()} == {Kind.UNCOUNTED, Kind.LOOKED}
    assert life.adopted() == [(after(0), LAST)]
    life.pass_and_sync(HOUR, page_size="10")
    assert after(0) < life.adopted()[1][0] < life.adopted()[1][1] == LAST


@pytest.mark.parametrize("days", ["2", "256"])
def test_a_history_of_less_than_a_day_is_adopted_too_but_nothing_before_the_start_date(live, days):
    life, keys = live(HOURLY), {"initial_sync_start_date": after(4 * HOUR), "audit_days": days}
    life.pass_and_sync(23 * HOUR, audit_days="0")
    life.pass_and_sync(HOUR, **keys)
    assert [begin for begin, _ in life.adopted()] == [after(4 * HOUR)]
    life.show([*HOURLY, event(BASE + 10 * HOUR + 1, 999)])
    life.pass_and_sync(DAY, 4, **keys)
    assert "id-999" in life.delivered.ids() and life.total("late") == 1


@pytest.mark.parametrize("ledger", ["", "eJw=.AAAA"])
def test_a_ledger_that_is_lost_is_delivered_again_and_never_adopted(live, ledger):
    life = live(HOURLY)
    life.pass_and_sync(DAY, 11)
    life.show([*HOURLY, event(BASE + 5 * DAY + 1, 999)])
    life.progress()["ledger"] = ledger
    life.pass_and_sync(DAY)
    assert "id-999" in life.delivered.ids() and not life.adopted()
    assert life.run["late"] == 0 and life.complete_until == after(0)
    life.pass_and_sync(DAY, 2)
    assert life.complete_until > after(9 * DAY) and life.run["late"] == 0


def test_a_cell_across_a_moved_start_date_is_cut_and_delivered_again(live):
    life, later = live(HOURLY), {"initial_sync_start_date": after(5 * DAY + 2 * HOUR)}
    life.pass_and_sync(DAY, 11)
    life.show([*HOURLY, event(BASE + 5 * DAY + HOUR + 1, 999)])
    life.delivered.upserts.clear()
    life.pass_and_sync(DAY, 2, **later)
    assert "id-999" not in life.delivered.ids()
    written = set(life.delivered.upserts)
    assert written >= ids(range(122, 126)) and not written & ids(range(122))
    assert life.total("late", "vanished") == 0
    life.pass_and_sync(DAY)
    assert "id-999" in life.delivered.ids()


def test_while_the_start_date_is_after_the_cursor_nothing_is_looked_at(live):
    life = live(HOURLY)
    life.pass_and_sync(DAY, 11)
    for _ in range(4):
        life.pass_and_sync(DAY, initial_sync_start_date=after(12 * DAY))
        assert life.run["audited"] == 0 and len(life.sim.requests) == 1


def test_what_is_read_again_is_looked_at_by_the_same_sync(live):
    life = live(HOURLY)
    life.pass_and_sync(DAY, 20)
    life.show([*HOURLY, event(BASE + 5 * DAY + 1, 999)])
    life.delivered.states.append(read_again(life.delivered.state, TYPE, after(5 * DAY), after(6 * DAY)))
    life.pass_and_sync(HOUR)
    assert "id-999" in life.delivered.ids() and life.run["late"] == 1 and len(life.ranges()) == 1


def test_what_a_killed_sync_has_delivered_is_counted_as_far_as_its_last_checkpoint(live):
    life = live(HOURLY)
    life.delivered = Destination()
    life.be_killed(12 * DAY, 200, page_size="10", checkpoint_interval="10")
    behind = sum(each["occurredAt"] < life.progress()["occurred"] for each in HOURLY)
    assert behind > 100 and sum(cell.sum.events for cell in life.cells()) == behind
    assert {cell.kind for cell in life.cells()} == {Kind.DELIVERED}
    life.pass_and_sync(HOUR)
    assert not life.adopted() and life.delivered.ids() == ids(range(240))


@pytest.mark.parametrize("fuse", [None, 30, 90])
def test_a_gap_is_counted_while_it_is_delivered(live, fuse):
    life = live(HOURLY)
    life.delivered = Destination()
    life.pass_and_sync(10 * DAY, initial_sync_start_date=after(5 * DAY))
    life.delivered.upserts.clear()
    life.be_killed(HOUR, fuse, page_size="10", checkpoint_interval="7")
    life.pass_and_sync(HOUR)
    assert not ids(range(120, 238)) & set(life.delivered.upserts)
    assert all(first.end == second.begin for first, second in pairwise(life.cells()))
    assert sum(cell.sum.events for cell in life.cells()) == 239
    life.pass_and_sync(DAY, 2)
    assert life.delivered.ids() == ids(range(240))
    assert life.complete_until > after(9 * DAY) and not life.ranges()
    life.show([*HOURLY, event(BASE + 2 * DAY, 999)])
    life.pass_and_sync(DAY, 9)
    assert "id-999" in life.delivered.ids()


def test_what_is_read_out_of_turn_is_not_counted(live, monkeypatch):
    """Only the walk that made a window whole is: here, others have read events that it lacks."""
    real = Reader.pages

    def twice(self, span, known_events=None):
        for page in real(self, span, known_events):
            lacking = [each | {"id": f"{each['id']}-lacking"} for each in page["results"]]
            yield {"results": lacking, "counted": False}
            yield page

    monkeypatch.setattr(Reader, "pages", twice)
    life = live(HOURLY)
    life.pass_and_sync(DAY, 12)
    assert sum(cell.sum.events for cell in life.cells()) <= 240
    assert not life.ranges()


# What fails


def test_a_type_whose_sync_failed_is_not_looked_at(live):
    def of_visits(request):
        return TYPE in request.query.get("eventType", ())

    life, names = live(HOURLY), f"{TYPE}, pe1_other"
    life.sim.histories["pe1_other"] = generated(100, START, END, event_type="pe1_other")
    life.pass_and_sync(DAY, 9, event_types=names)
    life.sim.behaviour.fault = lambda request: (
        "400" if of_visits(request) and "occurredBefore" not in request.query else None
    )
    life.pass_and_sync(DAY, event_types=names)
    assert not any(map(of_visits, life.looked())) and life.run["event_types"][TYPE]["outcome"] == "refused"


@pytest.mark.parametrize("fault, most", [("400", 99), ("401", 4)])
def test_looks_that_fail_are_a_warning_and_stay_due_and_an_outage_ends_them(live, fault, most):
    """And is not halved."""
    life = live(HOURLY)
    life.pass_and_sync(DAY, 9)
    life.sim.behaviour.fault = lambda request: fault if "occurredBefore" in request.query else None
    life.pass_and_sync(DAY)
    assert life.run["outcome"] == "complete" and life.warned("could not be audited")
    assert life.run["audited"] == 0 and len(life.looked()) <= most
    until, life.sim.behaviour.fault = life.complete_until, None
    life.pass_and_sync(HOUR)
    assert life.run["audited"] > 0 and life.complete_until > until


def test_what_hubspot_does_not_send_any_more_stops_no_other_audit(live):
    poisoned = BASE + 2 * DAY

    def refuse(request):
        begin, before = (request.query.get(name, [""])[0] for name in ("occurredAfter", "occurredBefore"))
        return "400" if before and to_ms(begin) <= poisoned <= to_ms(before) else None

    life = live(every(HOUR, 20 * 24), late=backdated(20, 3 * DAY))
    life.pass_and_sync(DAY, 3)
    life.sim.behaviour.fault = refuse
    life.pass_and_sync(DAY, 30)
    assert life.delivered.ids() >= ids(range(4 * 24, 20 * 24))
    assert life.complete_until <= to_text(poisoned)
    assert any("2026-01-03" in text for text in life.warned("could not be audited"))


def test_what_the_full_read_lacks_keeps_its_sums_and_stays_due_and_its_neighbor_does_not(live):
    """The counts saw two late events; the read that was to deliver them lacks one."""
    events = [event(BASE + n * HOUR, n, hs_a="1") for n in range(240)]
    sent = [*events, event(BASE + 6 * DAY + 1, 998, hs_a="1")]
    both = [*sent, event(BASE + 5 * DAY + 1, 999, hs_a="1")]
    life = live(events)
    life.pass_and_sync(DAY, 11)
    life.sim.behaviour.fault = lambda request: life.show(both if is_count(request) else sent)
    life.pass_and_sync(5 * DAY)
    assert "id-999" not in life.delivered.ids() and "id-998" in life.delivered.ids()
    assert sum(row["late"] for row in life.ranges()) == 1 and life.complete_until <= after(5 * DAY + 1)
    life.sim.behaviour.fault = None
    life.show(both)
    life.pass_and_sync(HOUR)
    assert "id-999" in life.delivered.ids() and sum(row["late"] for row in life.ranges()) == 2
