{# What dialects spell differently and dbt has no macro for. `default` is PostgreSQL and DuckDB. #}

{# The type of a moment in time. #}
{% macro type_moment() %}{{ return(adapter.dispatch('type_moment', 'hubspot_events')()) }}{% endmacro %}
{% macro default__type_moment() %}{{ return('timestamptz') }}{% endmacro %}
{% macro bigquery__type_moment() %}{{ return('timestamp') }}{% endmacro %}

{# A moment as a UTC clock shows it. #}
{% macro utc(moment) %}{{ return(adapter.dispatch('utc', 'hubspot_events')(moment)) }}{% endmacro %}
{% macro default__utc(moment) %}{{ return("(" ~ moment ~ " at time zone 'UTC')") }}{% endmacro %}
{% macro snowflake__utc(moment) %}{{ return("convert_timezone('UTC', " ~ moment ~ ")") }}{% endmacro %}
{% macro bigquery__utc(moment) %}{{ return("datetime(" ~ moment ~ ", 'UTC')") }}{% endmacro %}

{# A join with each entry of a column of JSON objects, whether it arrived as JSON or as text. #}
{% macro join_entries(column) %}{{ return(adapter.dispatch('join_entries', 'hubspot_events')(column)) }}{% endmacro %}
{% macro default__join_entries(column) %}{{ return('cross join jsonb_each(cast(' ~ column ~ ' as jsonb)) as entry') }}{% endmacro %}
{% macro duckdb__join_entries(column) %}{{ return('cross join json_each(' ~ column ~ ') as entry') }}{% endmacro %}
{% macro snowflake__join_entries(column) %}
    {{- return('cross join lateral flatten(input => parse_json(cast(' ~ column ~ ' as varchar))) as entry') -}}
{% endmacro %}
{% macro bigquery__join_entries(column) %}
    {{- return('cross join unnest(json_keys(' ~ hubspot_events.bigquery__json(column) ~ ', 1)) as entry') -}}
{% endmacro %}
{% macro bigquery__json(column) %}
    {{- return('parse_json(coalesce(json_value(to_json(' ~ column ~ ')), to_json_string(' ~ column ~ ')))') -}}
{% endmacro %}

{# The name of such an entry. #}
{% macro entry_key() %}{{ return('entry' if target.type == 'bigquery' else 'entry.key') }}{% endmacro %}

{# A field of such an entry, as text. #}
{% macro entry_field(column, field) %}{{ return(adapter.dispatch('entry_field', 'hubspot_events')(column, field)) }}{% endmacro %}
{% macro default__entry_field(column, field) %}{{ return("(entry.value ->> '" ~ field ~ "')") }}{% endmacro %}
{% macro snowflake__entry_field(column, field) %}{{ return('cast(entry.value:' ~ field ~ ' as varchar)') }}{% endmacro %}
{% macro bigquery__entry_field(column, field) %}
    {{- return('json_value(' ~ hubspot_events.bigquery__json(column) ~ '[entry].' ~ field ~ ')') -}}
{% endmacro %}

{# A join with each part, as `value`, of text that semicolons divide. #}
{% macro join_parts(text) %}{{ return(adapter.dispatch('join_parts', 'hubspot_events')(text)) }}{% endmacro %}
{% macro default__join_parts(text) %}{{ return("cross join unnest(string_to_array(" ~ text ~ ", ';')) as part(value)") }}{% endmacro %}
{% macro snowflake__join_parts(text) %}{{ return("cross join lateral split_to_table(" ~ text ~ ", ';') as part") }}{% endmacro %}
{% macro bigquery__join_parts(text) %}{{ return("cross join unnest(split(" ~ text ~ ", ';')) as value") }}{% endmacro %}
