"""The equations of ridge regression, from sums over the rows of each fold and label."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.examples import Rows

Values = NDArray[np.float64]

FLAT = 1e-12
"""Variance, beside the square of the mean, below which a column says nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Equations:
    """What ridge regression on rows that weigh their label alike has to solve.

    Attributes
    ----------
    gram
        (m, m) products of the weighted columns, each less its mean.
    right
        (m, t) their products with the targets: t is 1 for two labels, else one a label.
    mean
        (m,) weighted mean of the columns.
    offset
        (t,) weighted mean of the targets.
    plain, spread
        (m,) mean and standard deviation of the columns, rows weighing alike; the spread is 1
        where they never differ.
    """

    gram: Values
    right: Values
    mean: Values
    offset: Values
    plain: Values
    spread: Values

    def standardised(self) -> Equations:
        """As if each column had been divided by its spread."""
        return replace(
            self,
            gram=self.gram / self.spread / self.spread[:, None],
            right=self.right / self.spread[:, None],
        )

    def among(self, columns: Rows) -> Equations:
        """With these columns alone."""
        return Equations(
            gram=self.gram[np.ix_(columns, columns)],
            right=self.right[columns],
            mean=self.mean[columns],
            offset=self.offset,
            plain=self.plain[columns],
            spread=self.spread[columns],
        )

    def mapped(self, root: Values) -> Equations:
        """As if rows had been multiplied by the inverse of the (m, m) lower `root`'s transpose."""
        from scipy.linalg import solve_triangular

        half = solve_triangular(root, self.gram, lower=True, check_finite=False)
        return replace(
            self,
            gram=solve_triangular(root, half.T, lower=True, check_finite=False),
            right=solve_triangular(root, self.right, lower=True, check_finite=False),
        )

    def solve(self, alpha: float) -> Values:
        """(m, t) coefficients.

        Raises
        ------
        numpy.linalg.LinAlgError
            The equations are singular.
        """
        from scipy.linalg import cho_factor, cho_solve

        shifted = self.gram.copy()
        shifted.flat[:: len(shifted) + 1] += alpha
        # the transpose, which is the same, has the order that LAPACK wants
        factor = cho_factor(shifted.T, overwrite_a=True, check_finite=False)
        return np.asarray(cho_solve(factor, self.right, check_finite=False))


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Sums over the rows of each fold and label.

    Attributes
    ----------
    counts
        (folds, k) rows.
    sums
        (folds, k, m) of the columns.
    squares
        (folds, m) of their squares.
    products
        (folds + 1, k, m, m) of their products, of each fold and last of all rows; or, of many
        labels, (folds + 1, m, m) weighted sums: of all rows but each fold's, and of all.
    """

    counts: Values
    sums: Values
    squares: Values
    products: Values

    def equations(self, left_out: int | None) -> Equations:
        """Those of all rows but one fold's, or of all rows."""
        counts, sums = without(self.counts, left_out), without(self.sums, left_out)
        weights, rows = label_weights(counts), counts.sum()
        targets = label_targets(len(counts))
        mean = weights @ sums / rows
        offset = (weights * counts) @ targets / rows
        last = len(self.products) - 1
        if self.products.ndim == 3:
            products = self.products[last if left_out is None else left_out]
        else:
            products = np.zeros(self.products.shape[2:])
            for label, weight in enumerate(weights):
                products += weight * self.products[last, label]
                if left_out is not None:
                    products -= weight * self.products[left_out, label]
        plain = sums.sum(axis=0) / rows
        squares = without(self.squares, left_out) / rows
        variance = squares - plain**2
        flat = variance <= FLAT * (squares + FLAT)
        return Equations(
            gram=products - rows * np.outer(mean, mean),
            right=sums.T @ (weights[:, None] * targets) - rows * np.outer(mean, offset),
            mean=mean,
            offset=offset,
            plain=plain,
            spread=np.where(flat, 1.0, np.sqrt(np.maximum(variance, 0))),
        )


def without(parts: Values, left_out: int | None) -> Values:
    """The sum over all folds but one."""
    if left_out is None:
        return np.asarray(parts.sum(axis=0))
    others = [fold for fold in range(len(parts)) if fold != left_out]
    return np.asarray(parts[others].sum(axis=0))


def label_weights(counts: Values) -> Values:
    """(k,) of a row of each label, so that labels count alike and rows weigh 1 on average."""
    return np.asarray(counts.sum() / (np.count_nonzero(counts) * np.maximum(counts, 1)))


def label_targets(labels: int) -> Values:
    """(k, t) -1 and 1, a row a label."""
    targets = 2 * np.eye(labels) - 1
    return targets[:, 1:] if labels == 2 else targets
