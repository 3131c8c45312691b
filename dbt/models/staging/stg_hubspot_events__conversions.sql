{%- set text = dbt.type_string() -%}
with conversion as (
    {%- for name in var('hubspot_events_conversions') %}
    select * from (
        {{ hubspot_events.staged(hubspot_events.connector_table(name), hubspot_events.event_columns('conversion_id') + [
            ['hs_form_id', 'form_id', text], ['hs_form_type', 'form_type', text],
            ['hs_base_url', 'page_url', text], ['hs_page_title', 'page_title', text], ['hs_page_id', 'page_id', text],
            ['hs_query_params', 'query_string', text], ['hs_referrer', 'referrer', text],
            ['hs_utm_source', 'utm_source', text], ['hs_utm_medium', 'utm_medium', text], ['hs_utm_campaign', 'utm_campaign', text],
            ['hs_utm_term', 'utm_term', text], ['hs_utm_content', 'utm_content', text],
        ]) | indent(8) }}
    ) as {{ name }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
)

select
    conversion_id, event_type, object_id, object_type, occurred_at, synced_at,
    form_id, form_type, page_url, page_title, page_id, query_string, referrer,
    {{ hubspot_events.utm('source') }} as utm_source,
    {{ hubspot_events.utm('medium') }} as utm_medium,
    {{ hubspot_events.utm('campaign') }} as utm_campaign,
    {{ hubspot_events.utm('term') }} as utm_term,
    {{ hubspot_events.utm('content') }} as utm_content
from conversion
