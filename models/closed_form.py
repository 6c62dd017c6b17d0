"""Least squares and kernels solved outright: many settings for the price of one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from models.dealt import Dealt, Features
from models.examples import Rows, balanced_weights
from models.moments import Equations

Real = TypeVar("Real", np.float32, np.float64)
Vectors = NDArray[np.float32]
Scores = NDArray[np.float64]

KEPT_BYTES = 2**29
"""Distances from landmarks up to this size are kept, not reckoned again for each width; and so
many scores are made in one pass over the rows."""
JITTER = 1e-6
"""Added to a kernel's diagonal of ones: rows that are alike make it singular."""


def ridge_path(train: Vectors, codes: Rows, test: Vectors, alphas: list[float]) -> Iterator[Scores]:
    """RidgeClassifier's scores for each alpha from one Gram matrix.

    Notes
    -----
    With weights W, centred rows A = sqrt(W) (X - mean) and targets T, the coefficients are
    (A'A + alpha I)^-1 A'T, or A' (AA' + alpha I)^-1 T where rows are fewer than columns: the
    product is made once and each alpha costs one Cholesky factorisation.
    """
    from scipy.linalg import solve

    weights = balanced_weights(codes)
    targets = np.where(np.arange(codes.max() + 1) == codes[:, None], 1.0, -1.0)
    if targets.shape[1] == 2:
        targets = targets[:, 1:]
    mean = weights.astype(np.float32) @ train / np.float32(len(train))
    offset = weights @ targets / len(train)
    root = np.sqrt(weights)[:, None]
    rows = (train - mean) * root.astype(np.float32)
    goals = (targets - offset) * root
    wide = rows.shape[0] < rows.shape[1]
    gram = np.asarray(rows @ rows.T if wide else rows.T @ rows, np.float64)
    right = goals if wide else rows.T @ goals
    ahead = test - mean
    onto = ahead @ rows.T if wide else ahead
    for alpha in alphas:
        shifted = gram.copy()
        shifted.flat[:: len(gram) + 1] += alpha
        yield onto @ solve(shifted, right, assume_a="pos", overwrite_a=True) + offset


def ridge_across(dealt: Dealt, alphas: Sequence[float], *, standard: bool) -> Iterator[Scores]:
    """(n, t) scores for each alpha, every row's by a fit on the folds it is not in.

    What `ridge_path` would give fold by fold, from one product of all rows.
    """

    def solved(fold: int) -> Solved:
        equations = dealt.linear.equations(fold)
        scale = equations.spread[:, None] if standard else 1.0
        asked = equations.standardised() if standard else equations
        coefficients = np.hstack([asked.solve(alpha) / scale for alpha in alphas])
        offset = np.tile(equations.offset, len(alphas)) - equations.mean @ coefficients
        return Solved(coefficients, offset)

    yield from _scored(dealt, dealt.centred, solved, len(alphas))


@dataclass(frozen=True, slots=True, eq=False)
class Solved:
    """Coefficients (m, t) and offsets (t,) of columns as they come."""

    coefficients: Scores
    offset: Scores


