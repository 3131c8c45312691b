"""The simulator on a socket: HTTP/1.1 on loopback, one thread per connection. It leaves nothing
behind when it stops.
"""

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

from simulator.account import Account
from simulator.api import answer
from simulator.behaviour import Behaviour, Request
from simulator.errors import Answer, error
from simulator.faults import TRANSPORT, check, faults_of
from simulator.history import History

HOST = "127.0.0.1"
DRIP_SECONDS = 0.05
MOST_BYTES = 1_048_576  # of a request line


class Simulator(Account):
    """Serves a HubSpot account on loopback. A context manager.

    `histories` maps event types to their events; port 0 picks a free one. `requests` lists the
    requests in order of arrival. `behaviour` and `histories` may be changed while it runs.
    """

    def __init__(self, histories: dict[str, History], behaviour: Behaviour | None = None, port: int = 0) -> None:
        super().__init__(histories, behaviour or Behaviour())
        by_number = [[kind] if isinstance(kind, str) else kind for kind in self.behaviour.faults.values()]
        for kind in itertools.chain(self.behaviour.fault_kinds, *by_number):
            check(kind)
        self.requests: list[Request] = []
        self.port = port
        self._stopping = Event()
        self._arrival = Lock()
        self._numbers = itertools.count(1)
        self._connections = itertools.count(1)
        self._open: dict[socket.socket, Thread] = {}

    @property
    def url(self) -> str:
        """The base URL, such as http://127.0.0.1:54321."""
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
        socket.create_connection((HOST, self.port)).close()  # wakes accept() on every system
        self._acceptor.join()
        self._listener.close()
        for connection, thread in self._open.items():
            _shut(connection)  # ends whatever its thread is reading or writing
            thread.join()

    def _accept(self) -> None:
        """Starts a thread for each connection until the simulator stops."""
        while True:
            connection, _ = self._listener.accept()
            if self._stopping.is_set():
                connection.close()
                return
            thread = Thread(target=self._converse, args=(connection,), name="simulator-connection", daemon=True)
            thread.start()
            self._open = {open_: its for open_, its in self._open.items() if its.is_alive()} | {connection: thread}

    def _converse(self, connection: socket.socket) -> None:
        """Answers the requests of one connection until either side closes it."""
        with suppress(OSError, ValueError), connection, connection.makefile("rb") as reader:
            # OSError: the client may disconnect at any time; ValueError: it does not speak HTTP
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            number = next(self._connections)
            while (request := self._read(reader, number)) and self._serve(request, connection, reader):
                pass

    def _read(self, reader: BinaryIO, connection: int) -> Request | None:
        """The next request; None if there is none, or it is not HTTP."""
        line = reader.readline(MOST_BYTES).decode("latin-1").rstrip("\r\n")
        words = line.split()
        if len(words) != 3:
            return None
        method, target, version = words
        headers: dict[str, str] = {}
        while header := reader.readline(65_536).decode("latin-1").rstrip("\r\n"):
            name, _, value = header.partition(":")
            headers[name.strip().lower()] = value.strip()
        reader.read(int(headers.get("content-length", "0")))
        if version == "HTTP/1.0":
            headers.setdefault("connection", "close")
        parts = urlsplit(target)
        query = parse_qs(parts.query, keep_blank_values=True)
        with self._arrival:
            request = Request(next(self._numbers), method, unquote(parts.path), query, headers, len(line), connection)
            self.requests.append(request)
        return request

    def _serve(self, request: Request, connection: socket.socket, reader: BinaryIO) -> bool:
        """Answers one request, with its faults. Returns whether the connection can be used
        again.
        """
        if self._stopping.wait(self.behaviour.latency_ms / 1000):
            return False
        faults, reply = self._reply(request)
        request.fault = "+".join(faults) or None
        transport = next(filter(TRANSPORT.__contains__, faults), None)
        if transport == "hang":
            reader.read()  # until the client disconnects or the simulator stops
            return False
        if transport == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        request.status = reply.status
        body, length = reply.body, len(reply.body)
        if transport in ("cut", "cut_clean"):
            body = body[: length // 2]
        message = self._head(reply, len(body) if transport == "cut_clean" else length, request) + body
        if transport == "drip":
            return self._drip(connection, message)
        connection.sendall(message)
        return transport != "cut" and _stays_open(request.headers)

    def _reply(self, request: Request) -> tuple[list[str], Answer]:
        """The faults of a request and the answer to it; 501 if the simulator itself, or a callable
        it was given, fails.
        """
        try:
            faults = faults_of(request, self.behaviour)
            return faults, answer(self, request, faults)
        except Exception as bug:
            traceback.print_exc(file=sys.stderr)
            return [], error(501, message=f"The simulator failed: {bug!r}")

    def _head(self, reply: Answer, length: int, request: Request) -> bytes:
        """The status line and headers of the answer to a request."""
        headers: dict[str, str] = reply.headers | {"Content-Length": str(length)}
        if not _stays_open(request.headers):
            headers["Connection"] = "close"
        if self.behaviour.date_header:
            garbage = self.behaviour.date_header == "garbage"
            headers["Date"] = "garbage" if garbage else self._date(request.number)
        headers |= self.behaviour.extra_headers
        lines = [f"HTTP/1.1 {reply.status} {_phrase(reply.status)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "\r\n"]).encode("latin-1", "replace")

    def _date(self, number: int) -> str:
        """The Date header: now by the simulator's clock, plus this answer's offset."""
        offsets = self.behaviour.date_offsets
        offset = offsets[(number - 1) % len(offsets)] if offsets else 0
        return formatdate((self.now() + offset) / 1000, usegmt=True)

    def _drip(self, connection: socket.socket, message: bytes) -> bool:
        """Sends one byte at a time. Returns whether all were sent before the simulator stopped."""
        for byte in message:
            connection.sendall(bytes([byte]))
            if self._stopping.wait(DRIP_SECONDS):
                return False
        return True


def _stays_open(headers: Mapping[str, str]) -> bool:
    """Whether the client wants to keep the connection."""
    return headers.get("connection", "").lower() != "close"


def _shut(connection: socket.socket) -> None:
    """Shuts a connection down, if it is still open."""
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _phrase(status: int) -> str:
    """The reason phrase of a status; empty if it is not a standard one."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
