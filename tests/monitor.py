"""A monitor as the tests need it: a real HTTP server that remembers what it was told."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Said:
    path: str
    body: bytes
    agent: str


@dataclass(slots=True)
class Monitor:
    """What a monitor was told, and what it answers: 200 once `answers` is used up."""

    port: int
    said: list[Said] = field(default_factory=list)
    answers: deque[int] = field(default_factory=deque)
    headers: dict[str, str] = field(default_factory=dict)
    is_open: threading.Event = field(
        default_factory=threading.Event
    )  # cleared: it hears, and does not answer
    arrived: threading.Semaphore = field(
        default_factory=lambda: threading.Semaphore(0)
    )  # one for each request

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def paths(self) -> list[str]:
        return [each.path for each in self.said]


@contextlib.contextmanager
def monitor(certificate: Path | None = None) -> Iterator[Monitor]:
    """Serve for the length of a block; with a certificate (and its key, in one file) by HTTPS."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            told.said.append(Said(self.path, body, self.headers["User-Agent"]))
            told.arrived.release()
            told.is_open.wait()
            self.send_response(told.answers.popleft() if told.answers else 200)
            for name, value in told.headers.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        request_queue_size = 128  # with 5, as it comes, the kernel resets some of many that arrive at once

        def handle_error(self, *_: object) -> None:
            pass  # a messenger that is killed hangs up in the middle

    server = Server(("127.0.0.1", 0), Handler)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    told = Monitor(server.server_address[1])
    told.is_open.set()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield told
    finally:
        told.is_open.set()
        server.shutdown()
        server.server_close()
        thread.join()


@contextlib.contextmanager
def silence() -> Iterator[str]:
    """Yield the address of a server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
