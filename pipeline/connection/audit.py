"""Audits: what was delivered is counted again at an age of 1, 2, 4, … days. A stretch that differs
is delivered again.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import groupby
from typing import Any

from toolz import pipe

from pipeline.audits.recount import Recount
from pipeline.audits.stretches import (
    Stretch,
    encode,
    is_due,
    merge,
    next_age,
    still_audited,
    uncounted,
)
from pipeline.config.connect import query_for
from pipeline.connection.audit_report import conclude_audits
from pipeline.connection.deliver import deliver
from pipeline.connection.ledgers import FULL, full_stretch, most_stretches, new_ledger, stretches_of
from pipeline.connection.run import Run
from pipeline.connection.warnings import About
from pipeline.errors import HubSpotError, Refused, Unauthorized, Unavailable
from pipeline.hubspot.client import Page
from pipeline.hubspot.events_api import PROPERTIES
from pipeline.reading.fetch import fetch_page
from pipeline.reading.reader import Reader
from pipeline.reading.window import PageRequest
from pipeline.stages import fetch_pages, keep_type, reject_malformed, unwrap_results
from pipeline.timestamps import to_text

# The share of the requests that audits may take: of a sync's, at least FREE_REQUESTS and otherwise
# ten for each of its own, which is what an audit at nine ages costs; of the day's quota, half.
FREE_REQUESTS, REQUESTS_FOR_EACH = 250, 10
# pages of events that one walk counts: as many as a reader reads uncut without a doubt, and as a
# kill repeats
CHUNK_PAGES = 4


Count = tuple[
    Stretch, "Stretch | HubSpotError"
]  # a stretch, and what it holds now, or why that is not known


class Allowance:
    """The requests that the audits of one sync may still take. `lacking` are the event types for
    which they did not suffice.
    """

    def __init__(self, run: Run):
        self._client, self.lacking = run.client, set[str]()
        self._last = self._requests() + max(FREE_REQUESTS, REQUESTS_FOR_EACH * self._requests())

    def left(self) -> int:
        return (
            0
            if self._client.rate_limit.daily_quota_half_spent()
            else max(0, self._last - self._requests())
        )

    def _requests(self) -> int:
        return int(self._client.counts()["requests"])


def audit(run: Run) -> None:
    """Audits what is due of the event types that this sync has completed: first what was counted,
    then what is to be adopted. What the allowance does not suffice for is left to the next sync.
    """
    names = [name for name, tally in run.tallies.items() if tally.outcome == "complete"]
    allowance = Allowance(run)
    if run.settings.audit_days:
        steps = [
            (name, partial(step, run, name, allowance))
            for step in (compare_due, adopt_due)
            for name in names
        ]
        all(try_audit(run, name, step) for name, step in steps)  # as far as HubSpot answers
        conclude_audits(run, allowance.lacking)


def try_audit(run: Run, event_type: str, step: Callable[[], None]) -> bool:
    """Takes a step of an audit. Returns whether the others can be taken. An audit that fails loses
    nothing: what is due stays due.
    """
    began = time.monotonic()
    try:
        step()
    except HubSpotError as error:
        warn_of(run, event_type, "what is due", error)
        return not isinstance(error, (Unauthorized, Unavailable))
    finally:
        run.tallies[event_type].seconds += time.monotonic() - began
    return True


def warn_of(run: Run, event_type: str, what: str, error: HubSpotError) -> None:
    sentence = (
        f"{event_type}: {what} could not be audited; the next sync tries again. The answer "
        f"was: {error}"
    )
    run.warnings.add(About.FAILED, sentence)


# Stretches that were counted when they were delivered


def compare_due(run: Run, event_type: str, allowance: Allowance) -> None:
    """Counts the stretches that are due; delivers again, once all are counted, those that
    differ.
    """
    stretches, now, page_size = (
        stretches_of(run, event_type),
        run.client.clock.earlier(),
        run.settings.page_size,
    )
    start = run.settings.start
    due = [
        n
        for n, each in enumerate(stretches)
        if each.begin >= start and each.is_counted and is_due(each, now)
    ]
    wanted = list(chunks_of(stretches, due, int(FULL * page_size * CHUNK_PAGES)))
    chunks = list(affordable(wanted, page_size, allowance.left()))
    differing: list[list[tuple[Stretch, Stretch]]] = []
    for counts in count_all(run, event_type, chunks):
        for outcome, each in groupby(counts, key=outcome_of):
            group = list(each)
            before, after = map(list, zip(*group, strict=True))
            if outcome == "same":
                renew(run, event_type, stretches, before, before)
            elif outcome == "differs":
                differing.append([(old, new) for old, new in group if isinstance(new, Stretch)])
            else:
                what = f"what occurred from {to_text(before[0].begin)} to {to_text(before[-1].end)}"
                warn_of(run, event_type, what, after[0])
        keep(run, event_type, stretches)
    delivered = 0
    while delivered < len(differing) and (delivered == 0 or allowance.left()):
        deliver_again(run, event_type, stretches, differing[delivered])
        delivered += 1
    if len(chunks) < len(wanted) or delivered < len(differing):
        allowance.lacking.add(event_type)
    if chunks:
        keep(run, event_type, merge(stretches, now, full_stretch(run), most_stretches(run)))


def outcome_of(count: Count) -> str:
    """What counting a stretch again has shown."""
    old, new = count
    if isinstance(new, HubSpotError):
        return "failed"
    return "same" if old.holds_the_same_as(new) else "differs"


def count_all(
    run: Run, event_type: str, chunks: Sequence[Sequence[Stretch]]
) -> Iterator[list[Count]]:
    """Yields the counts of each chunk, several being counted at once."""
    aborts = [threading.Event() for _ in chunks]
    with ThreadPoolExecutor(run.settings.concurrency, thread_name_prefix="audit") as workers:
        futures = [
            workers.submit(count, run, event_type, *task)
            for task in zip(aborts, chunks, strict=True)
        ]
        try:
            for future in futures:
                began = time.monotonic()
                counts = future.result()
                run.tallies[event_type].waited += time.monotonic() - began
                yield counts
        finally:
            for abort in aborts:
                abort.set()
            workers.shutdown(wait=True, cancel_futures=True)


def chunks_of(
    stretches: Sequence[Stretch], due: Iterable[int], events: int
) -> Iterator[list[Stretch]]:
    """Yields the due stretches, those that are neighbors together, as long as they hold no more
    than that many events.
    """
    for _, group in groupby(enumerate(due), key=lambda item: item[1] - item[0]):
        chunk: list[Stretch] = []
        for _, place in group:
            if (
                chunk
                and sum(stretch.events for stretch in chunk) + stretches[place].events > events
            ):
                yield chunk
                chunk = []
            chunk.append(stretches[place])
        yield chunk


def affordable(
    chunks: Iterable[list[Stretch]], page_size: int, requests: int
) -> Iterator[list[Stretch]]:
    """Yields the first chunks that can probably be counted with so many requests: one at least, if
    any request is left, so that a crowded one is counted at all.
    """
    left = requests
    for number, chunk in enumerate(chunks):
        left -= 1 + sum(stretch.events for stretch in chunk) // page_size
        if left < 0 and (number or not requests):
            return
        yield chunk


def count(
    run: Run, event_type: str, abort: threading.Event, chunk: Sequence[Stretch]
) -> list[Count]:
    """The stretches of a chunk with what they hold now. If HubSpot does not send the chunk, it is
    halved until only what it does not send is left out. Runs in a worker.
    """
    recount = Recount(chunk)
    span = chunk[0].begin, chunk[-1].end
    try:
        with reading(run, event_type, chunk[0].begin, 1, abort) as source:
            for event in events_of(
                event_type,
                source.pages(span, known_events=sum(stretch.events for stretch in chunk)),
            ):
                recount.add(event)
    except (Unauthorized, Unavailable):
        raise
    except HubSpotError as error:
        if len(chunk) == 1:
            return [(chunk[0], error)]
        half = len(chunk) // 2
        return count(run, event_type, abort, chunk[:half]) + count(
            run, event_type, abort, chunk[half:]
        )
    return list(zip(chunk, recount.stretches(), strict=True))


def renew(
    run: Run,
    event_type: str,
    stretches: list[Stretch],
    before: Sequence[Stretch],
    after: Sequence[Stretch],
) -> None:
    """Puts stretches as they are now in the place of the same ones as they were."""
    now, tally = run.client.clock.earlier(), run.tallies[event_type]
    for old, new in zip(before, after, strict=True):
        tally.audited += 1
        tally.recounted += new.events
        tally.vanished += max(0, old.events - new.events)
        if new.events > old.events and not old.is_unsettled:
            tally.late[next_age(old.end, now) // 2] += new.events - old.events
    begin = stretches.index(before[0])
    stretches[begin : begin + len(before)] = [
        stretch._replace(age=next_age(stretch.end, now)) for stretch in after
    ]


def deliver_again(
    run: Run, event_type: str, stretches: list[Stretch], pairs: Sequence[tuple[Stretch, Stretch]]
) -> None:
    """Delivers neighboring stretches, of which pairs hold the old count and the new one, once more,
    in full. Each is renewed and saved as soon as everything that was counted of it is delivered, so
    that a kill repeats no other; what is left at the end, as it was delivered.
    """
    recount, left, current = Recount([before for before, _ in pairs]), dict(enumerate(pairs)), 0

    def settle(*places: int) -> None:
        delivered = recount.stretches()
        for place in places:
            renew(run, event_type, stretches, [left.pop(place)[0]], [delivered[place]])
        keep(run, event_type, stretches)

    def observe(event: Any) -> None:
        nonlocal current
        place = recount.add(event)
        if place in (None, current):
            return
        if current in left and recount.holds_all_of(current, left[current][1]):
            settle(
                current
            )  # its rows are written: only then does the delivery ask for another event
        current = place

    deliver(
        run,
        event_type,
        (pairs[0][0].begin, pairs[-1][0].end),
        lambda position: None,
        observe=observe,
    )
    settle(*left)


# Time that was delivered before it was counted


def adopt_due(run: Run, event_type: str, allowance: Allowance) -> None:
    """Counts what was delivered uncounted, without delivering it again."""
    start = run.settings.start
    while True:
        stretches = stretches_of(run, event_type)
        place = next(
            (n for n, each in enumerate(stretches) if each.begin >= start and not each.is_counted),
            None,
        )
        if place is None:
            return
        if not allowance.left():
            allowance.lacking.add(event_type)
            return
        adopt(run, event_type, stretches, place, allowance)


def adopt(
    run: Run, event_type: str, stretches: list[Stretch], place: int, allowance: Allowance
) -> None:
    """Counts one such stretch, the one at a place in the list, as far as the allowance suffices."""
    stretch = stretches[place]
    run.sink.log(
        f"{event_type}: what was delivered from {to_text(stretch.begin)} to {to_text(stretch.end)} "
        "is audited from now on. It is "
        "counted first, by this sync and perhaps the next. Whether something of it came late "
        "before that is not known: re-sync "
        "the connection to be sure."
    )
    ledger = new_ledger(run, [], stretch.begin, oldest=stretch.begin)

    def keep_until(end: int) -> None:
        rest = [uncounted(end, stretch.end)] if end < stretch.end else []
        keep(
            run,
            event_type,
            [*stretches[:place], *ledger.until(end), *rest, *stretches[place + 1 :]],
        )

    reached, abort = stretch.end, threading.Event()
    with reading(run, event_type, stretch.begin, run.settings.concurrency, abort) as source:
        try:
            for number, page in enumerate(
                fetch_pages(source.pages, [(stretch.begin, stretch.end)])
            ):
                ledger.close(min(source.position, stretch.end))
                if ledger.end > stretch.begin and not allowance.left():
                    reached = ledger.end
                    break
                if number % CHUNK_PAGES == CHUNK_PAGES - 1:
                    keep_until(ledger.end)
                for event in events_of(event_type, [page]):
                    ledger.add(event)
        finally:
            abort.set()  # or the reader would wait for its workers' requests
            run.tallies[event_type].waited += source.waited
    keep_until(reached)


# What both need


def events_of(event_type: str, pages: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The events of pages that a sync delivers, without those that it rejects."""
    return pipe(pages, unwrap_results, reject_malformed(_ignore), keep_type(event_type, _ignore))  # type: ignore[no-any-return]


