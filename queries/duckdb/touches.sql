-- Touches: the first and the last visit of a person before each conversion. Without a known visit both rows are there, and empty.
-- Compiled from dbt/models: python -m queries

WITH conversion_2 AS (
  SELECT
    nullif(CAST(e_form_submission_v_2.id AS TEXT), '') AS conversion_id,
    nullif(CAST(e_form_submission_v_2.object_id AS TEXT), '') AS person_id,
    CAST(e_form_submission_v_2.occurred_at AS TIMESTAMPTZ) AS occurred_at
  FROM tester.e_form_submission_v_2
  WHERE
    NOT coalesce(e_form_submission_v_2._fivetran_deleted, FALSE)
), visit_3 AS (
  SELECT
    conversion.conversion_id,
    nullif(CAST(e_visited_page.id AS TEXT), '') AS visit_id,
    CAST(e_visited_page.occurred_at AS TIMESTAMPTZ) AS occurred_at,
    nullif(CAST(e_visited_page.hs_url_path AS TEXT), '') AS page_path,
    nullif(CAST(e_visited_page.hs_visit_source AS TEXT), '') AS visit_source,
    row_number() OVER (
      PARTITION BY conversion.conversion_id
      ORDER BY CAST(e_visited_page.occurred_at AS TIMESTAMPTZ), nullif(CAST(e_visited_page.id AS TEXT), '')
    ) AS from_first,
    row_number() OVER (
      PARTITION BY conversion.conversion_id
      ORDER BY CAST(e_visited_page.occurred_at AS TIMESTAMPTZ) DESC, nullif(CAST(e_visited_page.id AS TEXT), '') DESC
    ) AS from_last
  FROM conversion_2 AS conversion
  INNER JOIN tester.e_visited_page
    ON (
      nullif(CAST(e_visited_page.object_id AS TEXT), '') = conversion.person_id
      AND CAST(e_visited_page.occurred_at AS TIMESTAMPTZ) <= conversion.occurred_at
    )
    AND NOT coalesce(e_visited_page._fivetran_deleted, FALSE)
), touches AS (
  SELECT
    conversion.conversion_id,
    conversion.person_id,
    conversion.occurred_at AS converted_at,
    'first' AS position,
    visit.visit_id,
    visit.occurred_at AS touched_at,
    visit.page_path,
    visit.visit_source
  FROM conversion_2 AS conversion
  LEFT JOIN visit_3 AS visit
    ON visit.conversion_id = conversion.conversion_id AND visit.from_first = 1
  UNION ALL
  SELECT
    conversion.conversion_id,
    conversion.person_id,
    conversion.occurred_at AS converted_at,
    'last' AS position,
    visit.visit_id,
    visit.occurred_at AS touched_at,
    visit.page_path,
    visit.visit_source
  FROM conversion_2 AS conversion
  LEFT JOIN visit_3 AS visit
    ON visit.conversion_id = conversion.conversion_id AND visit.from_last = 1
)
SELECT
  touches.conversion_id,
  touches.person_id,
  touches.converted_at,
  touches.position,
  touches.visit_id,
  touches.touched_at,
  touches.page_path,
  touches.visit_source
FROM touches
ORDER BY
  converted_at,
  conversion_id,
  position
