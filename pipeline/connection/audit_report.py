"""What the audits of a sync found, and what they left to the next one: in the log, and as
warnings.
"""

from collections.abc import Collection, Mapping

from pipeline.audits.stretches import Stretch, complete_until, is_due
from pipeline.connection.ledgers import next_begin, stretches_of
from pipeline.connection.run import Run
from pipeline.connection.warnings import About
from pipeline.timestamps import DAY, to_text

MUCH = 0.01  # the share of late events from which on a person is warned
WEEK = 7 * DAY
HALF_SPENT = (
    "half of the account's daily quota of requests is spent, and the rest is not for audits",
    "let a sync begin soon after midnight in the account's time zone, when the quota is renewed, "
    "and find out who spends it; if "
    "this connection does, lower audit_days.",
)
SHARE_SPENT = (
    "the share of a sync's requests that audits may take is used up",
    "sync more often, or lower audit_days.",
)


def conclude_audits(run: Run, lacking: Collection[str]) -> None:
    """Notes until when each event type is complete, and reports what the audits found. `lacking`
    are the event types for which the requests did not suffice.
    """
    left: dict[str, list[Stretch]] = {}
    now = run.client.clock.earlier()
    for name, tally in run.tallies.items():
        stretches = [
            stretch for stretch in stretches_of(run, name) if stretch.begin >= run.settings.start
        ]
        progress = run.cursors.get(name)
        if progress.occurred is not None:
            tally.complete_until = to_text(
                complete_until(stretches, next_begin(run, progress), now)
            )
        if tally.audited:
            report(run, name)
        if name in lacking:
            left[name] = [stretch for stretch in stretches if is_due(stretch, now)]
    if left:
        report_left(run, left, now)


def report(run: Run, event_type: str) -> None:
    """Reports the audit of one event type: in the log, and as a warning if much came late or
    something vanished. The numbers of what came late are only in the log, so that the dashboard
    sees one warning, not one a day.
    """
    tally = run.tallies[event_type]
    late, by_age = (
        tally.late.total(),
        ", ".join(f"{number} at {age} d" for age, number in sorted(tally.late.items())),
    )
    until = f"complete until {tally.complete_until}"
    found = f"came late: {late}{f' ({by_age})' if by_age else ''}, vanished: {tally.vanished}"
    run.sink.log(
        f"{event_type}: audited {tally.audited} stretches of {tally.recounted:,} events; "
        f"{found}, "
        f"{until}."
    )
    if late > MUCH * tally.recounted:
        run.warnings.add(
            About.LATE,
            f"{event_type}: more than {MUCH:.0%} of the events audited came late; the log says how "
            "many, and how late. They are "
            "delivered now. If you need them sooner, raise lookback_minutes (to 30 days at most).",
        )
    if tally.vanished:
        run.warnings.add(
            About.LATE,
            f"{event_type}: HubSpot no longer has {tally.vanished} of the events that were "
            "delivered (a privacy request or a "
            "merge). Their rows stay until you delete them.",
        )


def report_left(run: Run, left: Mapping[str, list[Stretch]], now: int) -> None:
    """Logs what was due and is left to the next sync, and why; warns of it if that has gone on for
    a week.
    """
    why, cure = HALF_SPENT if run.client.rate_limit.daily_quota_half_spent() else SHARE_SPENT
    number = sum(map(len, left.values()))
    run.sink.log(
        f"Left to the next sync: {number} stretches that are to be audited, of {_names(left)}: "
        f"{why}."
    )
    late = [
        name
        for name, stretches in left.items()
        if any(each.end + each.age * DAY < now - WEEK for each in stretches)
    ]
    if late:
        run.warnings.add(
            About.LATE,
            (
                f"The audits of {_names(late)} are more than a week behind, and so is "
                "complete_until: "
                f"{why}. Cure: {cure}"
            ),
        )


def _names(event_types: Collection[str]) -> str:
    return ", ".join(event_types)[:500]
