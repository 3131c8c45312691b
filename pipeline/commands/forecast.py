"""Forecasts what a sync of this account will take, and what to set: the reader itself reads a model
of the history.
"""

import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from threading import Event
from typing import Any

from pipeline.audits.cells import BUCKETS, FULL, Kind, width
from pipeline.audits.count import Count
from pipeline.commands.sample import Sample
from pipeline.config.settings import Settings
from pipeline.fingerprints import MOST_BUCKETS
from pipeline.hubspot.client import Page
from pipeline.hubspot.events_api import EVENTS, ID, OCCURRED_AT
from pipeline.reading.reader import Reader
from pipeline.reading.window import Fetch, PageRequest
from pipeline.timestamps import DAY, MINUTE, to_text

MAX_MODEL, MIN_PAGE = 40_000, 50  # events in a model, and in its pages
BUSY = 0.9  # of its time a worker waits for HubSpot, while there is enough to read
CPU = 9_000  # events a second that half a CPU turns into rows (docs/scale.md)
SYNCS = 24  # a day
MONTH = 30  # days
PAGES_OF_LOOKS = 1.08  # for each page of what they count
LATEST = 180  # days for which HubSpot recognizes a visitor: nothing later is expected
BUSY_DAY = 1_000_000  # rows a day, from which on a shorter look-back pays

Amounts = Mapping[str, Any]
Advice = dict[str, tuple[Any, str]]  # by key: what to set, and why


def requests_for(sample: Sample, page_size: int) -> float:
    """The requests that a first sync makes for a history, its looks at silence included. A large
    history is modelled by fewer events and smaller pages.
    """
    history = sample.history()
    total = max(1.0, sum(weight for _, weight in history))
    page = min(page_size, max(MIN_PAGE, int(page_size * MAX_MODEL / total)))
    scale = min(page / page_size, MAX_MODEL / total)
    moments, size = list(_moments(history, scale)), sample.event_bytes * page_size // page
    fetch, asked = _answers(sample, moments, page, size)
    count = Count(sample.start, lambda end: DAY, lambda end: (Kind.DELIVERED, 0), page)
    with Reader(fetch, lambda: sample.end, sample.settings.concurrency) as reader:
        for answer in reader.pages((sample.start, None)):
            for event in answer[EVENTS]:
                count.add(event)
            count.close(reader.position)
    looks = sum(cell.kind == Kind.SILENT for cell in count.cells())
    return len(asked) * max(1.0, page / page_size / scale) + looks


