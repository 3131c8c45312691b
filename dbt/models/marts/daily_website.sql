-- The website by day (UTC): visits, visitors, sessions, conversions, and whether the figures are final.
{%- set tables = hubspot_events.event_tables() %}
{{ config(pre_hook="{{ hubspot_events.forget_days() }}") }}
-- depends_on: {{ ref('rebuilds') }}

with event as (
    select
        occurred_on, visit_id, person_id as visitor, case when visit_number = 1 then session_id end as session_id,
        cast(null as {{ dbt.type_string() }}) as conversion_id, cast(null as {{ dbt.type_string() }}) as converted
    from {{ ref('page_visits') }}
    union all
    select occurred_on, null, null, null, conversion_id, person_id
    from {{ ref('conversions') }}
),

figures as (
    select
        occurred_on, count(visit_id) as page_visits, count(distinct visitor) as visitors, count(session_id) as sessions,
        count(conversion_id) as conversions, count(distinct converted) as converted_people
    from event
    {%- if is_incremental() %}
    where {{ hubspot_events.changed_days(tables) }}
    {%- endif %}
    group by 1
),

revision as (
    select figures.occurred_on, max(audited.audited_at) as revised_at
    from {{ ref('stg_hubspot_events__event_tables') }} as event_table
    inner join {{ ref('stg_hubspot_events__audited_ranges') }} as audited on audited.event_type = event_table.event_type
    inner join figures
        on figures.occurred_on >= {{ hubspot_events.day('audited.range_start') }}
        and figures.occurred_on <= cast({{ dbt.dateadd('millisecond', -1, hubspot_events.utc('audited.range_end')) }} as date)
    group by 1
)

select
    figures.*,
    figures.occurred_on < {{ hubspot_events.day(hubspot_events.final_before(tables)) }} as is_final,
    revision.revised_at,
    {{ hubspot_events.now() }} as built_at
from figures
left join revision on revision.occurred_on = figures.occurred_on
