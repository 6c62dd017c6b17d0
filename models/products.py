"""Exact dot products between pictures, kept between the times a head is adjusted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models import Head
from models.exact import quantised
from models.kernel_ridge import Kernels
from models.support import Support
from models.taught import Shown

Rows = NDArray[np.float32]
Chances = NDArray[np.float64]

FEW = 4.0
"""Pictures' worth of weight that all columns' mean variance has beside a column's own."""
CLIP = 8.0
"""Standard deviations beyond which a column is not heard: a broken picture shouts no louder."""
COARSE = 2.0**-8
"""Grid of standardised columns: squares sum exactly in float64, so length is exact too."""
GRID = 2.0**-10
"""Grid of a head's probabilities where they are learned from."""
SHAPE_ERROR = 1e-5
"""How far an answer in a batch may be from that to the picture alone: every head's promise."""
MOST = 1_000
"""Latest pictures a head is adjusted by; more would take too long to answer at once."""
SPARE = 64
"""Pictures kept beside those used last: what is only tried is not computed again."""


@dataclass(frozen=True, slots=True, eq=False)
class Scaling:
    """Standardises columns and makes rows unit again; a row's outcome depends on it alone.

    Attributes
    ----------
    centre, spread
        (dim,) float32.
    """

    centre: Rows
    spread: Rows

    @classmethod
    def of(cls, vectors: Rows, dim: int) -> Scaling:
        """The scaling that suits some vectors; the less is known, the more alike all columns."""
        n = len(vectors)
        if not n:
            flat = np.full(dim, 1 / np.sqrt(max(dim, 1)), np.float32)
            return cls(np.zeros(dim, np.float32), flat)
        exact = vectors.astype(np.float64)
        variance = exact.var(axis=0)
        whole = max(float(variance.mean()), 1e-3 / dim)
        spread = np.sqrt((n * variance + FEW * whole) / (n + FEW))
        return cls(exact.mean(axis=0).astype(np.float32), spread.astype(np.float32))

    def __call__(self, vectors: Rows) -> Rows:
        """(n, dim) quantised unit rows."""
        columns = np.clip((vectors - self.centre) / self.spread, -CLIP, CLIP)
        whole = np.rint(columns.astype(np.float64) / COARSE) * COARSE
        lengths = np.sqrt(np.einsum("ij,ij->i", whole, whole))
        return quantised((whole / np.maximum(lengths, COARSE)[:, None]).astype(np.float32))


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """Pictures that were shown, beside each other and beside a support.

    Attributes
    ----------
    chances
        (n, k) what the version's head says, on a grid.
    rows
        (n, dim) scaled.
    among, beside
        (n, n) and (n, m + g) products with each other, and with anchors and golden pictures.
    """

    chances: Chances
    rows: Rows
    among: Rows
    beside: Rows


