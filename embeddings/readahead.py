"""Reading ahead in threads, within a budget of bytes."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Generic, Self, TypeVar

T = TypeVar("T")


class ReadAhead(Generic[T]):
    """What `read` makes of each name, read by threads ahead of whoever iterates.

    Results come as they are ready, not in the order of the names. What waits to be taken weighs
    no more than `budget`, save for one result that alone is heavier; each thread may hold one
    more in its hands. An exception of a thread is raised where the results are taken.
    """

    def __init__(
        self,
        names: Iterator[str],
        read: Callable[[str], T],
        weigh: Callable[[T], int],
        *,
        threads: int,
        budget: int,
    ) -> None:
        self._names = names
        self._read = read
        self._weigh = weigh
        self._budget = budget
        self._next_name = threading.Lock()
        self._changed = threading.Condition()
        self._ready: deque[tuple[T, int]] = deque()
        self._weight = 0
        self._error: BaseException | None = None
        self._closed = False
        self._threads = [
            threading.Thread(target=self._work, name=f"read-ahead-{n}", daemon=True)
            for n in range(threads)
        ]
        self._working = threads

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def __iter__(self) -> Iterator[T]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._ready or self._error or not self._working)
                if self._error is not None:
                    raise self._error
                if not self._ready:
                    return
                result, weight = self._ready.popleft()
                self._weight -= weight
                self._changed.notify_all()
            yield result

    def _work(self) -> None:
        try:
            while (name := self._take()) is not None:
                if not self._hand_over(self._read(name)):
                    return
        except BaseException as error:  # noqa: BLE001 -- handed to the thread that iterates
            with self._changed:
                self._error = error
        finally:
            with self._changed:
                self._working -= 1
                self._changed.notify_all()

    def _take(self) -> str | None:
        with self._next_name:
            return next(self._names, None)

    def _hand_over(self, result: T) -> bool:
        """Wait for room; False when nobody will take any more."""
        weight = self._weigh(result)
        with self._changed:
            self._changed.wait_for(
                lambda: self._closed or not self._ready or self._weight + weight <= self._budget
            )
            if self._closed:
                return False
            self._ready.append((result, weight))
            self._weight += weight
            self._changed.notify_all()
        return True
