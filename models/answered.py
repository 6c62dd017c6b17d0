"""What was said of labelled pictures by heads that had not seen them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from models.examples import Strings


@dataclass(frozen=True, slots=True, eq=False)
class Answered:
    """What was said of labelled pictures by heads and calibrations that had not seen them.

    Attributes
    ----------
    labels, families, sources
        (n,) strings; pictures of one family are near-duplicates.
    chances
        (n, k) probabilities, columns in the order of the classes.
    """

    labels: Strings
    families: Strings
    sources: Strings
    chances: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.labels)

    def others(self, label: str, column: int) -> NDArray[np.float64]:
        """(m,) the chance given to a label of each family without it, its worst picture's."""
        without = self.labels != label
        families, of = np.unique(self.families[without], return_inverse=True)
        worst = np.zeros(len(families))
        np.maximum.at(worst, of, self.chances[without, column])
        return worst

    def own(self, label: str, column: int) -> NDArray[np.float64]:
        """(m,) the chance given to a label of each of its pictures."""
        return np.asarray(self.chances[self.labels == label, column])

    def take(self, rows: NDArray[np.bool_]) -> Self:
        """Only these rows."""
        return type(self)(
            self.labels[rows], self.families[rows], self.sources[rows], self.chances[rows]
        )

    def without(self, others: Answered) -> Self:
        """Only rows whose source and whose family are none of these."""
        alike = np.isin(self.sources, others.sources) | np.isin(self.families, others.families)
        return self.take(~alike)
