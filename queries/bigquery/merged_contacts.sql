-- Merged contacts: each id that was merged into another, however often, and the contact that remains of it.
-- Compiled from dbt/models: python -m queries

WITH RECURSIVE merged AS (
  SELECT
    trim(value) AS object_id,
    max(nullif(CAST(contact.id AS STRING), '')) AS into_id
  FROM hubspot.contact
  CROSS JOIN UNNEST(split(nullif(CAST(contact.property_hs_merged_object_ids AS STRING), ''), ';')) AS value
  WHERE
    NOT trim(value) IN ('', nullif(CAST(contact.id AS STRING), ''))
  GROUP BY
    trim(value)
), remaining AS (
  SELECT
    merged.object_id,
    merged.into_id AS person_id
  FROM merged
  LEFT JOIN merged AS further
    ON further.object_id = merged.into_id
  WHERE
    further.object_id IS NULL
  UNION ALL
  SELECT
    merged.object_id,
    remaining.person_id
  FROM remaining
  INNER JOIN merged
    ON merged.into_id = remaining.object_id
)
SELECT
  remaining.object_id,
  remaining.person_id
FROM remaining
ORDER BY
  object_id
