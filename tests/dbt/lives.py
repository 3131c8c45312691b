"""A connection's life in a warehouse, written by hand: what syncs, audits and merges leave there."""

# ruff: noqa: S608 (the tables are our own)
import json
import random

from pipeline.timestamps import MINUTE, to_ms, to_text
from tests.dbt.truth import FORMS, MARTS, PAUSE, VISITS, Account, Event

BEGIN = to_ms("2026-01-01T00:00:00Z")
TABLES = {VISITS: "e_visited_page", FORMS: "e_form_submission_v_2"}
OF_EVENTS = """id TEXT, event_type TEXT, object_id TEXT, object_type TEXT, occurred TEXT, occurred_at TIMESTAMPTZ,
    hs_url TEXT, _fivetran_deleted BOOLEAN, _fivetran_synced TIMESTAMPTZ"""
CREATE = f"""
CREATE SCHEMA tester; CREATE SCHEMA hubspot;
CREATE TABLE tester.e_visited_page ({OF_EVENTS}); CREATE TABLE tester.e_form_submission_v_2 ({OF_EVENTS});
CREATE TABLE tester.sync_run (id TEXT, started_at TIMESTAMPTZ, ended_at TIMESTAMPTZ, outcome TEXT, event_types JSON,
    _fivetran_synced TIMESTAMPTZ);
CREATE TABLE hubspot.contact (id BIGINT, property_hs_merged_object_ids TEXT);
"""
AUDITED_RANGE = """
CREATE TABLE tester.audited_range (event_type TEXT, range_start TIMESTAMPTZ, range_end TIMESTAMPTZ, audited_at TIMESTAMPTZ,
    late BIGINT, vanished BIGINT, whole BOOLEAN, _fivetran_synced TIMESTAMPTZ)
"""


def literal(value):
    if value is None:
        return "NULL"
    return str(value) if isinstance(value, (bool, int)) else "'" + str(value).replace("'", "''") + "'"


def row(*values):
    return f"({', '.join(map(literal, values))})"


class Life:
    """The same changes to a warehouse and to the account that tells the truth of it."""

    def __init__(self, warehouse, seed):
        self.warehouse, self.account, self.random = warehouse, Account(), random.Random(seed)
        self.now, self.made, self.syncs = BEGIN, 0, 0
        self.has_audits = False
        warehouse.execute(CREATE)

    def insert(self, table, *values):
        self.warehouse.execute(f"INSERT INTO {table} VALUES {row(*values)}")

    def write(self, *events):
        """Upserts events, as a sync does."""
        for table in TABLES.values():
            mine = [event for event in events if TABLES[event.type] == table]
            now, ids = to_text(self.now), ", ".join(literal(event.id) for event in mine)
            rows = ", ".join(
                row(each.id, each.type, each.object_id, "CONTACT", to_text(each.at), to_text(each.at), each.url,
                    each.deleted, now) for each in mine
            )  # fmt: skip
            if mine:
                self.warehouse.execute(f"DELETE FROM tester.{table} WHERE id IN ({ids})")
                self.warehouse.execute(f"INSERT INTO tester.{table} VALUES {rows}")
        self.account.events |= {event.id: event for event in events}

    def event(self, at, kind=VISITS, person=None):
        self.made += 1
        person = person or str(self.random.randint(1, 12))
        return Event(f"id-{self.made:05}", kind, person, at, f"/{self.made % 7}")

    def some(self, begin, end, number):
        """Events in a range of time: visits, often soon after another one, and some forms."""
        found = []
        for _ in range(number):
            if found and self.random.random() < 0.7:
                last = self.random.choice(found)
                at = last.at + self.random.choice((1, PAUSE - 1, PAUSE, PAUSE + 1, 5 * MINUTE))
                found.append(self.event(min(at, end - 1), VISITS, last.object_id))
            else:
                found.append(self.event(self.random.randrange(begin, end)))
            if self.random.random() < 0.15:
                last = found[-1]
                found.append(self.event(min(last.at + 1000, end - 1), FORMS, last.object_id))
        return found

    def sync_run(self, begins_anew=False, **complete_until):
        """The row of a sync that ends now."""
        self.syncs += 1
        before = self.account.complete_until
        named = {
            kind: {
                "outcome": "complete", "events": 1, "error": None, "lag_seconds": 1.5,
                "cursor_before": None if begins_anew or before.get(kind) is None else to_text(before[kind] + 1),
                "complete_until": None if until is None else to_text(until),
            }
            for kind, until in complete_until.items()
        }  # fmt: skip
        self.account.complete_until = {**before, **complete_until}
        self.insert(
            "tester.sync_run", f"sync-{self.syncs}", to_text(self.now - 1000), to_text(self.now), "complete",
            json.dumps(named), to_text(self.now),
        )  # fmt: skip

    def audited(self, kind, begin, end):
        """What an audit writes after the rows of a range that differed."""
        if not self.has_audits:
            self.warehouse.execute(AUDITED_RANGE)
            self.has_audits = True
        self.account.audited.append((kind, begin, end, self.now - 500))
        self.insert(
            "tester.audited_range", kind, to_text(begin), to_text(end), to_text(self.now - 500), 1, 0, False,
            to_text(self.now),
        )  # fmt: skip

    def merge(self, loser, heir):
        self.account.merged[loser] = heir
        ids = [mine for mine, into in self.account.merged.items() if into == heir]
        self.warehouse.execute(f"DELETE FROM hubspot.contact WHERE id = {heir}")
        self.insert("hubspot.contact", int(heir), ";".join(ids))


def compare(warehouse, account):
    """Asserts that every mart holds what plain Python counts."""
    for name, (count, key) in MARTS.items():
        expected, mart = count(account), warehouse.mart(name)
        rows = {row[key]: row for row in mart}
        assert rows.keys() == expected.keys() and len(rows) == len(mart), name
        for found, row in expected.items():
            times = {column for column in row if column.endswith("_at") and rows[found][column] is not None}
            shown = {column: to_ms(rows[found][column]) if column in times else rows[found][column] for column in row}
            assert shown == row, (name, found)
