{%- set text = dbt.type_string() -%}
{{ hubspot_events.staged(source('hubspot_events', 'event_property'), [
    ['event_type', 'event_type', text], ['name', 'property_name', text], ['label', 'label', text],
    ['description', 'description', text], ['type', 'property_type', text], ['options', 'options', none],
    ['sensitivity', 'sensitivity', text], ['archived', 'is_archived', 'boolean'],
]) }}
