-- Sessions: the visits of one person, each at most 30 minutes after the one before it.
-- Compiled from dbt/models: python -m queries

WITH in_order AS (
  SELECT
    nullif(CAST(e_visited_page.id AS STRING), '') AS visit_id,
    CAST(e_visited_page.occurred_at AS TIMESTAMP) AS occurred_at,
    nullif(CAST(e_visited_page.hs_url_path AS STRING), '') AS page_path,
    nullif(CAST(e_visited_page.hs_visit_source AS STRING), '') AS visit_source,
    nullif(CAST(e_visited_page.object_id AS STRING), '') AS person_id,
    lag(CAST(e_visited_page.occurred_at AS TIMESTAMP)) OVER (
      PARTITION BY nullif(CAST(e_visited_page.object_id AS STRING), '')
      ORDER BY CAST(e_visited_page.occurred_at AS TIMESTAMP), nullif(CAST(e_visited_page.id AS STRING), '')
    ) AS earlier_at
  FROM tester.e_visited_page
  WHERE
    NOT coalesce(e_visited_page._fivetran_deleted, FALSE)
), numbered AS (
  SELECT
    in_order.visit_id,
    in_order.occurred_at,
    in_order.page_path,
    in_order.visit_source,
    in_order.person_id,
    sum(
      CASE
        WHEN datetime_diff(
          CAST(datetime(in_order.occurred_at, 'UTC') AS DATETIME),
          CAST(datetime(in_order.earlier_at, 'UTC') AS DATETIME),
          MILLISECOND
        ) <= 30 * 60000
        THEN 0
        ELSE 1
      END
    ) OVER (
      PARTITION BY in_order.person_id
      ORDER BY in_order.occurred_at, in_order.visit_id
      rows BETWEEN UNBOUNDED preceding AND CURRENT ROW
    ) AS nth_session
  FROM in_order
), in_session AS (
  SELECT
    numbered.page_path,
    numbered.visit_source,
    numbered.person_id,
    first_value(numbered.visit_id) OVER (
      PARTITION BY numbered.person_id, numbered.nth_session
      ORDER BY numbered.occurred_at, numbered.visit_id
      rows BETWEEN UNBOUNDED preceding AND CURRENT ROW
    ) AS session_id,
    row_number() OVER (
      PARTITION BY numbered.person_id, numbered.nth_session
      ORDER BY numbered.occurred_at, numbered.visit_id
    ) AS visit_number,
    min(numbered.occurred_at) OVER (PARTITION BY numbered.person_id, numbered.nth_session) AS session_started_at,
    max(numbered.occurred_at) OVER (PARTITION BY numbered.person_id, numbered.nth_session) AS session_ended_at
  FROM numbered
), visit_3 AS (
  SELECT
    in_session.person_id,
    in_session.session_id,
    in_session.visit_number,
    in_session.session_started_at,
    in_session.session_ended_at,
    in_session.page_path,
    in_session.visit_source,
    row_number() OVER (PARTITION BY in_session.session_id ORDER BY in_session.visit_number DESC) AS from_last
  FROM in_session
), sessions AS (
  SELECT
    visit.session_id,
    visit.person_id,
    visit.session_started_at,
    visit.session_ended_at,
    count(*) AS page_visits,
    max(CASE WHEN visit.visit_number = 1 THEN visit.page_path END) AS landing_page_path,
    max(CASE WHEN visit.from_last = 1 THEN visit.page_path END) AS exit_page_path,
    max(CASE WHEN visit.visit_number = 1 THEN visit.visit_source END) AS visit_source
  FROM visit_3 AS visit
  GROUP BY
    visit.session_id,
    visit.person_id,
    visit.session_started_at,
    visit.session_ended_at
)
SELECT
  sessions.session_id,
  sessions.person_id,
  sessions.session_started_at,
  sessions.session_ended_at,
  sessions.page_visits,
  sessions.landing_page_path,
  sessions.exit_page_path,
  sessions.visit_source
FROM sessions
ORDER BY
  person_id,
  session_started_at
