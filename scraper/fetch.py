"""The only outbound HTTP of a request: a picture that a stranger named, a note to the operator.

Guarded by ssrfguard, which resolves a name once, judges every address it got and connects to
one of those, so a name that moves between check and connection moves nothing. What it leaves
to its caller is here: one deadline over lookup, handshake, headers and body together, the
redirect loop, and the byte cap, also on what a compressed body unpacks to.

Nothing is taken from the environment: a proxy would resolve the name again, unguarded.
"""

from __future__ import annotations

import functools
import socket
import ssl
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from ipaddress import ip_network
from typing import Any
from urllib.parse import urlsplit

import certifi
import httpcore
import httpx
from ssrfguard import (
    DEFAULT_DENIED,
    AddressTable,
    Block,
    BlockedAddressError,
    BlockedURLError,
    Policy,
    Reach,
    Resolver,
    SSRFGuardError,
    Target,
)
from ssrfguard.httpx import SafeBackend

from config import Settings
from domain import FetchRefused

Lookup = Resolver  # what resolves names; its answers are judged all the same
REDIRECTS = frozenset({301, 302, 303, 307, 308})
COMPRESSED = {"gzip": 31, "x-gzip": 31, "deflate": 47}  # zlib's window bits for each
CONNECTION_ATTEMPTS = 2  # of a name's addresses, so that a dead IPv6 does not hide an IPv4
STEPS = 1 + CONNECTION_ATTEMPTS  # the lookup and each attempt get an equal share of the time
SENT_ANSWER_BYTES = 65_536  # what is read of the answer to something sent
PRIVATE_NETWORKS = (
    "127.0.0.0/8",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "::1/128",
    "fc00::/7",
)
"""Where an operator's own machines live; link-local, which has the clouds' secrets, is not here."""

