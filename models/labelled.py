"""The labelled pictures of a task that a picture is nearest to, and whether any is near at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from domain import Nearest
from models.apart import Apart, Vectors, rounded
from models.examples import Rows

SHOWN = 5
"""Nearest examples that are named; near-duplicates stand as one."""
FEWEST = 19
"""Below so many examined ones not even the farthest of twenty can be called strange at 5 %."""
STRANGE = 0.05
"""Share of pictures with a known label that may be taken for none of them.

Measured by leaving out 10 of 30 letters (`python -m benchmarks.strangers`), ten examples of each
other: at 5 % 58 % of unknown letters are told, at 1 % 24 %; of known ones 4.1 and 0.5 % wrongly.
"""
MOMENTS = 2
"""Moments that are kept: what a correction changes is told by those around it."""


@dataclass(frozen=True, slots=True)
class Familiarity:
    """How near a picture is to what a task knows.

    Attributes
    ----------
    similarity
        Cosine with the nearest example, in [-1, 1].
    chance
        Share of examples, this picture among them, that are as far from all others: a conformal
        p-value, in (0, 1]. 1 where too few are known to tell.
    examined
        Of how many examples that is known.
    """

    similarity: float
    chance: float
    examined: int

    @property
    def strange(self) -> bool:
        """Whether it is like nothing known."""
        return self.examined >= FEWEST and self.chance <= STRANGE


@dataclass(frozen=True, eq=False)
class Labelled:
    """Labelled examples of one task and embedder at one moment; never changes.

    Attributes
    ----------
    ids
        (n,) numbers of their samples.
    sha256s
        n, in the same order.
    families
        (n,) codes; near-duplicates have the same one.
    labels
        (n,) places in `classes`; -1 of those that do not count now.
    blocks
        Unit rows, (m, dim) each, n in all, in the same order.
    row_of
        By sha256, an example's row.
    left_out
        How many more there are for which there is no room.
    examined
        Where `apart` is kept for the next moment, which mostly has the same.
    """

    ids: NDArray[np.int64]
    sha256s: Sequence[str]
    families: Rows
    labels: Rows
    classes: tuple[str, ...]
    blocks: tuple[Vectors, ...]
    row_of: Mapping[str, int]
    left_out: int = 0
    examined: Apart = field(default_factory=Apart)

    def __len__(self) -> int:
        return int(np.count_nonzero(self.labels >= 0))

    def nearest(self, vector: Vectors, most: int = SHOWN) -> list[Nearest]:
        """The examples most like a picture, best first; one of each family.

        Parameters
        ----------
        vector
            (dim,) the picture's, unit length.
        most
            No more than so many.
        """
        similar = self._similarities(vector)
        found: list[Nearest] = []
        families: set[int] = set()
        for row in np.argsort(-similar, kind="stable"):
            if similar[row] == -np.inf or len(found) == most:
                break
            if int(self.families[row]) not in families:
                families.add(int(self.families[row]))
                label = self.classes[self.labels[row]]
                likeness = float(np.clip(similar[row], -1.0, 1.0))
                found.append(Nearest(int(self.ids[row]), label, likeness))
        return found

    def familiarity(self, vector: Vectors, sha256: str) -> Familiarity | None:
        """How near a picture is to what is known; None where nothing is.

        A picture with a known label lies as far from the examples as they do from each other, so
        that at most a share of `STRANGE` of such pictures is called strange, whatever the vectors
        are. That holds on average over the labels: one whose examples differ more than others'
        has more than its share.

        Parameters
        ----------
        vector
            (dim,) the picture's, unit length.
        sha256
            The picture: one that is an example itself is no stranger.

        References
        ----------
        V. Vovk, A. Gammerman, G. Shafer, "Algorithmic learning in a random world", 2005; the
        nearest neighbour as its measure of strangeness: Y. Sun et al., "Out-of-distribution
        detection with deep nearest neighbors", ICML 2022.
        """
        return self.familiarities([(sha256, vector)])[0]

    def familiarities(
        self, pictures: Sequence[tuple[str, Vectors]], supposed: Sequence[Vectors] = ()
    ) -> list[Familiarity | None]:
        """How near each of many pictures is to what is known, looked up together.

        Parameters
        ----------
        pictures
            Of each its sha256 and its vector, (dim,).
        supposed
            (dim,) vectors of examples that may come to be known.
        """
        if not len(self) or not pictures:
            return [None] * len(pictures)
        asked = np.stack([vector for _, vector in pictures])
        nearest = np.full(len(asked), -np.inf, np.float32)
        start = 0
        for block in self.blocks:
            counted = self.labels[start : start + len(block)] >= 0
            if counted.any():
                likeness = block @ asked.T
                np.maximum(nearest, likeness[counted].max(axis=0), out=nearest)
            start += len(block)
        if len(supposed):
            np.maximum(nearest, (asked @ np.stack(supposed).T).max(axis=1), out=nearest)
        return [
            self._familiarity(sha256, float(similarity))
            for (sha256, _), similarity in zip(pictures, nearest, strict=True)
        ]

    @property
    def line(self) -> float:
        """The likeness from which on a picture is no stranger; minus infinity: none is one."""
        examined = len(self.apart)
        if examined < FEWEST:
            return -np.inf
        return float(self.apart[int(STRANGE * (1 + examined)) - 1])

    def _familiarity(self, sha256: str, nearest: float) -> Familiarity:
        row = self.row_of.get(sha256)
        if row is not None and row < len(self.labels) and self.labels[row] >= 0:
            return Familiarity(1.0, 1.0, len(self.apart))
        as_far = int(np.searchsorted(self.apart, nearest, side="right"))
        return Familiarity(nearest, (1 + as_far) / (1 + len(self.apart)), examined=len(self.apart))

    @cached_property
    def apart(self) -> Vectors:
        """(m,) how like its nearest of another family each examined example is; ascending.

        The examples are the first ones there are, up to a rounded number: a picture more moves
        nothing, and every process that has read the same log examines the same.
        """
        counted = np.flatnonzero(self.labels >= 0)
        counted = counted[: rounded(len(counted))]
        return self.examined.among(counted, self.sha256s, self.families, self.blocks)

    def _similarities(self, vector: Vectors) -> Vectors:
        """(n,) cosines; minus infinity of those that do not count."""
        parts = [block @ vector for block in self.blocks]
        similar = np.concatenate(parts) if parts else np.empty(0, np.float32)
        similar[self.labels < 0] = -np.inf
        return similar
