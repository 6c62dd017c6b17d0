"""Fetching as a guest: what robots.txt and the server ask for, at the pace they can bear."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Mapping
from typing import Self

from config import Settings
from domain import ExposrError
from scraper.fetch import Answer, Lookup, fetch


class Stopped(ExposrError):
    """Asked to stop; nothing was in flight."""

    code = "stopped"


class Visitor:
    """Visits many pages and pictures, of many hosts, from many threads."""

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Callable[[], float] = time.monotonic,
        stop: threading.Event | None = None,
        lookup: Lookup = socket.getaddrinfo,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._stop = stop or threading.Event()
        self._lookup = lookup

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
        """Get what is behind a URL.

        Raises
        ------
        FetchRefused
            With the words of `fetch`, or `robots`, `noai`, `rate_limited`.
        Stopped
            The stop was asked for before this could begin or while it waited.
        """
        if self._stop.is_set():
            raise Stopped("Asked to stop.")
        fetched = fetch(url, self._settings, max_bytes=max_bytes, lookup=self._lookup)
        return Answer(200, {"content-type": fetched.content_type}, fetched.data, fetched.final_url)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass
