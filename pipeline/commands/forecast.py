"""What a sync of this account will take, and what to set: the reader itself reads a model of the
history.
"""

import math
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from threading import Event
from typing import Any

from pipeline.audits.cells import BUCKETS, FULL, MOST_BUCKETS, Kind, width
from pipeline.audits.count import Count
from pipeline.config.settings import Settings
from pipeline.hubspot.client import Page
from pipeline.hubspot.events_api import EVENTS, ID, OCCURRED_AT
from pipeline.reading.reader import Reader
from pipeline.reading.window import PageRequest
from pipeline.timestamps import DAY, MINUTE, to_text

MODELLED, LEAST_PAGE = 40_000, 50  # events in a model at most; events in its pages at least
BUSY = 0.9  # of its time a worker waits for HubSpot, while there is enough to read
CPU = 9_000  # events a second that half a CPU turns into rows (docs/scale.md)
SYNCS = 24  # a day
MONTH = 30  # days
PAGES_OF_LOOKS = 1.08  # for each page of what they count
LATEST = 180  # days for which HubSpot recognizes a visitor: nothing later is expected
BUSY_DAY = 1_000_000  # rows a day, from which on a shorter look-back pays

History = Sequence[tuple[int, float]]  # moments (ms), and the events that each stands for


def read_model(
    history: History,
    span: tuple[int, int],
    order: str,
    page_size: int,
    concurrency: int,
    size: float,
) -> float:
    """The requests that a first sync makes for a history, its looks at silence included. A large one
    is modelled by fewer events and smaller pages. `size`: bytes of an event.
    """
    total = sum(weight for _, weight in history)
    page = max(
        min(LEAST_PAGE, page_size), min(page_size, int(page_size * MODELLED / max(1, total)))
    )
    modelled = min(total * page / page_size, MODELLED)
    moments = list(_moments(history, modelled / max(1, total)))
    fetch, asked = _answers(moments, order, page, int(size * page_size / page))
    count = Count(span[0], lambda end: DAY, lambda end: (Kind.DELIVERED, 0), page)
    with Reader(fetch, lambda: span[1], concurrency) as reader:
        for answer in reader.pages((span[0], None)):
            for event in answer[EVENTS]:
                count.add(event)
            count.close(reader.position)
    looks = sum(cell.kind == Kind.SILENT for cell in count.cells())
    larger = max(1.0, total / page_size / max(1, len(moments) / page))
    return len(asked) * larger + looks


