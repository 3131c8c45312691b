-- Each visit is in exactly one session, within its times, and the visits of a session are as many as it says.
select sessions.session_id
from {{ ref('sessions') }} as sessions
left join {{ ref('page_visits') }} as visit
    on visit.session_id = sessions.session_id and visit.person_id = sessions.person_id
    and visit.occurred_at between sessions.session_started_at and sessions.session_ended_at
group by sessions.session_id, sessions.page_visits
having count(visit.visit_id) <> sessions.page_visits or count(distinct visit.visit_number) <> sessions.page_visits
union all
select visit.visit_id
from {{ ref('page_visits') }} as visit
left join {{ ref('sessions') }} as sessions on sessions.session_id = visit.session_id
group by visit.visit_id
having count(sessions.session_id) <> 1
