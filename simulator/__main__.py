"""`python -m simulator`: serve a simulated HubSpot on loopback until SIGINT or SIGTERM."""

import argparse
import dataclasses
import signal
import threading
import time
import typing
from collections.abc import Callable, Sequence
from typing import Any

from simulator import Behaviour, History, Simulator, generated
from simulator.faults import check, kinds
from simulator.history import SHAPES


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the base URL as the first line, then serve; 0 when stopped by a signal."""
    parser = _parser()
    options = parser.parse_args(arguments)
    stop = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stop.set())
    try:
        simulator = Simulator(_histories(options), _behaviour(options), options.port)
    except ValueError as mistake:
        parser.error(str(mistake))
    with simulator:
        print(simulator.url, flush=True)
        print(f"{sum(map(len, simulator.histories.values()))} events of {', '.join(simulator.histories)}", flush=True)
        while not stop.wait(0.5):  # an endless wait would not notice Ctrl-C on Windows
            pass
    return 0


def _parser() -> argparse.ArgumentParser:
    """The options: those of the history, then one for each plain field of Behaviour, then the rest of it."""
    parser = argparse.ArgumentParser(
        prog="python -m simulator", allow_abbrev=False,
        description="A HubSpot Events API to try against, on loopback. The first line printed is its base URL.",
        epilog="Faults: " + ", ".join(kinds()) + '; a status may have options, as in "429:daily", '
        '"429:no-retry-after" or "477:retry-after=86400".',
    )  # fmt: skip
    parser.add_argument("--port", type=int, default=0, help="of 127.0.0.1; 0 takes a free one (default)")
    _add_history(parser.add_argument_group("history"))
    group = parser.add_argument_group("behaviour")
    for option in dataclasses.fields(Behaviour):
        if option.metadata:
            _add_field(group, option)
    _add_rest(group)
    return parser


def _add_history(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--event-type", metavar="NAME=EVENTS", action="append", type=_event_type,
        help="a type and how many events it has (repeatable; default e_visited_page with --events)",
    )  # fmt: skip
    group.add_argument("--events", type=int, default=100_000, help="events of a type without a number (%(default)s)")
    group.add_argument("--start", default="2026-01-01T00:00:00Z", help="of the history (%(default)s)")
    group.add_argument("--end", default="2026-05-01T00:00:00Z", help="of the history (%(default)s)")
    group.add_argument("--shape", choices=SHAPES, default="rhythm", help="how events spread over time (%(default)s)")
    group.add_argument("--seed", type=int, default=0, help="another seed, another history")
    group.add_argument("--malformed-every", type=int, default=0, metavar="N", help="every Nth event is broken")
    group.add_argument("--seconds-only", action="store_true", help="no milliseconds in occurredAt")


def _add_field(group: "argparse._ArgumentGroup", option: "dataclasses.Field[Any]") -> None:
    """The option of one field: a flag for a bool that is False, --no-… for one that is True, else its value."""
    flag = "--" + option.name.replace("_", "-")
    text = f"{option.metadata['help']} (default {option.default})"
    choices = option.metadata["choices"]
    if isinstance(option.default, bool) and not choices:
        action = argparse.BooleanOptionalAction if option.default else "store_true"
        group.add_argument(flag, action=action, default=option.default, help=option.metadata["help"])
    elif choices:
        names = {str(choice).lower(): choice for choice in choices}
        group.add_argument(
            flag, type=lambda text: names.get(text, text), choices=choices, default=option.default, help=text,
            metavar="{" + ",".join(names) + "}",
        )  # fmt: skip
    else:
        group.add_argument(flag, type=_type(option), default=option.default, help=text, metavar="X")


def _type(option: "dataclasses.Field[Any]") -> type:
    """What the text of a field's option is read as."""
    kinds = [kind for kind in typing.get_args(option.type) if kind is not type(None)] or [option.type]
    return typing.cast(type, kinds[0])


def _add_rest(group: "argparse._ArgumentGroup") -> None:
    """The options of Behaviour that are more than one value."""
    group.add_argument("--quota", type=int, metavar="N", help="requests in ten seconds, rolling (default no limit)")
    group.add_argument("--quota-interval-ms", type=int, default=10_000, metavar="X", help="another window than that")
    group.add_argument("--fault-kinds", type=_faults, default=(), metavar="A,B,…", help="the random faults; see below")
    group.add_argument(
        "--fault", type=_numbered, action="append", default=[], metavar="NUMBER=FAULT",
        help="the fault of one request, counted from 1 (repeatable)",
    )  # fmt: skip
    group.add_argument("--forbid", action="append", default=[], metavar="TYPE", help="answer 403 to an event type")
    group.add_argument("--extra-event-type", action="append", default=[], metavar="TYPE", help="listed, never received")
    group.add_argument("--late-ms", type=int, default=0, metavar="X", help="events become visible that much later")
    group.add_argument(
        "--ingested-late", type=_late_among_many, metavar="N=MS", help="in the order `ingested`, every Nth event is so much later"
    )
    group.add_argument(
        "--date-offset-ms", type=int, action="append", default=[], metavar="X",
        help="Date is ahead of the clock (repeatable: answer after answer, round and round)",
    )  # fmt: skip
    group.add_argument("--clock-offset-ms", type=int, default=0, metavar="X", help="the simulator's clock is ahead")


def _event_type(text: str) -> tuple[str, int | None]:
    """"pe1_signup=500" to its name and number of events; None for the number of --events."""
    name, _, events = text.partition("=")
    return name, int(events) if events else None


def _faults(text: str) -> tuple[str, ...]:
    """"500,reset" to its faults."""
    names = tuple(text.split(","))
    for name in names:
        check(name)
    return names


def _numbered(text: str) -> tuple[int, str]:
    """"3=429:daily" to 3 and the fault."""
    number, _, name = text.partition("=")
    check(name)
    return int(number), name


def _late_among_many(text: str) -> Callable[[int, int], int]:
    """"500=600000": of each 500 events the last is listed 600,000 ms late."""
    every, ms = map(int, text.split("="))
    return lambda index, occurred: ms if (index + 1) % every == 0 else 0


def _histories(options: argparse.Namespace) -> dict[str, History]:
    """One generated history for each event type."""
    return {
        name: generated(
            options.events if events is None else events, options.start, options.end, options.shape, options.seed,
            name, options.malformed_every, options.seconds_only,
        )
        for name, events in options.event_type or [("e_visited_page", None)]
    }  # fmt: skip


def _behaviour(options: argparse.Namespace) -> Behaviour:
    """The behaviour that the options describe."""
    plain = {option.name for option in dataclasses.fields(Behaviour) if option.metadata}
    behaviour = Behaviour(**{name: value for name, value in vars(options).items() if name in plain})
    behaviour.quota = (options.quota, options.quota_interval_ms) if options.quota is not None else None
    behaviour.fault_kinds, behaviour.faults = options.fault_kinds, dict(options.fault)
    behaviour.forbidden, behaviour.extra_event_types = set(options.forbid), tuple(options.extra_event_type)
    behaviour.ingested, behaviour.date_offsets = options.ingested_late, tuple(options.date_offset_ms)
    if options.late_ms:
        behaviour.late = lambda index, occurred: options.late_ms
    if options.clock_offset_ms:
        behaviour.clock = lambda: time.time_ns() // 1_000_000 + options.clock_offset_ms
    return behaviour


if __name__ == "__main__":
    raise SystemExit(main())
