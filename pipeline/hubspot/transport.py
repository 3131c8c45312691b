"""HTTP answers that can be interrupted between any two pieces, those of the status line and the headers included.

A socket's time-out is for the next piece alone: an answer that drips never hits it, and whoever waits for it notices nothing
else.
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
    """Requests made within call `check` before each piece of their answers, and every BEAT while none comes; what it raises ends
    them."""
    before = _CHECK.set(check)
    try:
        yield
    finally:
        _CHECK.reset(before)


class InterruptibleAdapter(HTTPAdapter):
    """Sends the requests of a session so that their answers can be interrupted, through a proxy too."""

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
    """What arrives on a socket. `source` is the reader that the socket counts: it is closed with this one."""

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
