"""Each query on what two syncs left, held against what plain Python makes of the simulator's events."""

import json
import time
from dataclasses import replace

import duckdb
import pytest

from pipeline.timestamps import to_ms
from tests.dbt import truth
from tests.dbt.truth import Account, Event
from tests.queries.warehouse import FIRST, FORMS, HEIRS, REFUSED, read, text_of
from tests.support import START, TYPE


def moment(event):
    return to_ms(event["occurredAt"])


@pytest.fixture(scope="module")
def account(synced):
    """The events as the truth of the dbt package counts them, with their paths for URLs."""
    account = Account()
    for sent in (*synced.visits, *synced.forms):
        path = sent["properties"].get("hs_url_path") or None
        account.events[sent["id"]] = Event(sent["id"], sent["eventType"], sent["objectId"], moment(sent), path)
    return account


@pytest.fixture(scope="module")
def sources(synced):
    """Where each visit came from."""
    return {visit["id"]: visit["properties"]["hs_visit_source"] or None for visit in synced.visits}


def test_sessions(account, sources, answer):
    expected = [
        {
            "session_id": key, "person_id": row["person_id"], "session_started_at": row["session_started_at"],
            "session_ended_at": row["session_ended_at"], "page_visits": row["page_visits"],
            "landing_page_path": row["landing_page_url"], "exit_page_path": row["exit_page_url"],
            "visit_source": sources[key],
        }
        for key, row in truth.sessions(account).items()
    ]  # fmt: skip
    assert answer("sessions") == sorted(expected, key=lambda row: (row["person_id"], row["session_started_at"]))
    assert {each["page_visits"] for each in expected} >= {1, 2, 3, 4}


def touches(account, sources):
    """The rows of each form: its visitor's first and last visit before it."""
    kept = "conversion_id", "person_id", "converted_at", "position", "visit_id", "touched_at"
    rows = truth.touches(account).values()
    of_visit = [{"page_path": row["page_url"], "visit_source": sources.get(row["visit_id"])} for row in rows]
    return [{name: row[name] for name in kept} | visit for row, visit in zip(rows, of_visit, strict=True)]


def test_touches(account, sources, answer):
    expected = touches(account, sources)
    assert answer("touches") == expected
    assert len(expected) > 200 and all(row["visit_id"] for row in expected)
    firsts, lasts = expected[::2], expected[1::2]
    assert any(first["touched_at"] < last["touched_at"] for first, last in zip(firsts, lasts, strict=True))


def test_a_form_without_an_earlier_visit_has_touches_too(account, warehouse, answer):
    form = account.of(FORMS)[0]
    warehouse.execute("UPDATE tester.e_form_submission_v_2 SET object_id = '7' WHERE id = ?", [form.id])
    assert answer("touches")[:2] == touches(Account({form.id: replace(form, object_id="7")}), {})


@pytest.mark.parametrize("mart, key", [("sessions", "session_id"), ("touches", "visit_id")])
def test_soft_deleted_visits_do_not_count(warehouse, answer, mart, key):
    gone = answer(mart)[0][key]
    warehouse.execute("UPDATE tester.e_visited_page SET _fivetran_deleted = true WHERE id = ?", [gone])
    assert gone not in {row[key] for row in answer(mart)}


@pytest.mark.parametrize("kind", ["VARCHAR", "BIGINT"])
def test_merged_contacts(warehouse, answer, kind):
    if kind == "BIGINT":  # as Fivetran writes it where no contact was merged twice
        as_number = "SELECT * REPLACE (property_hs_merged_object_ids::BIGINT AS property_hs_merged_object_ids)"
        warehouse.execute(f"CREATE OR REPLACE TABLE hubspot.contact AS {as_number} FROM hubspot.contact WHERE id = 501")
    heirs = {FIRST + 1: 501} if kind == "BIGINT" else HEIRS
    assert {row["object_id"]: row["person_id"] for row in answer("merged_contacts")} == {
        str(merged): str(heir) for merged, heir in heirs.items()
    }


# What sync_run says


def runs(warehouse):
    """The syncs, in order, with the event types that each names."""
    rows = read(warehouse.sql("SELECT started_at, ended_at, event_types FROM tester.sync_run ORDER BY started_at"))
    return [row | {"event_types": json.loads(row["event_types"])} for row in rows]


def leave(warehouse, outcome="interrupted", **event_types):
    """Adds the row of a sync that began after all others."""
    named = json.dumps(event_types) if event_types else None
    warehouse.execute(
        "INSERT INTO tester.sync_run (id, started_at, ended_at, outcome, event_types) "
        "SELECT ?, max(started_at) + INTERVAL 1 HOUR, max(ended_at) + INTERVAL 1 HOUR, ?, ? FROM tester.sync_run",
        [outcome + str(time.time_ns()), outcome, named],
    )


def test_complete_until(synced, warehouse, answer):
    first, second = runs(warehouse)
    assert [row["event_types"].keys() for row in (first, second)] == [{TYPE, FORMS}, {TYPE, FORMS, REFUSED}]
    assert answer("complete_until") == [
        # nothing was looked at twice yet
        {"event_type": FORMS, "complete_until": to_ms(START), "as_of": first["started_at"]},
        {"event_type": REFUSED, "complete_until": None, "as_of": None},
        {"event_type": TYPE, "complete_until": to_ms(START), "as_of": second["started_at"]},
    ]


