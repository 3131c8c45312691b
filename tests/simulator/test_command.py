"""From start to stop: the command line, its options, and that nothing is left behind; and what the demo shows of a log."""

import signal
import socket
import subprocess
import sys
import threading

import pytest
import requests

from simulator import follow
from simulator.__main__ import _behaviour, _histories, _parser
from simulator.follow import progress_lines
from simulator.lateness import backdated, converting, latest
from tests.sdk import ROOT
from tests.simulator.client import TYPE, V3, get, served

CUSTOM = "pe1_signup"


def test_stopping_leaves_no_thread_and_no_socket(session):
    before, asked = set(threading.enumerate()), threading.Event()
    with served(fault=lambda _: asked.set() or "hang") as sim:
        address = ("127.0.0.1", sim.port)
        asking = (requests.ConnectionError, get, session, sim)
        hanging = threading.Thread(target=pytest.raises, args=asking, kwargs={"timeout": 60})
        hanging.start()
        idle = socket.create_connection(address)
        assert asked.wait(60)
    hanging.join()
    assert idle.recv(1) == b""
    idle.close()
    assert set(threading.enumerate()) == before
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)


def test_the_command_prints_its_url_serves_and_stops(session):
    command = [sys.executable, "-m", "simulator", "--event-type", f"{TYPE}=30", "--fault", "2=429:daily"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        url = process.stdout.readline().strip()
        statuses = [session.get(url + V3, params={"eventType": TYPE}).status_code for _ in range(2)]
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert statuses == [200, 429]


def test_every_kind_of_option_is_on_the_command_line():
    command = [
        "--event-type", f"{TYPE}=90", "--event-type", CUSTOM, "--events", "30", "--profile", "short",
        "--backdated", "10=5000", "--converting", "2=90000", "--late-ms", "7", "--ingested-late", "50=600000",
        "--order", "ingested", "--before-ignored", "--cursor-padding", "0", "--cursor-ttl-ms", "9", "--date-header", "false",
        "--quota", "7", "--date-offset-ms", "5", "--date-offset-ms", "-7", "--forbid", "e_a", "--fault-kinds", "500,reset",
        "--fault", "3=429:daily",
    ]  # fmt: skip
    options = _parser().parse_args(command)
    histories = _histories(options)
    assert {name: len(history) for name, history in histories.items()} == {TYPE: 90, CUSTOM: 30}
    assert len(histories[TYPE].event(0)["properties"]) == 15
    behaviour = _behaviour(options, histories)
    expected = {
        "order": "ingested", "before_ignored": True, "after_ignored": False, "cursor_padding": 0, "quota": (7, 10_000),
        "date_offsets": (5, -7), "cursor_ttl_ms": 9, "forbidden": {"e_a"}, "fault_kinds": ("500", "reset"),
        "faults": {3: "429:daily"}, "date_header": False,
    }  # fmt: skip
    assert {name: getattr(behaviour, name) for name in expected} == expected
    assert behaviour.ingested(49, 0) == 600_000 and behaviour.ingested(50, 0) == 0
    for name, history in histories.items():
        late = latest(backdated(1, 7), backdated(10, 5000), converting(history, 2, 90_000))
        moments = list(enumerate(map(history.time, range(len(history)))))
        assert [behaviour.late[name](*each) for each in moments] == [late(*each) for each in moments]
    assert _behaviour(_parser().parse_args([]), {}).late is None


@pytest.mark.parametrize("flag", ["--backdated", "--converting", "--ingested-late", "--fault", "--fault-kinds"])
def test_an_option_that_cannot_be_read_is_an_error_of_the_command_line(flag, capsys):
    for text in ("0=5", "x=5", "5", "="):
        with pytest.raises(SystemExit):
            _parser().parse_args([flag, text])
        assert flag in capsys.readouterr().err


# The lines that the demo shows while its sync runs

HEAD = "19:52:17.444 INFO     ⚡ "
SHOWN = [
    "e_visited_page: reading from 2026-01-01T00:00:00.000Z on.",
    "checkpoint saved",
    "e_visited_page: complete, 30,000 rows in 2 s, cursor 2026-04-30T23:51:16.229Z.",
]
LINES = [
    f"{HEAD}sdk       debugging connector at: a folder",
    f"{HEAD}connector {SHOWN[0]}",
    HEAD + 'sdk       checkpoint recorded: {"event_types": {"e_visited_page": {"occurred": "2026-02-01T00:00:00Z"}}}',
    f"{HEAD}connector {SHOWN[2]}",
    f"{HEAD}connector event type      outcome   rows",
    "                                   e_visited_page: not at the beginning of a line of the connector",
]


def test_the_lines_about_progress_are_shown_as_they_come_and_whole_to_the_very_end(monkeypatch, tmp_path):
    monkeypatch.setattr(follow, "POLL_SECONDS", 0)
    log, text = tmp_path / "debug.log", "\n".join([*LINES, ""])
    log.touch()
    pieces = [text[start : start + 37] for start in range(0, len(text), 37)]

    def is_running():
        with log.open("a", encoding="utf-8") as writer:
            writer.write(pieces.pop(0))
        return bool(pieces)

    assert list(progress_lines(log, is_running)) == SHOWN
