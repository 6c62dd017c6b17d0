"""How fast and how many at once one host is visited, whoever asks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Protocol

from domain import ExposrError, FetchRefused

LONGEST_WAIT = 120.0  # seconds that a host may ask us to keep away before we give up on it
BROKEN = 5  # so many failures in a row, and a host is left alone
LEFT_ALONE = 60.0
LOOK_UP = 0.05  # seconds between looks at the stop while a lock is waited for


class Stopped(ExposrError):
    """The stop was asked for; nothing is in flight."""

    code = "stopped"


class Lock(Protocol):
    """A lock or a semaphore."""

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Whether it could be had in time."""

    def release(self) -> None:
        """Let the next one have it."""


class Patience:
    """Waits that end when the stop is asked for."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop

    def rest(self, seconds: float) -> None:
        """Do nothing for a while.

        Raises
        ------
        Stopped
            As soon as the stop is asked for.
        """
        if self._stop.is_set() or (seconds > 0 and self._stop.wait(seconds)):
            raise Stopped("Asked to stop.")

    @contextmanager
    def held(self, lock: Lock, meanwhile: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Hold a lock; `meanwhile` is called while it cannot be had, and may raise."""
        while not lock.acquire(timeout=LOOK_UP):
            self.rest(0)
            meanwhile()
        try:
            yield
        finally:
            lock.release()


class Host:
    """One host's turns. For many threads.

    Parameters
    ----------
    name
        For messages.
    at_once
        Most turns at the same time.
    clock
        Seconds; only differences count.
    patience
        How waits are waited.
    """

    def __init__(
        self, name: str, at_once: int, clock: Callable[[], float], patience: Patience
    ) -> None:
        self._name = name
        self._free = threading.BoundedSemaphore(at_once)
        self._clock = clock
        self._patience = patience
        self._lock = threading.Lock()
        self._next = float("-inf")
        self._paused_until = float("-inf")
        self._down_until = float("-inf")
        self._failures = 0

    @contextmanager
    def turn(self, interval: float) -> Iterator[None]:
        """Wait for a turn and hold it.

        A place among those at once comes first and the moment second, so that turns which
        waited for a slow answer do not come in a burst.

        Parameters
        ----------
        interval
            Seconds from this turn to the next.

        Raises
        ------
        FetchRefused
            `rate_limited`, where the wait would be too long; `unreachable`, where the host has
            not answered lately.
        """
        if interval > LONGEST_WAIT:
            raise self._too_long(interval)
        self._open()
        with self._patience.held(self._free, self._open):
            while self._clock() < (moment := self._reserve(interval)):
                self._patience.rest(moment - self._clock())
                if self._clock() >= self._paused_until:
                    break
                self._open()  # asked to keep away meanwhile: another moment, then
            self._open()
            self._patience.rest(0)
            yield

    def pause(self, seconds: float) -> None:
        """Nobody's turn comes for so long."""
        with self._lock:
            self._paused_until = max(self._paused_until, self._clock() + seconds)

    def answered(self) -> None:
        """It is there."""
        self._failures = 0

    def failed(self) -> None:
        """It could not be reached, or kept us waiting for nothing."""
        with self._lock:
            self._failures += 1
            if self._failures >= BROKEN:
                self._down_until = self._clock() + LEFT_ALONE

    def _reserve(self, interval: float) -> float:
        with self._lock:
            moment = max(self._clock(), self._next, self._paused_until)
            self._next = moment + interval
            return moment

    def _open(self) -> None:
        now = self._clock()
        if self._paused_until - now > LONGEST_WAIT:
            raise self._too_long(self._paused_until - now)
        if now < self._down_until:
            raise FetchRefused("unreachable", f"{self._name} has not answered lately.")

    def _too_long(self, seconds: float) -> FetchRefused:
        return FetchRefused(
            "rate_limited", f"{self._name} asks to be left alone for {seconds:,.0f} seconds."
        )


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds that a server asks us to stay away, if it does.

    Parameters
    ----------
    headers
        By lower-case name. A date is taken by the server's own clock if it tells the time.
    now
        The time of day otherwise; aware.
    """
    value = headers.get("retry-after", "").strip()
    if value.isdecimal():
        return float(value[:12])
    until = _moment(value)
    if until is None:
        return None
    return max(0.0, (until - (_moment(headers.get("date", "")) or now)).total_seconds())


def _moment(value: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
