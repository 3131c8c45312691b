"""Previews what an account holds, how HubSpot answers, what a sync will take, and what to set."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from pipeline.commands.forecast import MONTH, a_day, advise, first_sync, requests_for, state_bytes
from pipeline.commands.probe import Fact, add_known, ask_for_facts, smaller_limit
from pipeline.commands.sample import AT_ONCE, Budget, Sample, Spent
from pipeline.config.connect import connect
from pipeline.config.event_types import Selection, select
from pipeline.config.settings import Settings
from pipeline.errors import HubSpotError, Refused, Unauthorized
from pipeline.hubspot.client import Client, Page
from pipeline.stages.flatten import flatten
from pipeline.timestamps import DAY, SECOND, to_text

REQUESTS, MORE_REQUESTS = 60, 3  # for one event type, and for each other
SMALL = 100  # events in a page, if HubSpot refuses the configured size and names no other
PATIENCE = 20 * SECOND  # a person waits for the answer
WEEK = 7  # days that count as now
STEPS = 60  # in the picture of a range
BLOCKS = " ▁▂▃▄▅▆▇█"
ANSWERS = {True: "yes", False: "no", None: "cannot be told from this account"}


def preview(settings: Settings, say: Callable[[str], Any]) -> dict[str, Any]:
    """Makes the report that `--json` prints; `say` receives a sentence before the first request.
    Raises ConnectorError if HubSpot cannot be asked at all.
    """
    say(
        f"This reads only, with at most {REQUESTS} requests for one event type and "
        f"{MORE_REQUESTS} for each other, and a hundredth of what is left of the day's quota."
    )
    with connect(replace(settings, concurrency=AT_ONCE), patience=PATIENCE) as client:
        budget = client.rate_limit = Budget(settings.quota_reserve / 100, REQUESTS)
        selected = _selected(settings, client)
        budget.max_requests += MORE_REQUESTS * max(0, len(selected.names) - 1)
        types: dict[str, dict[str, Any]] = {name: {"unknown": True} for name in selected.unknown}
        found: dict[str, tuple[Sample, Page]] = {}
        for name in selected.names:
            try:
                sample = Sample(client, settings, name)
                found[name] = sample, _first_page(sample)
                settings = sample.settings
            except Spent:
                types[name] = {"not_asked": True}
            except Unauthorized:
                raise
            except HubSpotError as error:
                types[name] = {"refused": str(error)}
        main = max(found.values(), key=lambda each: _size(each[0]), default=None)
        facts = ask_for_facts(*main) if main else {}
        samples = {name: sample for name, (sample, _) in found.items()}
        if main:
            _refine([main[0], *(each for each in samples.values() if each != main[0])], budget)
            add_known(facts, main[0], budget)
        types |= {name: _about(sample) for name, sample in samples.items()}
        return _report(settings, budget, types, samples, facts)


def _selected(settings: Settings, client: Client) -> Selection:
    """The event types that the settings select: those named in full, if HubSpot does not list its
    event types.
    """
    try:
        return select(settings.event_types, client.event_types())
    except Refused:
        if (selected := select(settings.event_types)).names:
            return selected
        raise


def _first_page(sample: Sample) -> Page:
    """Asks for the first page, with fewer events if HubSpot refuses so many: then that is advised."""
    settings = sample.settings
    try:
        return sample.ask(sample.whole)[0]
    except Refused as refused:
        if settings.page_size <= SMALL or "limit" not in str(refused):
            raise
        size = smaller_limit(str(refused), settings.page_size) or SMALL
    sample.settings = replace(settings, page_size=size)
    return sample.ask(sample.whole)[0]


def _size(sample: Sample) -> tuple[int, int]:
    """A key to sort event types by size, as far as their first pages tell."""
    moments = sample.places.values()
    return len(moments), min(moments, default=0) - max(moments, default=0)


def _refine(samples: list[Sample], budget: Budget) -> None:
    """Counts more of each event type: of the first with all requests but two for each other, then
    of the others with equal shares of what is left.
    """
    for place, sample in enumerate(samples):
        others = len(samples) - 1 - place
        budget.kept = 0
        budget.kept = others * (budget.left() // (others + 1) if place else 2)
        with suppress(Spent, HubSpotError):
            sample.refine(budget.left)


def _about(sample: Sample) -> dict[str, Any]:
    """What there is of one event type."""
    known, error = [*sample.places.values(), *sample.thin.values()], sample.error()
    first, latest = min(known, default=None), max(known, default=None)
    days = max(1.0, ((latest or 0) - (first or 0)) / DAY)
    steps, length = [0.0] * STEPS, (sample.end - sample.start) / STEPS
    for ms, weight in sample.history():
        steps[min(STEPS - 1, int((ms - sample.start) / length))] += weight
    events = [event for event in sample.largest.events if isinstance(event, dict)]
    return {
        "first": first if first is None else to_text(first),
        "latest": latest if latest is None else to_text(latest),
        "events": round(sum(steps)),
        "events_a_day": round(sum(steps) / days, 1),
        "events_a_day_now": round(sample.events(sample.end - WEEK * DAY) / WEEK, 1),
        "error": error if error is None else round(error, 3),
        "bytes_an_event": sample.event_bytes,
        "columns": len({column for row in flatten(events) for column in row}),
        "picture": "".join(BLOCKS[-int(-8 * step // max(1.0, *steps))] for step in steps),
    }


def _report(
    settings: Settings,
    budget: Budget,
    types: dict[str, dict[str, Any]],
    samples: dict[str, Sample],
    facts: dict[str, Fact],
) -> dict[str, Any]:
    known = dict.fromkeys(("rate_limit", "limit_granted")) | {k: v for k, (v, _) in facts.items()}
    latency = known["latency"] = known.get("latency_ms_at_4") or known.get("latency_ms") or 0.0
    page_size = min(settings.page_size, known["limit_granted"] or settings.page_size)
    requests = sum(requests_for(sample, page_size) for sample in samples.values())
    rates = [types[name]["events_a_day_now"] for name in samples]
    events, limit = sum(types[name]["events"] for name in samples), known["rate_limit"] or {}
    first, day = first_sync(events, requests, settings, latency, limit), a_day(rates, settings)
    first |= {
        "billed_rows_in_the_first_month": first["rows"] + MONTH * day["billed_rows"],
        "state_bytes": sum(state_bytes(rate, settings) for rate in rates),
    }
    advice = advise(settings, first, day, known)
    keys = {key: str(value) for key, (value, _) in advice.items() if not isinstance(value, str)}
    return {
        "requests": budget.made,
        "event_types": types,
        "first_sync": first,
        "a_day": day,
        "configuration": keys,
        "facts": {name: value for name, (value, _) in facts.items()},
        "reasons": {key: f"{value}: {reason}" for key, (value, reason) in advice.items()},
        "evidence": {name: evidence for name, (_, evidence) in facts.items()},
    }


def format_preview(report: Mapping[str, Any]) -> Iterator[str]:
    """Yields the lines of a report that `preview` made."""
    yield f"Asked HubSpot {report['requests']} times.\n\nWhat is there"
    for name, held in report["event_types"].items():
        yield f"  {name if name.isprintable() else repr(name)}: {_held(held)}"
    if not any(held.get("events") for held in report["event_types"].values()):
        yield "\nSo there is nothing to predict, and no answer to learn from."
        return
    yield "\nWhat the first sync takes, at this latency and rate limit"
    yield f"  {_amounts(report['first_sync'])}"
    yield "\nWhat a day of hourly syncs takes at present"
    yield f"  {_amounts(report['a_day'])}"
    yield "\nWhat to set, and why"
    yield from (f"  {key}: {reason}" for key, reason in report["reasons"].items())
    yield "  To paste:"
    yield from (f'    "{key}": "{value}",' for key, value in report["configuration"].items())
    yield "\nHow HubSpot answers"
    for name, value in report["facts"].items():
        told = ANSWERS[value] if value is None or isinstance(value, bool) else value
        told = _amounts(value) if isinstance(value, dict) else told
        yield f"  {name}: {told} ({report['evidence'][name]})"


def _held(held: Mapping[str, Any]) -> str:
    if "refused" in held:
        return f"cannot be read. {held['refused']}"
    if "unknown" in held:
        return "this account knows no such event type."
    if "not_asked" in held:
        return "not asked, since too little of the day's quota is left."
    if not held["events"]:
        return "no events."
    error = held["error"]
    doubt = "not sure: bursts may hide" if error is None else f"± {error:.1%}"
    return (
        f"{held['events']:,} event{'s' * (held['events'] != 1)} "
        f"({'all counted' if error == 0 else doubt}), {held['first'][:19]}Z to "
        f"{held['latest'][:19]}Z\n    {held['picture']}\n    {held['events_a_day']:,} a day, "
        f"{held['events_a_day_now']:,} in the last week; {held['bytes_an_event']:,} bytes and "
        f"{held['columns']} columns an event"
    )


def _amounts(amounts: Mapping[str, Any]) -> str:
    """Numbers with what they count.

    >>> _amounts({"rows": 1200, "state_bytes": 5, "days_of_quota": None})
    '1,200 rows, 5 state bytes'
    """
    known = {name: number for name, number in amounts.items() if number is not None}
    return ", ".join(f"{number:,} {name.replace('_', ' ')}" for name, number in known.items())
