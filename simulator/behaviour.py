"""How the simulated HubSpot behaves: every option, its default the documented or the most likely one."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from simulator.paging import SHAPES


@dataclass
class Asked:
    """One request as it arrived, and what became of it."""

    number: int  # from 1, in order of arrival
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]  # names in lower case
    status: int | None = None  # None: nothing was answered
    fault: str | None = None  # several are joined with "+"


def said(default: Any, text: str, choices: tuple[Any, ...] = ()) -> Any:
    """A field with its default and the help that the command line shows for it."""
    return field(default=default, metadata={"help": text, "choices": choices or None})


@dataclass
class Behaviour:
    """Options of the simulator; may be changed while it runs. Times are milliseconds (UTC)."""

    latency_ms: float = said(0, "milliseconds before each answer")
    token: str | None = said(None, "the one bearer token accepted; any, when left out")
    forbidden: Collection[str] = ()  # event types answered 403; a dict names their scopes, or their whole context
    extra_event_types: tuple[str, ...] = ()  # listed by the event types endpoint, but unknown to a query

    after_inclusive: bool = said(False, "occurredAfter includes its own instant")
    before_inclusive: bool = said(False, "occurredBefore includes its own instant")
    resolution: str = said("millisecond", "what bounds are compared to", ("millisecond", "second"))
    after_ignored: bool = said(False, "occurredAfter means nothing")
    before_ignored: bool = said(False, "occurredBefore means nothing")
    order: str = said(
        "ascending", "of the whole range; ingested: by when an event is listed; breaking: ascending, then shuffled",
        ("ascending", "descending", "shuffled", "ingested", "breaking"),
    )  # fmt: skip
    ingested: Callable[[int, int], int] | None = None  # (index, occurred ms) to ms after which it is listed; None: `late`
    order_breaks_after: int = said(1, "good pages of a walk in the order `breaking`")
    late: Callable[[int, int], int] | None = None  # (index, occurred ms) to ms after which the event is visible
    hide_future: bool = said(False, "events after the simulator's now cannot be seen")

    cursors: str = said("lenient", "strict: a cursor of another query is a 400", ("lenient", "strict"))
    cursor_decodes: str = said("once", "once: a cursor still encoded finds an empty page", ("once", "any"))
    cursor_ttl_requests: int | None = said(None, "a cursor expires after so many requests")
    cursor_ttl_ms: int | None = said(None, "a cursor expires after so many milliseconds")
    cursor_fresh: bool = said(False, "the same place has another cursor each time it is named")
    cursor_loop: str | None = said(None, "next pages are this same page, or the first, for ever", ("page", "first"))
    cursor_loop_after: int = said(0, "pages of a walk that still lead on")
    refuse_every: int = said(0, "every Nth request with `after` is a 400")
    ends_every: int = said(0, "every Nth page with `after` is empty and names no next, though events follow")
    ends_once: bool = said(False, "so is the page of each cursor when it is first asked for")
    open_end: bool = said(False, "a page with events always names a next; an empty one is the end")
    paging: str | None = said(None, "the shape of `paging` on each page", tuple(SHAPES))
    last_paging: str | None = said(None, "the shape of `paging` on each last page", tuple(SHAPES))
    default_limit: int = said(100, "results a page when no limit is asked")
    max_limit: int = said(1000, "the ceiling of limit")
    limit_policy: str = said("error", "what a higher limit meets", ("error", "clamp"))
    empty_page_every: int = said(0, "every Nth page with `after` is empty once, though events follow")

    clock: Callable[[], int] | None = None  # milliseconds now, for Date, visibility and quota; None: the real time
    date_header: bool | str = said(True, 'the Date header; "garbage" makes it unreadable', (True, False, "garbage"))
    date_offsets: tuple[int, ...] = ()  # ms that Date is ahead of the clock, answer after answer, round and round
    quota: tuple[int, int] | None = None  # (requests, interval in ms), rolling; None: no limit and no headers of it
    others_per_second: float = said(0.0, "requests that others draw from the quota")
    daily_quota: int | None = said(None, "requests a day (UTC)")
    retry_after_on_429: bool = said(True, "answer 429 with Retry-After")
    rate_headers: bool = said(True, "X-HubSpot-RateLimit-* on each answer")
    extra_headers: dict[str, str] = field(default_factory=dict)  # on each answer, over the simulator's own

    faults: dict[int, str | list[str]] = field(default_factory=dict)  # by request number
    fault: Callable[[Asked], str | None] | None = None  # asked for every request that `faults` does not name
    fault_rate: float = said(0.0, "share of the requests that meet a random fault")
    fault_kinds: tuple[str, ...] = ()  # what the random faults are
    fault_seed: int = said(0, "which requests those are")
    redirect_to: str = said("http://127.0.0.1:1/", "where the fault `redirect` leads")
