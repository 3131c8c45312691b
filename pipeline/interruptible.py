"""HTTP answers that can be interrupted between any two pieces of them, the status line and headers too.

A time-out of a socket is for the next piece alone: what drips never runs into it, and what waits for it hears nothing else.
"""
import io
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from http.client import HTTPResponse
from typing import Any

from requests.adapters import HTTPAdapter

BEAT = 1.0  # seconds between two checks while nothing arrives

_CHECK: ContextVar[Callable[[], None]] = ContextVar("check", default=lambda: None)


@contextmanager
def interrupted_by(check: Callable[[], None]) -> Iterator[None]:
    """Requests made in here call `check` before each piece of their answers, and each BEAT while none comes; what it raises
    ends them."""
    before = _CHECK.set(check)
    try:
        yield
    finally:
        _CHECK.reset(before)


class InterruptibleAdapter(HTTPAdapter):
    """What sends the requests of a session whose answers can be interrupted, through a proxy too."""

    def get_connection_with_tls_context(self, *arguments: Any, **named: Any) -> Any:
        pool = super().get_connection_with_tls_context(*arguments, **named)
        pool.ConnectionCls = _interruptible(type(pool).ConnectionCls)
        return pool


@lru_cache
def _interruptible(connection: type) -> Any:
    return type(connection.__name__, (connection,), {"response_class": _Answer})


class _Answer(HTTPResponse):
    def __init__(self, sock: socket.socket, *arguments: Any, **named: Any):
        super().__init__(sock, *arguments, **named)
        self.fp = io.BufferedReader(_Pieces(sock, self.fp.detach()))


class _Pieces(io.RawIOBase):
    """What arrives on a socket. `source` is what the socket counts as its reader: closed with this."""

    def __init__(self, sock: socket.socket, source: io.RawIOBase):
        self._sock, self._source, self._check = sock, source, _CHECK.get()
        self._patience = sock.gettimeout() or float("inf")
        sock.settimeout(min(BEAT, self._patience))

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        began = time.monotonic()
        while True:
            self._check()
            try:
                return self._sock.recv_into(buffer)
            except TimeoutError:
                if time.monotonic() - began >= self._patience:
                    raise

    def close(self) -> None:
        self._source.close()
        super().close()
