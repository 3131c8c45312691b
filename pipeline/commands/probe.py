"""Finds out how HubSpot answers where nothing is documented, as far as one account can tell."""

import re
from collections.abc import Callable
from statistics import median
from typing import Any

from pipeline.commands.sample import AT_ONCE, Budget, Sample, Spent, properties_of
from pipeline.errors import HubSpotError, Refused
from pipeline.hubspot.client import Page
from pipeline.hubspot.events_api import ID, occurred_ms
from pipeline.reading.window import PageRequest, Window, id_of
from pipeline.timestamps import SECOND, to_text

LARGEST = 10_000  # events in a page that page_size allows
WIDE = 3 * SECOND  # more than bounds compared to the second may be off by
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

Fact = tuple[Any, str]  # what is true (None: cannot be told), and the evidence


def ask_for_facts(sample: Sample, first: Page) -> dict[str, Fact]:
    """Asks a dozen requests. Returns what they show, by name; `first` is the first page of all."""
    pages = [first]
    questions: dict[str, Callable[[], Fact]] = {
        "equal_answers": lambda: _equal(sample, pages),
        "repeats": lambda: _repeats(sample, pages),
        "limit_granted": lambda: _limit(sample, first),
        "cursor_padding": lambda: _padding(pages),
        "ids": lambda: _ids(sample.largest.events),
        "bounds": lambda: _bounds(sample),
        "properties_honored": lambda: _properties(sample),
        "oldest": lambda: _oldest(sample),
    }
    facts: dict[str, Fact] = {}
    for name, question in questions.items():
        try:
            facts[name] = question()
        except Spent:
            facts[name] = None, "no request was left to ask"
        except HubSpotError:
            facts[name] = None, "HubSpot did not answer that"
    both, said = facts["bounds"]
    facts["bounds"], facts["resolution"] = ((each, said) for each in both or (None, None))
    return facts


def add_known(facts: dict[str, Fact], sample: Sample, budget: Budget) -> None:
    """Adds what all answers together show."""
    facts["order"] = sample.order, f"{len(sample.places):,} events in {budget.made} answers"
    for name, at_once in (("latency_ms", 1), ("latency_ms_at_4", AT_ONCE)):
        seconds = sample.seconds[at_once]
        took = round(median(seconds) * 1000, 1) if seconds else None
        facts[name] = took, f"median of {len(seconds)} pages, {at_once} at once"
    facts["rate_limit"] = budget.headers(), "by the headers of the last answer"


def _equal(sample: Sample, pages: list[Page]) -> Fact:
    both = pages + sample.ask(sample.whole)
    ids, again = ([id_of(event) for event in page.events] for page in both)
    pages[:] = both[1:]
    return (ids == again if ids else None), "the first page, asked for twice"


def _repeats(sample: Sample, pages: list[Page]) -> Fact:
    """Whether pages repeat events. Adds two pages to the first, and notes the order of all."""
    while pages[-1].cursor and len(pages) < 3:
        pages += sample.ask(sample.whole, cursor=pages[-1].cursor)
    events = [each for page in pages for each in page.events if occurred_ms(each) is not None]
    sample.note_order(events)
    repeated = len(events) - len(set(map(id_of, events)))
    said = f"{repeated} of {len(events):,} events came again in {len(pages)} pages"
    return (repeated > 0 if events else None), said


def _limit(sample: Sample, first: Page) -> Fact:
    if first.cursor is None:
        return None, "all events fit one page"
    try:
        page = sample.fetch(PageRequest(sample.whole.bounds(), limit=LARGEST))
    except Refused as refused:
        return smaller_limit(str(refused), LARGEST) or len(first.events), f"{LARGEST:,} are refused"
    more = "" if page.cursor else ", and there were no more"
    return len(page.events), f"{LARGEST:,} asked for, {len(page.events):,} came{more}"


def smaller_limit(message: str, limit: int) -> int | None:
    """The largest number below a refused limit that the refusal names; None if it names none.

    >>> smaller_limit("Invalid limit 1000: limit must be less than or equal to 250", 1000)
    250
    """
    numbers = map(int, re.findall(r"\blimit\b[^.\d]*(\d{1,5})\b", message))
    return max((number for number in numbers if 0 < number < limit), default=None)


