"""How HubSpot answers: what nobody documents, as far as one account can tell."""

import re
from collections.abc import Callable
from statistics import median
from typing import Any

from pipeline.commands.budget import Budget, Spent
from pipeline.commands.sample import AT_ONCE, Sample, order_of
from pipeline.errors import HubSpotError, Refused
from pipeline.hubspot.client import Page
from pipeline.hubspot.events_api import ID, PROPERTIES, occurred_ms
from pipeline.reading.window import PageRequest, Window, id_of
from pipeline.timestamps import SECOND, to_text

LARGEST = 10_000  # events in a page, at most, by the key page_size
WIDE = 3 * SECOND  # beyond what bounds that are compared to the second may differ by

Fact = tuple[Any, str]  # what is true (None: cannot be told), and the evidence


class Facts(dict[str, Fact]):
    """Facts by name. `tell` keeps what a question shows, or why it could not be asked."""

    def tell(self, name: str, question: Callable[[], Fact]) -> None:
        try:
            self[name] = question()
        except Spent:
            self[name] = None, "no request was left to ask"
        except HubSpotError:
            self[name] = None, "HubSpot did not answer that"


def ask_for_facts(sample: Sample, first: Page) -> Facts:
    """What a dozen requests show; `first` is the first page of all."""
    facts, pages = Facts(), [first]
    facts.tell("equal_answers", lambda: _equal(sample, pages))
    facts.tell("repeats", lambda: _repeats(sample, pages))
    facts.tell("limit_granted", lambda: _limit(sample, first))
    facts.tell("cursor_padding", lambda: _padding(pages))
    facts.tell("ids", lambda: _ids(sample.largest))
    event = _plain_event(sample.largest)
    for side in ("after", "before"):
        facts.tell(side, lambda side=side: _bound(sample, event, side))  # type: ignore[misc]
    facts["bounds"], facts["resolution"] = _bounds(facts.pop("after"), facts.pop("before"))
    facts.tell("properties_honored", lambda: _properties(sample, event))
    facts.tell("oldest", lambda: _oldest(sample))
    return facts


def add_known(facts: Facts, sample: Sample, budget: Budget) -> None:
    """Adds what all answers together show."""
    orders, headers = sample.orders, budget.headers()
    order = None if not orders else "other" if len(orders) > 1 else min(orders)
    facts["order"] = order, f"{len(sample.places):,} events in {budget.made} answers"
    for name, at_once in (("latency_ms", 1), ("latency_ms_at_4", AT_ONCE)):
        seconds = sample.seconds[at_once]
        took = round(median(seconds) * 1000, 1) if seconds else None
        facts[name] = took, f"median of {len(seconds)} pages, {at_once} at once"
    facts["rate_limit"] = headers, "by the headers of the last answer"


def _equal(sample: Sample, pages: list[Page]) -> Fact:
    again = sample.ask(Window(sample.start, sample.end))
    both = [[id_of(event) for event in page.events] for page in (pages[0], again)]
    pages[0] = again
    return (both[0] == both[1] if both[0] else None), "the first page, asked for twice"


def _repeats(sample: Sample, pages: list[Page]) -> Fact:
    """Whether pages repeat events; adds two pages to the first, and notes the order of all."""
    while pages[-1].cursor and len(pages) < 3:
        pages.append(sample.ask(Window(sample.start, sample.end), pages[-1].cursor))
    events = [each for page in pages for each in page.events if occurred_ms(each) is not None]
    moments = [occurred_ms(event) or 0 for event in events]
    sample.orders |= {order_of(moments)} if len(set(moments)) > 1 else set()
    repeated = len(events) - len(set(map(id_of, events)))
    said = f"{repeated} of {len(events):,} events came again in {len(pages)} pages"
    return (repeated > 0 if events else None), said


def _limit(sample: Sample, first: Page) -> Fact:
    if first.cursor is None:
        return None, "all events fit one page"
    if (size := sample.settings.page_size) >= LARGEST:
        return len(first.events), f"{size:,} asked for"
    try:
        page = sample.fetch(PageRequest(Window(sample.start, sample.end).bounds(), limit=LARGEST))
    except Refused as refused:
        return smaller_limit(str(refused), LARGEST) or len(first.events), f"{LARGEST:,} are refused"
    more = "" if page.cursor else ", and there were no more"
    return len(page.events), f"{LARGEST:,} asked for, {len(page.events):,} came{more}"


