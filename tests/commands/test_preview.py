"""`python -m pipeline preview` tells the truth about how HubSpot answers, says how sure it is of
what there is, and predicts what the first sync then takes.
"""

import json
from collections import Counter
from dataclasses import replace

import pytest

from pipeline import read_settings
from pipeline.__main__ import main
from pipeline.commands.forecast import a_day, state_bytes
from pipeline.hubspot import clock, retry
from pipeline.timestamps import DAY, to_ms, to_text
from simulator import Behaviour, Simulator, api, generated, listed
from tests.support import BASE, END, TYPE, Delivered, configuration, event, sync_into, truth

SMALL_PAGES = {"page_size": "50"}


@pytest.fixture
def preview(tmp_path, capsys):
    """What the command prints of an account to each stream."""

    def of(sim, *options, **keys):
        file = tmp_path / "configuration.json"
        file.write_text(json.dumps(configuration(sim, **keys)))
        status = main(["preview", "--configuration", str(file), *options])
        printed, said = capsys.readouterr()
        assert status == 0, said
        return printed, said

    return of


@pytest.fixture
def report(preview, account):
    """What `--json` prints of an account."""

    def of(histories, behaviour=None, **keys):
        sim = account(histories, **behaviour or {})
        printed, _ = preview(sim, "--json", **keys)
        found = json.loads(printed)
        assert len(sim.requests) == found["requests"] <= 60 + 3 * max(0, len(found["event_types"]) - 1)
        return found

    return of


# How HubSpot answers, each fact both ways


ANSWERS = [  # a behavior of HubSpot, and what is told of it
    *(({"order": order}, {"order": order}) for order in ("ascending", "descending")),
    *(({"order": order}, {"order": "other"}) for order in ("shuffled", "breaking")),
    *(({"cursor_padding": padding}, {"cursor_padding": padding}) for padding in range(3)),
    ({}, {"repeats": False, "equal_answers": True, "rate_limit": None, "properties_honored": True}),
    ({"fault": lambda asked: "duplicate"}, {"repeats": True}),
    ({"fault": lambda asked: "unordered" if asked.number % 2 else None}, {"equal_answers": False}),
]  # fmt: skip


@pytest.mark.parametrize(("behaviour", "told"), ANSWERS, ids=lambda each: " ".join(each))
def test_how_hubspot_answers(report, behaviour, told):
    facts = report({TYPE: generated(200)}, behaviour, **SMALL_PAGES)["facts"]
    assert facts | told == facts


@pytest.mark.parametrize("resolution", ["millisecond", "second"])
@pytest.mark.parametrize("after", [True, False])
@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("order", ["ascending", "descending"])
def test_the_bounds_of_a_range(report, order, after, before, resolution):
    bounds = {"after_inclusive": after, "before_inclusive": before, "resolution": resolution}
    facts = report({TYPE: generated(120)}, bounds | {"order": order}, **SMALL_PAGES)["facts"]
    told = "mixed" if after != before else "inclusive" if after else "exclusive"
    assert (facts["bounds"], facts["resolution"]) == (told, resolution)


@pytest.mark.parametrize("ignored", ["after_ignored", "before_ignored"])
@pytest.mark.parametrize("order", ["ascending", "descending"])
def test_bounds_that_have_no_effect(report, ignored, order):
    """That is certain of the bound at which the first page begins."""
    facts = report({TYPE: generated(120)}, {ignored: True, "order": order}, **SMALL_PAGES)["facts"]
    is_certain = (ignored == "after_ignored") == (order == "ascending")
    assert facts["bounds"] == "ignored" or (facts["bounds"] is None and not is_certain)


@pytest.mark.parametrize(("policy", "most"), [("clamp", 30), ("error", 250), ("clamp", 1000), ("error", 2000)])
def test_the_largest_page(report, most, policy):
    found = report({TYPE: generated(2500)}, {"max_limit": most, "limit_policy": policy})
    assert found["facts"]["limit_granted"] == most
    assert found["configuration"]["page_size"] == str(min(most, 1000))


def test_properties_that_are_not_honored(report, monkeypatch):
    monkeypatch.setattr(api, "keep_properties", lambda body, names: body)
    assert report({TYPE: generated(20)})["facts"]["properties_honored"] is False


def test_the_headers_of_the_rate_limit(report):
    told = report({TYPE: generated(20)}, {"quota": (190, 10_000), "daily_quota": 250_000})["facts"]["rate_limit"]
    assert (told["requests"], told["seconds"], told["daily"]) == (190, 10, 250_000)


def test_the_oldest_event_may_be_before_the_start(report):
    history, start = generated(300), "2026-03-01T00:00:00.000Z"
    found = report({TYPE: history}, initial_sync_start_date=start, **SMALL_PAGES)
    moments = [to_text(history.time(n)) for n in range(300)]
    assert found["facts"]["oldest"] == moments[0]
    assert found["event_types"][TYPE]["first"] == min(each for each in moments if each > start)
    assert found["event_types"][TYPE]["latest"] == moments[-1]


# How much there is, and what a sync takes


@pytest.mark.parametrize(("shape", "pages", "order"), [
    ("uniform", 5, "ascending"), ("rhythm", 30, "descending"), ("bursty", 100, "ascending"), ("sparse", 30, "shuffled"),
])  # fmt: skip
def test_the_number_of_events_within_a_fifth_or_said_to_be_unsure(report, shape, order, pages):
    events = 50 * pages
    held = report({TYPE: generated(events, shape=shape)}, {"order": order}, **SMALL_PAGES)["event_types"][TYPE]
    assert held["error"] is None or abs(held["events"] / events - 1) <= 0.2
    assert held["error"] is not None or order == "shuffled"  # otherwise it is sure of all of these
    assert held["error"] != 0 or held["events"] == events


