"""`python -m simulator`: serve a simulated HubSpot on loopback until SIGINT or SIGTERM."""

import argparse
import dataclasses
import json
import time
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from simulator import Behaviour, History, Simulator, generated
from simulator.bodies import PROFILES
from simulator.faults import check, kinds
from simulator.foreground import serve
from simulator.history import SHAPES
from simulator.lateness import Delay, backdated, converting, latest


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the base URL as the first line, then serves until a signal arrives. Returns the exit
    status.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        histories = _histories(options)
        simulator = Simulator(histories, _behaviour(options, histories), options.port)
    except ValueError as error:
        parser.error(str(error))
    return serve(simulator, lambda hubspot: _introduction(hubspot, options.start))


def _introduction(simulator: Simulator, start: str) -> str:
    """The base URL, what is there, and what to do with it."""
    names = ", ".join(simulator.histories)
    keys = {
        "api_token": simulator.behaviour.token or "any text",
        "initial_sync_start_date": start,
        "event_types": names,
        "api_base_url": simulator.url,
    }
    return (
        f"{simulator.url}\n{sum(map(len, simulator.histories.values()))} events of {names}\n"
        f"It ends with Ctrl-C. A configuration.json for it:\n{json.dumps(keys, indent=2)}"
    )


def _parser() -> argparse.ArgumentParser:
    """The command line: the history, then the fields of Behaviour."""
    parser = argparse.ArgumentParser(
        prog="python -m simulator", allow_abbrev=False,
        description=("Serve a simulated HubSpot Events API on loopback. The first line of output "
                     "is "
                    "its base URL."),
        epilog="Faults: " + ", ".join(kinds()) + '. Statuses take options: "429:daily", '
            '"429:no-retry-after", '
        '"477:retry-after=86400".',
    )  # fmt: skip
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 (default) picks a free one")
    _add_history(parser.add_argument_group("history"))
    group = parser.add_argument_group("API")
    for option in dataclasses.fields(Behaviour):
        if option.metadata:
            _add_field(group, option)
    _add_others(group)
    _add_lateness(parser.add_argument_group("lateness: of several, the latest holds"))
    return parser


def _add_history(group: "argparse._ArgumentGroup") -> None:
    """Adds the options of the generated histories."""
    group.add_argument(
        "--event-type", metavar="NAME=EVENTS", action="append", type=_event_type,
        help=("an event type and its number of events (repeatable; default: e_visited_page with "
             "--events)"),
    )  # fmt: skip
    group.add_argument(
        "--events", type=int, default=100_000, help="events of a type without a number (default %(default)s)"
    )
    group.add_argument("--start", default="2026-01-01T00:00:00Z", help="start of the history (default %(default)s)")
    group.add_argument("--end", default="2026-05-01T00:00:00Z", help="end of the history (default %(default)s)")
    group.add_argument(
        "--shape", choices=SHAPES, default="rhythm", help="distribution of events over time (default %(default)s)"
    )
    group.add_argument("--seed", type=int, default=0, help="seed of the history (default %(default)s)")
    group.add_argument(
        "--profile", choices=PROFILES, default="live",
        help=("properties of the events: those of the event type, or 15 of a page visit (default "
             "%(default)s)"),
    )  # fmt: skip
    group.add_argument("--malformed-every", type=int, default=0, metavar="N", help="make every Nth event malformed")


def _add_field(group: "argparse._ArgumentGroup", option: "dataclasses.Field[Any]") -> None:
    """Adds the option of one field: for a bool a flag, else a value."""
    flag = "--" + option.name.replace("_", "-")
    text = option.metadata["help"] + (f" (default {option.default})" if option.default is not None else "")
    choices = option.metadata["choices"]
    if isinstance(option.default, bool) and not choices:
        group.add_argument(flag, action="store_true", help=option.metadata["help"])
    elif choices:
        names = {str(choice).lower(): choice for choice in choices}
        group.add_argument(
            flag, type=lambda text: names.get(text, text), choices=choices, default=option.default, help=text,
            metavar="{" + ",".join(names) + "}",
        )  # fmt: skip
    else:
        group.add_argument(flag, type=_type(option), default=option.default, help=text, metavar="X")


def _type(option: "dataclasses.Field[Any]") -> type:
    """The type of a field's option."""
    kinds = [kind for kind in typing.get_args(option.type) if kind is not type(None)] or [option.type]
    return typing.cast(type, kinds[0])


