-- Vanished: the rows of events that HubSpot no longer has (erased, deleted), as audits have found on two days. Nothing deletes them by
-- itself. A late sync may revise the answer: read a range again first if a person was erased there (docs/operating.md).
--
-- One row per event:
--   event_type   as in HubSpot
--   id           the key of its row
--   occurred_at  when it occurred
--   audited_at   when the audit began that wrote everything else of its time again
--
-- Change: `tester` to your schema; e_visited_page, twice, to the table and the event type in question.

SELECT
    audited.event_type,
    visit.id,
    visit.occurred_at,
    MAX(audited.audited_at) AS audited_at
FROM tester.e_visited_page AS visit
INNER JOIN tester.audited_range AS audited
    ON
        visit.occurred_at >= audited.range_start
        AND visit.occurred_at < audited.range_end
        AND visit._fivetran_synced < audited.audited_at
WHERE
    audited.whole AND audited.event_type = 'e_visited_page'
    AND NOT COALESCE(visit._fivetran_deleted, FALSE)
GROUP BY audited.event_type, visit.id, visit.occurred_at
ORDER BY visit.occurred_at, visit.id

-- On Snowflake and BigQuery: the same.
