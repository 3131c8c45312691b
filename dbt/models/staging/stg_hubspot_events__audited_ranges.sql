{%- set moment = hubspot_events.type_moment() -%}
{{ hubspot_events.staged(source('hubspot_events', 'audited_range'), [
    ['event_type', 'event_type', dbt.type_string()], ['range_start', 'range_start', moment], ['range_end', 'range_end', moment],
    ['audited_at', 'audited_at', moment], ['late', 'late', dbt.type_bigint()], ['vanished', 'vanished', dbt.type_bigint()],
    ['whole', 'is_whole', 'boolean'], ['_fivetran_synced', 'synced_at', moment],
]) }}
