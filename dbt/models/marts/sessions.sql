-- Sessions: the visits of one person, each at most 30 minutes after the one before it.
{%- set tables = [var('hubspot_events_page_visits')] %}
{{ config(pre_hook="{{ hubspot_events.forget_sessions() }}") }}
-- depends_on: {{ ref('rebuilds') }}, {{ ref('merged_contacts') }}

with visit as (
    select
        *, case when visit_number = 1 then 1 end as is_first,
        row_number() over (partition by session_id order by visit_number desc) as from_last
    from {{ ref('page_visits') }}
    {%- if is_incremental() %}
    {%- set merged_people = hubspot_events.merged_since(['person_id']) %}
    where {{ hubspot_events.sessions_of(hubspot_events.stale_days(tables)) }}
        {%- if merged_people %}
        or person_id in {{ merged_people }}
        {%- endif %}
    {%- endif %}
)

select
    session_id, person_id, session_started_at, session_ended_at,
    {{ hubspot_events.day('session_started_at') }} as started_on,
    count(*) as page_visits,
    {%- for column in ['page_url', 'page_path'] %}
    max(case when visit_number = 1 then {{ column }} end) as landing_{{ column }},
    max(case when from_last = 1 then {{ column }} end) as exit_{{ column }},
    {%- endfor %}
    {%- for column in [
        'referrer', 'visit_source', 'visit_source_details_1', 'visit_source_details_2',
        'utm_source', 'utm_medium', 'utm_campaign', 'utm_term', 'utm_content', 'country', 'device_type'
    ] %}
    max(case when visit_number = 1 then {{ column }} end) as {{ column }},
    {%- endfor %}
    session_ended_at < cast({{ dbt.dateadd('minute', -var('hubspot_events_session_minutes'), hubspot_events.final_before(tables)) }}
        as {{ hubspot_events.type_moment() }}) as is_final,
    {{ hubspot_events.now() }} as built_at
from visit
group by session_id, person_id, session_started_at, session_ended_at