def _moments(history: Sequence[tuple[int, float]], scale: float) -> Iterator[int]:
    """Yields the moments of the events of a model, `scale` times as many as in the history. Those
    that one moment stands for follow it, the denser the nearer its neighbors are.
    """
    rest = 0.0
    for place, (ms, weight) in enumerate(history):
        rest += weight * scale
        number, rest = int(rest + 1e-9), max(0.0, rest - int(rest + 1e-9))
        others = [abs(history[n][0] - ms) for n in (place - 1, place + 1) if 0 <= n < len(history)]
        yield from (ms + min(others, default=0) * n // number for n in range(number))


def _answers(sample: Sample, moments: Sequence[int], page: int, size: int) -> tuple[Fetch, list[Any]]:
    """A stand-in for HubSpot that answers from a model, at `size` bytes an event, and the list of
    what it was asked.
    """
    asked: list[Any] = []

    def fetch(request: PageRequest, stop: Event) -> Page:
        asked.append(request)
        after, before = request.bounds
        low = bisect_left(moments, after + 1)
        high = len(moments) if before is None else bisect_left(moments, before)
        places: Sequence[int] = range(low, max(low, high))
        if sample.order == "descending":
            places = places[::-1]
        elif sample.order == "other":
            places = sorted(places, key=lambda place: place * 2_654_435_761 % 2**32)
        begin, end = int(request.cursor or 0), int(request.cursor or 0) + (request.limit or page)
        held = [{ID: n, OCCURRED_AT: to_text(moments[n])} for n in places[begin:end]]
        cursor = str(end) if end < len(places) else None
        return Page({EVENTS: held}, cursor, size * len(held), full=len(held) == end - begin)

    return fetch, asked


def first_sync(
    events: float, requests: float, settings: Settings, latency: float, limit: Mapping[str, float]
) -> dict[str, Any]:
    """What the first sync takes, at this latency (ms) and rate limit."""
    waiting = requests * latency / 1000 / max(1.0, min(settings.concurrency, requests) * BUSY)
    seconds = max(waiting, requests / limit.get("per_second", math.inf))
    return {
        "rows": round(events),
        "requests": round(requests),
        "minutes": round(seconds / 60, 3),
        "minutes_of_half_a_cpu": round(events / CPU / 60, 2),
        "days_of_quota": round(requests / limit["daily"], 3) if "daily" in limit else None,
    }


def a_day(rates: Iterable[float], settings: Settings) -> dict[str, Any]:
    """What a day of hourly syncs takes, given the events a day of each event type."""
    rates, hours = list(rates), 1 + settings.lookback / MINUTE / 60
    pages = [rate / SYNCS * hours / settings.page_size for rate in rates]
    syncs = sum(SYNCS * (math.floor(each * 1.04) + 1) for each in pages)
    ages = [2**n for n in range(settings.audit_days.bit_length())]
    looks = len(ages) * sum(math.ceil(rate / settings.page_size * PAGES_OF_LOOKS) for rate in rates)
    billed = sum(rates) + SYNCS  # a row of sync_run each
    late = sum(_late_rows(rate, age, settings) for rate in rates for age in ages)
    return {
        "rows": round(sum(rates) * (hours - 1) + billed),
        "requests": round(syncs + looks),
        "billed_rows": round(billed),
        "requests_of_syncs": round(syncs),
        "requests_of_looks": round(looks),
        "billed_rows_if_one_in_1000_is_late": round(billed + late),
    }


def _late_rows(events: float, age: int, settings: Settings) -> float:
    """The rows billed for the looks at a day's events at one age (days) if one in a thousand is
    late, by an hour to 180 days (log-uniform). A look writes the late event, or from three on all
    of their bucket; a row of the same month is not billed again.
    """
    cells = DAY / width(0, age * DAY, settings.audit_days)
    buckets = MOST_BUCKETS if events / cells >= FULL else BUCKETS
    held = events / cells / buckets
    share = max(0.0, math.log(2 * min(age, LATEST) / age)) / math.log(24 * LATEST)
    late = held / 1000 * share  # in a bucket, on average
    few = sum(math.exp(-late) * late**n / math.factorial(n) for n in range(3))
    return cells * buckets * (late + (1 - few) * held * min(1.0, age / MONTH))


def state_bytes(events: float, settings: Settings) -> int:
    """The size of the saved state, for a type with so many events a day."""
    return 500 + bool(settings.audit_days) * round(min(244_000, 1_500 + 24 * events))


def advise(settings: Settings, first: Amounts, day: Amounts, known: Amounts) -> Advice:
    """What to set, and whether to use several connections or the backfill, given what is known."""
    limit, granted, latency = known["rate_limit"] or {}, known["limit_granted"], known["latency"]
    page = min(settings.page_size, granted or settings.page_size)
    pace = min(CPU / page, limit.get("per_second", math.inf))  # pages a second
    enough = max(1, min(16, math.ceil(pace * latency / 1000 / BUSY)))
    workers = enough if latency else settings.concurrency
    interval = max(1_000, min(100_000, int(page * pace * 60) // 1_000 * 1_000))
    lookback = 10 if day["rows"] > BUSY_DAY else settings.lookback // MINUTE
    looks = day["requests_of_looks"]
    audits = 16 if looks * 10 > limit.get("daily", math.inf) else settings.audit_days
    hours, days = first["minutes_of_half_a_cpu"] / 60, first["days_of_quota"] or 0
    parts, fill = ("several", "worth it") if hours > 24 > 24 * days else ("one", "not needed")
    number = f"{granted:,}" if granted else "an unknown number of"
    return {
        "page_size": (page, f"HubSpot grants {number} events in a page"),
        "concurrency": (workers, f"at {latency:.0f} ms a page, CPU and rate limit allow no more"),
        "checkpoint_interval": (interval, "about a minute of the first sync"),
        "lookback_minutes": (lookback, "read again each hour; what comes later, second looks find"),
        "audit_days": (audits, f"second looks and audits take {looks:,} requests a day"),
        "connections": (parts, f"half a CPU needs {hours:.1f} hours"),
        "backfill": (fill, f"{days:.2f} days of quota are used"),
    }