def _scored(
    dealt: Dealt, features: Features, solved: Callable[[int], Solved], settings: int
) -> Iterator[Scores]:
    each = dealt.each_of(solved, range(dealt.folds))
    outputs = len(each[0].offset) // settings
    together = max(1, KEPT_BYTES // (8 * len(dealt) * outputs))
    for at in range(0, settings, together):
        some = slice(at * outputs, (at + together) * outputs)
        coefficients = [fold.coefficients[:, some] for fold in each]
        scores = dealt.scores(features, coefficients, [fold.offset[some] for fold in each])
        yield from np.split(scores, scores.shape[1] // outputs, axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class Landmarks:
    """Rows whose kernels describe all others.

    A fold's fit has only landmarks from the other folds: at a landmark itself a fit swings more
    than at rows that are new, so scores there would tell nothing of new rows.

    Attributes
    ----------
    rows
        (m,) which they are.
    chosen
        (m, dim) float32, after scaling.
    centre, scale
        (dim,) float32: rows less the centre, over the scale.
    """

    dealt: Dealt
    rows: Rows
    chosen: Vectors
    centre: Vectors
    scale: Vectors

    @classmethod
    def among(cls, dealt: Dealt, rows: Rows, *, standard: bool) -> Landmarks:
        """These rows."""
        centre, scale = dealt.centre, np.ones(dealt.vectors.shape[1], np.float32)
        if standard:
            scale = dealt.linear.equations(None).spread.astype(np.float32)
        return cls(dealt, rows, (dealt.vectors[rows] - centre) / scale, centre, scale)

    def apart(self, rows: Rows) -> Vectors:
        """(b, m) squared distances of rows from landmarks."""
        return squared_distances((self.dealt.vectors[rows] - self.centre) / self.scale, self.chosen)

    def distances(self) -> Callable[[Rows], Vectors]:
        """The same; they are kept where there is room."""
        shape = len(self.dealt), len(self.chosen)
        if 4 * shape[0] * shape[1] > KEPT_BYTES:
            return self.apart
        kept = np.empty(shape, np.float32)

        def fill(rows: Rows) -> None:
            kept[rows] = self.apart(rows)

        self.dealt.in_blocks(fill)
        return lambda rows: np.asarray(kept[rows])

    def across(
        self, gamma: float, alphas: Sequence[float], apart: Callable[[Rows], Vectors]
    ) -> Iterator[Scores]:
        """(n, t) scores for each alpha, every row's by a fit on the folds it is not in."""
        features = kernels(apart, gamma)
        moments, own = self.dealt.moments(features), self._own(gamma)
        folds = self.dealt.fold_of[self.rows]

        def solved(fold: int) -> Solved:
            among = np.flatnonzero(folds != fold)
            part = _by_landmarks(
                moments.equations(fold).among(among), own[np.ix_(among, among)], alphas
            )
            coefficients = np.zeros((len(folds), part.coefficients.shape[1]))
            coefficients[among] = part.coefficients
            return Solved(coefficients, part.offset)

        yield from _scored(self.dealt, features, solved, len(alphas))

    def whole(self, gamma: float, alpha: float) -> Solved:
        """By all rows and landmarks."""
        moments = self.dealt.moments(kernels(self.apart, gamma))
        return _by_landmarks(moments.equations(None), self._own(gamma), [alpha])

    def _own(self, gamma: float) -> Scores:
        """(m, m) kernel of the landmarks, made regular; in float64, or it has no root."""
        exact = self.chosen.astype(np.float64)
        kernel = np.exp(-gamma * squared_distances(exact, exact))
        kernel.flat[:: len(kernel) + 1] += JITTER
        return np.asarray(kernel)


def kernels(apart: Callable[[Rows], Vectors], gamma: float) -> Features:
    """Makes (b, m) kernels of rows; float64, or their equations have no root."""

    def features(rows: Rows) -> Scores:
        return np.asarray(np.exp(np.float32(-gamma) * apart(rows)), np.float64)

    return features


def _by_landmarks(equations: Equations, own: Scores, alphas: Sequence[float]) -> Solved:
    """Nystroem's map, then ridge regression; the map is put into the coefficients."""
    from scipy.linalg import cholesky, solve_triangular

    root = cholesky(own, lower=True, check_finite=False)
    mapped = equations.mapped(root)
    solved = np.hstack([mapped.solve(alpha) for alpha in alphas])
    coefficients = solve_triangular(root, solved, lower=True, trans="T", check_finite=False)
    return Solved(
        coefficients, np.tile(equations.offset, len(alphas)) - equations.mean @ coefficients
    )


def landmark_maps(
    among: NDArray[np.float64], near: Vectors, ahead: Vectors, gamma: float
) -> tuple[Vectors, Vectors]:
    """Nystroem's map up to a rotation, by Cholesky: its SVD is 20 times as dear.

    What follows is a ridge, which a rotation of its columns does not change.

    Parameters
    ----------
    among
        (m, m) squared distances between landmarks; in float64, or they have no root.
    near, ahead
        (n, m) and (l, m) squared distances of rows from landmarks.
    gamma
        Width of the RBF kernel.
    """
    from scipy.linalg import cholesky, solve_triangular

    kernel = np.exp(-gamma * among)
    kernel.flat[:: len(kernel) + 1] += JITTER
    root = cholesky(kernel, lower=True, overwrite_a=True).astype(np.float32)
    return (
        solve_triangular(root, np.exp(-gamma * near).T, lower=True).T,
        solve_triangular(root, np.exp(-gamma * ahead).T, lower=True).T,
    )


def squared_distances(a: NDArray[Real], b: NDArray[Real]) -> NDArray[Real]:
    """(n, m) squared Euclidean distances between rows."""
    products = a @ b.T
    lengths = np.einsum("ij,ij->i", a, a)[:, None] + np.einsum("ij,ij->i", b, b)[None, :]
    apart: NDArray[Real] = np.maximum(lengths - 2 * products, 0)
    return apart