class Products:
    """What adjusting one version's head can reuse. One owner: not safe in threads.

    Attributes
    ----------
    base, support
        The head and what it is held to.
    scaling, kernels
        How pictures are compared; the support settles it.
    anchors
        (m, dim) the support's, scaled.
    golden_chances
        (g, k) what the head says of the golden pictures.
    fixed_far
        (m + g, m) far kernel between anchors and golden pictures, and anchors.

    Notes
    -----
    Nothing that comes out depends on what was asked before: products of quantised rows are
    exact in any order and shape.
    """

    def __init__(self, base: Head, support: Support) -> None:
        self.base = base
        self.support = support
        dim = support.vectors.shape[1] or support.golden.shape[1]
        self.scaling = Scaling.of(support.vectors, dim)
        self.anchors = self.scaling(support.vectors.reshape(-1, dim))
        golden = support.golden.reshape(-1, dim)
        self.golden_chances = base.predict_proba(golden)
        self._fixed = np.concatenate([self.anchors, self.scaling(golden)])
        products = self._fixed @ self.anchors.T
        self.kernels = Kernels.suiting(products[: len(self.anchors)])
        self.fixed_far = self.kernels.far(products)
        self._slots: dict[str, int] = {}  # of each picture held, that used last at the end
        self._vectors: dict[str, Rows] = {}  # of each, as it was shown
        self._rows: Rows = np.empty((0, dim), np.float32)
        self._among: Rows = np.empty((0, 0), np.float32)
        self._beside: Rows = np.empty((0, len(self._fixed)), np.float32)
        self._chances: Chances = np.empty((0, len(base.classes)))

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        held = (self.fixed_far, self._fixed, self._rows, self._among, self._beside, self._chances)
        return sum(array.nbytes for array in held)

    def compare(self, shown: Sequence[Shown]) -> Compared:
        """Look at pictures beside each other; only what was not seen lately is computed."""
        ids = [one.id for one in shown]
        for one in shown:  # an id that stands for another picture now, as in trials
            if one.id in self._slots and not np.array_equal(self._vectors[one.id], one.vectors[0]):
                self._forget(one.id)
        new = [one for one in shown if one.id not in self._slots]
        self._make_room(set(ids), len(new))
        if new:
            self._take_in(new)
        for known in ids:
            self._slots[known] = self._slots.pop(known)
        slots = np.asarray([self._slots[known] for known in ids], np.intp)
        return Compared(
            self._chances[slots],
            self._rows[slots],
            self._among.take(slots, axis=0).take(slots, axis=1),
            self._beside[slots],
        )

    def _make_room(self, used: set[str], wanted: int) -> None:
        idle = [known for known in self._slots if known not in used]
        for known in idle[: max(0, len(idle) + wanted - SPARE)]:
            self._forget(known)
        if len(self._slots) + wanted > len(self._rows):
            needed = len(self._slots) + wanted
            self._hold(max(needed, min(2 * needed, MOST + SPARE)))

    def _forget(self, known: str) -> None:
        del self._slots[known], self._vectors[known]

    def _hold(self, capacity: int) -> None:
        """Arrays for so many pictures; those that are held move to the front."""
        slots = np.asarray(list(self._slots.values()), np.intp)
        n = len(slots)
        rows, beside, chances = (
            np.zeros((capacity, held.shape[1]), held.dtype)
            for held in (self._rows, self._beside, self._chances)
        )
        among = np.zeros((capacity, capacity), np.float32)
        rows[:n], beside[:n], chances[:n] = (
            held[slots] for held in (self._rows, self._beside, self._chances)
        )
        among[:n, :n] = self._among[np.ix_(slots, slots)]
        self._rows, self._among, self._beside, self._chances = rows, among, beside, chances
        self._slots = {known: place for place, known in enumerate(self._slots)}

    def _take_in(self, new: Sequence[Shown]) -> None:
        taken = set(self._slots.values())
        free = [slot for slot in range(len(self._rows)) if slot not in taken][: len(new)]
        vectors = np.stack([one.vectors[0] for one in new])
        self._rows[free] = self.scaling(vectors)
        self._beside[free] = self._rows[free] @ self._fixed.T
        self._chances[free] = steady(self.base, vectors)
        # with all slots, free ones too: their products are overwritten before they are read
        products = self._rows[free] @ self._rows.T
        self._among[free] = products
        self._among[:, free] = products.T
        for one, slot in zip(new, free, strict=True):
            self._slots[one.id], self._vectors[one.id] = slot, one.vectors[0]


def steady(head: Head, vectors: Rows) -> Chances:
    """What a head says on a grid, the same to a bit whether pictures are asked alone or not.

    A batch may differ from the picture alone by rounding errors. Where these could decide
    between two points of the grid, the picture is asked alone.
    """
    chances = np.array(head.predict_proba(vectors))
    places = chances / GRID
    from_middle = np.abs(np.abs(places - np.rint(places)) - 0.5) * GRID
    for row in np.flatnonzero((from_middle <= SHAPE_ERROR).any(axis=1)):
        chances[row] = head.predict_proba(vectors[row : row + 1])[0]
    return np.asarray(np.rint(chances / GRID) * GRID)
