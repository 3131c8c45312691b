-- Page visits: one row per visit, with the person, the session and the place in it.
{%- set tables = [var('hubspot_events_page_visits')] %}
{{ config(pre_hook="{{ hubspot_events.forget_sessions() }}", cluster_by=['occurred_at']) }}
-- depends_on: {{ ref('rebuilds') }}
{%- if is_incremental() %}
{%- set stale_days = hubspot_events.stale_days(tables) %}
{%- set days = hubspot_events.with_sessions_of(stale_days) %}
{%- set merged_people = hubspot_events.merged_since(['person_id']) %}
{%- endif %}

with visit as (
    select
        visit.*, {{ hubspot_events.person('visit') }} as person_id
    from {{ ref('stg_hubspot_events__page_visits') }} as visit
    {{ hubspot_events.join_merged('visit') }}
    {%- if is_incremental() %}
    left join {{ this }} as kept
        on kept.visit_id = visit.visit_id and {{ hubspot_events.overlaps(days, 'kept.occurred_at', 'kept.occurred_at') }}
    where
        kept.visit_id is null
        and (
            {{ hubspot_events.overlaps(days, 'visit.occurred_at', 'visit.occurred_at') }}
            {%- if merged_people %}
            or {{ hubspot_events.person('visit') }} in {{ merged_people }}
            {%- endif %}
        )
    {%- endif %}
),

in_order as (
    select
        *, lag(occurred_at) over (partition by person_id order by occurred_at, visit_id) as earlier_at
    from visit
),

beginning as (
    select
        *,
        case
            when {{ dbt.datediff(hubspot_events.utc('earlier_at'), hubspot_events.utc('occurred_at'), 'millisecond') }}
                <= {{ var('hubspot_events_session_minutes') }} * 60000 then 0
            else 1
        end as begins
    from in_order
),

numbered as (
    select
        *,
        sum(begins) over (
            partition by person_id order by occurred_at, visit_id rows between unbounded preceding and current row
        ) as nth_session
    from beginning
),

in_session as (
    select
        *,
        first_value(visit_id) over (
            partition by person_id, nth_session order by occurred_at, visit_id rows between unbounded preceding and current row
        ) as session_id,
        row_number() over (partition by person_id, nth_session order by occurred_at, visit_id) as visit_number,
        min(occurred_at) over (partition by person_id, nth_session) as session_started_at,
        max(occurred_at) over (partition by person_id, nth_session) as session_ended_at
    from numbered
)

select
    visit_id, person_id, session_id, visit_number, session_started_at, session_ended_at,
    occurred_at, {{ hubspot_events.day('occurred_at') }} as occurred_on,
    page_url, page_domain, page_path, query_string, page_title, page_id,
    referrer, visit_source, visit_source_details_1, visit_source_details_2,
    utm_source, utm_medium, utm_campaign, utm_term, utm_content,
    country, region, city, browser, operating_system, device_type, is_new_cookie, bot_score,
    object_id, object_type, synced_at,
    occurred_at < {{ hubspot_events.final_before(tables) }} as is_final,
    {{ hubspot_events.now() }} as built_at
from in_session
{%- if is_incremental() %}
-- A visit beside these days that no audit has told of yet waits for the run after it has.
where {{ hubspot_events.sessions_of(stale_days) }}
    {%- if merged_people %}
    or person_id in {{ merged_people }}
    {%- endif %}
{%- endif %}
