"""Hand-made features for when no pretrained encoder is at hand: no download, no torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from domain import TaskKind
from embeddings.builtin import authenticity, drawing, photo
from embeddings.builtin.copies import augment
from embeddings.canvas import as_drawing
from embeddings.cores import Lanes, usable_cores
from embeddings.images import Picture

__all__ = ["Builtin", "augment"]


class _Recipe(NamedTuple):
    describe: Callable[[NDArray[np.uint8]], NDArray[np.float32]]
    dim: int
    version: int


_RECIPES = {
    TaskKind.PHOTO: _Recipe(photo.describe, photo.DIM, 2),
    TaskKind.DRAWING: _Recipe(drawing.describe, drawing.DIM, 2),
    TaskKind.AUTHENTICITY: _Recipe(authenticity.describe, authenticity.DIM, 2),
}


class Builtin:
    """Embedder of one task kind, which any number of threads may share.

    No more of them compute at once than there are cores: with eight on two cores the fight for
    Python's lock costs a third more processor time and a quarter of the pictures a second.
    """

    def __init__(self, kind: TaskKind, reason: str = "no download needed") -> None:
        self._recipe = _RECIPES[kind]
        self._kind = kind
        self._reason = reason
        self._lanes = Lanes(usable_cores())

    @property
    def id(self) -> str:
        """`builtin-KIND:VERSION`; the version changes whenever vectors would."""
        return f"builtin-{self._kind.value}:{self._recipe.version}"

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self._recipe.dim

    @property
    def device(self) -> str:
        """Always the processor."""
        return "cpu"

    @property
    def runtime(self) -> str:
        """What computes."""
        return "numpy"

    @property
    def reason(self) -> str:
        """Why this embedder answers and not another."""
        return self._reason

    def embed(self, pictures: Sequence[Picture]) -> NDArray[np.float32]:
        """Embed pictures one by one: (n, dim) float32, unit rows."""
        rows = np.empty((len(pictures), self.dim), np.float32)
        for row, picture in zip(rows, pictures, strict=True):
            with self._lanes.lane():
                drawn = self._kind is TaskKind.DRAWING
                row[:] = self._recipe.describe(as_drawing(picture) if drawn else picture.pixels)
        return rows
