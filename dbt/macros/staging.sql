{# A table of the connector. Those that sources.yml does not declare stand beside those that it does. #}
{% macro connector_table(name) %}
    {%- if name in ['e_visited_page', 'e_form_submission_v_2'] -%}
        {{- return(source('hubspot_events', name)) -}}
    {%- endif -%}
    {{- return(source('hubspot_events', 'sync_run').incorporate(path={'identifier': name})) -}}
{% endmacro %}

{# The tables that the variables name: page visits first. #}
{% macro event_tables() %}
    {{- return([var('hubspot_events_page_visits')] + var('hubspot_events_conversions')) -}}
{% endmacro %}

{# Columns of a table, without soft-deleted rows, as [column, name, type]: null where the table lacks the column, and no rows
   where there is no table. The empty texts that HubSpot sends are null. A column without a type stays as it is. #}
{% macro staged(relation, columns) %}
    {%- set found = adapter.get_relation(relation.database, relation.schema, relation.identifier) if execute else none -%}
    {%- set present = [] -%}
    {%- for column in (adapter.get_columns_in_relation(found) if found else []) -%}
        {%- do present.append(column.name | lower) -%}
    {%- endfor -%}
    select
    {%- for column, name, type in columns %}
        {%- set value = column if column in present else 'null' %}
        {%- if value != 'null' and type is none %}
        {%- elif value != 'null' and type == dbt.type_string() %}
            {%- set value = "nullif(cast(" ~ value ~ " as " ~ type ~ "), '')" %}
        {%- else %}
            {%- set value = "cast(" ~ value ~ " as " ~ (type or dbt.type_string()) ~ ")" %}
        {%- endif %}
        {{ value }} as {{ name }}{{ ',' if not loop.last }}
    {%- endfor %}
    {%- if found %}
    from {{ relation }}
    {%- if '_fivetran_deleted' in present %}
    where not coalesce(_fivetran_deleted, false)
    {%- endif %}
    {%- else %}
    limit 0
    {%- endif %}
{%- endmacro %}

{# The columns that every event has. #}
{% macro event_columns(id) %}
    {%- set text = dbt.type_string() -%}
    {{- return([
        ['id', id, text], ['event_type', 'event_type', text], ['object_id', 'object_id', text],
        ['object_type', 'object_type', text], ['occurred_at', 'occurred_at', hubspot_events.type_moment()],
        ['_fivetran_synced', 'synced_at', hubspot_events.type_moment()],
    ]) -}}
{% endmacro %}

{# A campaign's parameter: HubSpot's own column or, without it, what the query of the address says. #}
{% macro utm(name) -%}
    {%- set said = dbt.split_part(dbt.split_part(dbt.concat(["'&'", 'query_string']), "'&utm_" ~ name ~ "='", 2), "'&'", 1) -%}
    coalesce(utm_{{ name }}, nullif({{ dbt.replace(dbt.replace(said, "'+'", "' '"), "'%20'", "' '") }}, ''))
{%- endmacro %}

{# Who is behind an object, and the join that it needs. A single query in plain SQL takes objects as they are. #}
{% macro person(of) %}
    {{- return(of ~ '.object_id' if var('hubspot_events_one_query') else 'coalesce(merged.person_id, ' ~ of ~ '.object_id)') -}}
{% endmacro %}
{% macro join_merged(of) -%}
    {%- if not var('hubspot_events_one_query') -%}
    left join {{ ref('merged_contacts') }} as merged on merged.object_id = {{ of }}.object_id and {{ of }}.object_type = 'CONTACT'
    {%- endif -%}
{%- endmacro %}
