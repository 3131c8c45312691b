"""Audits: what was delivered is counted again at an age of 1, 2, 4, … days. A stretch that differs is delivered again."""
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import groupby
from typing import Any

from toolz import pipe

from pipeline.audits.recount import Recount
from pipeline.audits.stretches import Stretch, complete_until, encode, is_due, merge, next_age, still_audited, uncounted
from pipeline.config.connect import query_for
from pipeline.connection.deliver import deliver, fetch_page
from pipeline.connection.ledgers import FILLED_BY, most_stretches, new_ledger, next_begin, stretches_of
from pipeline.connection.run import Run
from pipeline.connection.warnings import About
from pipeline.errors import HubSpotError, Refused, Unauthorized, Unavailable
from pipeline.hubspot.client import Page
from pipeline.hubspot.events_api import PROPERTIES, Query
from pipeline.reading.reader import Reader
from pipeline.reading.window import PageRequest
from pipeline.stages import fetch_pages, keep_type, reject_malformed, unwrap_results
from pipeline.timestamps import to_text

# The share of the requests that audits may take: of a sync's, at least FREE_REQUESTS and otherwise ten for each of its own, which
# is what an audit at nine ages costs; of the day's quota, half.
FREE_REQUESTS, REQUESTS_FOR_EACH = 250, 10
CHUNK_PAGES = 4  # pages of events that one walk counts: as many as a reader reads uncut without a doubt, and as a kill repeats
MUCH = 0.01  # the share of late events from which on a person is warned


class Allowance:
    """The requests that the audits of one sync may still take."""

    def __init__(self, run: Run):
        self._client = run.client
        self._last = self._requests() + max(FREE_REQUESTS, REQUESTS_FOR_EACH * self._requests())

    def left(self) -> int:
        return 0 if self._client.rate_limit.daily_quota_half_spent() else max(0, self._last - self._requests())

    def _requests(self) -> int:
        return int(self._client.counts()["requests"])


def audit(run: Run) -> None:
    """Audits what is due of the event types that this sync has completed: first what was counted, then what is to be adopted.
    What the allowance does not suffice for is left to the next sync."""
    names = [name for name, tally in run.tallies.items() if tally.outcome == "complete"]
    allowance = Allowance(run)
    if run.settings.audit_days:
        for step in (compare_due, adopt_due):
            for name in names:
                if not try_audit(run, name, partial(step, run, name, allowance)):
                    return conclude_audits(run, names)
        conclude_audits(run, names)
    return None


def try_audit(run: Run, event_type: str, step: Callable[[], None]) -> bool:
    """Takes a step of an audit. Returns whether the others can be taken. An audit that fails loses nothing: what is due stays
    due."""
    try:
        step()
    except HubSpotError as error:
        run.warnings.add(About.FAILED, f"{event_type}: the audit is broken off, and continued by the next sync: {error}")
        return not isinstance(error, (Unauthorized, Unavailable))
    return True


# Stretches that were counted when they were delivered


