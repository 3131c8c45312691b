{# What a run of an incremental mart rebuilds. The hook `forget…` deletes it, and the model inserts what is missing. #}

{# A text as a moment in time. #}
{% macro moment(text) %}{{ return("cast('" ~ text ~ "' as " ~ hubspot_events.type_moment() ~ ")") }}{% endmacro %}

{# A moment's day, UTC. #}
{% macro day(moment) %}{{ return('cast(' ~ hubspot_events.utc(moment) ~ ' as date)') }}{% endmacro %}

{# Earlier than any event. #}
{% macro beginning() %}{{ return(hubspot_events.moment('1900-01-01 00:00:00+00:00')) }}{% endmacro %}

{# When this run began: to the millisecond, which each dialect writes in full. #}
{% macro now() %}{{ return(hubspot_events.moment(run_started_at.strftime('%Y-%m-%d %H:%M:%S.%f')[:23] ~ '+00:00')) }}{% endmacro %}

{# The day so many days after another, as text; none after none. #}
{% macro days_after(day, number) %}
    {{- return((modules.datetime.date.fromisoformat(day) + modules.datetime.timedelta(number)).isoformat() if day else none) -}}
{% endmacro %}

{# Until when the last run of this model has built it. #}
{% macro built_until() %}
    {%- set latest = run_query('select cast(max(built_at) as ' ~ dbt.type_string() ~ ') from ' ~ this).rows[0][0] -%}
    {{- return(hubspot_events.moment(latest) if latest else hubspot_events.beginning()) -}}
{% endmacro %}

{# The days that this run rebuilds of what depends on these tables: [first, end) as text, apart and in order; `none` is no end. #}
{% macro stale_days(tables) %}
    {%- set stale = run_query(
        'select distinct cast(first_day as ' ~ dbt.type_string() ~ '), cast(last_day as ' ~ dbt.type_string() ~ ') from '
        ~ ref('rebuilds') ~ ' where built_at > ' ~ hubspot_events.built_until()
        ~ " and source_table in ('" ~ tables | join("', '") ~ "')"
    ).rows -%}
    {%- set days = [] -%}
    {%- for first, last in stale -%}
        {%- do days.append([first, hubspot_events.days_after(last, 1)]) -%}
    {%- endfor -%}
    {{- return(hubspot_events.united(days)) -}}
{% endmacro %}

{# Ranges of days that overlap or meet, made one. #}
{% macro united(days) %}
    {%- set apart = [] -%}
    {%- for first, end in days | sort(attribute='0') -%}
        {%- if apart and (apart[-1][1] is none or first <= apart[-1][1]) -%}
            {%- set both = [apart[-1][1], end] -%}
            {%- do apart.append([apart.pop()[0], none if none in both else both | max]) -%}
        {%- else -%}
            {%- do apart.append([first, end]) -%}
        {%- endif -%}
    {%- endfor -%}
    {{- return(apart) -}}
{% endmacro %}

{# Whether something from `from` to `until` lies within these days, or at most so many minutes off them. #}
{% macro overlaps(days, from, until, minutes=0) %}
    {%- set off = modules.datetime.timedelta(minutes=minutes) -%}
    {%- set midnight = modules.datetime.datetime.fromisoformat -%}
    {%- set parts = [] -%}
    {%- for first, end in days -%}
        {%- set part = until ~ ' >= ' ~ hubspot_events.moment((midnight(first) - off).isoformat(' ') ~ '+00:00') -%}
        {%- if end -%}
            {%- set part = part ~ ' and ' ~ from ~ ' < ' ~ hubspot_events.moment((midnight(end) + off).isoformat(' ') ~ '+00:00') -%}
        {%- endif -%}
        {%- do parts.append('(' ~ part ~ ')') -%}
    {%- endfor -%}
    {{- return('(' ~ (parts | join('\n        or ') or '1 = 0') ~ ')') -}}
{% endmacro %}

{# Sessions that these days may change: those within them, and those that a visit within them may join. #}
{% macro sessions_of(days) %}
    {{- return(hubspot_events.overlaps(days, 'session_started_at', 'session_ended_at', var('hubspot_events_session_minutes'))) -}}
{% endmacro %}

{# These days and a day around them, and those on which sessions of them began or ended when they were built last. (The
   sessions of a run that died after its hook are not known any more; the day around finds them.) #}
{% macro with_sessions_of(days) %}
    {%- set wider = [] -%}
    {%- for range in days -%}
        {%- do wider.append([hubspot_events.days_after(range[0], -1), hubspot_events.days_after(range[1], 1)]) -%}
        {%- set found = run_query(
            'select cast(' ~ hubspot_events.day('min(session_started_at)') ~ ' as ' ~ dbt.type_string() ~ '), cast('
            ~ hubspot_events.day('max(session_ended_at)') ~ ' as ' ~ dbt.type_string() ~ ') from ' ~ this
            ~ ' where ' ~ hubspot_events.sessions_of([range])
        ).rows[0] -%}
        {%- if found[0] -%}
            {%- do wider.append([found[0], hubspot_events.days_after(found[1], 1)]) -%}
        {%- endif -%}
    {%- endfor -%}
    {{- return(hubspot_events.united(wider)) -}}
{% endmacro %}

{# The people who were merged since this model was built last: a list for `in`, or none. #}
{% macro merged_since(columns) %}
    {%- set since = ' from ' ~ ref('merged_contacts') ~ ' where built_at > ' ~ hubspot_events.built_until() -%}
    {%- if run_query('select count(*)' ~ since).rows[0][0] -%}
        {{- return('(select ' ~ columns | join(since ~ ' union all select ') ~ since ~ ')') -}}
    {%- endif -%}
{% endmacro %}

{# Until when everything of these tables is complete. #}
{% macro final_before(tables) -%}
    (
        select coalesce(min(coalesce(complete_until.complete_until, {{ hubspot_events.beginning() }})), {{ hubspot_events.beginning() }})
        from {{ ref('stg_hubspot_events__event_tables') }} as event_table
        left join {{ ref('complete_until') }} as complete_until on complete_until.event_type = event_table.event_type
        where event_table.event_type is not null and event_table.source_table in ('{{ tables | join("', '") }}')
    )
{%- endmacro %}
