"""Connections that are kept alive between requests, guarded as every fetch is.

ssrfguard's adapter for `requests` judges where a connection goes when it is opened; later
requests on it go to the same place. What `requests` leaves to its caller is here: one deadline
over all of a request (its own timeouts begin anew with each byte) and the byte caps.
"""

from __future__ import annotations

import functools
import io
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPResponse
from typing import Any

import requests
import urllib3
from ssrfguard import Policy, SSRFGuardError
from ssrfguard.requests import SafeAdapter
from urllib3.exceptions import HTTPError, NameResolutionError, NewConnectionError

from config import Settings
from domain import FetchRefused
from scraper.fetch import (
    LOOKUPS,
    NOT_PUBLIC,
    STEPS,
    Answer,
    Lookup,
    body_of,
    checked,
    policy_of,
    start_of,
    tls,
)

HOSTS_KEPT = 64  # of so many the idle connections are kept
CHUNK = 65_536
UNWANTED_BYTES = 65_536  # what is read of an answer that is no success

Admit = Callable[[Mapping[str, list[str]]], None]
"""Looks at the headers of a success or a redirect, each lower-case name's lines; may raise."""


class Connections:
    """Asks one URL at a time on each thread; to any number of hosts, from any number of threads.

    Parameters
    ----------
    settings
        Ports, allowed private networks, seconds for each request, connections to a host.
    lookup
        What resolves names; its answers are judged all the same.
    """

    def __init__(self, settings: Settings, *, lookup: Lookup = socket.getaddrinfo) -> None:
        self._policy = policy_of(settings.fetch_allowed_networks, settings.fetch_ports)
        self._seconds = settings.fetch_timeout
        self._timed = _Timed()
        self._adapter = _Adapter(self._policy, lookup, self._timed, settings.crawl_connections)

    def ask(
        self,
        url: str,
        headers: Mapping[str, str],
        *,
        max_bytes: int,
        admit: Admit | None = None,
        cut: bool = False,
    ) -> Answer:
        """GET a URL; redirects are answers.

        Parameters
        ----------
        url
            As `fetch` takes it.
        headers
            Sent as they are.
        max_bytes
            Most bytes of a successful answer, as sent and as unpacked. Of others only the
            beginning is kept.
        admit
            Called before the body is read, but not for errors: they hold nothing to learn from.
        cut
            What is beyond `max_bytes` is left unread instead of refused.

        Raises
        ------
        FetchRefused
            As `fetch`, but for `redirects` and `status`; and what `admit` raises.
        """
        checked(url, self._policy)
        with _refusals(self._seconds):
            request = requests.Request("GET", url, headers=dict(headers)).prepare()
            with self._sent(request) as response:
                if admit is not None and response.status_code < 400:
                    raw = response.raw.headers
                    admit({name.lower(): raw.getlist(name) for name in raw})
                chunks = response.raw.stream(CHUNK, decode_content=False)
                if not 200 <= response.status_code < 300:
                    data = start_of(chunks, {}, UNWANTED_BYTES)
                elif cut:
                    data = start_of(chunks, response.headers, max_bytes)
                else:
                    data = body_of(chunks, response.headers, max_bytes)
        received = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status_code, received, data, url)

    def plain(self, url: str) -> str:
        """Judge a URL by its looks, and write it as it will be asked for.

        Dots, blanks and needless percents are resolved, so that rules for its path hold.

        Raises
        ------
        FetchRefused
            `url`, `scheme`, `credentials`, `port` or `address`.
        """
        url = url.partition("#")[0].strip().replace(" ", "%20")
        checked(url, self._policy)
        prepared = requests.PreparedRequest()
        with _refusals(self._seconds):
            prepared.prepare_url(url, None)
        return prepared.url or url

    def close(self) -> None:
        """Close what is idle; what is in use closes when it is done."""
        self._adapter.close()

    def _sent(self, request: requests.PreparedRequest) -> requests.Response:
        self._timed.begin(self._seconds)
        try:
            return self._send(request)
        except requests.ConnectionError:
            if self._timed.opened:
                raise
        # A kept connection that the server had closed, only that the news was still on its way.
        return self._send(request)

    def _send(self, request: requests.PreparedRequest) -> requests.Response:
        self._timed.opened = False
        left = self._timed.left()
        # lookup, attempts and the TLS handshake share the time; the rest may take what is left
        return self._adapter.send(request, stream=True, timeout=(left / (STEPS + 1), left))