def _padding(pages: list[Page]) -> Fact:
    cursors = [page.cursor for page in pages if page.cursor]
    found = sorted({len(cursor) - len(cursor.rstrip("=")) for cursor in cursors})
    said = f"{len(cursors)} page cursors end in {', '.join(map(str, found)) or 'no'} of `=`"
    return ("mixed" if len(found) > 1 else min(found, default=None)), said


def _ids(events: list[Any]) -> Fact:
    """What ids are made of: a word of HubSpot's, UUIDs, numbers."""
    texts = [str(event.get(ID)) for event in events if isinstance(event, dict)]
    kinds = {re.sub(r"\d+", "<number>", UUID.sub("<uuid>", text)) for text in texts}
    plain = re.compile(r"(leviathan|<uuid>|<number>|-)+")
    told = sorted({kind if plain.fullmatch(kind) else "other" for kind in kinds})
    return ", ".join(told) or None, f"{len(texts):,} ids"


def _plain_event(sample: Sample) -> tuple[Any, int | None]:
    """An event, preferably within a second and with properties, and when it occurred (ms). None:
    there is no event with a date.
    """
    dated = [(each, ms) for each in sample.largest.events if (ms := occurred_ms(each)) is not None]
    return max(dated, key=lambda each: (_is_within(each[1]), len(properties_of(each[0])) > 1), default=(None, None))


def _is_within(ms: int) -> bool:
    return 0 < ms % SECOND < SECOND - 1


def _bounds(sample: Sample) -> Fact:
    """How HubSpot keeps to bounds, and their resolution: each is moved past an event, and back."""
    event, ms = _plain_event(sample)
    if ms is None:
        return None, "no event with a date"

    def holds(side: str, past: int) -> bool | None:
        """Whether an answer holds the event when the bound is `past` ms past it."""
        bounds = (ms + past, ms + WIDE) if side == "after" else (ms - WIDE, ms - past)
        page = sample.fetch(PageRequest(bounds))
        is_there = any(id_of(each) == id_of(event) for each in page.events)
        return is_there or (False if page.cursor is None else None)

    kinds: dict[str, str | None] = {}
    resolutions = set[str]()
    for side in ("after", "before"):
        at = holds(side, 0)
        near = None if at is None else holds(side, 1 if at else -1)
        kinds[side] = None if at is None else "inclusive" if at else "exclusive"
        if at and near and holds(side, 2 * SECOND):
            kinds[side] = "ignored"
        elif near is not None and _is_within(ms):
            resolutions.add("second" if near == at else "millisecond")
    found = set(kinds.values())
    common = "ignored" if "ignored" in found else None if None in found else "mixed"
    value = found.pop() if len(found) == 1 else common
    resolution = min(resolutions) if len(resolutions) == 1 else None
    said = (f"the bound {side} an event is {kind or 'unclear'}" for side, kind in kinds.items())
    return (value, resolution), ", ".join(said)


def _properties(sample: Sample) -> Fact:
    event, ms = _plain_event(sample)
    names = sorted(properties_of(event))
    if len(names) < 2 or ms is None:
        return None, "no event with two properties"
    window = PageRequest((ms - WIDE, ms + WIDE))
    page = sample.fetch(window, properties=(names[0],))
    held = [len(properties_of(each)) for each in page.events if id_of(each) == id_of(event)]
    said = f"of {len(names)} properties one was asked for, {held[0] if held else 'no event'} came"
    return (held[0] <= 1 if held else None), said


def _oldest(sample: Sample) -> Fact:
    """The oldest event of all, as far as one answer tells, even from before the start date."""
    before = PageRequest(Window(0, sample.start).bounds())
    events = sample.fetch(before).events if sample.start else []
    moments = [ms for ms in map(occurred_ms, events) if ms is not None]
    oldest = min([*moments, *sample.places.values()], default=None)
    return oldest and to_text(oldest), "what occurred before the start was asked for once"
