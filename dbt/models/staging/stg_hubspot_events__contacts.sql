{%- set text = dbt.type_string() -%}
{{ hubspot_events.staged(source('hubspot', 'contact'), [
    ['id', 'contact_id', text], ['property_hs_merged_object_ids', 'merged_ids', text],
]) }}
