{%- set text = dbt.type_string() -%}
{%- set moment = hubspot_events.type_moment() -%}
with sync_run as (
    {{ hubspot_events.staged(source('hubspot_events', 'sync_run'), [
        ['id', 'sync_id', text], ['started_at', 'started_at', moment], ['ended_at', 'ended_at', moment],
        ['event_types', 'event_types', none], ['_fivetran_synced', 'synced_at', moment],
    ]) | indent(4) }}
),

named as (
    select * from sync_run where event_types is not null
)

select
    sync_id,
    {{ hubspot_events.entry_key() }} as event_type,
    started_at, ended_at, synced_at,
    {{ hubspot_events.entry_field('event_types', 'outcome') }} as outcome,
    {{ hubspot_events.entry_field('event_types', 'error') }} as error,
    cast({{ hubspot_events.entry_field('event_types', 'events') }} as {{ dbt.type_bigint() }}) as events,
    cast({{ hubspot_events.entry_field('event_types', 'lag_seconds') }} as {{ dbt.type_float() }}) as lag_seconds,
    cast({{ hubspot_events.entry_field('event_types', 'cursor_before') }} as {{ moment }}) as cursor_before,
    cast({{ hubspot_events.entry_field('event_types', 'complete_until') }} as {{ moment }}) as complete_until
from named
{{ hubspot_events.join_entries('event_types') }}
