"""The warnings of a sync: ten at most, and many of one kind displace no other kind."""

import pytest

from pipeline.connection.warnings import MAX_WARNINGS, Topic, Warnings
from pipeline.hubspot import clock
from pipeline.timestamps import DAY, MINUTE
from simulator import Simulator, generated
from tests.support import BASE, TYPE, Delivered, sync_into

UNMATCHED = ",".join(f"zz{n}*" for n in range(12))


def test_many_patterns_that_match_nothing_do_not_displace_what_changed():
    with Simulator({TYPE: generated(5)}) as sim:
        delivered = sync_into(Delivered(), sim, event_types=f"{TYPE},{UNMATCHED}")
        delivered.warnings.clear()
        state = delivered.state
        state["event_types"]["pe77_a"] = {"occurred": "2026-01-01T00:00:00Z"}
        sim.histories["pe1_a"] = generated(5, event_type="pe1_a")
        sync_into(delivered, sim, state, event_types=f"{TYPE},pe1_a,{UNMATCHED}", object_type="CONTACT")
    assert len(delivered.warnings) == MAX_WARNINGS
    for said in ("The layout or filters have changed", "custom events of portal 77", "matches no event type"):
        assert any(said in warning for warning in delivered.warnings), said


@pytest.mark.parametrize("minutes", [-11, -9, 9, 11])
def test_clocks_that_are_more_than_ten_minutes_apart_are_one_warning_whichever_is_ahead(monkeypatch, minutes):
    monkeypatch.setattr(clock, "local_now", lambda: BASE + DAY)
    with Simulator({TYPE: generated(5)}) as sim:
        sim.behaviour.clock = lambda: BASE + DAY + minutes * MINUTE
        said = sync_into(Delivered(), sim).warnings
    assert [f"{abs(minutes)} min" in each for each in said] == [True] * (abs(minutes) > 10)


def test_there_are_ten_at_most_even_if_there_is_one_of_each_kind():
    said, logged = [], []
    warnings = Warnings(said.append, logged.append)
    for about in Topic:
        warnings.add(about, about.name)
    warnings.conclude()
    assert len(said) == MAX_WARNINGS and said[-1].startswith(f"Further warnings: {len(Topic) - MAX_WARNINGS + 1}.")
    assert set(said[:-1]) | set(logged) == {about.name for about in Topic}
