-- Freshness: how far behind each event type is, and whether its syncs succeed.
--
-- One row per event type that a sync has named:
--   event_type      as in HubSpot
--   last_event      when its last event occurred; NULL if there is none, or its table is not in the list below
--   last_sync       when the last sync that named it began
--   last_outcome    of the event type in that sync: complete, failed or refused. A sync that was killed names no event types.
--   last_complete   when the last sync that completed it ended
--   lag_seconds     how long ago the time is up to which everything was delivered; NULL if no sync completed it
--
-- Change: `tester` to your schema, and the list of tables to yours; with table_layout = single it is the table event alone.

WITH event AS (
    SELECT event_type, occurred_at, _fivetran_deleted FROM tester.e_visited_page
    UNION ALL
    SELECT event_type, occurred_at, _fivetran_deleted FROM tester.e_form_submission_v_2
),

last_event AS (
    SELECT event_type, MAX(occurred_at) AS occurred_at
    FROM event
    WHERE NOT COALESCE(_fivetran_deleted, FALSE)
    GROUP BY event_type
),

type_run AS (
    SELECT
        sync.started_at, sync.ended_at, entry.key AS event_type,
        entry.value ->> 'outcome' AS outcome,
        entry.value ->> 'lag_seconds' AS lag_seconds
    FROM tester.sync_run AS sync
    CROSS JOIN JSON_EACH(sync.event_types) AS entry
    WHERE NOT COALESCE(sync._fivetran_deleted, FALSE)
),

numbered AS (
    SELECT
        event_type, started_at, ended_at, outcome, lag_seconds,
        ROW_NUMBER() OVER (PARTITION BY event_type ORDER BY started_at DESC) AS from_last,
        ROW_NUMBER() OVER (PARTITION BY event_type, outcome ORDER BY started_at DESC) AS from_last_alike
    FROM type_run
),

synced AS (
    SELECT
        event_type,
        MAX(CASE WHEN from_last = 1 THEN started_at END) AS last_sync,
        MAX(CASE WHEN from_last = 1 THEN outcome END) AS last_outcome,
        MAX(CASE WHEN outcome = 'complete' AND from_last_alike = 1 THEN ended_at END) AS last_complete,
        MAX(CASE WHEN outcome = 'complete' AND from_last_alike = 1 THEN CAST(lag_seconds AS NUMERIC) END) AS lag_then
    FROM numbered
    GROUP BY event_type
)

SELECT
    synced.event_type,
    last_event.occurred_at AS last_event,
    synced.last_sync,
    synced.last_outcome,
    synced.last_complete,
    synced.lag_then + DATEDIFF('second', synced.last_complete, CURRENT_TIMESTAMP) AS lag_seconds
FROM synced
LEFT JOIN last_event ON last_event.event_type = synced.event_type
ORDER BY synced.event_type

-- On Snowflake, where event_types is a VARIANT (if it is text, PARSE_JSON(sync.event_types)):
--   JSON_EACH(sync.event_types)     becomes   LATERAL FLATTEN(INPUT => sync.event_types)
--   entry.value ->> 'outcome'       becomes   entry.value:outcome::STRING
--   entry.value ->> 'lag_seconds'   becomes   entry.value:lag_seconds::STRING
-- On BigQuery, where event_types is JSON (if it is text, PARSE_JSON(sync.event_types) in each place):
--   JSON_EACH(sync.event_types)     becomes   UNNEST(JSON_KEYS(sync.event_types, 1))
--   entry.key                       becomes   entry
--   entry.value ->> 'outcome'       becomes   JSON_VALUE(sync.event_types[entry].outcome)
--   entry.value ->> 'lag_seconds'   becomes   JSON_VALUE(sync.event_types[entry].lag_seconds)
--   DATEDIFF('second', synced.last_complete, CURRENT_TIMESTAMP)   becomes
--   TIMESTAMP_DIFF(CURRENT_TIMESTAMP, synced.last_complete, SECOND)