@pytest.mark.parametrize("shape", ["uniform", "bursty"])
def test_without_a_value_that_many_events_share_it_does_not_claim_to_be_sure(report, shape):
    step = 3_600_000 if shape == "uniform" else 1
    events = [event(BASE + n * step, n, hs_a=f"only {n}", hs_b=f"{n}") for n in range(2_500)]
    held = report({TYPE: listed(events)}, page_size="10")["event_types"][TYPE]
    assert held["error"] is None and held["events"] > 0


@pytest.mark.parametrize("shape", ["rhythm", "bursty"])
def test_the_first_sync_takes_what_was_predicted(report, sim, shape, monkeypatch):
    history, now = generated(4_000, shape=shape), to_ms(END) + DAY
    monkeypatch.setattr(clock, "local_now", lambda: now)
    keys = {"page_size": "200", "concurrency": "1"}  # with more workers, no two syncs ask the same
    predicted = report({TYPE: history}, {"clock": lambda: now}, **keys)["first_sync"]
    sim.requests.clear()
    delivered = sync_into(Delivered(), sim, **keys)
    assert delivered.ids() == truth(history)
    assert abs(predicted["rows"] / len(history) - 1) <= 0.1
    assert abs(predicted["requests"] / len(sim.requests) - 1) <= 0.1


def test_other_types_get_a_few_requests_and_leave_the_others_to_the_largest(report, sim):
    others = {f"pe1_{n}": generated(500, event_type=f"pe1_{n}") for n in range(4)}
    report({**others, TYPE: generated(5_000)}, event_types="*", **SMALL_PAGES)
    asked = Counter(each.query.get("eventType", ["list"])[0] for each in sim.requests)
    assert asked["list"] == 1 and asked[TYPE] > 40
    assert all(asked[name] >= 2 for name in others) and asked.total() <= 72


# A day after that


def test_a_day_costs_what_the_events_of_a_day_cost():
    settings = read_settings({"api_token": "x", "initial_sync_start_date": "2026-01-01"})
    day = a_day([1_000_000.0], settings)
    assert day["rows"] == 2_000_024 and day["billed_rows"] == 1_000_024
    assert abs(day["requests_of_syncs"] / 2_300 - 1) < 0.15  # measured: docs/scale.md
    assert abs(day["requests_of_looks"] / 9_700 - 1) < 0.1  # measured: docs/audits.md
    assert 1.05 < day["billed_rows_if_one_in_1000_is_late"] / 1_000_000 < 1.4
    assert 150_000 < state_bytes(1_000_000, settings) <= 250_000
    assert state_bytes(100, settings) < 5_000
    without = a_day([1_000_000.0], replace(settings, audit_days=0, lookback=0))
    assert without["rows"] == without["billed_rows_if_one_in_1000_is_late"] == 1_000_024
    assert without["requests_of_looks"] == 0


# Accounts of which little can be told


def test_a_token_without_scopes_is_told_which(preview, report, sim):
    found = report({TYPE: generated(20)}, {"forbidden": {TYPE: ("some.scope",)}})
    assert found["event_types"][TYPE] == {"refused": True}
    printed, _ = preview(sim)
    assert "cannot be read" in printed and "some.scope" in printed


@pytest.mark.parametrize("daily, requests", [(1_000, 10), (99, 1)])
def test_no_more_than_a_hundredth_of_what_is_left_of_the_day(preview, daily, requests):
    with Simulator({TYPE: generated(3_000)}, Behaviour(daily_quota=daily)) as sim:
        _, said = preview(sim, **SMALL_PAGES)
    assert len(sim.requests) == requests and "a hundredth of what is left" in said


def test_requests_that_fail_count_too(report, sim, monkeypatch):
    monkeypatch.setattr(retry, "MAX_DELAY", 0.001)
    report({TYPE: generated(10_000)}, {"fault": lambda asked: "500" if asked.number % 9 == 0 else None}, **SMALL_PAGES)
    assert len(sim.requests) == 60 and sum(each.status == 500 for each in sim.requests) > 4


@pytest.mark.parametrize("events", [[], [event(BASE + 1_500, 1, hs_a="1", hs_b="2")]])
def test_an_account_with_at_most_one_event(report, preview, sim, events):
    found = report({TYPE: listed(events)})
    assert found["event_types"][TYPE]["events"] == found["first_sync"]["rows"] == len(events)
    assert found["facts"]["order"] is None and found["facts"]["limit_granted"] is None
    assert found["facts"]["bounds"] == ("exclusive" if events else None)
    printed, _ = preview(sim)
    assert ("1 event (all counted)" if events else "no events") in printed


# What it prints


def test_json_begins_with_what_was_promised_and_holds_nothing_personal(report):
    history = generated(300, event_type="pe1_signup")
    found = report({"pe1_signup": history}, event_types="pe1_*", **SMALL_PAGES)
    assert list(found)[:6] == ["requests", "event_types", "first_sync", "a_day", "configuration", "facts"]
    text = json.dumps(found)
    for held in map(history.event, range(300)):
        secrets = [held["id"], held["objectId"], *held["properties"]]
        assert not [secret for secret in secrets if f'"{secret}' in text or secret in text.split()]
    assert "http" not in text and "pat-na1-secret" not in text


def test_the_configuration_to_paste_is_one_that_is_accepted(report, preview, sim):
    found = report({TYPE: generated(300)}, **SMALL_PAGES)
    printed, _ = preview(sim, **found["configuration"])
    for key, value in found["configuration"].items():
        assert f'"{key}": "' in printed and value
