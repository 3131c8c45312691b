"""Where a sync meets its second look: what it hands to audits/, and the two moments it calls them."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from functools import partial

from pipeline.audits.budget import Budget, Diary, may_take
from pipeline.audits.looks import Looks
from pipeline.audits.report import conclude
from pipeline.audits.subject import Saved, Site, Subject
from pipeline.config.connect import query_for
from pipeline.config.settings import Settings
from pipeline.connection.cursors import Cursors
from pipeline.connection.deliver import deliver
from pipeline.connection.run import Run
from pipeline.connection.sink import Sink
from pipeline.connection.spans import main_span
from pipeline.connection.warnings import About, Warnings
from pipeline.errors import HubSpotError
from pipeline.hubspot.client import Client
from pipeline.hubspot.events_api import LIMIT, within
from pipeline.names.tables import AUDITED_RANGE
from pipeline.reading.window import Window
from pipeline.tables.sync_run import Tally
from pipeline.timestamps import SECOND, to_ms, to_text


def site_of(
    settings: Settings,
    client: Client,
    sink: Sink,
    cursors: Cursors,
    warnings: Warnings,
    diary: Diary,
) -> Site:
    """What the looks of a sync work with. Notes in the diary that the sync has begun."""
    now = client.clock.earlier()
    budget = Budget(client, diary, may_take(diary.began, now, is_first=not cursors.known))
    diary.began = now
    return Site(
        settings,
        client,
        diary,
        budget,
        sink.log,
        partial(warnings.add, About.FAILED),
        partial(warnings.add, About.LATE),
        partial(sink.upsert, AUDITED_RANGE),
        cursors.save,
        cursors.ledger_sizes,
    )


def subject_of(run: Run, event_type: str) -> Subject:
    """One event type, as its looks see it."""

    def delivered() -> tuple[int, int, int] | None:
        progress, settings = run.cursors.get(event_type), run.settings
        if progress.occurred is None:
            return None
        now, cursor = run.client.clock.earlier(), to_ms(progress.occurred)
        end = main_span(progress, settings.start, settings.lookback, now)[0]
        return to_ms(progress.start_date or progress.occurred), end, cursor

    def saved() -> Saved:
        progress = run.cursors.get(event_type)
        silence = (progress.silent_at, progress.silent_until)
        return Saved(progress.ledger, *(None if text is None else to_ms(text) for text in silence))

    def keep(new: Saved) -> None:
        silence = (None if ms is None else to_text(ms) for ms in new[1:])
        fields = dict(zip(("silent_at", "silent_until"), silence, strict=True))
        progress = replace(run.cursors.get(event_type), ledger=new.ledger, **fields)
        run.cursors.set(event_type, progress)

    def write(span, wanted, observe, advance):  # type: ignore[no-untyped-def]
        deliver(run, event_type, span, advance, observe, _save_nothing, wanted=wanted)

    return Subject(event_type, delivered, saved, keep, write, run.tallies[event_type].found)


def _save_nothing() -> None:
    """Looks save once everything is written that they account for."""


def look_first(run: Run, event_types: Iterable[str]) -> None:
    """Begins a sync with the looks that the last one owed, since it was ended before them: a
    connection that is always killed would never look twice.
    """
    names = [name for name in event_types if name in run.cursors.known]
    if not run.site.diary.is_owed or not names:
        return
    for name in names:
        run.tallies[name] = Tally(run.cursors.get(name).occurred)
    recent = Window(run.client.clock.earlier() - SECOND, None).bounds()
    with suppress(HubSpotError):  # for its clock, which tells what is due
        run.client.page({**query_for(run.settings, names[0]), LIMIT: 1, **within(recent)})
    _look(run, names)


def look_again(run: Run) -> None:
    """Ends a sync with its looks, at the event types that it has completed."""
    _look(run, [name for name, tally in run.tallies.items() if tally.outcome == "complete"])
    if run.settings.audit_days:
        conclude(run.site, [subject_of(run, name) for name in run.tallies])
    run.site.diary.is_owed = False


def _look(run: Run, names: Iterable[str]) -> None:
    looks, subjects = Looks(run.site), [subject_of(run, name) for name in names]
    if looks.at_silence(subjects):
        looks.at_what_is_due(subjects)
