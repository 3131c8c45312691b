-- Rebuilds: which days each run builds anew, and why. A row of reason `open` says how far a table is complete; the next run begins
-- there. Rows of reason `audited` are days in which an audit found a difference since.
{%- set moment = hubspot_events.type_moment() %}

with event_table as (
    select * from {{ ref('stg_hubspot_events__event_tables') }}
),

known as (
    {%- if is_incremental() %}
    select source_table, complete_until, synced_until
    from (
        select *, row_number() over (partition by source_table order by built_at desc) as from_last
        from {{ this }} where reason = 'open'
    ) as opened
    where from_last = 1
    {%- else %}
    select source_table, {{ hubspot_events.beginning() }} as complete_until, cast(null as {{ moment }}) as synced_until
    from event_table
    {%- endif %}
),

run as (
    -- A sync that began anew, or earlier, wrote rows before what was complete.
    select
        event_table.source_table, type_run.synced_at,
        case
            when type_run.synced_at <= known.synced_until then null
            when type_run.cursor_before is null then {{ hubspot_events.beginning() }}
            when type_run.outcome <> 'complete' then type_run.cursor_before
            else least(type_run.cursor_before, coalesce(type_run.complete_until, {{ hubspot_events.beginning() }}))
        end as began
    from event_table
    inner join {{ ref('stg_hubspot_events__type_runs') }} as type_run on type_run.event_type = event_table.event_type
    left join known on known.source_table = event_table.source_table
),

seen as (
    select source_table, max(synced_at) as synced_until, min(began) as began from run group by 1
),

opened as (
    select
        event_table.source_table, event_table.event_type,
        coalesce(known.complete_until, {{ hubspot_events.beginning() }}) as complete_before,
        known.synced_until as synced_before,
        coalesce(complete_until.complete_until, {{ hubspot_events.beginning() }}) as complete_until,
        seen.synced_until, seen.began
    from event_table
    left join known on known.source_table = event_table.source_table
    left join seen on seen.source_table = event_table.source_table
    left join {{ ref('complete_until') }} as complete_until on complete_until.event_type = event_table.event_type
)

select
    {{ hubspot_events.now() }} as built_at, source_table, event_type, 'open' as reason,
    {{ hubspot_events.day('least(complete_before, coalesce(began, complete_before))') }} as first_day,
    cast(null as date) as last_day, complete_until, synced_until
from opened
union all
select distinct
    {{ hubspot_events.now() }}, opened.source_table, opened.event_type, 'audited',
    {{ hubspot_events.day('audited.range_start') }},
    cast({{ dbt.dateadd('millisecond', -1, hubspot_events.utc('audited.range_end')) }} as date),
    cast(null as {{ moment }}), cast(null as {{ moment }})
from opened
inner join {{ ref('stg_hubspot_events__audited_ranges') }} as audited
    on audited.event_type = opened.event_type and audited.synced_at > opened.synced_before
