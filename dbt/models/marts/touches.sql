-- Touches: the first and the last visit of a person before each conversion. Without a known visit both rows are there, and empty.
{%- set tables = hubspot_events.event_tables() %}
{{ config(pre_hook="{{ hubspot_events.forget_touches() }}") }}
-- depends_on: {{ ref('rebuilds') }}, {{ ref('merged_contacts') }}

with conversion as (
    select conversion_id, person_id, occurred_at
    from {{ ref('conversions') }}
    {%- if is_incremental() %}
    where conversion_id not in (select conversion_id from {{ this }})
    {%- endif %}
),

visit as (
    select
        conversion.conversion_id, page_visits.*,
        row_number() over (
            partition by conversion.conversion_id order by page_visits.occurred_at, page_visits.visit_id
        ) as from_first,
        row_number() over (
            partition by conversion.conversion_id order by page_visits.occurred_at desc, page_visits.visit_id desc
        ) as from_last
    from conversion
    inner join {{ ref('page_visits') }} as page_visits
        on page_visits.person_id = conversion.person_id and page_visits.occurred_at <= conversion.occurred_at
)

{%- for position in ['first', 'last'] %}

select
    {{ dbt.concat(['conversion.conversion_id', "'-" ~ position ~ "'"]) }} as touch_id,
    conversion.conversion_id, conversion.person_id, conversion.occurred_at as converted_at, '{{ position }}' as position,
    visit.visit_id, visit.session_id, visit.occurred_at as touched_at,
    {%- for column in [
        'page_url', 'page_path', 'referrer', 'visit_source', 'visit_source_details_1', 'visit_source_details_2',
        'utm_source', 'utm_medium', 'utm_campaign', 'utm_term', 'utm_content'
    ] %}
    visit.{{ column }},
    {%- endfor %}
    conversion.occurred_at < {{ hubspot_events.final_before(tables) }} as is_final,
    {{ hubspot_events.now() }} as built_at
from conversion
left join visit on visit.conversion_id = conversion.conversion_id and visit.from_{{ position }} = 1
{{ 'union all' if not loop.last }}
{%- endfor %}
