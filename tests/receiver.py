"""A receiver of webhooks on loopback: a real server that answers as it is told."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HANG = 0
"""Instead of a status: never answer."""


@dataclass
class Received:
    """One request as it came; header names are lower-case."""

    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Receiver:
    """What listens, what it was sent, and what it answers: the first of `statuses`, then 200."""

    url: str = ""
    requests: list[Received] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    stop: threading.Event = field(default_factory=threading.Event)
    came: threading.Event = field(default_factory=threading.Event)

    @property
    def ids(self) -> list[str]:
        return [one.headers["x-exposr-delivery"] for one in self.requests]


@contextlib.contextmanager
def receiving(*statuses: int, path: str = "/hook", **headers: str) -> Iterator[Receiver]:
    """A receiver that gives these answers in turn, with these headers; stopped at the end."""
    receiver = Receiver(statuses=list(statuses))
    receiver.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            seen = {name.lower(): value for name, value in self.headers.items()}
            receiver.requests.append(Received(self.path, seen, self.rfile.read(length)))
            status = receiver.statuses.pop(0) if receiver.statuses else 200
            receiver.came.set()
            if status == HANG:
                receiver.stop.wait(30)
                return
            self.send_response(status)
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver.url = f"http://127.0.0.1:{server.server_port}{path}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield receiver
    finally:
        receiver.stop.set()
        server.shutdown()
        thread.join()
        server.server_close()
