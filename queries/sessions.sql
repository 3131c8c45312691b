-- Sessions: the visits of one visitor, each at most 30 minutes after the one before it.
--
-- One row per session:
--   object_id     the visitor: the id of a HubSpot contact
--   session       1 for the visitor's first session, 2 for the second, ...
--   started_at    the time of its first visit
--   ended_at      the time of its last visit
--   visits        how many it has
--   landing_url   the page of its first visit; empty if HubSpot did not say
--   source        where that visit came from (hs_visit_source); empty if HubSpot did not say
--
-- Change: `tester` to your schema, '30 minutes' to your idea of a session.

WITH visit AS (
    SELECT
        id, object_id, occurred_at, hs_url, hs_visit_source,
        CASE
            WHEN occurred_at <= LAG(occurred_at) OVER (PARTITION BY object_id ORDER BY occurred_at, id) + INTERVAL '30 minutes'
            THEN 0 ELSE 1
        END AS begins
    FROM tester.e_visited_page
),

numbered AS (
    SELECT
        object_id, occurred_at, hs_url, hs_visit_source, begins,
        SUM(begins) OVER (
            PARTITION BY object_id ORDER BY occurred_at, id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS session
    FROM visit
)

SELECT
    object_id, session,
    MIN(occurred_at) AS started_at,
    MAX(occurred_at) AS ended_at,
    COUNT(*) AS visits,
    MAX(CASE WHEN begins = 1 THEN hs_url END) AS landing_url,
    MAX(CASE WHEN begins = 1 THEN hs_visit_source END) AS source
FROM numbered
GROUP BY object_id, session
ORDER BY object_id, session

-- On Snowflake: nothing else.
-- On BigQuery:
--   INTERVAL '30 minutes'   becomes   INTERVAL 30 MINUTE
