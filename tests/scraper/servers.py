"""Small real servers on loopback, honest and not, for fetching from."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

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


# --- a site: many requests on a connection, an answer for each path ---


@dataclass(frozen=True, slots=True)
class Request:
    """One request that came in."""

    path: str
    headers: Mapping[str, str]
    connection: int
    body: bytes = b""

    @property
    def host(self) -> str:
        return self.headers["host"].partition(":")[0]


@dataclass(frozen=True, slots=True)
class Reply:
    """What is sent back; `last` closes the connection afterwards without saying so."""

    body: bytes = b""
    status: str = "200 OK"
    headers: Sequence[tuple[str, str]] = ()
    last: bool = False

    def sent(self) -> bytes:
        lines = [f"HTTP/1.1 {self.status}", f"Content-Length: {len(self.body)}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + self.body


GONE = Reply(b"nothing here", "404 Not Found")
BROKEN_OFF = Reply(b"", "", last=True)
"""No answer at all: the connection is closed."""

Respond = Callable[[Request], Reply]


@dataclass
class Site:
    """Pages by path; each a reply, or what finds one. What is not there is a 404."""

    pages: dict[str, Reply | Respond] = field(default_factory=dict)
    port: int = 0
    visits: list[Request] = field(default_factory=list)
    connections: int = 0
    at_once: int = 0
    most_at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def paths(self, *, robots: bool = False) -> list[str]:
        """What was asked for, in order."""
        return [one.path for one in self.visits if robots or one.path != "/robots.txt"]

    def reply(self, request: Request) -> Reply:
        with self.lock:
            self.visits.append(request)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            page = self.pages.get(request.path, GONE)
            return page if isinstance(page, Reply) else page(request)
        finally:
            with self.lock:
                self.at_once -= 1


def in_turn(*replies: Reply) -> Respond:
    """One reply after the other, and the last for ever."""
    left = list(replies)

    def respond(request: Request) -> Reply:
        return left.pop(0) if len(left) > 1 else left[0]

    return respond


@contextlib.contextmanager
def hosting(
    pages: dict[str, Reply | Respond] | None = None, tls: ssl.SSLContext | None = None
) -> Iterator[Site]:
    """A site on 127.0.0.1 that keeps its connections; stopped at the end."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        site = Site(pages if pages is not None else {}, listener.getsockname()[1])
        threading.Thread(target=_welcome, args=(listener, site, tls), daemon=True).start()
        yield site
        listener.shutdown(socket.SHUT_RDWR)


def _welcome(listener: socket.socket, site: Site, tls: ssl.SSLContext | None) -> None:
    with contextlib.suppress(OSError):
        while True:
            client, _ = listener.accept()
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            site.connections += 1
            number = site.connections
            threading.Thread(target=_host, args=(client, site, number, tls), daemon=True).start()


def _host(client: socket.socket, site: Site, number: int, tls: ssl.SSLContext | None) -> None:
    with contextlib.suppress(OSError), client:
        channel = tls.wrap_socket(client, server_side=True) if tls else client
        with channel, channel.makefile("rb") as heard:
            while request := _heard(heard, number):
                reply = site.reply(request)
                if reply is not BROKEN_OFF:
                    channel.sendall(reply.sent())
                if reply.last:
                    channel.shutdown(socket.SHUT_RDWR)
                    return


def _heard(heard: BinaryIO, number: int) -> Request | None:
    first = heard.readline().decode("latin-1")
    if not first.strip():
        return None
    headers = {}
    while line := heard.readline().decode("latin-1").strip():
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    body = heard.read(int(headers.get("content-length", "0")))
    return Request(first.split(" ")[1], headers, number, body)
