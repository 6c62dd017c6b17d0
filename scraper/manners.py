"""Fetching as a guest: what robots.txt and the server ask for, at the pace they can bear.

Who asks for much gets it slowly: a `Visitor` keeps one schedule for each host over all threads,
asks robots.txt first, goes away for as long as it is told to, and takes no picture whose server
says that machines should not learn from it.
"""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Self
from urllib.parse import urlsplit

from config import Settings
from domain import FetchRefused
from scraper.addresses import joined, origin
from scraper.connections import Connections
from scraper.fetch import REDIRECTS, Answer, Lookup
from scraper.pace import Host, Patience, Stopped, retry_after
from scraper.robots import MOST_BYTES, Robots, opted_out, product

__all__ = ["Stopped", "Visitor"]

PER_SECOND = 1.0  # where neither the source nor the settings say
ATTEMPTS = 4
FIRST_REST = 1.0  # seconds before the second attempt, twice that before the third, ...
AGAIN = frozenset({429, 502, 503, 504})
OVERRUN = frozenset({429, 503})  # every thread waits, not only the one that was told
ROBOTS_REDIRECTS = 5


@dataclass(frozen=True, slots=True)
class _Visit:
    """What one `get` asks for, beside the URL."""

    headers: Mapping[str, str]
    per_second: float | None
    max_bytes: int
    cut: bool = False
    """For a robots.txt: its beginning will do, and nobody learns from it."""
    private: Mapping[str, str] = field(default_factory=dict)
    """The caller's own headers, which may hold keys: only for the origin they were meant for."""

    def elsewhere(self) -> _Visit:
        """The same at another origin."""
        return replace(self, private={})


