"""What the marts must hold, counted in plain Python: from events, contacts, and what syncs said."""

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise

from pipeline.timestamps import DAY, MINUTE, to_text

VISITS, FORMS = "e_visited_page", "e_form_submission_v2"
PAUSE = 30 * MINUTE
NEVER = -(2**60)


@dataclass
class Event:
    id: str
    type: str
    object_id: str
    at: int  # ms UTC
    url: str = "/"
    deleted: bool = False


@dataclass
class Account:
    """Events by id; contacts that were merged, each with the one it was merged into; until when each type is complete
    (ms); and audited ranges as (type, begin, end, audited_at).
    """

    events: dict[str, Event] = field(default_factory=dict)
    merged: dict[str, str] = field(default_factory=dict)
    complete_until: dict[str, int | None] = field(default_factory=dict)
    audited: list[tuple[str, int, int, int]] = field(default_factory=list)

    def person(self, event):
        person = event.object_id
        while person in self.merged:
            person = self.merged[person]
        return person

    def of(self, kind):
        alive = [event for event in self.events.values() if event.type == kind and not event.deleted]
        return sorted(alive, key=place)

    def final_before(self, *types):
        known = [kind for kind in types if any(event.type == kind for event in self.events.values())]
        untils = [self.complete_until.get(kind) for kind in known]
        return min((NEVER if until is None else until for until in untils), default=NEVER)


def place(event):
    return event.at, event.id


def day(ms):
    return to_text(ms // DAY * DAY)[:10]


def sessions_of(account):
    """The sessions, each a person and a list of visits."""
    visits = defaultdict(list)
    for visit in account.of(VISITS):
        visits[account.person(visit)].append(visit)
    found = []
    for person, theirs in visits.items():
        found.append((person, [theirs[0]]))
        for earlier, visit in pairwise(theirs):
            if visit.at - earlier.at > PAUSE:
                found.append((person, []))
            found[-1][1].append(visit)
    return found


def page_visits(account):
    until = account.final_before(VISITS)
    return {
        visit.id: {
            "person_id": person, "session_id": visits[0].id, "visit_number": number,
            "session_started_at": visits[0].at, "session_ended_at": visits[-1].at, "occurred_at": visit.at,
            "occurred_on": day(visit.at), "page_url": visit.url, "is_final": visit.at < until,
        }
        for person, visits in sessions_of(account) for number, visit in enumerate(visits, 1)
    }  # fmt: skip


def sessions(account):
    until = account.final_before(VISITS)
    return {
        visits[0].id: {
            "person_id": person, "session_started_at": visits[0].at, "session_ended_at": visits[-1].at,
            "started_on": day(visits[0].at), "page_visits": len(visits), "landing_page_url": visits[0].url,
            "exit_page_url": visits[-1].url, "is_final": visits[-1].at + PAUSE < until,
        }
        for person, visits in sessions_of(account)
    }  # fmt: skip


def conversions(account):
    until = account.final_before(FORMS)
    return {
        form.id: {"person_id": account.person(form), "occurred_at": form.at, "occurred_on": day(form.at),
                  "is_final": form.at < until}
        for form in account.of(FORMS)
    }  # fmt: skip


def touches(account):
    until = account.final_before(VISITS, FORMS)
    session = {visit.id: visits[0].id for _, visits in sessions_of(account) for visit in visits}
    expected = {}
    for form in account.of(FORMS):
        person = account.person(form)
        before = [visit for visit in account.of(VISITS) if account.person(visit) == person and visit.at <= form.at]
        for position, visit in (("first", before[:1]), ("last", before[-1:])):
            visit = visit[0] if visit else None
            expected[f"{form.id}-{position}"] = {
                "conversion_id": form.id, "person_id": person, "converted_at": form.at, "position": position,
                "visit_id": visit and visit.id, "session_id": visit and session[visit.id],
                "touched_at": visit and visit.at, "page_url": visit and visit.url, "is_final": form.at < until,
            }  # fmt: skip
    return expected


def daily_website(account):
    until = account.final_before(VISITS, FORMS)
    days = defaultdict(
        lambda: {"page_visits": 0, "visitors": set(), "sessions": 0, "conversions": 0, "converted_people": set()}
    )
    for person, visits in sessions_of(account):
        days[day(visits[0].at)]["sessions"] += 1
        for visit in visits:
            days[day(visit.at)]["page_visits"] += 1
            days[day(visit.at)]["visitors"].add(person)
    for form in account.of(FORMS):
        days[day(form.at)]["conversions"] += 1
        days[day(form.at)]["converted_people"].add(account.person(form))
    expected = {}
    for on, figures in days.items():
        revised = [at for _, begin, end, at in account.audited if day(begin) <= on <= day(end - 1)]
        expected[on] = {
            name: len(value) if isinstance(value, set) else value for name, value in figures.items()
        } | {"is_final": on < day(until) if until != NEVER else False, "revised_at": max(revised, default=None)}  # fmt: skip
    return expected


MARTS = {
    "page_visits": (page_visits, "visit_id"), "sessions": (sessions, "session_id"),
    "conversions": (conversions, "conversion_id"), "touches": (touches, "touch_id"),
    "daily_website": (daily_website, "occurred_on"),
}  # fmt: skip
