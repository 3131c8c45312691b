"""vanished.sql lists the rows that HubSpot no longer has, from ranges that were written whole."""

import duckdb

from tests.sdk import ROOT

QUERY = (ROOT / "queries" / "vanished.sql").read_text("utf-8")


def test_only_rows_of_whole_ranges_that_were_not_written_again_are_listed():
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
        found = database.sql(QUERY).fetchall()
    assert [row[:2] for row in found] == [("e_visited_page", "gone")]
