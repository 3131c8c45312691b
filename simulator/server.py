"""The simulator on a socket: HTTP/1.1 on loopback, one thread a connection, nothing left behind when it stops."""

import itertools
import socket
import struct
import sys
import traceback
from collections.abc import Mapping
from contextlib import suppress
from email.utils import formatdate
from http import HTTPStatus
from threading import Event, Lock, Thread
from types import TracebackType
from typing import BinaryIO
from urllib.parse import parse_qs, unquote, urlsplit

from simulator.api import Account, answer
from simulator.behaviour import Asked, Behaviour
from simulator.errors import Answer, error
from simulator.faults import TRANSPORT, check, chosen
from simulator.history import History

HOST = "127.0.0.1"
DRIP_SECONDS = 0.05


class Simulator(Account):
    """A HubSpot account served on loopback while its `with` block lasts.

    histories: event type to History; port 0 takes a free one. `requests` lists what was asked, in order of arrival;
    `behaviour` and `histories` may be changed while it runs.
    """

    def __init__(
        self, histories: dict[str, History], behaviour: Behaviour | None = None, port: int = 0
    ) -> None:
        super().__init__(histories, behaviour or Behaviour())
        scripted = [[kind] if isinstance(kind, str) else kind for kind in self.behaviour.faults.values()]
        for kind in itertools.chain(self.behaviour.fault_kinds, *scripted):
            check(kind)
        self.requests: list[Asked] = []
        self.port = port
        self._stopping = Event()
        self._arrival = Lock()
        self._numbers = itertools.count(1)
        self._open: dict[socket.socket, Thread] = {}

    @property
    def url(self) -> str:
        """Such as http://127.0.0.1:54321"""
        return f"http://{HOST}:{self.port}"

    def __enter__(self) -> "Simulator":
        self._stopping.clear()
        self._listener = socket.create_server((HOST, self.port), backlog=128)
        self.port = self._listener.getsockname()[1]
        self._acceptor = Thread(target=self._accept, name="simulator", daemon=True)
        self._acceptor.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        socket.create_connection((HOST, self.port)).close()  # wakes accept(), on every system
        self._acceptor.join()
        self._listener.close()
        for connection, thread in self._open.items():
            _shut(connection)  # wakes whatever its thread reads or writes
            thread.join()

    def _accept(self) -> None:
        """Start a thread for each connection until the simulator stops."""
        while True:
            connection, _ = self._listener.accept()
            if self._stopping.is_set():
                connection.close()
                return
            thread = Thread(target=self._converse, args=(connection,), name="simulator-connection", daemon=True)
            thread.start()
            self._open = {old: its for old, its in self._open.items() if its.is_alive()} | {connection: thread}

    def _converse(self, connection: socket.socket) -> None:
        """Answer the requests of one connection until either side leaves."""
        with suppress(OSError, ValueError), connection, connection.makefile("rb") as reader:
            # OSError: a client may leave at any time; ValueError: what it says is no HTTP
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while (asked := self._read(reader)) and self._serve(asked, connection, reader):
                pass

    def _read(self, reader: BinaryIO) -> Asked | None:
        """The next request; None when the client is done, or what it says is no HTTP."""
        words = reader.readline(65_536).decode("latin-1").split()
        if len(words) != 3:
            return None
        method, target, version = words
        headers: dict[str, str] = {}
        while line := reader.readline(65_536).decode("latin-1").rstrip("\r\n"):
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        reader.read(int(headers.get("content-length", "0")))
        if version == "HTTP/1.0":
            headers.setdefault("connection", "close")
        parts = urlsplit(target)
        query = parse_qs(parts.query, keep_blank_values=True)
        with self._arrival:
            asked = Asked(next(self._numbers), method, unquote(parts.path), query, headers)
            self.requests.append(asked)
        return asked

    def _serve(self, asked: Asked, connection: socket.socket, reader: BinaryIO) -> bool:
        """Answer one request, faults and all; whether the connection can be used again."""
        if self._stopping.wait(self.behaviour.latency_ms / 1000):
            return False
        faults, reply = self._reply(asked)
        asked.fault = "+".join(faults) or None
        transport = next(filter(TRANSPORT.__contains__, faults), None)
        if transport == "hang":
            reader.read()  # until the client leaves or the simulator shuts the connection
            return False
        if transport == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        asked.status = reply.status
        body = b"" if asked.method == "HEAD" else reply.body
        length = len(body)
        if transport in ("cut", "cut_clean"):
            body = body[: length // 2]
        message = self._head(reply, len(body) if transport == "cut_clean" else length, asked.number) + body
        if transport == "drip":
            return self._drip(connection, message)
        connection.sendall(message)
        return transport != "cut" and _stays_open(asked.headers)

    def _reply(self, asked: Asked) -> tuple[list[str], Answer]:
        """The faults of a request and the answer to it; a mistake in the simulator or a test's callable is a 501."""
        try:
            faults = chosen(asked, self.behaviour)
            return faults, answer(self, asked, faults)
        except Exception as mistake:
            traceback.print_exc(file=sys.stderr)
            return [], error(501, message=f"The simulator failed: {mistake!r}")

    def _head(self, reply: Answer, length: int, number: int) -> bytes:
        """Status line and headers of the answer to the request of that number."""
        headers: dict[str, str] = reply.headers | {"Content-Length": str(length)}
        if self.behaviour.date_header:
            garbage = self.behaviour.date_header == "garbage"
            headers["Date"] = "garbage" if garbage else self._date(number)
        headers |= self.behaviour.extra_headers
        lines = [f"HTTP/1.1 {reply.status} {_phrase(reply.status)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "\r\n"]).encode("latin-1", "replace")

    def _date(self, number: int) -> str:
        """Now by the simulator's clock, or as far off as this answer is to be."""
        offsets = self.behaviour.date_offsets
        off = offsets[(number - 1) % len(offsets)] if offsets else 0
        return formatdate((self.now() + off) / 1000, usegmt=True)

    def _drip(self, connection: socket.socket, message: bytes) -> bool:
        """Send a byte at a time; whether all were sent before the simulator stopped."""
        for byte in message:
            connection.sendall(bytes([byte]))
            if self._stopping.wait(DRIP_SECONDS):
                return False
        return True


def _stays_open(headers: Mapping[str, str]) -> bool:
    """Whether the client wants the connection kept."""
    return headers.get("connection", "").lower() != "close"


def _shut(connection: socket.socket) -> None:
    """Shut a connection down both ways, if it still is one."""
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _phrase(status: int) -> str:
    """The status's name; empty for those that HTTP does not know."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