_NOT_GLOBAL_UNICAST = tuple(
    Block(ip_network(network), "Not global unicast", "RFC4291", Reach.DENIED)
    for network in ("::/3", "4000::/2", "8000::/1")
)
_FORBIDDEN = AddressTable(
    (
        # Whole prefixes that carry an IPv4 address inside: no picture server lives there, and
        # which gateway would unpack them is not known here.
        *(
            replace(block, reach=Reach.DENIED) if block.reach is Reach.TRANSLATED else block
            for block in DEFAULT_DENIED.blocks
        ),
        *_NOT_GLOBAL_UNICAST,
    )
)
# A lookup cannot be stopped, only left behind; so many may hang before others wait for them.
LOOKUPS = ThreadPoolExecutor(max_workers=16, thread_name_prefix="fetch-dns")


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a URL gave; `final_url` is where the redirects ended."""

    data: bytes
    content_type: str
    final_url: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered; `url` is where the redirects ended, header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    data: bytes
    url: str


def fetch(
    url: str,
    settings: Settings,
    *,
    max_bytes: int | None = None,
    lookup: Lookup = socket.getaddrinfo,
) -> Fetched:
    """Get what is behind a URL, unless that could reach what is not public.

    Parameters
    ----------
    url
        http or https, on one of the settings' ports, without credentials.
    settings
        Ports, allowed private networks, redirects, total seconds, user agent.
    max_bytes
        Most bytes of the body, as sent and as unpacked; `max_image_bytes` when left out.
    lookup
        What resolves names; its answers are judged all the same.

    Raises
    ------
    FetchRefused
        With the reason `url`, `scheme`, `credentials`, `port`, `address`, `dns`, `unreachable`,
        `tls`, `deadline`, `redirects`, `status`, `encoding` or `too_large`.
    """
    ends = time.monotonic() + settings.fetch_timeout
    policy = policy_of(settings.fetch_allowed_networks, settings.fetch_ports)
    cap = settings.max_image_bytes if max_bytes is None else max_bytes
    with _refusals(settings.fetch_timeout):
        for _ in range(settings.fetch_max_redirects + 1):
            backend = _DeadlineBackend(policy, lookup, ends)
            answer = _get(url, policy, backend, settings.user_agent, cap)
            if isinstance(answer, Fetched):
                return answer
            url = answer
    raise FetchRefused("redirects", f"More than {settings.fetch_max_redirects} redirects.")


def send(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    settings: Settings,
    *,
    timeout: float | None = None,
    lookup: Lookup = socket.getaddrinfo,
) -> Answer:
    """POST to a URL that the operator has set: private networks and any port may be reached.

    Whatever the status is, it is an answer; redirects are not followed.

    Parameters
    ----------
    url
        http or https, without credentials.
    body
        Sent as it is.
    headers
        Sent beside the user agent; Content-Type belongs here.
    settings
        For the user agent and the usual total seconds.
    timeout
        Total seconds, lookup to the end of the answer; `fetch_timeout` when left out.
    lookup
        What resolves names; its answers are judged all the same.

    Returns
    -------
    Answer
        Of its body only the first 64 KiB.

    Raises
    ------
    FetchRefused
        As `fetch`, but for `redirects`, `status` and `too_large`.
    """
    seconds = settings.fetch_timeout if timeout is None else timeout
    # a URL without a port that can be read is refused by the check that follows
    policy = policy_of(PRIVATE_NETWORKS, (_port(url),))
    backend = _DeadlineBackend(policy, lookup, time.monotonic() + seconds)
    asked = {"User-Agent": settings.user_agent, "Accept": "*/*", **headers}
    with _refusals(seconds), _asking("POST", url, policy, backend, asked, body) as response:
        received = httpx.Headers(response.headers)
        data = start_of(response.iter_stream(), {}, SENT_ANSWER_BYTES)  # however it is packed
        return Answer(response.status, dict(received), data, url)


def policy_of(networks: Iterable[str], ports: Iterable[int]) -> Policy:
    """Let through the public internet and these networks, at these ports."""
    return Policy(
        denied_networks=_FORBIDDEN,
        allowed_networks=tuple(ip_network(network) for network in networks),
        allowed_ports=frozenset(ports),
        max_connection_attempts=CONNECTION_ATTEMPTS,
    )


def _port(url: str) -> int:
    try:
        parts = urlsplit(url)
        return parts.port or (443 if parts.scheme.lower() == "https" else 80)
    except ValueError:
        return 80


def _get(
    url: str, policy: Policy, backend: _DeadlineBackend, user_agent: str, cap: int
) -> Fetched | str:
    """One hop: what it holds, or the URL it points to."""
    headers = {"User-Agent": user_agent, "Accept": "image/*"}
    with _asking("GET", url, policy, backend, headers) as response:
        received = httpx.Headers(response.headers)
        if response.status in REDIRECTS and "location" in received:
            return str(httpx.URL(url).join(received["location"]))
        if response.status != 200:
            raise FetchRefused("status", f"The server answered {response.status}.")
        data = body_of(response.iter_stream(), received, cap)
        return Fetched(data, received.get("content-type", ""), url)


@contextmanager
def _asking(
    method: str,
    url: str,
    policy: Policy,
    backend: _DeadlineBackend,
    headers: Mapping[str, str],
    body: bytes | None = None,
) -> Iterator[httpcore.Response]:
    """One request on a connection of its own."""
    target = checked(url, policy)
    # Built from the checked parts, so that no second parser reads the host.
    origin = httpcore.URL(
        scheme=target.scheme.encode(),
        host=target.host.encode("ascii"),
        port=target.port,
        target=httpx.URL(url).raw_path,
    )
    own = {"Host": _host_header(target), "Accept-Encoding": "identity", "Connection": "close"}
    if body is not None:
        own["Content-Length"] = str(len(body))
    lines = list({**headers, **own}.items())
    with (
        httpcore.ConnectionPool(ssl_context=tls(), network_backend=backend) as pool,
        pool.stream(method, origin, headers=lines, content=body) as response,
    ):
        yield response


def checked(url: str, policy: Policy) -> Target:
    """What a URL names, if the policy lets it through by its looks."""
    try:
        return policy.check_url(url)
    except BlockedURLError as error:
        raise _refused_url(url, policy, error) from error


def _refused_url(url: str, policy: Policy, error: BlockedURLError) -> FetchRefused:
    """Find the stable word for what the guard says in a sentence."""
    if isinstance(error.__cause__, BlockedAddressError):
        return FetchRefused("address", NOT_PUBLIC)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return FetchRefused("url", "The URL cannot be read.")
    if parts.scheme.lower() not in policy.allowed_schemes:
        return FetchRefused("scheme", "Only http and https URLs are fetched.")
    if parts.username is not None or parts.password is not None:
        return FetchRefused("credentials", "The URL holds a user name or password.")
    if port is not None and port not in policy.allowed_ports:
        allowed = ", ".join(str(number) for number in sorted(policy.allowed_ports))
        return FetchRefused("port", f"Port {port} is not fetched from, allowed: {allowed}.")
    return FetchRefused("url", "The URL has no host name in plain form.")


NOT_PUBLIC = "The host is not on the public internet."


def _host_header(target: Target) -> str:
    host = f"[{target.host}]" if ":" in target.host else target.host
    usual = {"http": 80, "https": 443}[target.scheme]
    return host if target.port == usual else f"{host}:{target.port}"


def body_of(chunks: Iterable[bytes], headers: Mapping[str, str], cap: int) -> bytes:
    """Read a body and unpack it, neither beyond the cap.

    Raises
    ------
    FetchRefused
        `too_large` or `encoding`.
    """
    too_large = FetchRefused("too_large", f"The answer has more than {cap:,} bytes.")
    declared = headers.get("content-length", "0")
    if declared.isdecimal() and int(declared[:20]) > cap:
        raise too_large
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > cap:
            raise too_large
    unpacked, whole = _unpacked(bytes(body), headers, cap + 1)
    if len(unpacked) > cap:
        raise too_large
    if not whole:
        raise FetchRefused("encoding", "The compressed answer is damaged.")
    return unpacked


def start_of(chunks: Iterable[bytes], headers: Mapping[str, str], cap: int) -> bytes:
    """Read and unpack no more than the first bytes of a body, whether there are more or not.

    Raises
    ------
    FetchRefused
        `encoding`.
    """
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) >= cap:
            break
    return _unpacked(bytes(body[:cap]), headers, cap)[0]


def _unpacked(body: bytes, headers: Mapping[str, str], most: int) -> tuple[bytes, bool]:
    """At most so many bytes of what was sent, and whether it has come to its end."""
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding in ("", "identity") or not body:
        return body, True
    if encoding not in COMPRESSED:
        raise FetchRefused("encoding", "The server compressed the answer although not asked to.")
    unpacking = zlib.decompressobj(COMPRESSED[encoding])
    try:
        return unpacking.decompress(body, most), unpacking.eof
    except zlib.error:
        raise FetchRefused("encoding", "The compressed answer is damaged.") from None


@functools.cache
def tls() -> ssl.SSLContext:
    """Certificates are checked against certifi's, whatever the machine trusts."""
    return ssl.create_default_context(cafile=certifi.where())