class _Timed(threading.local):
    """When the request of this thread must be done, and whether it opened a connection."""

    ends = 0.0
    opened = False

    def begin(self, seconds: float) -> None:
        self.ends = time.monotonic() + seconds

    def left(self) -> float:
        seconds = self.ends - time.monotonic()
        if seconds <= 0:
            raise TimeoutError("the deadline has passed")
        return seconds


class _Adapter(SafeAdapter):
    """The guarded adapter, whose every read gets what is left of the time."""

    def __init__(self, policy: Policy, lookup: Lookup, timed: _Timed, at_once: int) -> None:
        self._timed = timed
        self._lookup = lookup
        super().__init__(
            policy=policy,
            resolver=self._lookup_in_time,
            pool_connections=HOSTS_KEPT,
            pool_maxsize=at_once,
        )

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Build the pools from classes that keep the time; certificates are loaded once."""
        super().init_poolmanager(*args, **kwargs, ssl_context=tls())
        guarded = self.poolmanager.pool_classes_by_scheme
        self.poolmanager.pool_classes_by_scheme = {
            scheme: _in_time(pool, self._timed) for scheme, pool in guarded.items()
        }

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Leave the pool as it was built: its own context checks certificates and names."""

    def _lookup_in_time(self, *args: Any) -> Any:
        return LOOKUPS.submit(self._lookup, *args).result(self._timed.left() / STEPS)


def _in_time(
    pool: type[urllib3.HTTPConnectionPool], timed: _Timed
) -> type[urllib3.HTTPConnectionPool]:
    class Connection(pool.ConnectionCls):  # type: ignore[misc, name-defined]
        response_class = functools.partial(_Response, timed)

        def connect(self) -> None:
            timed.opened = True
            super().connect()

    class Pool(pool):  # type: ignore[misc, valid-type]
        ConnectionCls = Connection

    return Pool


class _Response(HTTPResponse):
    def __init__(self, timed: _Timed, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(_Files(timed, sock), *args, **options)  # type: ignore[arg-type]


class _Files:
    """What `HTTPResponse` takes for a socket: it only wants a file to read from."""

    def __init__(self, timed: _Timed, sock: socket.socket) -> None:
        self._timed = timed
        self._sock = sock

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reader(self._timed, self._sock))


class _Reader(io.RawIOBase):
    """Reads from a socket, each time for as long as is left: a server that drips gains nothing."""

    def __init__(self, timed: _Timed, sock: socket.socket) -> None:
        self._timed = timed
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(self._timed.left())
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


@contextmanager
def _refusals(seconds: float) -> Iterator[None]:
    """Turn what the libraries raise into refusals that tell a stranger nothing of inside."""
    try:
        yield
    except SSRFGuardError as error:
        raise FetchRefused("address", NOT_PUBLIC) from error
    except (requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError) as error:
        raise FetchRefused("deadline", f"No full answer within {seconds:g} seconds.") from error
    except (requests.exceptions.SSLError, urllib3.exceptions.SSLError) as error:
        message = "The server's certificate or TLS is not accepted."
        raise FetchRefused("tls", message) from error
    except (requests.exceptions.InvalidURL, requests.exceptions.InvalidHeader) as error:
        raise FetchRefused("url", "The URL cannot be read.") from error
    except UnicodeError as error:
        raise FetchRefused("url", "The URL cannot be read.") from error
    except (requests.RequestException, HTTPError, OSError) as error:
        raise _unreachable(error) from error


def _unreachable(error: Exception) -> FetchRefused:
    inner = error.args[0] if error.args else None
    cause = getattr(inner, "reason", inner)
    if isinstance(cause, NameResolutionError):
        return FetchRefused("dns", "The host name is not known.")
    if isinstance(cause, NewConnectionError):
        return FetchRefused("unreachable", "The host cannot be reached.")
    return FetchRefused("unreachable", "The server broke off or answered nonsense.")
