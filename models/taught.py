"""The head of what was taught: exact sums over examples, solved anew after every correction."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from heapq import nsmallest
from operator import attrgetter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from domain import NotEnoughData
from models.leave_one_out import Examined, believed, noise, temperature, unseen
from models.threads import single_thread

Rows = NDArray[np.float32]
Sums = NDArray[np.float64]
Chances = NDArray[np.float64]

GRID = 2.0**-14
"""Rows are rounded to it before they are summed: float64 has room for 2^25 of their products."""
SHRINKAGE = 3.0
"""What is added to the covariance, as a multiple of a sphere of the same size, or of a spheroid."""
OWN, OWN_FROM = 0.5, 4.0
"""Share of each number's own variance in that spheroid at most, and how many examples beside
others of their label make it half of that: copies alone do not tell what varies."""
EXAMINED = 96
"""Examples the temperature is learned from, each as if it had not been shown."""


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """One picture with what a person said of it.

    Attributes
    ----------
    id
        Of the correction.
    label
        What it is.
    weight
        1 to 3: how much it counts.
    vectors
        (m, dim) float32, quantised: the picture first, then its teaching copies.
    """

    id: str
    label: str
    weight: int
    vectors: Rows


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """Examples, and what the head says of them as if each had not been shown.

    Attributes
    ----------
    vectors
        (n, dim) float32, the pictures: first m that are of a label with others, then such as
        are the only one of theirs.
    codes
        (n,) places of their labels among the head's classes.
    chances
        (m, k) probabilities.
    belief
        (m,) in (0, 1): how far each counts, the further the more others its label has.
    """

    vectors: Rows
    codes: NDArray[np.intp]
    chances: Chances
    belief: Sums


@dataclass(frozen=True, slots=True, eq=False)
class TaughtHead:
    """Linear discriminants with calibrated probabilities; labels count alike.

    Attributes
    ----------
    classes
        The labels, sorted.
    weights, offsets
        (dim, k) and (k,): a vector's scores are `vector @ weights + offsets`.
    temperature
        By which scores are divided before they become probabilities.
    examples
        How many it was shown.
    trial
        How it does on examples that it was not shown; None where nobody asked.
    """

    classes: tuple[str, ...]
    weights: Sums
    offsets: Sums
    temperature: float
    examples: int = 0
    trial: Trial | None = None

    def predict_proba(self, vectors: Rows) -> Chances:
        """Probabilities of each label.

        Parameters
        ----------
        vectors
            (n, dim) float32, unit rows; any n.

        Returns
        -------
        NDArray[np.float64]
            (n, k) in [0, 1], rows sum to 1, columns in the order of `classes`.
        """
        scores = vectors.astype(np.float64) @ self.weights + self.offsets
        return _softmax(scores / self.temperature)


class _Label(NamedTuple):
    """Sums over the examples of one label; each example is the mean of its vectors."""

    total: Sums
    weight: int
    examples: int


class _Kept(NamedTuple):
    """What is kept of an example: enough to ask it as if it had not been shown."""

    label: str
    weight: int
    rows: Rows  # the picture, and the mean of it and its copies
    mixed: bytes


class Statistics:
    """Running sums over examples. Mutable: one owner, not safe in threads.

    All sums are exact. Whatever was added and taken out in between, and in whatever order, the
    same examples leave the same sums to the last bit, and `solve` the same head.

    References
    ----------
    T. L. Hayes, C. Kanan, "Lifelong machine learning with deep streaming linear discriminant
    analysis", CVPR Workshops 2020.
    """

    def __init__(self) -> None:
        self._labels: dict[str, _Label] = {}
        self._kept: dict[str, _Kept] = {}
        self._scatter: Sums = np.zeros((0, 0), order="F")  # lower triangle; about the origin

    @property
    def counts(self) -> Mapping[str, int]:
        """How many examples each label has; labels sorted."""
        return {name: self._labels[name].examples for name in sorted(self._labels)}

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        sums = sum(label.total.nbytes for label in self._labels.values())
        kept = sum(one.rows.nbytes for one in self._kept.values())
        return self._scatter.nbytes + sums + kept

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, shown: Shown) -> None:
        """Learn an example.

        Raises
        ------
        ValueError
            It is known already, or its vectors are of another length than the others'.
        """
        if shown.id in self._kept:
            raise ValueError(f"{shown.id} was added before.")
        dim = shown.vectors.shape[1]
        if not self._kept:
            self._scatter = np.zeros((dim, dim), order="F")
        if dim != len(self._scatter):
            raise ValueError(f"Vectors of {dim} numbers among those of {len(self._scatter)}.")
        mean = self._sum(shown, 1)
        rows = np.stack([shown.vectors[0], mean.astype(np.float32)])
        self._kept[shown.id] = _Kept(shown.label, shown.weight, rows, _mixed(shown.id))

    def remove(self, shown: Shown) -> None:
        """Unlearn an example that was added with these same vectors and this weight.

        Raises
        ------
        KeyError
            It is not known.
        """
        del self._kept[shown.id]
        self._sum(shown, -1)
        if not self._kept:
            self._scatter = np.zeros((0, 0), order="F")

    def _sum(self, shown: Shown, sign: int) -> Sums:
        """Add or take out; gives the mean of its vectors."""
        from scipy.linalg.blas import dsyrk

        rows = _rows(shown.vectors)
        weight = sign * shown.weight
        label = self._labels.get(shown.label, _Label(np.zeros(rows.shape[1]), 0, 0))
        examples = label.examples + sign
        if examples:
            total = label.total + weight * rows[0]
            self._labels[shown.label] = _Label(total, label.weight + weight, examples)
        else:
            del self._labels[shown.label]
        scatter = dsyrk(weight, rows.T, beta=1.0, c=self._scatter, lower=1, overwrite_c=1)
        self._scatter = scatter
        return np.asarray(rows[0])

    def solve(self) -> TaughtHead:
        """The head of all that is known.

        Raises
        ------
        NotEnoughData
            No example was added.
        """
        from scipy.linalg import solve_triangular

        if not self._labels:
            raise NotEnoughData("Nothing was taught yet.")
        names = tuple(sorted(self._labels))
        labels = [self._labels[name] for name in names]
        weights = np.array([label.weight for label in labels], np.float64)
        means = np.stack([label.total for label in labels]) / weights[:, None]
        counts = np.array([label.examples for label in labels], np.float64)
        place = {name: i for i, name in enumerate(names)}
        asked, lone = self._examined(place), self._lone()
        vectors = asked.vectors.astype(np.float32)
        with single_thread():
            factor = self._factor(means, weights)
            seen = _whitened(factor, means)
            narrow = seen.T.astype(np.float32)
            columns = solve_triangular(factor, narrow, lower=True, trans="T", check_finite=False)
            asked = replace(
                asked,
                vectors=_whitened(factor, asked.vectors),
                means=_whitened(factor, asked.means),
            )
            found = unseen(seen, weights, counts, asked)
        offsets = noise(found.spread, counts) - 0.5 * np.einsum("ij,ij->i", seen, seen)
        others = counts[asked.codes] - 1
        degree = temperature(seen, found.scores, asked.codes, others)
        codes = np.concatenate([asked.codes, [place[one.label] for one in lone]])
        rows = np.concatenate([vectors, *(one.rows[:1] for one in lone)])
        chances = _softmax(found.scores / degree)
        trial = Trial(rows, codes.astype(np.intp), chances, believed(others))
        return TaughtHead(
            names, columns.astype(np.float64), offsets, degree, len(self._kept), trial
        )

    def _factor(self, means: Sums, weights: Sums) -> Rows:
        """Lower Cholesky factor of the scatter within labels, shrunk towards a sphere.

        The sums need float64; of their factor, whose condition the shrinking bounds, float32
        is enough and takes half the time.
        """
        from scipy.linalg import cholesky
        from scipy.linalg.blas import dsyrk

        rows = means * np.sqrt(weights)[:, None]
        within = dsyrk(-1.0, rows.T, beta=1.0, c=self._scatter, lower=1, overwrite_c=0)
        within /= weights.sum()
        diagonal = within.ravel(order="K")[:: len(within) + 1]
        mean = max(float(diagonal.mean()), GRID)
        several = len(self._kept) - len(means)
        own = OWN * several / (several + OWN_FROM)
        diagonal += SHRINKAGE * (own * diagonal + (1 - own) * mean)
        narrow = within.astype(np.float32, order="F")
        factor: Rows = cholesky(narrow, lower=True, overwrite_a=True, check_finite=False)
        return factor

    def _examined(self, place: Mapping[str, int]) -> Examined:
        """Some examples whose label has others, not whitened yet."""
        several = (one for one in self._kept.values() if self._labels[one.label].examples > 1)
        kept = nsmallest(EXAMINED, several, key=attrgetter("mixed"))
        rows = np.array([one.rows for one in kept], np.float64)
        rows = rows.reshape(len(kept), 2, len(self._scatter))
        return Examined(
            np.array([place[one.label] for one in kept], np.intp),
            np.array([one.weight for one in kept], np.float64),
            rows[:, 0],
            rows[:, 1],
        )

    def _lone(self) -> list[_Kept]:
        """Some examples whose label has no others."""
        alone = (one for one in self._kept.values() if self._labels[one.label].examples == 1)
        return nsmallest(EXAMINED, alone, key=attrgetter("mixed"))


def _whitened(factor: Rows, rows: Sums) -> Sums:
    from scipy.linalg import solve_triangular

    narrow = rows.astype(np.float32)
    white = solve_triangular(factor, narrow.T, lower=True, check_finite=False)
    return np.asarray(white.T, np.float64)


def _rows(vectors: Rows) -> Sums:
    """An example's mean, and below it how its vectors lie about that, on a grid.

    The square of the latter is the mean of the squares, however many copies there are.
    """
    exact = vectors.astype(np.float64)
    mean = exact.mean(0)
    about = (exact - mean) / np.sqrt(len(exact))
    return np.rint(np.concatenate([mean[None], about]) / GRID) * GRID


def _mixed(example: str) -> bytes:
    """Sorting by it is choosing by chance, the same wherever it is done."""
    return hashlib.sha256(example.encode()).digest()


def _softmax(scores: Sums) -> Chances:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True, initial=-np.inf))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
