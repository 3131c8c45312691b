-- Complete until: up to when the table of each event type is complete, as the last sync that completed the type says in
-- sync_run. Make it a view, and let your models read only events before it, if their figures must not change later.
--
-- One row per event type:
--   event_type       as in HubSpot
--   complete_until   an event that occurred before it, is older than 54 hours and became visible within a third of its age,
--                    is in the table (docs/audits.md says exactly what is promised); NULL if no sync completed the type, or
--                    if audits are off
--   as_of            when the sync that says so began; NULL if none completed the type
--
-- Change: `tester` to your schema.

WITH type_run AS (
    SELECT
        sync.started_at, entry.key AS event_type,
        entry.value ->> 'outcome' AS outcome,
        entry.value ->> 'complete_until' AS complete_until
    FROM tester.sync_run AS sync
    CROSS JOIN JSON_EACH(sync.event_types) AS entry
),

numbered AS (
    SELECT
        event_type, started_at, outcome, complete_until,
        ROW_NUMBER() OVER (
            PARTITION BY event_type ORDER BY CASE WHEN outcome = 'complete' THEN 0 ELSE 1 END, started_at DESC
        ) AS from_last
    FROM type_run
)

SELECT
    event_type,
    CASE WHEN outcome = 'complete' THEN CAST(complete_until AS TIMESTAMPTZ) END AS complete_until,
    CASE WHEN outcome = 'complete' THEN started_at END AS as_of
FROM numbered
WHERE from_last = 1
ORDER BY event_type

-- On Snowflake, where event_types is a VARIANT (if it is text, PARSE_JSON(sync.event_types)):
--   JSON_EACH(sync.event_types)        becomes   LATERAL FLATTEN(INPUT => sync.event_types)
--   entry.value ->> 'outcome'          becomes   entry.value:outcome::STRING
--   entry.value ->> 'complete_until'   becomes   entry.value:complete_until::STRING
-- On BigQuery, where event_types is JSON (if it is text, PARSE_JSON(sync.event_types) in each place):
--   JSON_EACH(sync.event_types)        becomes   UNNEST(JSON_KEYS(sync.event_types, 1))
--   entry.key                          becomes   entry
--   entry.value ->> 'outcome'          becomes   JSON_VALUE(sync.event_types[entry].outcome)
--   entry.value ->> 'complete_until'   becomes   JSON_VALUE(sync.event_types[entry].complete_until)
--   AS TIMESTAMPTZ                     becomes   AS TIMESTAMP
