-- Conversions: one row per event of the tables that count as such, with the person.
{%- set tables = var('hubspot_events_conversions') %}
{{ config(pre_hook="{{ hubspot_events.forget_conversions() }}") }}
-- depends_on: {{ ref('rebuilds') }}

select
    conversion.conversion_id, conversion.event_type, {{ hubspot_events.person('conversion') }} as person_id,
    conversion.occurred_at, {{ hubspot_events.day('conversion.occurred_at') }} as occurred_on,
    {%- for column in [
        'form_id', 'form_type', 'page_url', 'page_title', 'page_id', 'query_string', 'referrer',
        'utm_source', 'utm_medium', 'utm_campaign', 'utm_term', 'utm_content', 'object_id', 'object_type', 'synced_at'
    ] %}
    conversion.{{ column }},
    {%- endfor %}
    conversion.occurred_at < {{ hubspot_events.final_before(tables) }} as is_final,
    {{ hubspot_events.now() }} as built_at
from {{ ref('stg_hubspot_events__conversions') }} as conversion
{{ hubspot_events.join_merged('conversion') }}
{%- if is_incremental() %}
{%- set merged_people = hubspot_events.merged_since(['person_id']) %}
where {{ hubspot_events.overlaps(hubspot_events.stale_days(tables), 'conversion.occurred_at', 'conversion.occurred_at') }}
    {%- if merged_people %}
    or {{ hubspot_events.person('conversion') }} in {{ merged_people }}
    {%- endif %}
{%- endif %}