def smaller_limit(message: str, limit: int) -> int | None:
    """The number below a refused limit that the refusal names, if it speaks of one.

    >>> smaller_limit("Invalid limit 1000: limit must be less than or equal to 250", 1000)
    250
    """
    numbers = [int(text) for text in re.findall(r"\blimit\b[^.\d]*(\d{1,5})\b", message)]
    return max((number for number in numbers if 0 < number < limit), default=None)


def _padding(pages: list[Page]) -> Fact:
    cursors = [page.cursor for page in pages if page.cursor]
    found = sorted({len(cursor) - len(cursor.rstrip("=")) for cursor in cursors})
    value = None if not found else found[0] if len(found) == 1 else "mixed"
    return value, f"{len(cursors)} page cursors end in {', '.join(map(str, found)) or 'no'} of `=`"


def _ids(events: list[Any]) -> Fact:
    """How ids are made: a word of HubSpot's, UUIDs and numbers."""
    texts = [event.get(ID) for event in events if isinstance(event, dict)]
    kinds = set()
    for text in map(str, texts):
        kind = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "<uuid>", text)
        kind = re.sub(r"\d+", "<number>", kind)
        kinds.add(kind if re.fullmatch(r"(leviathan|<uuid>|<number>|-)+", kind) else "other")
    return ", ".join(sorted(kinds)) or None, f"{len(texts):,} ids"


def _plain_event(events: list[Any]) -> Any:
    """An event from the middle of a page, if possible within a second and with properties."""
    dated = [event for event in events if occurred_ms(event) is not None]
    inside = [event for event in dated if 0 < (occurred_ms(event) or 0) % SECOND < SECOND - 1]
    rich = [event for event in inside or dated if len(event.get(PROPERTIES) or ()) > 1]
    among = rich or inside or dated
    return among[len(among) // 2] if among else None


def _bound(sample: Sample, event: Any, side: str) -> Fact:
    """How one bound is kept: (kind, resolution). It is moved past the event, and back."""
    ms = occurred_ms(event)
    if ms is None:
        return None, "no event with a date"
    asked = 0

    def holds(past: int) -> bool | None:
        """Whether an answer holds the event if the bound is that far past it (ms)."""
        nonlocal asked
        asked += 1
        bounds = (ms + past, ms + WIDE) if side == "after" else (ms - WIDE, ms - past)
        page = sample.fetch(PageRequest(bounds))
        found = any(id_of(each) == id_of(event) for each in page.events)
        return found or (False if page.cursor is None else None)

    is_within = 0 < ms % SECOND < SECOND - 1
    at = holds(0)
    near = None if at is None else holds(1 if at else -1)
    resolution = (
        None if near is None or not is_within else "second" if near == at else "millisecond"
    )
    kind = None if at is None else "inclusive" if at else "exclusive"
    if at and near and holds(2 * SECOND):
        kind, resolution = "ignored", None
    return (kind, resolution), f"{asked} requests"


def _bounds(after: Fact, before: Fact) -> tuple[Fact, Fact]:
    """The bounds together, and their resolution."""
    if None in (after[0], before[0]):
        return (None, max(after[1], before[1])), (None, max(after[1], before[1]))
    kinds, resolutions = {after[0][0], before[0][0]}, {after[0][1], before[0][1]} - {None}
    said = f"occurredAfter is {after[0][0]}, occurredBefore {before[0][0]}".replace(
        "None", "unclear"
    )
    if "ignored" in kinds:
        kinds = {"ignored"}
    value = None if None in kinds else "mixed" if len(kinds) > 1 else min(kinds)
    return (value, said), (min(resolutions) if len(resolutions) == 1 else None, said)


def _properties(sample: Sample, event: Any) -> Fact:
    names = sorted(event.get(PROPERTIES) or ()) if event else []
    ms = occurred_ms(event)
    if len(names) < 2 or ms is None:
        return None, "no event with two properties"
    bounds = (ms - WIDE, ms + WIDE)
    page = sample.fetch(PageRequest(bounds), properties=(names[0],))
    held = [each.get(PROPERTIES) or () for each in page.events if id_of(each) == id_of(event)]
    said = f"of {len(names)} properties one was asked for"
    return (
        None if not held else len(held[0]) <= 1
    ), f"{said}, {len(held[0]) if held else 'no event'} came"


def _oldest(sample: Sample) -> Fact:
    """The oldest event of all, as far as one answer tells; a sync may begin later."""
    page = sample.fetch(PageRequest(Window(0, sample.start).bounds())) if sample.start else None
    moments = [ms for ms in map(occurred_ms, page.events if page else []) if ms is not None]
    oldest = min([*moments, *sample.places.values()], default=None)
    return oldest and to_text(oldest), "what occurred before the start was asked for once"