def compare_due(run: Run, event_type: str, allowance: Allowance) -> None:
    """Counts the stretches that are due, several walks at once, and settles each."""
    stretches, now, page_size = stretches_of(run, event_type), run.client.clock.earlier(), run.settings.page_size
    start = run.settings.start
    due = [n for n, each in enumerate(stretches) if each.begin >= start and each.is_counted and is_due(each, now)]
    chunks = list(affordable(chunks_of(stretches, due, page_size * CHUNK_PAGES), page_size, allowance.left()))
    if not chunks:
        return
    abort = threading.Event()
    with ThreadPoolExecutor(run.settings.concurrency, thread_name_prefix="audit") as workers:
        counts = workers.map(partial(count, run, event_type, abort), chunks)
        try:
            for chunk in chunks:
                counted = next(counts)
                settle(run, event_type, stretches, chunk, counted)
                keep(run, event_type, stretches)
                if not allowance.left():
                    break
        finally:
            abort.set()
            workers.shutdown(wait=True, cancel_futures=True)
    keep(run, event_type, merge(stretches, now, page_size // FILLED_BY, most_stretches(run)))


def chunks_of(stretches: Sequence[Stretch], due: Iterable[int], events: int) -> Iterator[list[Stretch]]:
    """Yields the due stretches, those that are neighbors together, as long as they hold no more than that many events."""
    for _, group in groupby(enumerate(due), key=lambda item: item[1] - item[0]):
        chunk: list[Stretch] = []
        for _, place in group:
            if chunk and sum(stretch.events for stretch in chunk) + stretches[place].events > events:
                yield chunk
                chunk = []
            chunk.append(stretches[place])
        yield chunk


def affordable(chunks: Iterable[list[Stretch]], page_size: int, requests: int) -> Iterator[list[Stretch]]:
    """Yields the first chunks that can probably be counted with so many requests: one at least, if any request is left, so that a
    crowded one is counted at all."""
    left = requests
    for number, chunk in enumerate(chunks):
        left -= 1 + sum(stretch.events for stretch in chunk) // page_size
        if left < 0 and (number or not requests):
            return
        yield chunk


def count(run: Run, event_type: str, abort: threading.Event, chunk: Sequence[Stretch]) -> list[Stretch]:
    """The stretches of a chunk as they are now. Runs in a worker."""
    recount = Recount(chunk)
    span = chunk[0].begin, chunk[-1].end
    with Reader(fetch_little(run, event_type, abort), run.client.clock.later, 1, chunk[0].begin) as source:
        for event in events_of(event_type, fetch_pages(source.pages, [span])):
            recount.add(event)
    return recount.stretches()


def settle(run: Run, event_type: str, stretches: list[Stretch], chunk: Sequence[Stretch], counted: Sequence[Stretch]) -> None:
    """Renews the stretches of a chunk; delivers those that differ again."""
    now, tally = run.client.clock.earlier(), run.tallies[event_type]
    settled: list[Stretch] = []
    for differs, pairs in groupby(zip(chunk, counted, strict=True), key=lambda pair: not pair[0].holds_the_same_as(pair[1])):
        before = [old for old, _ in pairs]
        settled += deliver_again(run, event_type, before) if differs else before
    for old, new in zip(chunk, settled, strict=True):
        tally.audited += 1
        tally.recounted += new.events
        tally.vanished += max(0, old.events - new.events)
        if new.events > old.events and not old.is_unsettled:
            tally.late[next_age(old.end, now) // 2] += new.events - old.events
    begin = stretches.index(chunk[0])
    stretches[begin : begin + len(chunk)] = [stretch._replace(age=next_age(stretch.end, now)) for stretch in settled]


def deliver_again(run: Run, event_type: str, stretches: Sequence[Stretch]) -> list[Stretch]:
    """Delivers neighboring stretches once more, in full. Returns them as delivered."""
    recount = Recount(stretches)
    span = stretches[0].begin, stretches[-1].end
    deliver(run, event_type, span, lambda position: None, observe=recount.add)
    return recount.stretches()


# Time that was delivered before it was counted


def adopt_due(run: Run, event_type: str, allowance: Allowance) -> None:
    """Counts what was delivered uncounted, without delivering it again."""
    for stretch in stretches_of(run, event_type):
        if allowance.left() and stretch.begin >= run.settings.start and not stretch.is_counted:
            adopt(run, event_type, stretch, allowance)


def adopt(run: Run, event_type: str, stretch: Stretch, allowance: Allowance) -> None:
    """Counts one such stretch, as far as the allowance suffices."""
    stretches = stretches_of(run, event_type)
    others = stretches.index(stretch)
    ledger = new_ledger(run, [], stretch.begin)

    def keep_until(end: int) -> None:
        rest = [uncounted(end, stretch.end)] if end < stretch.end else []
        keep(run, event_type, [*stretches[:others], *ledger.until(end), *rest, *stretches[others + 1 :]])

    fetch = fetch_little(run, event_type, threading.Event())
    with Reader(fetch, run.client.clock.later, run.settings.concurrency, stretch.begin) as source:
        for number, page in enumerate(fetch_pages(source.pages, [(stretch.begin, stretch.end)])):
            ledger.close(min(source.position, stretch.end))
            if ledger.end > stretch.begin and not allowance.left():
                return keep_until(ledger.end)
            if number % CHUNK_PAGES == CHUNK_PAGES - 1:
                keep_until(ledger.end)
            for event in events_of(event_type, [page]):
                ledger.add(event)
    return keep_until(stretch.end)


# What both need


def events_of(event_type: str, pages: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The events of pages that a sync delivers, without those that it rejects."""
    return pipe(pages, unwrap_results, reject_malformed(_ignore), keep_type(event_type, _ignore))  # type: ignore[no-any-return]


def _ignore(event: Any, reason: str) -> None:
    pass


def fetch_little(run: Run, event_type: str, abort: threading.Event) -> Callable[[PageRequest, threading.Event], Page]:
    """A function that fetches a page with one small property of each event, or with all if HubSpot refuses that."""
    query = query_for(run.settings, event_type)
    small = run.small_properties.get(event_type)
    queries: list[Query] = [{**query, PROPERTIES: (small,)}] if small else []

    def fetch(request: PageRequest, stop: threading.Event) -> Page:
        if queries:
            try:
                return fetch_page(run.client, queries[0], request, abort)
            except Refused:
                queries.clear()
        return fetch_page(run.client, query, request, abort)

    return fetch


def keep(run: Run, event_type: str, stretches: Sequence[Stretch]) -> None:
    """Saves the stretches of an event type."""
    text = encode(still_audited(stretches, run.settings.audit_days))
    run.cursors.set(event_type, replace(run.cursors.get(event_type), stretches=text))
    run.cursors.save()


def conclude_audits(run: Run, names: Iterable[str]) -> None:
    """Notes until when each event type is complete, and reports what the audits found."""
    for name in names:
        tally = run.tallies[name]
        stretches = [stretch for stretch in stretches_of(run, name) if stretch.begin >= run.settings.start]
        progress = run.cursors.get(name)
        if progress.occurred is not None:
            until = complete_until(stretches, next_begin(run, progress), run.client.clock.earlier())
            tally.complete_until = to_text(until)
        if tally.audited:
            report(run, name)


def report(run: Run, event_type: str) -> None:
    """Reports the audit of one event type: in the log, and as a warning if much came late or something vanished."""
    tally = run.tallies[event_type]
    late, by_age = tally.late.total(), ", ".join(f"{number} at {age} d" for age, number in sorted(tally.late.items()))
    found = f"came late: {late}{f' ({by_age})' if by_age else ''}, vanished: {tally.vanished}"
    run.sink.log(f"{event_type}: audited {tally.audited} stretches of {tally.recounted:,} events; {found}.")
    if late > MUCH * tally.recounted:
        run.warnings.add(
            About.LATE,
            f"{event_type}: {late} of {tally.recounted} events audited came late ({by_age}). They are delivered now. If you need "
            "them sooner, raise lookback_minutes.",
        )
    if tally.vanished:
        run.warnings.add(
            About.LATE,
            f"{event_type}: HubSpot no longer has {tally.vanished} of the events that were delivered (a privacy request or a "
            "merge). Their rows stay until you delete them.",
        )
