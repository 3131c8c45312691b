{%- set text = dbt.type_string() -%}
with visit as (
    {{ hubspot_events.staged(hubspot_events.connector_table(var('hubspot_events_page_visits')), hubspot_events.event_columns('visit_id') + [
        ['hs_url', 'page_url', text], ['hs_url_domain', 'page_domain', text], ['hs_url_path', 'page_path', text],
        ['hs_query_params', 'query_string', text], ['hs_title', 'page_title', text], ['hs_page_id', 'page_id', text],
        ['hs_referrer', 'referrer', text], ['hs_visit_source', 'visit_source', text],
        ['hs_visit_source_details_1', 'visit_source_details_1', text], ['hs_visit_source_details_2', 'visit_source_details_2', text],
        ['hs_utm_source', 'utm_source', text], ['hs_utm_medium', 'utm_medium', text], ['hs_utm_campaign', 'utm_campaign', text],
        ['hs_utm_term', 'utm_term', text], ['hs_utm_content', 'utm_content', text],
        ['hs_country', 'country', text], ['hs_region', 'region', text], ['hs_city', 'city', text],
        ['hs_browser', 'browser', text], ['hs_operating_system', 'operating_system', text], ['hs_device_type', 'device_type', text],
        ['hs_is_new_cookie', 'is_new_cookie', 'boolean'], ['hs_cf_bot_score', 'bot_score', dbt.type_int()],
    ]) | indent(4) }}
)

select
    visit_id, event_type, object_id, object_type, occurred_at, synced_at,
    page_url, page_domain, page_path, query_string, page_title, page_id,
    referrer, visit_source, visit_source_details_1, visit_source_details_2,
    {{ hubspot_events.utm('source') }} as utm_source,
    {{ hubspot_events.utm('medium') }} as utm_medium,
    {{ hubspot_events.utm('campaign') }} as utm_campaign,
    {{ hubspot_events.utm('term') }} as utm_term,
    {{ hubspot_events.utm('content') }} as utm_content,
    country, region, city, browser, operating_system, device_type, is_new_cookie, bot_score
from visit
{%- if var('hubspot_events_bot_score') %}
where not coalesce(bot_score between 1 and {{ var('hubspot_events_bot_score') - 1 }}, false)
{%- endif %}
