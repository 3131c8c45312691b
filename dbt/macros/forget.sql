{# The hooks of the incremental marts: each deletes what its model then builds anew. #}

{% macro forget(conditions) -%}
    delete from {{ this }} where {{ conditions | join('\n    or ') }}
{%- endmacro %}

{# What was built of people who were merged since. #}
{% macro of_merged() %}
    {%- set people = hubspot_events.merged_since(['object_id', 'person_id']) -%}
    {{- return(['person_id in ' ~ people] if people else []) -}}
{% endmacro %}

{% macro forget_sessions() %}
    {%- if is_incremental() -%}
        {%- set days = hubspot_events.stale_days([var('hubspot_events_page_visits')]) -%}
        {{ hubspot_events.forget([hubspot_events.sessions_of(days)] + hubspot_events.of_merged()) }}
    {%- endif -%}
{% endmacro %}

{% macro forget_conversions() %}
    {%- if is_incremental() -%}
        {%- set days = hubspot_events.stale_days(var('hubspot_events_conversions')) -%}
        {{ hubspot_events.forget([hubspot_events.overlaps(days, 'occurred_at', 'occurred_at')] + hubspot_events.of_merged()) }}
    {%- endif -%}
{% endmacro %}

{# Of conversions that were built anew, and of those that a visit precedes that was. #}
{% macro forget_touches() %}
    {%- if is_incremental() -%}
        {%- set days = hubspot_events.stale_days(hubspot_events.event_tables()) -%}
        {%- set visit_days = hubspot_events.stale_days([var('hubspot_events_page_visits')]) -%}
        {%- set since = hubspot_events.built_until() -%}
        {{ hubspot_events.forget([
            hubspot_events.overlaps(days, 'converted_at', 'converted_at'),
            'conversion_id in (select conversion_id from ' ~ this ~ ' where '
            ~ hubspot_events.overlaps(visit_days, 'touched_at', 'touched_at') ~ ')',
            'conversion_id in (select conversion_id from ' ~ ref('conversions') ~ ' where built_at > ' ~ since ~ ')',
            'conversion_id in (select conversion.conversion_id from ' ~ ref('conversions') ~ ' as conversion inner join '
            ~ ref('page_visits') ~ ' as visit on visit.person_id = conversion.person_id'
            ~ ' and visit.occurred_at <= conversion.occurred_at where visit.built_at > ' ~ since ~ ')',
        ]) }}
    {%- endif -%}
{% endmacro %}

{% macro forget_days() %}
    {%- if is_incremental() -%}
        {{ hubspot_events.forget([hubspot_events.changed_days(hubspot_events.event_tables())]) }}
    {%- endif -%}
{% endmacro %}

{# Whether a day is stale, or has events that were built anew. #}
{% macro changed_days(tables) %}
    {%- set days = hubspot_events.stale_days(tables) -%}
    {%- set changed = [] -%}
    {%- for mart in [ref('page_visits'), ref('conversions')] -%}
        {%- do changed.append('select cast(occurred_on as ' ~ dbt.type_string() ~ ') as changed_on from ' ~ mart ~ ' where built_at > ' ~ hubspot_events.built_until()) -%}
    {%- endfor -%}
    {%- for row in run_query('select distinct changed_on from (' ~ changed | join(' union all ') ~ ') as changed').rows -%}
        {%- do days.append([row[0], hubspot_events.days_after(row[0], 1)]) -%}
    {%- endfor -%}
    {%- set parts = [] -%}
    {%- for first, end in hubspot_events.united(days) -%}
        {%- do parts.append("occurred_on >= cast('" ~ first ~ "' as date)" ~ (" and occurred_on < cast('" ~ end ~ "' as date)" if end else '')) -%}
    {%- endfor -%}
    {{- return('((' ~ (parts | join(') or (') or '1 = 0') ~ '))') -}}
{% endmacro %}
