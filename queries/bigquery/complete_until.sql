-- Complete until: up to when the table of each event type is complete, as the last sync that completed the type says.
-- Compiled from dbt/models: python -m queries

WITH numbered AS (
  SELECT
    entry AS event_type,
    CAST(sync_run.started_at AS TIMESTAMP) AS started_at,
    json_value(
      parse_json(
        coalesce(
          json_value(to_json(sync_run.event_types), '$'),
          to_json_string(sync_run.event_types)
        )
      )[entry].outcome,
      '$'
    ) AS outcome,
    CAST(json_value(
      parse_json(
        coalesce(
          json_value(to_json(sync_run.event_types), '$'),
          to_json_string(sync_run.event_types)
        )
      )[entry].complete_until,
      '$'
    ) AS TIMESTAMP) AS complete_until,
    row_number() OVER (
      PARTITION BY entry
      ORDER BY CASE
        WHEN json_value(
          parse_json(
            coalesce(
              json_value(to_json(sync_run.event_types), '$'),
              to_json_string(sync_run.event_types)
            )
          )[entry].outcome,
          '$'
        ) = 'complete'
        THEN 0
        ELSE 1
      END, CAST(sync_run.started_at AS TIMESTAMP) DESC
    ) AS from_last
  FROM tester.sync_run
  CROSS JOIN UNNEST(json_keys(
    parse_json(
      coalesce(
        json_value(to_json(sync_run.event_types), '$'),
        to_json_string(sync_run.event_types)
      )
    ),
    1
  )) AS entry
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