def test_a_sync_that_was_killed_or_failed_or_without_audits_says_nothing_of_completeness(warehouse, answer):
    forms, refused, visits = before = answer("complete_until")
    leave(warehouse)
    assert answer("complete_until") == before
    leave(warehouse, "failed", e_new={"outcome": "failed", "complete_until": "2026-01-02T00:00:00.000Z"})
    new = {"event_type": "e_new", "complete_until": None, "as_of": None}
    assert answer("complete_until") == [forms, new, refused, visits]
    leave(warehouse, "complete", **{TYPE: {"outcome": "complete", "complete_until": None}})
    *others, later = answer("complete_until")
    assert others == [forms, new, refused]
    assert later["complete_until"] is None and later["as_of"] > visits["as_of"]


def lag(row, name, now):
    """The lag in ms, at a time (ms), of an event type that this sync completed: whole seconds have passed since it
    ended.
    """
    return round(row["event_types"][name]["lag_seconds"] * 1000) + (now // 1000 - row["ended_at"] // 1000) * 1000


def test_freshness(synced, warehouse, answer):
    first, second = runs(warehouse)
    before = time.time_ns() // 1_000_000
    forms, refused, visits = answer("freshness")
    after = time.time_ns() // 1_000_000
    for row, name, completed in ((forms, FORMS, first), (visits, TYPE, second)):
        assert lag(completed, name, before) <= round(row.pop("lag_seconds") * 1000) <= lag(completed, name, after)
    assert forms == {
        "event_type": FORMS, "last_event": moment(synced.forms[-1]), "last_sync": second["started_at"],
        "last_outcome": second["event_types"][FORMS]["outcome"], "last_complete": first["ended_at"],
    }  # fmt: skip
    assert visits == {
        "event_type": TYPE, "last_event": moment(synced.visits[-1]), "last_sync": second["started_at"],
        "last_outcome": "complete", "last_complete": second["ended_at"],
    }  # fmt: skip
    assert forms["last_outcome"] != "complete" and refused == {
        "event_type": REFUSED, "last_event": None, "last_sync": second["started_at"],
        "last_outcome": second["event_types"][REFUSED]["outcome"], "last_complete": None, "lag_seconds": None,
    }  # fmt: skip


def test_freshness_tells_the_last_sync_that_named_a_type(warehouse, answer):
    before = answer("freshness")
    leave(warehouse)
    leave(warehouse, "failed", **{TYPE: {"outcome": "failed", "lag_seconds": None}})
    forms, _, visits = answer("freshness")
    assert forms | {"lag_seconds": None} == before[0] | {"lag_seconds": None}
    assert visits["last_outcome"] == "failed" and visits["last_complete"] == before[2]["last_complete"]
    assert visits["last_sync"] > before[2]["last_sync"]


@pytest.mark.parametrize("name", ["complete_until", "freshness"])
def test_what_sync_run_says_can_be_a_view(warehouse, name):
    warehouse.execute(f"CREATE VIEW {name} AS {text_of(name)}")
    assert len(warehouse.table(name)) == 3


# Which rows HubSpot no longer has


def test_only_rows_of_whole_ranges_that_were_not_written_again_have_vanished():
    with duckdb.connect() as database:
        database.execute("""
            CREATE SCHEMA tester;
            CREATE TABLE tester.e_visited_page (id VARCHAR, occurred_at TIMESTAMPTZ, _fivetran_synced TIMESTAMPTZ,
                _fivetran_deleted BOOLEAN);
            CREATE TABLE tester.audited_range (event_type VARCHAR, range_start TIMESTAMPTZ, range_end TIMESTAMPTZ,
                audited_at TIMESTAMPTZ, late BIGINT, vanished BIGINT, whole BOOLEAN);
            INSERT INTO tester.audited_range VALUES
                ('e_visited_page', '2026-01-01 00:00:00Z', '2026-01-01 06:00:00Z', '2026-01-09 00:00:00Z', 0, 1, true),
                ('e_visited_page', '2026-01-01 06:00:00Z', '2026-01-01 12:00:00Z', '2026-01-09 00:00:00Z', 0, 0, false),
                ('pe1_other', '2026-01-01 12:00:00Z', '2026-01-01 18:00:00Z', '2026-01-09 00:00:00Z', 0, 1, true);
            INSERT INTO tester.e_visited_page VALUES
                ('gone', '2026-01-01 00:00:00Z', '2026-01-02 00:00:00Z', NULL),
                ('not sent again', '2026-01-01 00:00:00Z', '2026-01-02 00:00:00Z', true),
                ('alive', '2026-01-01 05:59:00Z', '2026-01-09 00:00:00Z', false),
                ('next', '2026-01-01 06:00:00Z', '2026-01-02 00:00:00Z', false),
                ('of another type', '2026-01-01 13:00:00Z', '2026-01-02 00:00:00Z', false);
        """)
        found = database.sql(text_of("vanished")).fetchall()
    assert [row[:2] for row in found] == [("e_visited_page", "gone")]