def _add_others(group: "argparse._ArgumentGroup") -> None:
    """Adds the options of the fields that are not a single value."""
    group.add_argument("--quota", type=int, metavar="N", help="requests per rolling interval (default: no limit)")
    group.add_argument(
        "--quota-interval-ms", type=int, default=10_000, metavar="X", help=("interval of --quota "
            "(default %(default)s)"),
    )  # fmt: skip
    group.add_argument(
        "--fault-kinds", type=_faults, default=(), metavar="A,B,…", help="the random faults (listed below)"
    )
    group.add_argument(
        "--fault", type=_numbered, action="append", default=[], metavar="NUMBER=FAULT",
        help="the fault of one request, counted from 1 (repeatable)",
    )  # fmt: skip
    group.add_argument(
        "--forbid", action="append", default=[], metavar="TYPE", help="answer 403 to an event type (repeatable)"
    )
    group.add_argument(
        "--extra-event-type", action="append", default=[], metavar="TYPE",
        help="list an event type that is unknown to queries (repeatable)",
    )  # fmt: skip
    group.add_argument(
        "--date-offset-ms", type=int, action="append", default=[], metavar="X",
        help=("milliseconds that Date is ahead of the clock (repeatable: one per answer, in "
             "rotation)"),
    )  # fmt: skip
    group.add_argument(
        "--clock-offset-ms", type=int, default=0, metavar="X", help=("milliseconds that the "
            "simulator's clock is ahead"),
    )  # fmt: skip


def _add_lateness(group: "argparse._ArgumentGroup") -> None:
    """Adds the options of when events become visible, or are listed."""
    group.add_argument("--late-ms", type=int, default=0, metavar="X", help="milliseconds until an event is visible")
    group.add_argument(
        "--backdated", type=_every_nth, metavar="N=MS", help=("every Nth event is visible that "
            "many "
            "milliseconds late"),
    )  # fmt: skip
    group.add_argument(
        "--converting", type=_every_nth, metavar="N=MS",
        help=("every Nth visitor becomes a contact that many milliseconds after the first visit: "
             "earlier visits are visible then"),
    )  # fmt: skip
    group.add_argument(
        "--ingested-late", type=_every_nth, metavar="N=MS",
        help=("in the order `ingested`, list every Nth event that many milliseconds late (default: "
             "when it is visible)"),
    )  # fmt: skip


def _event_type(text: str) -> tuple[str, int | None]:
    """The name and number of events in "pe1_signup=500"; None without a number."""
    name, _, events = text.partition("=")
    return name, int(events) if events else None


def _faults(text: str) -> tuple[str, ...]:
    """The faults in "500,reset"."""
    names = tuple(text.split(","))
    for name in names:
        check(name)
    return names


def _numbered(text: str) -> tuple[int, str]:
    """The request number and the fault in "3=429:daily"."""
    number, _, name = text.partition("=")
    check(name)
    return int(number), name


def _every_nth(text: str) -> tuple[int, int]:
    """The N and the milliseconds in "500=600000"."""
    every, ms = map(int, text.split("="))
    if every < 1:
        raise ValueError(text)
    return every, ms


def _histories(options: argparse.Namespace) -> dict[str, History]:
    """A generated history for each event type."""
    return {
        name: generated(
            options.events if events is None else events, options.start, options.end, options.shape, options.seed,
            name, options.malformed_every, options.profile,
        )
        for name, events in options.event_type or [("e_visited_page", None)]
    }  # fmt: skip


def _late(options: argparse.Namespace, histories: Mapping[str, History]) -> dict[str, Delay]:
    """The delay of each event type's events, if the options ask for any."""
    late = {}
    for name, history in histories.items():
        delays = [backdated(1, options.late_ms)] if options.late_ms else []
        delays += [backdated(*options.backdated)] if options.backdated else []
        delays += [converting(history, *options.converting)] if options.converting else []
        late |= {name: latest(*delays)} if delays else {}
    return late


def _behaviour(options: argparse.Namespace, histories: Mapping[str, History]) -> Behaviour:
    """The Behaviour that the options describe."""
    plain = {option.name for option in dataclasses.fields(Behaviour) if option.metadata}
    behaviour = Behaviour(**{name: value for name, value in vars(options).items() if name in plain})
    behaviour.quota = (options.quota, options.quota_interval_ms) if options.quota is not None else None
    behaviour.fault_kinds, behaviour.faults = options.fault_kinds, dict(options.fault)
    behaviour.forbidden, behaviour.extra_event_types = (set(options.forbid), tuple(options.extra_event_type))
    behaviour.date_offsets = tuple(options.date_offset_ms)
    behaviour.late = _late(options, histories) or None
    behaviour.ingested = backdated(*options.ingested_late) if options.ingested_late else None
    if options.clock_offset_ms:
        behaviour.clock = lambda: time.time_ns() // 1_000_000 + options.clock_offset_ms
    return behaviour


if __name__ == "__main__":
    raise SystemExit(main())
