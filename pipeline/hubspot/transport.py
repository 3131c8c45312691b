"""HTTP answers that can be interrupted at any time, even within the status line and the headers.

A socket timeout limits only the wait for the next bytes, so a slow trickle never hits it.
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

POLL_SECONDS = 1.0  # between two checks while nothing arrives

# urllib3 builds the response itself and passes nothing on: the check reaches it through the
# context.
_CHECK: ContextVar[Callable[[], None]] = ContextVar("check", default=lambda: None)


@contextmanager
def interrupted_by(check: Callable[[], None]) -> Iterator[None]:
    """Within the block, `check` is called before each read and every POLL_SECONDS while waiting; if
    it raises, the request is abandoned.
    """
    before = _CHECK.set(check)
    try:
        yield
    finally:
        _CHECK.reset(before)


class InterruptibleAdapter(HTTPAdapter):
    """Sends a session's requests, directly or through a proxy, so that their answers can be
    interrupted.
    """

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

    def begin(self) -> None:
        """Reads the head of the answer. Interim ones (1xx) may come before it, of which http.client
        skips only 100.
        """
        super().begin()
        while 100 <= self.status < 200:
            self.headers = None  # type: ignore[assignment]  # it would read no second head
            super().begin()


class _Pieces(io.RawIOBase):
    """The bytes that arrive on a socket. `source` keeps the socket's reference count; closing this
    closes it.
    """

    def __init__(self, sock: socket.socket, source: io.RawIOBase):
        self._sock, self._source, self._check = sock, source, _CHECK.get()
        self._patience = sock.gettimeout() or float("inf")
        sock.settimeout(min(POLL_SECONDS, self._patience))

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
