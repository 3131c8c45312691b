"""Where a sync meets audits/: what it hands to them, and the two moments at which it calls them."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial

from pipeline.audits.budget import Budget, Diary, may_take
from pipeline.audits.looks import Looks
from pipeline.audits.report import conclude
from pipeline.audits.subject import Site
from pipeline.config.connect import query_for
from pipeline.config.settings import Settings
from pipeline.connection.event_type import EventType
from pipeline.connection.event_types import EventTypes
from pipeline.connection.run import Run
from pipeline.connection.sink import Sink
from pipeline.connection.warnings import Topic, Warnings
from pipeline.errors import HubSpotError
from pipeline.hubspot.client import Client
from pipeline.hubspot.events_api import LIMIT, within
from pipeline.names.tables import AUDITED_RANGE
from pipeline.reading.window import Window
from pipeline.timestamps import SECOND


def site_of(
    settings: Settings,
    client: Client,
    sink: Sink,
    warnings: Warnings,
    diary: Diary,
    is_first: bool,
    save: Callable[[], None],
    sizes: Callable[[], list[int]],
) -> Site:
    """What the looks of a sync work with. Notes in the diary that the sync has begun."""
    now = client.clock.earlier()
    budget = Budget(client, diary, may_take(diary.began, now, is_first))
    diary.began = now
    return Site(
        settings,
        client,
        diary,
        budget,
        sink.log,
        partial(warnings.add, Topic.FAILED),
        partial(warnings.add, Topic.LATE),
        partial(sink.upsert, AUDITED_RANGE),
        save,
        sizes,
    )


def look_first(types: EventTypes, names: Iterable[str]) -> None:
    """Begins a sync with the looks that the last one owed, since it was killed before them:
    otherwise a connection that is always killed would never look twice.
    """
    run = types.run
    known = [types[name] for name in names if name in types.known]
    if not run.site.diary.is_owed or not known:
        return
    recent = Window(run.client.clock.earlier() - SECOND, None).bounds()
    query = query_for(run.settings, known[0].name)
    with suppress(HubSpotError):  # for its clock, which tells what is due
        run.client.page({**query, LIMIT: 1, **within(recent)})
    for each in known:
        each.begin()
    _look(run, known)


def look_again(types: EventTypes) -> None:
    """Ends a sync with the looks at the event types that it has completed."""
    run, reached = types.run, types.tallies()
    if run.saving.unsaved:
        run.saving.save()  # looks may take an hour
    _look(run, [types[name] for name, tally in reached.items() if tally.outcome == "complete"])
    if run.settings.audit_days:
        conclude(run.site, [types[name] for name in reached])
    run.site.diary.is_owed = False


def _look(run: Run, subjects: Sequence[EventType]) -> None:
    looks = Looks(run.site)
    if looks.at_silence(subjects):
        looks.at_what_is_due(subjects)
