"""An interruptible answer that nothing interrupts is whole, over TLS and through a proxy too."""

import socket
import threading

import pytest
import requests

from pipeline.hubspot import transport as module
from pipeline.hubspot.transport import InterruptibleAdapter, interrupted_by
from tests.hubspot.wire import needs_openssl, self_signed

PIECES = [b"HTTP/1.1 200 OK\r\nContent-", b"Length: 4\r\n\r\n", b"bo", b"dy"]


def slowly(listener, wrap, pause):
    """A thread that answers one connection in PIECES, with pauses between them; to a CONNECT it
    first answers as a proxy.
    """

    def answer():
        connection, _ = listener.accept()
        connection.settimeout(10)
        if connection.recv(7, socket.MSG_PEEK) == b"CONNECT":
            connection.recv(10_000)
            connection.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
        with wrap(connection) as talking:
            talking.recv(10_000)
            talking.sendall(PIECES[0])
            for piece in PIECES[1:]:
                pause()
                talking.sendall(piece)

    thread = threading.Thread(target=answer)
    thread.start()
    return thread


def interruptible_session():
    session = requests.Session()
    session.trust_env = False
    session.mount("https://", InterruptibleAdapter())
    session.mount("http://", InterruptibleAdapter())
    return session


@needs_openssl
@pytest.mark.parametrize("through_proxy", [False, True])
def test_an_answer_over_tls_that_pauses_longer_than_the_poll_interval_is_whole(through_proxy, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "POLL_SECONDS", 0.02)
    certificate, context = self_signed(tmp_path)
    checks, pauses = threading.Semaphore(0), []
    with socket.create_server(("127.0.0.1", 0)) as listener, interruptible_session() as client:
        port = listener.getsockname()[1]
        thread = slowly(
            listener,
            lambda connection: context.wrap_socket(connection, server_side=True),
            lambda: pauses.append(all(checks.acquire(timeout=10) for _ in range(3))),
        )
        proxies = {"https": f"http://127.0.0.1:{port}"} if through_proxy else {}
        with interrupted_by(checks.release):
            answer = client.get(f"https://127.0.0.1:{port}/", verify=str(certificate), proxies=proxies, timeout=10)
        thread.join()
    assert answer.content == b"body" and pauses == [True] * 3
