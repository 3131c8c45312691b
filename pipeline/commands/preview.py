"""What an account holds, how HubSpot answers for it, what a sync will take, and what to set."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from pipeline.commands.budget import Budget, Spent
from pipeline.commands.forecast import MONTH, a_day, advise, first_sync, read_model, state_bytes
from pipeline.commands.probe import Facts, add_known, ask_for_facts, smaller_limit
from pipeline.commands.sample import AT_ONCE, Sample
from pipeline.config.connect import connect
from pipeline.config.event_types import select
from pipeline.config.settings import Settings
from pipeline.errors import HubSpotError, Refused, Unauthorized
from pipeline.hubspot.client import Client, Page
from pipeline.reading.window import Window
from pipeline.stages.flatten import flatten
from pipeline.timestamps import DAY, SECOND, to_text

REQUESTS, MORE_REQUESTS = 60, 3  # for one event type, and for each other
SMALL = 100  # events in a page, if the configured size is refused and no other is named
PATIENCE = 20 * SECOND  # a person waits for the answer
WEEK = 7  # days: what is now
STEPS = 60  # of the picture of a range
BLOCKS = " ▁▂▃▄▅▆▇█"


def preview(settings: Settings, say: Callable[[str], Any]) -> dict[str, Any]:
    """The report, as `--json` prints it; `say` gets a sentence before the first request. Raises
    ConnectorError if HubSpot cannot be asked at all.
    """
    say(
        f"This reads only, with at most {REQUESTS} requests for one event type and "
        f"{MORE_REQUESTS} for each other, and a hundredth of what is left of the day's quota."
    )
    with connect(replace(settings, concurrency=AT_ONCE), patience=PATIENCE) as client:
        budget = client.rate_limit = Budget(settings.quota_reserve / 100, REQUESTS)
        names, unknown = _selected(settings, client)
        budget.most += MORE_REQUESTS * max(0, len(names) - 1)
        types: dict[str, dict[str, Any]] = {name: {"unknown": True} for name in unknown}
        samples: dict[str, Sample] = {}
        firsts: dict[str, Page] = {}
        for name in names:
            sample = Sample(client, settings, name, *_span(settings, client))
            try:
                firsts[name] = _first_page(sample)
                samples[name], settings = sample, sample.settings
            except Spent:
                types[name] = {"not_asked": True}
            except Unauthorized:
                raise
            except HubSpotError as error:
                types[name] = {"refused": str(error)}
        smallest_first = sorted(samples, key=lambda name: len(samples[name].places))
        facts = Facts()
        if smallest_first:
            main = samples[smallest_first[-1]]
            facts = ask_for_facts(main, firsts[smallest_first[-1]])
            main_first = [main, *(samples[name] for name in smallest_first[:-1])]
            _refine(main_first, budget)
            add_known(facts, main, budget)
        types |= {name: _about(sample) for name, sample in samples.items()}
        return _report(settings, budget, types, samples, facts)


def _refine(samples: Sequence[Sample], budget: Budget) -> None:
    """Counts more of each event type: of the first with all requests but two for each other, then
    of the others with an equal share of what is left.
    """
    for others, sample in zip(range(len(samples) - 1, -1, -1), samples, strict=True):
        is_main = sample is samples[0]
        kept = others * (2 if is_main else budget.left() // (others + 1))
        with suppress(Spent, HubSpotError):
            if sample.gaps():
                sample.ask(Window(max(sample.start, sample.end - DAY), sample.end))
            sample.refine(lambda kept=kept: budget.left() - kept)  # type: ignore[misc]


def _selected(settings: Settings, client: Client) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The event types that the settings select, and names that the account does not know."""
    try:
        selected = select(settings.event_types, client.event_types())
    except Refused:
        selected = select(settings.event_types)
        if not selected.names:
            raise
    return selected.names, selected.unknown


def _span(settings: Settings, client: Client) -> tuple[int, int]:
    return settings.start, max(client.clock.later(), settings.start + 1)


def _first_page(sample: Sample) -> Page:
    """The first page, with fewer events if HubSpot refuses so many: that is what to set then."""
    whole, settings = Window(sample.start, sample.end), sample.settings
    try:
        return sample.ask(whole)
    except Refused as refused:
        if settings.page_size <= SMALL or "limit" not in str(refused):
            raise
        size = smaller_limit(str(refused), settings.page_size) or SMALL
    sample.settings = replace(settings, page_size=size)
    return sample.ask(whole)


def _about(sample: Sample) -> dict[str, Any]:
    """What there is of one event type."""
    history, error = sample.history(), sample.error()
    known = [*sample.places.values(), *sample.thin.values()]
    total, week = sum(weight for _, weight in history), sample.events(sample.end - WEEK * DAY)
    length = (sample.end - sample.start) / STEPS
    steps = [0.0] * STEPS
    for ms, weight in history:
        steps[min(STEPS - 1, max(0, int((ms - sample.start) / length)))] += weight
    days = max(1.0, (max(known) - min(known)) / DAY) if known else 1.0
    return {
        "first": to_text(min(known)) if known else None,
        "latest": to_text(max(known)) if known else None,
        "events": round(total),
        "events_a_day": round(total / days, 1),
        "events_a_day_now": round(week / WEEK, 1),
        "error": None if error is None else round(error, 3),
        "bytes_an_event": round(sample.bytes),
        "columns": len(
            {column for row in flatten(filter(_is_event, sample.largest)) for column in row}
        ),
        "picture": "".join(BLOCKS[-int(-8 * step // max(1.0, *steps))] for step in steps),
    }


def _is_event(event: Any) -> bool:
    return isinstance(event, dict)


def _report(
    settings: Settings,
    budget: Budget,
    types: dict[str, dict[str, Any]],
    samples: dict[str, Sample],
    facts: Facts,
) -> dict[str, Any]:
    known = {name: value for name, (value, _) in facts.items()}
    latency = known.get("latency_ms_at_4") or known.get("latency_ms") or 0.0
    page_size = min(settings.page_size, known.get("limit_granted") or settings.page_size)
    said = budget.headers() or {}

    requests = sum(
        read_model(
            sample.history(),
            (sample.start, sample.end),
            known.get("order") or "ascending",
            page_size,
            settings.concurrency,
            sample.bytes,
        )
        for sample in samples.values()
    )
    rates = {name: types[name]["events_a_day_now"] for name in samples}
    first = first_sync(
        sum(types[name]["events"] for name in samples),
        requests,
        settings,
        latency,
        said,
    )
    day = a_day(rates, settings)
    first |= {
        "billed_rows_in_the_first_month": first["rows"] + MONTH * day["billed_rows"],
        "state_bytes": sum(state_bytes(rate, settings) for rate in rates.values()),
    }
    granted = known.get("limit_granted")
    configuration, reasons = advise(settings, first, day, granted, latency, said)
    return {
        "requests": budget.made,
        "event_types": types,
        "first_sync": first,
        "a_day": day,
        "configuration": configuration,
        "facts": known,
        "reasons": reasons,
        "evidence": {name: evidence for name, (_, evidence) in facts.items()},
    }
