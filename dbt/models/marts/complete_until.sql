-- Complete until: up to when the table of each event type is complete, as the last sync that completed the type says.
{{ config(materialized='ephemeral' if var('hubspot_events_one_query') else 'view') }}

with numbered as (
    select
        event_type, started_at, outcome, complete_until,
        row_number() over (
            partition by event_type order by case when outcome = 'complete' then 0 else 1 end, started_at desc
        ) as from_last
    from {{ ref('stg_hubspot_events__type_runs') }}
)

select
    event_type,
    case when outcome = 'complete' then complete_until end as complete_until,
    case when outcome = 'complete' then started_at end as as_of
from numbered
where from_last = 1
