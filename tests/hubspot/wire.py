"""A server that answers with exactly the bytes that a test gives it."""

import json
import shutil
import socketserver
import ssl
import subprocess
import threading
from contextlib import suppress

import pytest

needs_openssl = pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl to make a certificate with")


class Wire:
    """A server that answers with exactly these bytes (or pieces of them), request by request, the last one ever
    after. Instead of bytes there may be a function from the head of the request to them.
    """

    def __init__(self, *answers):
        self.answers, self.heads = list(answers), []

    def __enter__(self):
        wire = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                lines = iter(self.rfile.readline, b"\r\n")
                head = b"".join(lines).decode()
                wire.heads.append(head)
                answer = wire.answers[0] if len(wire.answers) == 1 else wire.answers.pop(0)
                answer = answer(head) if callable(answer) else answer
                with suppress(OSError):
                    for piece in [answer] if isinstance(answer, bytes) else answer:
                        self.wfile.write(piece)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def http(body, status=200, length=True, **headers):
    if isinstance(body, dict):
        body = json.dumps(body).encode()
    if length:
        headers["Content-Length"] = len(body)
    lines = [f"HTTP/1.1 {status} x", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "\r\n"]).encode() + body


def chunked(body, size, **headers):
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    frame = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return http(frame + b"0\r\n\r\n", length=False, Transfer_Encoding="chunked", **headers)


def self_signed(folder):
    """A certificate of 127.0.0.1, and a server's context that has it."""
    key, certificate, context = folder / "key.pem", folder / "cert.pem", ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    options = "-x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    command = [shutil.which("openssl"), "req", *options.split(), "-keyout", key, "-out", certificate]
    subprocess.run(command, check=True, capture_output=True)
    context.load_cert_chain(certificate, key)
    return certificate, context
