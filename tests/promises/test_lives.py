"""Whatever happens between and during syncs, a whole sync leaves no event out, and the cursor never
moves back. HYPOTHESIS_PROFILE=long generates 10,000 lives of a connection.
"""

import os
from itertools import count

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from pipeline import ConnectorError
from pipeline.hubspot import retry
from pipeline.timestamps import DAY, MINUTE, to_text
from simulator import Behaviour, Simulator, listed
from tests.support import BASE, TYPE, Destination, Quiet, event

pytestmark = pytest.mark.long

LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"
PROFILE = (
    settings(max_examples=10_000, stateful_step_count=20)
    if LONG
    else settings(max_examples=200, stateful_step_count=12)
)

LOOKBACK = 60 * MINUTE
TRANSIENT = (
    "500",
    "reset",
    "cut",
    "html",
    "empty",
    "no_results",
    "duplicate",
    "unordered",
    "lone_surrogate",
)
AGES = (
    st.integers(0, LOOKBACK)
    | st.sampled_from((0, 1, 1000, LOOKBACK))
    | st.integers(0, 60).map(lambda n: n * 1000)
)
ORDERS = st.sampled_from(("ascending", "descending", "shuffled"))


class Connection(RuleBasedStateMachine):
    """The life of a connection: events occur, settings and HubSpot's behavior change, and syncs
    complete, fail or are killed.
    """

    sim: Simulator

    def __init__(self):
        super().__init__()
        self.now = BASE + 30 * DAY
        self.events, self.destination = {}, Destination()
        self.start = self.earliest = BASE
        self.keys = {
            "page_size": "5",
            "checkpoint_interval": "3",
            "concurrency": "2",
            "lookback_minutes": "60",
        }
        self.sim.behaviour = Behaviour(clock=lambda: self.now, hide_future=True)
        self.sim.histories = {TYPE: listed([])}

    def occur(self, moments):
        for moment in moments:
            key = len(self.events)
            self.events[f"id-{key}"] = (moment, event(moment, key))
        self.sim.histories = {TYPE: listed(each for _, each in self.events.values())}

    def sync(self, fuse=None, **keys):
        self.sim.requests.clear()
        self.sim._numbers = count(
            1
        )  # faults go by the number of the request: the same in each life
        keys = {**self.keys, "initial_sync_start_date": to_text(self.start), **keys}
        self.earliest = min(self.earliest, self.start)
        return self.destination.sync(self.sim, fuse, **keys)

    # Events and time

    @initialize(
        days=st.lists(st.integers(0, 31 * 24 * 60), max_size=30), full=st.integers(0, 20), at=st.integers(0, 30), order=ORDERS
    )  # fmt: skip
    def old_events(self, days, full, at, order):
        """Some in a month, and more in one of its milliseconds."""
        self.sim.behaviour.order = order
        self.occur([BASE - DAY + minute * MINUTE for minute in days] + [BASE + at * DAY - 1] * full)

    @rule(ages=st.lists(AGES, min_size=1, max_size=6), together=st.booleans())
    def events_appear(self, ages, together):
        """Late events, which occurred within the look-back."""
        self.occur(self.now - (ages[0] if together else age) for age in ages)

    @rule(minutes=st.sampled_from((1, 10, 61, 1440, 10_000)))
    def time_passes(self, minutes):
        self.now += minutes * MINUTE

    # Settings, and what HubSpot does not document

    @rule(day=st.integers(-1, 31))
    def start_moves(self, day):
        self.start = BASE + day * DAY

    @rule(
        size=st.integers(1, 20),
        interval=st.integers(1, 10),
        concurrency=st.integers(1, 4),
        window=st.sampled_from((0, 3)),
    )
    def settings_change(self, size, interval, concurrency, window):
        self.keys |= {"page_size": str(size), "checkpoint_interval": str(interval), "concurrency": str(concurrency),
                      "dedupe_window": str(window)}  # fmt: skip

    @rule(
        after=st.booleans(),
        before=st.booleans(),
        resolution=st.sampled_from(("millisecond", "second")),
        strict=st.booleans(),
    )
    def bounds_change(self, after, before, resolution, strict):
        behaviour = self.sim.behaviour
        behaviour.after_inclusive, behaviour.before_inclusive, behaviour.resolution = (
            after,
            before,
            resolution,
        )
        behaviour.cursors = "strict" if strict else "lenient"

    @rule(order=ORDERS, empty=st.sampled_from((0, 2, 5)))
    def order_changes(self, order, empty):
        self.sim.behaviour.order, self.sim.behaviour.empty_page_every = order, empty
        self.sim.emptied.clear()

    @rule(rate=st.sampled_from((0.0, 0.1, 0.3)), seed=st.integers(0, 9))
    def answers_break(self, rate, seed):
        (
            self.sim.behaviour.fault_rate,
            self.sim.behaviour.fault_seed,
            self.sim.behaviour.fault_kinds,
        ) = rate, seed, TRANSIENT

    # Syncs

    @rule(fuse=st.integers(0, 40))
    def sync_killed(self, fuse):
        self.sync(fuse)

    @rule(requests=st.integers(0, 12))
    def sync_while_hubspot_goes_down(self, requests):
        self.sim.behaviour.fault = lambda request: (
            "503" if len(self.sim.requests) > requests else None
        )
        try:
            self.sync(max_outage_minutes="0.00002")
        except ConnectorError:
            pass
        finally:
            self.sim.behaviour.fault = None

    @rule()
    def sync_whole(self):
        self.now += 1000  # with bounds to the second, the simulator hides the current one
        assert self.sync()
        wanted = {
            key for key, (moment, _) in self.events.items() if self.start <= moment <= self.now
        }
        assert wanted <= self.destination.ids(), "an event is lost"

    @invariant()
    def no_row_is_invented_changed_or_older_than_asked_for(self):
        for key, row in self.destination.rows.get(TYPE, {}).items():
            moment, original = self.events[key]
            assert row["occurred"] == original["occurredAt"] and moment >= self.earliest

    @invariant()
    def the_cursor_never_moved_back(self):
        cursors = self.destination.cursors()
        assert cursors == sorted(cursors)


@pytest.fixture
def connection(monkeypatch):
    monkeypatch.setattr(retry, "MAX_DELAY", 0.0005)
    with Quiet({}) as sim:
        yield type("Connection", (Connection,), {"sim": sim})


def test_the_promises_hold_in_any_life_of_a_connection(connection):
    run_state_machine_as_test(connection, settings=PROFILE)


@pytest.mark.parametrize("order", ["ascending", "descending"])
@pytest.mark.parametrize("requests", [1, 4])
def test_a_crowded_second_left_half_read_days_ago_hides_no_event_that_came_since(
    connection, order, requests
):
    """All events share a millisecond, so nothing shows the order; HubSpot goes down while they are
    read.
    """
    life = connection()
    life.sim.behaviour.order = order
    life.occur([BASE + 29 * DAY] * 22)
    life.sync_while_hubspot_goes_down(requests)
    life.now += 2 * DAY
    life.occur(BASE + 30 * DAY + hour * 60 * MINUTE for hour in range(40))
    for _ in range(2):
        life.sync()
    assert len(life.destination.ids()) == 62
