-- First and last touch: the first and the last visit of a visitor before each form that he submitted.
--
-- One row per form submission:
--   id             of the submission
--   object_id      who submitted it: the id of a HubSpot contact
--   submitted_at   when
--   hs_form_id     which form
--   visits         how many visits he had made by then; 0 if none is known, and then the columns below are NULL
--   first_at, first_url, first_source   his first visit: when, which page, where it came from (empty if HubSpot did not say)
--   last_at, last_url, last_source      his last visit before the submission
--
-- Change: `tester` to your schema; e_form_submission_v_2 to the table of the events that are your conversions (Fivetran writes
-- e_form_submission_v2 so). To count only visits of the last 90 days, add to the join
--   AND visit.occurred_at >= conversion.occurred_at - INTERVAL '90 days'     (on BigQuery, INTERVAL 90 DAY)
-- Visits of contacts that were merged count as one visitor's once HubSpot reports them so (docs/audits.md); to be sure of it
-- today, join both tables to the contact_id of visits_and_contacts.sql.

WITH touch AS (
    SELECT
        conversion.id, conversion.object_id, conversion.occurred_at AS submitted_at, conversion.hs_form_id,
        visit.id AS visit_id, visit.occurred_at, visit.hs_url, visit.hs_visit_source,
        ROW_NUMBER() OVER (PARTITION BY conversion.id ORDER BY visit.occurred_at, visit.id) AS from_first,
        ROW_NUMBER() OVER (PARTITION BY conversion.id ORDER BY visit.occurred_at DESC, visit.id DESC) AS from_last
    FROM tester.e_form_submission_v_2 AS conversion
    LEFT JOIN tester.e_visited_page AS visit
        ON visit.object_id = conversion.object_id AND visit.occurred_at <= conversion.occurred_at
)

SELECT
    id, object_id, submitted_at, hs_form_id,
    COUNT(visit_id) AS visits,
    MAX(CASE WHEN from_first = 1 THEN occurred_at END) AS first_at,
    MAX(CASE WHEN from_first = 1 THEN hs_url END) AS first_url,
    MAX(CASE WHEN from_first = 1 THEN hs_visit_source END) AS first_source,
    MAX(CASE WHEN from_last = 1 THEN occurred_at END) AS last_at,
    MAX(CASE WHEN from_last = 1 THEN hs_url END) AS last_url,
    MAX(CASE WHEN from_last = 1 THEN hs_visit_source END) AS last_source
FROM touch
GROUP BY id, object_id, submitted_at, hs_form_id
ORDER BY submitted_at, id

-- On Snowflake: nothing else.
-- On BigQuery: nothing else.
