"""Embedders: from a decoded picture to a unit vector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from embeddings.images import Picture


class Embedder(Protocol):
    """Pictures to unit vectors. Vectors of two ids never mix."""

    @property
    def id(self) -> str:
        """Such as `clip:ViT-B-32/openai` or `builtin-drawing:1`."""

    @property
    def dim(self) -> int:
        """Length of a vector."""

    @property
    def device(self) -> str:
        """`cpu`, `cuda:0` and so on."""

    @property
    def runtime(self) -> str:
        """What computes: `torch`, `numpy`."""

    @property
    def reason(self) -> str:
        """Why this embedder answers and not another, in one plain sentence."""

    def embed(self, pictures: Sequence[Picture]) -> NDArray[np.float32]:
        """Embed pictures.

        Parameters
        ----------
        pictures
            Any number, also none.

        Returns
        -------
        NDArray[np.float32]
            (n, dim), unit rows; the same picture gives the same row in any batch to 1e-5.
        """
