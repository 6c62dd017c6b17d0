"""The processor's cores: how many there are for us, and who computes on how many."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def usable_cores() -> int:
    """Cores this process may use; a container's limit counts, which most libraries overlook."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        limit = max(1, round(int(quota) / int(period)))
    except (OSError, ValueError):  # no such file, or `max`: no limit
        return cores or 1
    return min(cores or 1, limit)


class Lanes:
    """Shares cores among computations that run at once: all for a lone one, one each for many.

    Computations that each spread over all cores wait for each other at every step; side by side
    on a core each they need about a tenth less processor time.
    """

    def __init__(self, cores: int) -> None:
        self._cores = cores
        self._room = threading.BoundedSemaphore(cores)
        self._counting = threading.Lock()
        self._running = 0

    @contextmanager
    def lane(self) -> Iterator[int]:
        """Wait for a core; yields how many may be used."""
        with self._room:
            with self._counting:
                self._running += 1
                share = max(1, self._cores // self._running)
            try:
                yield share
            finally:
                with self._counting:
                    self._running -= 1
