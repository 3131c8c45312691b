"""The options of the simulated API. Each defaults to what HubSpot documents, or else to what is
most likely.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from simulator.lateness import Delay
from simulator.paging import SHAPES


@dataclass
class Request:
    """One request as it arrived, and its outcome."""

    number: int  # from 1, in order of arrival
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]  # names in lower case
    length: int = 0  # bytes of the request line
    connection: int = 0  # the number of its TCP connection, from 1
    status: int | None = None  # None: not answered
    fault: str | None = None  # several are joined with "+"


def option(default: Any, text: str, choices: tuple[Any, ...] = ()) -> Any:
    """A field that is also a command-line option, with its default and its help text."""
    return field(default=default, metadata={"help": text, "choices": choices or None})


@dataclass
class Behaviour:
    """Options of the simulator. They may be changed while it runs. Times are milliseconds UTC."""

    latency_ms: float = option(0, "milliseconds before each answer")
    token: str | None = option(None, "the only bearer token accepted; any token if omitted")
    forbidden: Collection[str] = ()  # event types answered with 403; a dict maps them to their scopes
    # a list of them (see definitions.defined), or whether those of the custom events are listed
    definitions: bool | Collection[dict[str, Any]] = option(
        False, "the token may read event definitions (else they are answered with 403)"
    )
    max_request_line: int = option(16_384, "bytes of a request line; a longer one is answered with 414")
    extra_event_types: tuple[str, ...] = ()  # listed by the event types endpoint, but unknown to queries

    after_inclusive: bool = option(False, "occurredAfter is inclusive")
    before_inclusive: bool = option(False, "occurredBefore is inclusive")
    resolution: str = option("millisecond", "precision at which bounds are compared", ("millisecond", "second"))
    after_ignored: bool = option(False, "occurredAfter has no effect")
    before_ignored: bool = option(False, "occurredBefore has no effect")
    order: str = option(
        "ascending", ("order of the whole range; ingested: by when events are listed; breaking: "
                     "ascending, then shuffled"),
        ("ascending", "descending", "shuffled", "ingested", "breaking"),
    )  # fmt: skip
    # (index, occurred ms) to the ms until it is listed; None: as `late`
    ingested: Delay | None = None
    order_breaks_after: int = option(1, "pages of a walk that are in order if the order is `breaking`")
    # (index, occurred ms) to the ms until it is visible; or that by event type
    late: Delay | Mapping[str, Delay] | None = None
    hide_future: bool = option(False, "hide events dated after the simulator's clock")

    cursor_padding: int | None = option(None, "number of `=` that end a cursor (default: varied)", (0, 1, 2))
    cursors: str = option("lenient", "strict: answer 400 to a cursor from another query", ("lenient", "strict"))
    cursor_decodes: str = option("once", "once: a cursor that is still encoded gets an empty page", ("once", "any"))
    cursor_ttl_requests: int | None = option(None, "cursors expire after this many requests")
    cursor_ttl_ms: int | None = option(None, "cursors expire after this many milliseconds")
    cursor_fresh: bool = option(False, "each answer names the same position by a new cursor")
    cursor_loop: str | None = option(
        None, "cursors lead back to the same page, or to the first, forever", ("page", "first")
    )
    cursor_loop_after: int = option(0, "pages of a walk before its cursors loop")
    refuse_every: int = option(0, "answer 400 to every Nth request with `after`")
    ends_every: int = option(0, "every Nth page with `after` is empty and the last, although events follow")
    ends_once: bool = option(False, "the page of each cursor is empty and the last when first requested")
    open_end: bool = option(False, "every page with events names a next page; an empty one is the last")
    paging: str | None = option(None, "shape of `paging` on every page", tuple(SHAPES))
    last_paging: str | None = option(None, "shape of `paging` on last pages", tuple(SHAPES))
    default_limit: int = option(20, "results per page if the query has no limit")
    max_limit: int = option(1000, "highest limit allowed")
    limit_policy: str = option("error", "answer to a higher limit", ("error", "clamp"))
    empty_page_every: int = option(0, "every Nth page with `after` is empty once, although events follow")

    # now in ms, for Date, visibility and rate limit; None: the real time
    clock: Callable[[], int] | None = None
    date_header: bool | str = option(
        True, 'send a Date header; "garbage" makes it unreadable', (True, False, "garbage")
    )
    date_offsets: tuple[int, ...] = ()  # ms that Date is ahead of the clock, one per answer in rotation
    # (requests, rolling interval in ms); None: no limit and no headers about it
    quota: tuple[int, int] | None = None
    others_per_second: float = option(0.0, "requests per second that other integrations take from the quota")
    daily_quota: int | None = option(None, "requests per day (UTC)")
    # sent with every answer, replacing the simulator's own
    extra_headers: dict[str, str] = field(default_factory=dict)

    faults: dict[int, str | list[str]] = field(default_factory=dict)  # by request number
    # called for every request that `faults` does not name
    fault: Callable[[Request], str | None] | None = None
    fault_rate: float = option(0.0, "share of requests that get a random fault")
    fault_kinds: tuple[str, ...] = ()  # the random faults
    fault_seed: int = option(0, "seed that decides which requests get them")
    redirect_to: str = option("http://127.0.0.1:1/", "target of the fault `redirect`")