# --- one deadline ---


class _DeadlineBackend(SafeBackend):
    """Connects only where the policy allows, and hands every step what is left of the time."""

    def __init__(self, policy: Policy, lookup: Lookup, ends: float) -> None:
        super().__init__(policy=policy, resolver=self._lookup_in_time)
        self._lookup = lookup
        self._ends = ends

    def left(self) -> float:
        """Seconds until the deadline, always some."""
        seconds = self._ends - time.monotonic()
        if seconds <= 0:
            raise httpcore.ReadTimeout("the deadline has passed")
        return seconds

    def _lookup_in_time(self, *args: Any) -> Iterable[Any]:
        return list(LOOKUPS.submit(self._lookup, *args).result(self.left() / STEPS))

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, *args: Any, **options: Any
    ) -> httpcore.NetworkStream:
        """Look up, judge and connect within the time left."""
        each = self.left() / STEPS
        return _DeadlineStream(super().connect_tcp(host, port, each, *args, **options), self.left)


class _DeadlineStream(httpcore.NetworkStream):
    """A connection whose every step gets the time left: a server that drips gains nothing."""

    def __init__(self, inner: httpcore.NetworkStream, left: Callable[[], float]) -> None:
        self._inner = inner
        self._left = left

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, self._left())

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        inner = self._inner.start_tls(ssl_context, server_hostname, self._left())
        return _DeadlineStream(inner, self._left)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


@contextmanager
def _refusals(seconds: float) -> Iterator[None]:
    """Turn what the libraries raise into refusals that tell a stranger nothing of inside."""
    try:
        yield
    except SSRFGuardError as error:
        raise FetchRefused("address", NOT_PUBLIC) from error
    except (httpcore.TimeoutException, TimeoutError) as error:
        raise FetchRefused("deadline", f"No full answer within {seconds:g} seconds.") from error
    except httpcore.ConnectError as error:
        raise _unreachable(error) from error
    except (httpcore.NetworkError, httpcore.ProtocolError) as error:
        raise FetchRefused("unreachable", "The server broke off or answered nonsense.") from error
    except (httpx.InvalidURL, UnicodeError) as error:
        raise FetchRefused("url", "The URL cannot be read.") from error


def _unreachable(error: httpcore.ConnectError) -> FetchRefused:
    causes = (error.__cause__, error.__context__)
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return FetchRefused("dns", "The host name is not known.")
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return FetchRefused("tls", "The server's certificate or TLS is not accepted.")
    return FetchRefused("unreachable", "The host cannot be reached.")