class Visitor:
    """Visits pages and pictures of many hosts, from many threads.

    Parameters
    ----------
    settings
        User agent, limits, ports, allowed private networks.
    clock
        Seconds, for pace and for how old a robots.txt is; only differences count.
    stop
        When set, nothing new is begun and no wait goes on; what is in flight ends as it would.
    lookup
        What resolves names; its answers are judged all the same.
    now
        The time of day, for servers that say until when to stay away but not what time it is.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Callable[[], float] = time.monotonic,
        stop: threading.Event | None = None,
        lookup: Lookup = socket.getaddrinfo,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._now = now
        self._patience = Patience(stop or threading.Event())
        self._connections = Connections(settings, lookup=lookup)
        self._agent = product(settings.user_agent)
        self._robots = Robots(self._robots_txt, settings.user_agent, clock, self._patience)
        self._lock = threading.Lock()
        self._hosts: dict[str, Host] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that are kept."""
        self._connections.close()

    def get(  # noqa: PLR0913  what a visit may ask for
        self,
        url: str,
        *,
        per_second: float | None = None,
        headers: Mapping[str, str] | None = None,
        accept: str = "image/*",
        api: bool = False,
        etag: str | None = None,
        last_modified: str | None = None,
        max_bytes: int | None = None,
    ) -> Answer:
        """Get what is behind a URL, when its host lets us and may be bothered.

        Parameters
        ----------
        url
            http or https, on one of the settings' ports, without credentials.
        per_second
            Requests a second that suit this host; CRAWL_PER_SECOND wins over it, and a longer
            Crawl-delay over both. 0: no limit.
        headers
            Sent beside the usual ones, but not to another origin that this one redirects to.
        accept
            Media types. For other than pictures a compressed answer is asked for.
        api
            A documented API, called by its terms: robots.txt, which is for crawlers, is not
            asked as long as no redirect leads elsewhere.
        etag, last_modified
            As an earlier answer named them: if nothing changed, the status is 304.
        max_bytes
            Most bytes of the body, as sent and as unpacked; `max_image_bytes` when left out.

        Returns
        -------
        Answer
            With status 200 or 304.

        Raises
        ------
        FetchRefused
            With the words of `fetch`, or `robots`, `noai`, `rate_limited`. With `status`, its
            detail has the number, too.
        Stopped
            The stop was asked for before this could begin or while it waited.
        """
        visit = _Visit(
            headers=self._usual(accept, etag, last_modified),
            per_second=per_second,
            max_bytes=self._settings.max_image_bytes if max_bytes is None else max_bytes,
            private=dict(headers or {}),
        )
        answer = self._follow(url, visit, self._settings.fetch_max_redirects, api=api)
        if answer.status not in (200, 304):
            raise FetchRefused(
                "status", f"The server answered {answer.status}.", status=answer.status
            )
        return answer

    def _usual(self, accept: str, etag: str | None, last_modified: str | None) -> dict[str, str]:
        usual = {
            "User-Agent": self._settings.user_agent,
            "Accept": accept,
            "Accept-Encoding": "identity" if accept.startswith("image/") else "gzip",
        }
        if etag:
            usual["If-None-Match"] = etag
        if last_modified:
            usual["If-Modified-Since"] = last_modified
        return usual

    def _robots_txt(self, url: str) -> Answer:
        usual = self._usual("text/plain", None, None)
        visit = _Visit({**usual, "Accept-Encoding": "identity"}, None, MOST_BYTES, cut=True)
        return self._follow(url, visit, ROBOTS_REDIRECTS, robots=False)

    def _follow(
        self, url: str, visit: _Visit, redirects: int, *, api: bool = False, robots: bool = True
    ) -> Answer:
        """Every hop is a visit of its own: robots.txt, pace and guard are asked again."""
        url = self._connections.plain(url)
        meant_for = origin(url)
        for _ in range(redirects + 1):
            interval = self._robots.check(url) if robots and not api else 0.0
            answer = self._ask(url, visit, interval)
            location = answer.headers.get("location")
            if answer.status not in REDIRECTS or location is None:
                return answer
            target = joined(url, location)
            if not target:
                raise FetchRefused("url", "The URL that was redirected to cannot be read.")
            url = self._connections.plain(target)
            if origin(url) != meant_for:
                visit, api = visit.elsewhere(), False
        raise FetchRefused("redirects", f"More than {redirects} redirects.")

    def _ask(self, url: str, visit: _Visit, interval: float) -> Answer:
        """One hop, with as many attempts as that takes or is decent."""
        host = self._host(url)
        interval = max(interval, self._interval(visit.per_second))
        for attempt in range(1, ATTEMPTS + 1):
            rest = FIRST_REST * 2 ** (attempt - 1) * random.uniform(0.5, 1.5)  # noqa: S311  no secret
            with host.turn(interval):
                got = self._once(url, visit, host)
            if isinstance(got, Answer):
                if got.status not in AGAIN:
                    return got
                got, rest = self._overrun(got, host, rest)
            if attempt < ATTEMPTS:
                self._patience.rest(rest)
        if isinstance(got, FetchRefused):
            raise got
        return got

    def _overrun(
        self, answer: Answer, host: Host, rest: float
    ) -> tuple[Answer | FetchRefused, float]:
        """What to make of it at the end, and how long this thread rests before it asks again."""
        asked = retry_after(answer.headers, self._now())
        if asked is not None or answer.status in OVERRUN:
            host.pause(rest if asked is None else asked)
            rest = 0.0  # the pause is everybody's
        if asked is None and answer.status != HTTPStatus.TOO_MANY_REQUESTS:
            return answer, rest
        return FetchRefused("rate_limited", "The server asks to come back later."), rest

    def _once(self, url: str, visit: _Visit, host: Host) -> Answer | FetchRefused:
        """One attempt; a connection that failed is told, not raised: another may do better."""
        try:
            answer = self._connections.ask(
                url,
                {**visit.headers, **visit.private},
                max_bytes=visit.max_bytes,
                admit=None if visit.cut else self._admit,
                cut=visit.cut,
            )
        except FetchRefused as refused:
            if refused.reason not in ("unreachable", "deadline"):
                host.answered()
                raise
            host.failed()
            if refused.reason == "deadline":
                raise
            return refused
        host.answered()
        return answer

    def _admit(self, headers: Mapping[str, list[str]]) -> None:
        if opted_out(headers, self._agent):
            raise FetchRefused("noai", "The server asks that machines do not learn from this.")

    def _interval(self, per_second: float | None) -> float:
        chosen = self._settings.crawl_per_second
        if chosen is None:
            chosen = PER_SECOND if per_second is None else per_second
        return 1 / chosen if chosen > 0 else 0.0

    def _host(self, url: str) -> Host:
        name = (urlsplit(url).hostname or "").rstrip(".")
        with self._lock:
            if name not in self._hosts:
                at_once = self._settings.crawl_connections
                self._hosts[name] = Host(name, at_once, self._clock, self._patience)
            return self._hosts[name]
