"""What the looks of a sync found, how far they have come, and what they left to the next one."""

from collections.abc import Sequence

from pipeline.audits.budget import QUOTA_SHARE
from pipeline.audits.cells import Cell, Kind, complete_until, is_due
from pipeline.audits.subject import Site, Subject, cells_of
from pipeline.timestamps import to_text

MUCH = 0.01  # the share of late events from which on there is a warning
WEEK = 7  # days
HALF_SPENT = (
    "half of the account's daily quota of requests is spent, and the rest is not for audits",
    "let a sync begin soon after midnight in the account's time zone, when the quota is renewed, "
    "and find out who spends it; if this connection does, lower audit_days.",
)
SHARE_SPENT = (
    "the share of a sync's requests that audits may take is used up",
    "sync more often, or lower audit_days.",
)


def conclude(site: Site, subjects: Sequence[Subject]) -> None:
    """Notes until when each event type is complete; reports what the looks found and left."""
    left: dict[str, list[Cell]] = {}
    today = site.today()
    for subject in subjects:
        cells = [c for c in cells_of(site, subject) if c.begin >= site.settings.start]
        subject.findings.complete_until = _complete_until(subject, cells, today)
        if subject.findings.audited:
            _say_found(site, subject)
        if subject.name in site.budget.lacking:
            left[subject.name] = [cell for cell in cells if is_due(cell, today)]
    if left:
        _say_left(site, left)


def _complete_until(subject: Subject, cells: Sequence[Cell], today: int) -> str | None:
    """Until when all was looked at twice. Silence after the last event was once two syncs, a day
    apart, have found it.
    """
    delivered, silent = subject.delivered(), subject.saved().silent_until
    if delivered is None:
        return None if silent is None else to_text(silent)
    return to_text(complete_until(cells, max(delivered[1], silent or 0), today))


def _say_found(site: Site, subject: Subject) -> None:
    """Logs what was found; warns if much came late or something vanished. While much keeps coming
    late, that is said once, without a number: warnings that differ would be said again.
    """
    name, found, late = subject.name, subject.findings, subject.findings.late.total()
    by_age = ", ".join(f"{number} at {age} d" for age, number in sorted(found.late.items()))
    site.log(
        f"{name}: audited {found.audited} stretches of {found.recounted:,} events; came late: {late}"
        f"{f' ({by_age})' if by_age else ''}, vanished: {found.vanished}, complete until "
        f"{found.complete_until}."
    )
    if late > MUCH * found.recounted and site.diary.is_news(name, site.today()):
        site.warn_late(
            f"{name}: more than {MUCH:.0%} of the events audited came late; the log says how many, "
            "and how late. They are delivered now. If you need them sooner, raise lookback_minutes "
            "(to 30 days at most). This is said again only once it has ceased for a month."
        )
    if found.vanished:
        site.warn_late(
            f"{name}: HubSpot no longer has {found.vanished} of the events that were delivered (a "
            "privacy request or a merge), as looks on two days have found. Their rows stay until "
            "you delete them: the table audited_range tells where they are."
        )


def _say_left(site: Site, left: dict[str, list[Cell]]) -> None:
    """Logs what was due and is left to the next sync, why, and when all will have been looked at
    twice. Warns of what is more than a week behind.
    """
    why, cure = HALF_SPENT if site.client.rate_limit.daily_quota_half_spent() else SHARE_SPENT
    number = sum(map(len, left.values()))
    names = _names(left)
    site.log(f"Left to the next sync: {number} stretches that are to be audited, of {names}: {why}.")
    for name, cells in left.items():
        if once := [cell for cell in cells if cell.kind not in (Kind.LOOKED, Kind.FELL)]:
            site.log(f"{name}: {_how_far(site, once)}")
    behind = [name for name, cells in left.items() if any(0 < cell.due < site.today() - WEEK for cell in cells)]
    if behind:
        site.warn_late(
            f"The audits of {_names(behind)} are more than a week behind, and so is complete_until: {why}. Cure: {cure}"
        )


def _how_far(site: Site, once: Sequence[Cell]) -> str:
    """How far the second look has come, given the cells that are due for it."""
    events = sum(cell.sum.events for cell in once)
    requests = len(once) + events // site.settings.page_size
    said = (
        f"the second look has come to {to_text(once[0].begin)}; {events:,} events up to "
        f"{to_text(once[-1].end)} are still to be counted a second time"
    )
    if daily := site.client.rate_limit.daily_quota():
        return f"{said}, which takes {_some(requests * QUOTA_SHARE / daily, 'day')} at most."
    if taken := site.budget.taken():
        return f"{said}, which takes {_some(requests / taken, 'sync', 'syncs')} like this one."
    return f"{said}."


def _some(number: float, unit: str, units: str | None = None) -> str:
    """A number, rounded up, with its unit.

    >>> _some(0.2, "day"), _some(3.4, "day")
    ('about 1 day', 'about 4 days')
    """
    whole = max(1, -int(-number // 1))
    return f"about {whole} {unit if whole == 1 else units or unit + 's'}"


def _names(event_types: Sequence[str] | dict[str, list[Cell]]) -> str:
    return ", ".join(event_types)[:500]
