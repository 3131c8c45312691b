-- Complete until: up to when the table of each event type is complete, as the last sync that completed the type says.
-- Compiled from dbt/models: python -m queries

WITH numbered AS (
  SELECT
    entry.key AS event_type,
    CAST(sync_run.started_at AS TIMESTAMPTZ) AS started_at,
    (
      entry.value ->> '$.outcome'
    ) AS outcome,
    CAST((
      entry.value ->> '$.complete_until'
    ) AS TIMESTAMPTZ) AS complete_until,
    row_number() OVER (
      PARTITION BY entry.key
      ORDER BY CASE WHEN (
        entry.value ->> '$.outcome'
      ) = 'complete' THEN 0 ELSE 1 END, CAST(sync_run.started_at AS TIMESTAMPTZ) DESC
    ) AS from_last
  FROM tester.sync_run
  CROSS JOIN json_each(event_types) AS entry
  WHERE
    NOT sync_run.event_types IS NULL
)
SELECT
  numbered.event_type,
  CASE WHEN numbered.outcome = 'complete' THEN numbered.complete_until END AS complete_until,
  CASE WHEN numbered.outcome = 'complete' THEN numbered.started_at END AS as_of
FROM numbered
WHERE
  numbered.from_last = 1
ORDER BY
  event_type
