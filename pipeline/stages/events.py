"""From pages to events: unwrap them, and reject what cannot become a row."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from toolz import concat, curry

from pipeline.hubspot.events_api import EVENT_TYPE, EVENTS, ID, OCCURRED_AT, occurred_ms
from pipeline.timestamps import Span

Page = dict[str, Any]
Event = dict[str, Any]
Reject = Callable[[Any, str], None]


@curry
def fetch_pages(fetch: Callable[[Any], Iterable[Page]], spans: Iterable[Any]) -> Iterator[Page]:
    """Yields the pages of each time range in turn; `fetch(span)` yields those of one.

    >>> list(fetch_pages(lambda span: [{"results": [n]} for n in range(*span)])([(0, 2), (5, 6)]))
    [{'results': [0]}, {'results': [1]}, {'results': [5]}]
    """
    return concat(map(fetch, spans))  # type: ignore[no-any-return]


def unwrap_results(pages: Iterable[Page]) -> Iterator[Event]:
    """Yields the events of each page, `{"results": [event, …]}`.

    >>> list(unwrap_results([{"results": [{"id": "a"}, {"id": "b"}]}, {"results": []}, {"results": [{"id": "c"}]}]))
    [{'id': 'a'}, {'id': 'b'}, {'id': 'c'}]
    """
    for page in pages:
        yield from page[EVENTS]
        del page  # or it would be in memory until the next one is


@curry
def reject_malformed(reject: Reject, events: Iterable[Any]) -> Iterator[Event]:
    """Yields the events that can become rows; calls `reject(event, reason)` for the others.

    >>> list(reject_malformed(lambda event, reason: print(reason, event))([{"id": "a"}, 7]))
    no occurredAt {'id': 'a'}
    not an object 7
    []
    """
    for event in events:
        reason = what_is_wrong(event)
        if reason is None:
            yield event
        else:
            reject(event, reason)


def what_is_wrong(event: Any) -> str | None:
    """Why an event cannot become a row; None if it can. It needs an id and a date.

    >>> what_is_wrong({"id": "a", "occurredAt": "yesterday"})
    'unreadable occurredAt'
    """
    if not isinstance(event, dict):
        return "not an object"
    if not isinstance(event.get(ID), (str, int)) or event[ID] == "":
        return "no id"
    if occurred_ms(event) is not None:
        return None
    return f"{'no' if event.get(OCCURRED_AT) in (None, '') else 'unreadable'} {OCCURRED_AT}"


@curry
def keep_type(event_type: str, reject: Reject, events: Iterable[Event]) -> Iterator[Event]:
    """Yields the events of one type, and those that name none, as of that type; calls
    `reject(event, reason)` for each that names another.

    >>> list(keep_type("e_a", lambda event, reason: print(reason))([{"id": "1"}, {"eventType": "e_b"}]))
    another event type than was asked for
    [{'id': '1', 'eventType': 'e_a'}]
    """
    for event in events:
        named = event.get(EVENT_TYPE)
        if named == event_type:
            yield event
        elif named is None:
            yield event | {EVENT_TYPE: event_type}
        else:
            reject(event, "another event type than was asked for")


@curry
def keep_span(span: Span, reject: Reject, events: Iterable[Event]) -> Iterator[Event]:
    """Yields the events of one time range (ms); calls `reject(event, reason)` for the others. A
    sync needs no such stage, since upserts are idempotent; a file or a notebook would hold an event
    of another range twice.

    >>> list(keep_span((0, 1000), lambda event, reason: print(reason))([{"occurredAt": "1970-01-01T00:00:01Z"}]))
    out of the time range asked for
    []
    """
    begin, end = span
    for event in events:
        occurred = occurred_ms(event)
        if occurred is not None and begin <= occurred and (end is None or occurred < end):
            yield event
        else:
            reject(event, "out of the time range asked for")
