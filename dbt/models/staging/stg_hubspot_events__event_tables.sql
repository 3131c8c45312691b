-- One event of a table tells the event type of all: no more is read.
{%- for name in hubspot_events.event_tables() %}
select '{{ name }}' as source_table, max(event_type) as event_type
from (
    select event_type from (
        {{ hubspot_events.staged(hubspot_events.connector_table(name), [['event_type', 'event_type', dbt.type_string()]]) | indent(8) }}
    ) as event
    limit 1
) as one
{{ 'union all' if not loop.last }}
{%- endfor %}
