"""Heads: from a vector to probabilities; how they are searched, measured and saved."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Head(Protocol):
    """A fitted classifier over unit vectors of one embedder."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The labels, in the order of the columns of `predict_proba`."""

    def predict_proba(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probabilities of each label.

        Parameters
        ----------
        vectors
            (n, dim) float32, unit rows.

        Returns
        -------
        NDArray[np.float64]
            (n, k) in [0, 1], rows sum to 1, columns in the order of `classes`.
        """
