-- Each conversion has a first and a last touch, of its person, in this order and not after it; both are empty or none is.
select conversion.conversion_id
from {{ ref('conversions') }} as conversion
left join {{ ref('touches') }} as touch on touch.conversion_id = conversion.conversion_id and touch.person_id = conversion.person_id
left join {{ ref('page_visits') }} as visit
    on visit.visit_id = touch.visit_id and visit.person_id = touch.person_id and visit.occurred_at = touch.touched_at
group by conversion.conversion_id, conversion.occurred_at
having
    count(touch.touch_id) <> 2
    or count(distinct touch.position) <> 2
    or count(touch.visit_id) = 1
    or count(visit.visit_id) <> count(touch.visit_id)
    or max(touch.touched_at) > conversion.occurred_at
    or max(case when touch.position = 'first' then touch.touched_at end) > max(case when touch.position = 'last' then touch.touched_at end)
union all
select touch.conversion_id
from {{ ref('touches') }} as touch
left join {{ ref('conversions') }} as conversion on conversion.conversion_id = touch.conversion_id
where conversion.conversion_id is null
