"""What a head is trained on: vectors with their labels, sources and families."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.intp]
Strings = NDArray[np.str_]


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Labelled vectors, one row a picture.

    Attributes
    ----------
    vectors
        (n, dim) float32, unit rows of one embedder.
    labels, sources
        (n,) strings.
    families
        (n,) strings; rows of one family are near-duplicates and never sit on both sides of
        a fold. Further copies of a picture would be rows of its family.
    """

    vectors: NDArray[np.float32]
    labels: Strings
    sources: Strings
    families: Strings

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def classes(self) -> tuple[str, ...]:
        """The labels that occur, sorted."""
        return tuple(str(label) for label in np.unique(self.labels))

    @property
    def codes(self) -> Rows:
        """(n,) each row's label as its place in `classes`."""
        return np.unique(self.labels, return_inverse=True)[1].astype(np.intp)

    def take(self, rows: Rows | NDArray[np.bool_]) -> Self:
        """Only these rows."""
        return type(self)(
            self.vectors[rows], self.labels[rows], self.sources[rows], self.families[rows]
        )


def balanced_weights(codes: Rows) -> NDArray[np.float64]:
    """(n,) weights that let each label count alike, mean 1."""
    counts = np.bincount(codes)
    return np.asarray((len(codes) / (np.count_nonzero(counts) * np.maximum(counts, 1)))[codes])
