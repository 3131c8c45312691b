"""What an account holds, how HubSpot answers for it, what a sync will take, and what to set."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from pipeline.commands.budget import Budget, Spent
from pipeline.commands.forecast import MONTH, a_day, advise, first_sync, read_model, state_bytes
from pipeline.commands.probe import Facts, add_known, ask_for_facts, smaller_limit
from pipeline.commands.sample import AT_ONCE, Sample
from pipeline.config.connect import connect
from pipeline.config.event_types import select
from pipeline.config.keys import KEYS
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
            sample, types[name] = Sample(client, settings, name, *_span(settings, client)), {}
            try:
                firsts[name], settings = _first_page(sample, settings)
                samples[name] = sample
                if firsts[name].cursor:
                    sample.ask(Window(max(sample.start, sample.end - DAY), sample.end))
            except Spent:
                types[name] = {"not_asked": True}
            except Unauthorized:
                raise
            except HubSpotError as error:
                types[name] = {"refused": str(error)}
        by_size = sorted(samples, key=lambda name: -samples[name].events())
        facts = Facts()
        if by_size:
            main = samples[by_size[0]]
            facts = ask_for_facts(main, firsts[by_size[0]], settings.page_size)
            with suppress(Spent, HubSpotError):
                for name in by_size:
                    samples[name].refine(budget.left)
            add_known(facts, main, budget)
        for name, sample in samples.items():
            types[name] |= _about(sample)
        return _report(settings, budget, types, samples, facts)


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


def _first_page(sample: Sample, settings: Settings) -> tuple[Page, Settings]:
    """The first page, with fewer events if HubSpot refuses so many; and settings that fit."""
    whole = Window(sample.start, sample.end)
    try:
        return sample.ask(whole), settings
    except Refused as refused:
        if settings.page_size <= SMALL or "limit" not in str(refused):
            raise
        size = smaller_limit(str(refused), settings.page_size) or SMALL
        sample.settings = replace(settings, page_size=size)
        return sample.ask(whole), sample.settings


def _about(sample: Sample) -> dict[str, Any]:
    """What there is of one event type."""
    history, error = sample.history(), sample.error()
    moments = [ms for ms, _ in history]
    total, week = sum(weight for _, weight in history), sample.events(sample.end - WEEK * DAY)
    length = (sample.end - sample.start) / STEPS
    steps = [0.0] * STEPS
    for ms, weight in history:
        steps[min(STEPS - 1, max(0, int((ms - sample.start) / length)))] += weight
    days = max(1.0, (moments[-1] - moments[0]) / DAY) if moments else 1.0
    return {
        "first": to_text(moments[0]) if moments else None,
        "latest": to_text(moments[-1]) if moments else None,
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
    order, latency = (facts.get(name, (None,))[0] for name in ("order", "latency_ms_at_4"))
    latency = latency or facts.get("latency_ms", (None,))[0] or 0.0
    said = budget.headers() or {}

    def requests(page_size: int) -> float:
        return sum(
            read_model(
                sample.history(), (sample.start, sample.end), order or "ascending",
                page_size, settings.concurrency, sample.bytes,
            )
            for sample in samples.values()
        )  # fmt: skip

    rates = {name: types[name]["events_a_day_now"] for name in samples}
    first = first_sync(
        sum(types[name]["events"] for name in samples),
        requests(settings.page_size),
        settings,
        latency,
        said,
    )
    day = a_day(rates, settings)
    first |= {
        "billed_rows_in_the_first_month": first["rows"] + MONTH * day["billed_rows"],
        "state_bytes": round(sum(state_bytes(rate, settings) for rate in rates.values())),
    }
    advice = advise(settings, first, day, facts, latency, said, len(samples))
    return {
        "requests": budget.made,
        "event_types": types,
        "first_sync": first,
        "a_day": day,
        "configuration": {key: value for key, (value, _) in advice.items() if key in KEYS},
        "facts": {name: value for name, (value, _) in facts.items()},
        "reasons": {key: reason for key, (_, reason) in advice.items()},
        "evidence": {name: evidence for name, (_, evidence) in facts.items()},
    }
