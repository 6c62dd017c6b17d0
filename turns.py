"""Work that takes the processor for seconds: one at a time, and nobody waits holding a thread."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

from domain import Limited


class Turn:
    """Held with `with` by whoever works; whoever comes meanwhile is told to come again.

    Parameters
    ----------
    taken
        What is said while somebody else has it.
    retry_seconds
        When to come again.
    """

    def __init__(self, taken: str, *, retry_seconds: int) -> None:
        self._taken = taken
        self._retry_seconds = retry_seconds
        self._working = threading.Lock()

    def __enter__(self) -> Self:
        if not self._working.acquire(blocking=False):
            raise Limited(self._taken, retry_after=self._retry_seconds)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._working.release()