def _ignore(event: Any, reason: str) -> None:
    pass


def reading(
    run: Run, event_type: str, begin: int, concurrency: int, abort: threading.Event
) -> Reader:
    """A reader of little more than the ids of events; setting `abort` abandons its requests."""
    fetch = partial(fetch_little, run, event_type, abort)
    return Reader(fetch, run.client.clock.later, concurrency, begin)


def fetch_little(
    run: Run, event_type: str, abort: threading.Event, request: PageRequest, stop: threading.Event
) -> Page:
    """A page with one small property of each event, or with all if HubSpot refuses that. `abort`
    stops it, as the reader's `stop` would, but before the reader waits for its workers.
    """
    query, small = query_for(run.settings, event_type), run.small_properties.get(event_type)
    if small is not None:
        try:
            return fetch_page(run.client, {**query, PROPERTIES: (small,)}, request, abort)
        except Refused:
            run.small_properties.pop(event_type, None)
    return fetch_page(run.client, query, request, abort)


def keep(run: Run, event_type: str, stretches: Sequence[Stretch]) -> None:
    """Saves the stretches of an event type."""
    text = encode(still_audited(stretches, run.settings.audit_days))
    run.cursors.set(event_type, replace(run.cursors.get(event_type), stretches=text))
    run.cursors.save()
