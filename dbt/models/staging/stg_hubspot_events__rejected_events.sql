{%- set text = dbt.type_string() -%}
{{ hubspot_events.staged(source('hubspot_events', 'rejected_event'), [
    ['id', 'rejected_event_id', text], ['event_type', 'event_type', text], ['reason', 'reason', text], ['raw', 'raw', text],
    ['rejected_at', 'rejected_at', hubspot_events.type_moment()],
]) }}
