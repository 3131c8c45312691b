-- Merged contacts: each id that was merged into another, however often, and the contact that remains of it.
{{ config(unique_key='object_id') }}

with recursive merged as (
    -- Any contact that lists it will do, since all of them end at the same one.
    select trim(value) as object_id, max(contact_id) as into_id
    from {{ ref('stg_hubspot_events__contacts') }} as contact
    {{ hubspot_events.join_parts('merged_ids') }}
    where trim(value) not in ('', contact_id)
    group by 1
),

remaining as (
    select merged.object_id, merged.into_id as person_id
    from merged
    left join merged as further on further.object_id = merged.into_id
    where further.object_id is null
    union all
    select merged.object_id, remaining.person_id
    from remaining
    inner join merged on merged.into_id = remaining.object_id
)

select remaining.object_id, remaining.person_id, {{ hubspot_events.now() }} as built_at
from remaining
{%- if is_incremental() %}
left join {{ this }} as known on known.object_id = remaining.object_id and known.person_id = remaining.person_id
where known.object_id is null
{%- endif %}
