"""What was made of a verdict with much work, kept in memory for whoever asks for it again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Made = TypeVar("Made")


class Drawn(Generic[Made]):
    """The latest things made, by what they were made of. Safe in threads.

    Parameters
    ----------
    size
        How many bytes one takes.
    most, most_bytes
        What is held at most; what was asked for longest ago goes first.
    """

    def __init__(self, size: Callable[[Made], int], *, most: int, most_bytes: int) -> None:
        self._size = size
        self._most = most
        self._most_bytes = most_bytes
        self._held: OrderedDict[Hashable, Made] = OrderedDict()
        self._holding = threading.Lock()

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        with self._holding:
            return self._bytes()

    def get(self, key: Hashable) -> Made | None:
        """What was made of this, if it is still held."""
        with self._holding:
            if key in self._held:
                self._held.move_to_end(key)
            return self._held.get(key)

    def put(self, key: Hashable, made: Made) -> None:
        """Hold it, unless it alone is too large; older ones make room."""
        with self._holding:
            self._held[key] = made
            self._held.move_to_end(key)
            while len(self._held) > self._most or self._bytes() > self._most_bytes:
                self._held.popitem(last=False)

    def _bytes(self) -> int:
        return sum(self._size(made) for made in self._held.values())
