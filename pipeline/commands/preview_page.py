"""A preview as a page to read."""

from collections.abc import Iterator, Mapping
from typing import Any

ANSWERS = {True: "yes", False: "no", None: "not to be told with this account"}


def format_preview(report: Mapping[str, Any]) -> Iterator[str]:
    """The lines of a report that `preview` made."""
    yield f"Asked HubSpot {report['requests']} times.\n\nWhat is there"
    for name, held in report["event_types"].items():
        yield from _type(name if name.isprintable() else repr(name), held)
    if not any(held.get("events") for held in report["event_types"].values()):
        yield "\nSo there is nothing to predict, and no answer to learn from."
        return
    yield from _amounts(report["first_sync"], report["a_day"])
    yield "\nWhat to set"
    for key, reason in report["reasons"].items():
        yield f"  {key}: {report['configuration'].get(key, '')} ({reason})"
    yield "  To paste:"
    for key, value in report["configuration"].items():
        yield f'    "{key}": "{value}",'
    yield "\nHow HubSpot answers"
    for name, value in report["facts"].items():
        answer = ANSWERS[value] if value is None or isinstance(value, bool) else value
        if isinstance(value, dict):
            answer = ", ".join(f"{what} {number:,}" for what, number in value.items())
        yield f"  {name}: {answer} ({report['evidence'][name]})"


def _amounts(first: Mapping[str, Any], day: Mapping[str, Any]) -> Iterator[str]:
    yield "\nWhat the first sync takes"
    yield (
        f"  {first['rows']:,} rows, {first['requests']:,} requests, {first['minutes']:,} minutes at "
        f"this latency and rate limit ({first['minutes_of_half_a_cpu']:,} of half a CPU)"
    )
    if (days := first["days_of_quota"]) is not None:
        yield f"  {days:,} days of the daily quota"
    yield f"  {first['billed_rows_in_the_first_month']:,} rows billed in the first month"
    yield "\nWhat a day of hourly syncs takes, as things are now"
    yield (
        f"  {day['rows']:,} rows written, {day['billed_rows']:,} billed "
        f"({day['billed_rows_if_one_in_1000_is_late']:,} if one event in 1,000 is late)"
    )
    yield (
        f"  {day['requests']:,} requests: {day['requests_of_syncs']:,} of syncs, "
        f"{day['requests_of_looks']:,} of second looks and audits"
    )
    yield f"  a saved state of {first['state_bytes']:,} bytes"


def _type(name: str, held: Mapping[str, Any]) -> Iterator[str]:
    if "refused" in held:
        yield f"  {name} cannot be read: {held['refused']}"
    elif "unknown" in held:
        yield f"  {name}: this account knows no such event type."
    elif "not_asked" in held:
        yield f"  {name}: not asked, since too little of the day's quota is left."
    elif not held["events"]:
        yield f"  {name}: no events."
    else:
        error = held["error"]
        doubt = f"± {error:.1%}" if error else "all counted"
        doubt = "not sure: bursts may hide" if error is None else doubt
        number = f"{held['events']:,} event{'s' * (held['events'] != 1)}"
        yield f"  {name}: {number} ({doubt}), {held['first'][:19]}Z to {held['latest'][:19]}Z"
        yield f"    {held['picture']}"
        yield (
            f"    {held['events_a_day']:,} a day, {held['events_a_day_now']:,} in the last week; "
            f"{held['bytes_an_event']:,} bytes and {held['columns']} columns an event"
        )
