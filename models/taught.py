"""The head of what was taught: exact sums over examples, solved anew after every correction."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from heapq import nsmallest
from operator import attrgetter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from domain import NotEnoughData
from models.threads import single_thread

Rows = NDArray[np.float32]
Sums = NDArray[np.float64]
Chances = NDArray[np.float64]

GRID = 2.0**-14
"""Rows are rounded to it before they are summed: float64 has room for 2^25 of their products."""
SHRINKAGE = 0.3
"""What is added to every direction's variance, as a multiple of their mean."""
EXAMINED = 96
"""Examples the temperature is learned from, each as if it had not been shown."""
COLDEST, HOTTEST, DEGREES = 1 / 16, 64.0, 81
USUAL = 1.0
"""The temperature when nothing is known of it."""
CONFIDENCE = 4.0
"""How many examples' worth of belief in the usual temperature there is, per factor of two."""


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
    """

    classes: tuple[str, ...]
    weights: Sums
    offsets: Sums
    temperature: float

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
    vector: Rows
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
        kept = sum(one.vector.nbytes for one in self._kept.values())
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
        self._sum(shown, 1)
        self._kept[shown.id] = _Kept(
            shown.label, shown.weight, shown.vectors[0].copy(), _mixed(shown.id)
        )

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

    def _sum(self, shown: Shown, sign: int) -> None:
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

    def solve(self) -> TaughtHead:
        """The head of all that is known.

        Raises
        ------
        NotEnoughData
            No example was added.
        """
        if not self._labels:
            raise NotEnoughData("Nothing was taught yet.")
        names = tuple(sorted(self._labels))
        labels = [self._labels[name] for name in names]
        weights = np.array([label.weight for label in labels], np.float64)
        means = np.stack([label.total for label in labels]) / weights[:, None]
        with single_thread():
            factor = self._factor(means, weights)
            return _Solver(factor, means, weights).head(names, self._examined(names))

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
        diagonal += SHRINKAGE * max(float(diagonal.mean()), GRID) + GRID
        narrow = within.astype(np.float32, order="F")
        factor: Rows = cholesky(narrow, lower=True, overwrite_a=True, check_finite=False)
        return factor

    def _examined(self, names: tuple[str, ...]) -> tuple[NDArray[np.intp], Sums, Sums]:
        """Labels, weights and vectors of some examples whose label has another one."""
        several = (one for one in self._kept.values() if self._labels[one.label].examples > 1)
        kept = nsmallest(EXAMINED, several, key=attrgetter("mixed"))
        place = {name: i for i, name in enumerate(names)}
        codes = np.array([place[one.label] for one in kept], np.intp)
        weights = np.array([one.weight for one in kept], np.float64)
        vectors = np.array([one.vector for one in kept], np.float64)
        return codes, weights, vectors.reshape(len(kept), len(self._scatter))


class _Solver:
    """Scores of vectors from a factor of the covariance; what they were had one been absent."""

    def __init__(self, factor: Rows, means: Sums, weights: Sums) -> None:
        self._factor = factor
        self._means = means
        self._weights = weights
        self._seen = self._whitened(means)

    def head(
        self, names: tuple[str, ...], examined: tuple[NDArray[np.intp], Sums, Sums]
    ) -> TaughtHead:
        """The head, its temperature learned from examples as if they had not been shown."""
        from scipy.linalg import solve_triangular

        seen = self._seen.astype(np.float32)
        columns = solve_triangular(self._factor, seen.T, lower=True, trans="T", check_finite=False)
        offsets = -0.5 * np.einsum("ij,ij->i", self._seen, self._seen)
        codes, weights, vectors = examined
        temperature = _temperature(self._unseen(codes, weights, vectors), codes)
        return TaughtHead(names, columns.astype(np.float64), offsets, temperature)

    def _whitened(self, rows: Sums) -> Sums:
        from scipy.linalg import solve_triangular

        narrow = rows.astype(np.float32)
        white = solve_triangular(self._factor, narrow.T, lower=True, check_finite=False)
        return np.asarray(white.T, np.float64)

    def _unseen(self, codes: NDArray[np.intp], weights: Sums, vectors: Sums) -> Sums:
        """(n, k) scores of examples by the head that was never shown them.

        Without an example its label's mean moves, and the covariance loses its share; both in
        closed form, by Sherman and Morrison.
        """
        if not len(codes):
            return np.empty((0, len(self._means)))
        white, seen = self._whitened(vectors), self._seen
        whole = self._weights[codes]
        shift = white - seen[codes]
        left = weights / (whole - weights)
        share = weights * whole / (whole - weights) / self._weights.sum()
        shift_shift = np.einsum("ij,ij->i", shift, shift)
        grown = share / np.maximum(1 - share * shift_shift, 0.05)
        own = seen[codes] - left[:, None] * shift
        shift_white = np.einsum("ij,ij->i", shift, white)
        shift_seen = shift @ seen.T
        shift_own = np.einsum("ij,ij->i", shift, own)
        scores: Sums = white @ seen.T + (grown * shift_white)[:, None] * shift_seen
        lengths = np.einsum("ij,ij->i", seen, seen) + grown[:, None] * shift_seen**2
        scores = scores - 0.5 * lengths
        at = np.arange(len(codes))
        own_length = np.einsum("ij,ij->i", own, own) + grown * shift_own**2
        own_white = np.einsum("ij,ij->i", own, white) + grown * shift_white * shift_own
        scores[at, codes] = own_white - 0.5 * own_length
        return scores


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


def _temperature(scores: Sums, codes: NDArray[np.intp]) -> float:
    """By which unseen examples' scores give the likeliest probabilities; labels count alike."""
    degrees = np.geomspace(COLDEST, HOTTEST, DEGREES)
    doubt = CONFIDENCE * np.log2(degrees / USUAL) ** 2 / 2
    if scores.shape[1] > 1:
        at = np.arange(len(codes))
        for i, degree in enumerate(degrees):
            lines = scores / degree
            top = lines.max(1, initial=-np.inf)
            log_sum = top + np.log(np.exp(lines - top[:, None]).sum(1))
            doubt[i] += float((log_sum - lines[at, codes]).sum())
    return float(degrees[doubt.argmin()])


def _softmax(scores: Sums) -> Chances:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