def _moments(history: History, scale: float) -> Iterator[int]:
    """The moments of so many times as many events; those that one moment stands for follow it, as
    dense as it is near to others.
    """
    rest = 0.0
    for place, (ms, weight) in enumerate(history):
        rest += weight * scale
        number, rest = int(rest + 1e-9), max(0.0, rest - int(rest + 1e-9))
        others = [abs(history[n][0] - ms) for n in (place - 1, place + 1) if 0 <= n < len(history)]
        yield from (ms + min(others, default=0) * n // number for n in range(number))


def _answers(
    moments: Sequence[int], order: str, page_size: int, size: int
) -> tuple[Any, list[Any]]:
    """A stand-in for HubSpot that answers from a model, and the list of what it was asked."""
    asked: list[Any] = []

    def fetch(request: PageRequest, stop: Event) -> Page:
        asked.append(request)
        after, before = request.bounds
        low = bisect_left(moments, after + 1)
        high = len(moments) if before is None else bisect_left(moments, before)
        places: Sequence[int] = range(low, max(low, high))
        if order == "descending":
            places = places[::-1]
        elif order == "other":
            places = sorted(places, key=lambda place: place * 2_654_435_761 % 2**32)
        begin, limit = int(request.cursor or 0), request.limit or page_size
        held = [{ID: n, OCCURRED_AT: to_text(moments[n])} for n in places[begin : begin + limit]]
        cursor = str(begin + limit) if begin + limit < len(places) else None
        return Page({EVENTS: held}, cursor, size * len(held), full=len(held) == limit)

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


def a_day(rates: Mapping[str, float], settings: Settings) -> dict[str, Any]:
    """A day of hourly syncs, for the events of a day by event type."""
    hours = 1 + settings.lookback / MINUTE / 60
    pages = [rate / SYNCS * hours / settings.page_size for rate in rates.values()]
    syncs = sum(SYNCS * (math.floor(each * 1.04) + 1) for each in pages)
    looks = sum(looks_a_day(rate, settings)[0] for rate in rates.values())
    late = sum(looks_a_day(rate, settings)[1] for rate in rates.values())
    events, runs = sum(rates.values()), SYNCS * settings.sync_metrics
    return {
        "rows": round(events * hours + runs),
        "requests": round(syncs + looks),
        "billed_rows": round(events + runs),
        "requests_of_syncs": round(syncs),
        "requests_of_looks": round(looks),
        "billed_rows_if_one_in_1000_is_late": round(events + runs + late),
    }


def looks_a_day(events: float, settings: Settings) -> tuple[float, float]:
    """The requests of a day's second looks and audits, and the rows billed for them if one event in
    a thousand is late, by an hour to 180 days (log-uniform): a late event, or all of its bucket. A
    row of the same month is not billed again.
    """
    rows, ages = 0.0, settings.audit_days.bit_length()
    for age in (2**n for n in range(ages)):
        cells = DAY / width(0, age * DAY, settings.audit_days)
        buckets = MOST_BUCKETS if events / cells >= FULL else BUCKETS
        held = events / cells / buckets
        share = max(0.0, math.log(2 * min(age, LATEST) / age)) / math.log(24 * LATEST)
        late = held / 1000 * share  # in a bucket, on average
        none, one, two = (math.exp(-late) * late**n / math.factorial(n) for n in range(3))
        others = (1 - none - one - two) * held * min(1.0, age / MONTH)
        rows += cells * buckets * (late + others)
    return ages * math.ceil(events / settings.page_size * PAGES_OF_LOOKS), rows


def state_bytes(events: float, settings: Settings) -> int:
    """The size of the saved state, for a type with so many events a day."""
    return 500 + bool(settings.audit_days) * round(min(244_000, 1_500 + 24 * events))


def advise(
    settings: Settings,
    first: Mapping[str, Any],
    day: Mapping[str, Any],
    granted: int | None,
    latency: float,
    limit: Mapping[str, float],
) -> tuple[dict[str, str], dict[str, str]]:
    """The keys to set, and why; also whether to use several connections, or the backfill."""
    page = min(settings.page_size, granted or settings.page_size)
    pace = min(CPU / page, limit.get("per_second", math.inf))  # pages a second
    enough = max(1, min(16, math.ceil(pace * latency / 1000 / BUSY)))
    concurrency = enough if latency else settings.concurrency
    interval = max(1_000, min(100_000, int(page * pace * 60) // 1_000 * 1_000))
    lookback = 10 if day["rows"] > BUSY_DAY else settings.lookback // MINUTE
    looks = day["requests_of_looks"]
    audit_days = 16 if looks * 10 > limit.get("daily", math.inf) else settings.audit_days
    cpu_hours, days = first["minutes_of_half_a_cpu"] / 60, first["days_of_quota"] or 0
    is_long = cpu_hours > 24 > 24 * days
    chosen = {
        "page_size": page,
        "concurrency": concurrency,
        "checkpoint_interval": interval,
        "lookback_minutes": lookback,
        "audit_days": audit_days,
    }
    number = f"{granted:,}" if granted else "an unknown number of"
    return {name: str(value) for name, value in chosen.items()}, {
        "page_size": f"HubSpot grants {number} events in a page",
        "concurrency": f"at {latency:.0f} ms a page, it keeps up with half a CPU and the rate limit",
        "checkpoint_interval": "about a minute of the first sync",
        "lookback_minutes": "an hourly sync reads so much again; what comes later, second looks find",
        "audit_days": f"second looks and audits take {looks:,} requests a day",
        "connections": f"{'several' if is_long else 'one'}: half a CPU needs {cpu_hours:.1f} hours",
        "backfill": f"{'worth it' if is_long else 'not needed'}: {days:.2f} days of quota are used",
    }
