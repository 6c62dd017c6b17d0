"""Small real servers on loopback, honest and not, for fetching from."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

Behaviour = Callable[[socket.socket, str], None]


@dataclass
class Server:
    """What listens, and what it has seen."""

    host: str
    port: int
    connections: int = 0
    requests: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}/picture"


@contextlib.contextmanager
def serving(
    behave: Behaviour, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> Iterator[Server]:
    """A server that reads each request's head and then behaves; stopped at the end."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as listener:
        server = Server(host, listener.getsockname()[1])
        threading.Thread(target=_accept, args=(listener, server, behave, tls), daemon=True).start()
        yield server
        listener.shutdown(socket.SHUT_RDWR)


def _accept(
    listener: socket.socket, server: Server, behave: Behaviour, tls: ssl.SSLContext | None
) -> None:
    with contextlib.suppress(OSError):
        while True:
            client, _ = listener.accept()
            server.connections += 1
            threading.Thread(
                target=_converse, args=(client, server, behave, tls), daemon=True
            ).start()


def _converse(
    client: socket.socket, server: Server, behave: Behaviour, tls: ssl.SSLContext | None
) -> None:
    with contextlib.suppress(OSError), client:
        if tls is None:
            _serve(client, server, behave)
            return
        with tls.wrap_socket(client, server_side=True) as channel:
            _serve(channel, server, behave)


def _serve(channel: socket.socket, server: Server, behave: Behaviour) -> None:
    head = b""
    while b"\r\n\r\n" not in head:
        received = channel.recv(4096)
        if not received:
            return
        head += received
    server.requests.append(head.decode("latin-1"))
    behave(channel, head.decode("latin-1").split(" ")[1])
    channel.shutdown(socket.SHUT_RDWR)


def answer(body: bytes, status: str = "200 OK", **headers: str) -> Behaviour:
    """Answer every request alike."""

    def behave(client: socket.socket, path: str) -> None:
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        client.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + body)

    return behave


def redirect(location: str, status: str = "302 Found") -> Behaviour:
    """Send every request elsewhere."""
    return answer(b"", status, Location=location)


def drip(stop: threading.Event, start: bytes, drop: bytes) -> Behaviour:
    """Begin an answer and then send a few bytes at a time, for ever."""

    def behave(client: socket.socket, path: str) -> None:
        client.sendall(start)
        while not stop.wait(0.02):
            client.sendall(drop)

    return behave


def flood(start: bytes, block: bytes) -> Behaviour:
    """Begin an answer and send as fast as it is read, for ever."""

    def behave(client: socket.socket, path: str) -> None:
        client.sendall(start)
        while True:
            client.sendall(block)

    return behave
