"""Logistic regressions of all folds, solved side by side in each pass over the rows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.dealt import BLOCK, Dealt
from models.moments import Values, label_weights, without

PARTS = 64
"""Parts of the rows at most: their sums are held until they are added up, always in order."""
MOST_BYTES = 2**31
"""What the margins of all fits may take."""
GAIN = 1e-8
"""Nats a row that the next step promises, below which it is not taken."""
ROUNDS, PROBES = 200, 10
"""Steps at most, and tries to find how long one is."""
FLAT = 0.1
"""What may be left of a slope at the end of a step."""
TINY = 1e-300


class Point(NamedTuple):
    """Coefficients (fits, m, t) and intercepts (fits, t), or a direction among them."""

    coefficients: Values
    intercepts: Values

    def plus(self, other: Point, times: Values | float = 1.0) -> Point:
        """Moved by another, in each fit so many times."""
        each = np.broadcast_to(times, len(self.intercepts))
        return Point(
            self.coefficients + each[:, None, None] * other.coefficients,
            self.intercepts + each[:, None] * other.intercepts,
        )

    def times(self, other: Point) -> Values:
        """(fits,) inner products."""
        inner = np.einsum("fmt,fmt->f", self.coefficients, other.coefficients)
        return np.asarray(inner + np.einsum("ft,ft->f", self.intercepts, other.intercepts))


class LogisticPath:
    """Fits of all rows but one fold's each, from strong regularisation to weak.

    The loss is that of scikit-learn's LogisticRegression with labels weighed alike: the sum of
    the rows' losses, and half the squared length of the coefficients over C. For more than two
    labels it is the multinomial one. Rows are taken less `mean` of their fit's equations, and
    over the columns' spread if they are standardised.

    Parameters
    ----------
    dealt
        The rows; they are read where they are, never copied.
    left_out
        The fold each fit leaves out, or None.
    standard
        Whether each column is standardised first, by the rows that are fitted.

    Notes
    -----
    Conjugate gradients (Polak and Ribiere) in the metric of the largest curvature the loss can
    have, a quarter of the Gram matrix (a half for more labels), which the ridge path has made
    already. One pass over the vectors makes all fits' margins along their directions, in which
    the length of the steps is found; another makes the gradients.

    References
    ----------
    D. Boehning, "Multinomial logistic regression algorithm", Annals of the Institute of
    Statistical Mathematics 44 (1992).
    """

    def __init__(self, dealt: Dealt, left_out: Sequence[int | None], *, standard: bool) -> None:
        self._dealt = dealt
        equations = [dealt.linear.equations(fold) for fold in left_out]
        ones = np.ones(dealt.vectors.shape[1])
        spread = np.stack([each.spread if standard else ones for each in equations])
        self._spread = spread[:, :, None]
        self._middle = np.stack([dealt.centre + each.mean for each in equations])[:, :, None]
        self._grams = [(each.standardised() if standard else each).gram for each in equations]
        counts = np.stack([without(dealt.linear.counts, fold) for fold in left_out])
        self._rows = counts.sum(axis=1)
        each_label = np.stack([label_weights(row) for row in counts], axis=1)
        self._weights = each_label.astype(np.float32)[dealt.codes]
        for fit, fold in enumerate(left_out):
            if fold is not None:
                self._weights[dealt.fold_of == fold, fit] = 0
        outputs = 1 if dealt.labels == 2 else dealt.labels
        self.point = Point(
            np.zeros((len(left_out), len(ones), outputs)), np.zeros((len(left_out), outputs))
        )
        self._margins = np.zeros((len(dealt), len(left_out), outputs), np.float32)
        self._onward = np.zeros_like(self._margins)
        self._residuals = np.zeros_like(self._margins)
        size = max(BLOCK, -(-len(dealt) // PARTS))
        self._parts = [slice(at, at + size) for at in range(0, len(dealt), size)]

    @staticmethod
    def suits(dealt: Dealt) -> bool:
        """Whether margins of that many rows, folds and labels may be kept, three times over."""
        return 3 * 4 * len(dealt) * dealt.folds * dealt.labels <= MOST_BYTES

    def scores(self) -> Values:
        """(n, t) of each row by the fit that left it out, when each fold has one, in order."""
        rows = np.arange(len(self._dealt))
        return np.asarray(self._margins[rows, self._dealt.fold_of], np.float64)

    def solve(self, c: float) -> None:
        """Move on to this C from where the last one ended."""
        factors = self._factors(c)
        step = np.ones(len(self._rows))
        self._probe(0 * step)
        slopes = self._slopes(c)
        ahead = self._in_metric(factors, slopes)
        left, way = slopes.times(ahead), Point(-ahead.coefficients, -ahead.intercepts)
        for _ in range(ROUNDS):
            moving = (left > GAIN * self._rows).astype(np.float64)
            if not moving.any():
                break
            way = Point(moving[:, None, None] * way.coefficients, moving[:, None] * way.intercepts)
            self._look(way)
            step = self._length(slopes, way, c, step)
            self._go(step)
            self.point = self.point.plus(way, step)
            before, slopes = slopes, self._slopes(c)
            ahead = self._in_metric(factors, slopes)
            # towards the steepest descent where that and the last way disagree
            turn = np.maximum(slopes.plus(before, -1.0).times(ahead), 0) / np.maximum(left, TINY)
            left = slopes.times(ahead)
            way = Point(-ahead.coefficients, -ahead.intercepts).plus(way, turn)

    def _factors(self, c: float) -> list[Any]:
        from scipy.linalg import cho_factor

        bound = self._bound()
        factors = []
        for gram in self._grams:
            curve = bound * gram
            curve.flat[:: len(curve) + 1] += 1 / c
            factors.append(cho_factor(curve.T, overwrite_a=True, check_finite=False))
        return factors

    def _bound(self) -> float:
        return 0.25 if self._margins.shape[2] == 1 else 0.5

    def _in_metric(self, factors: Sequence[Any], slopes: Point) -> Point:
        """The step that would end at the minimum if the loss were as curved as it can be."""
        from scipy.linalg import cho_solve

        pairs = zip(factors, slopes.coefficients, strict=True)
        return Point(
            np.stack([cho_solve(factor, each, check_finite=False) for factor, each in pairs]),
            slopes.intercepts / (self._bound() * self._rows[:, None]),
        )

    def _length(self, slopes: Point, way: Point, c: float, last: Values) -> Values:
        """(fits,) steps at whose ends the way is almost flat; residuals are those there."""
        first = slopes.times(way)
        bend = np.einsum("fmt,fmt->f", way.coefficients, way.coefficients) / c
        lean = np.einsum("fmt,fmt->f", self.point.coefficients, way.coefficients) / c
        step, low, high = last, np.zeros(len(last)), np.full(len(last), np.inf)
        for probe in range(PROBES):
            slope, curve = self._probe(step)
            slope, curve = slope + lean + step * bend, np.maximum(curve + bend, TINY)
            flat = np.abs(slope) <= FLAT * np.abs(first)
            if flat.all() or probe == PROBES - 1:
                break
            low, high = np.where(slope < 0, step, low), np.where(slope > 0, step, high)
            newton = step - slope / curve
            halved = np.where(np.isinf(high), 2 * step, (low + high) / 2)
            better = np.where((newton > low) & (newton < high), newton, halved)
            step = np.where(flat, step, better)
        return step

    def _probe(self, step: Values) -> tuple[Values, Values]:
        """(fits,) slopes and curvatures of the loss so far along the way; keeps residuals."""
        step32 = step.astype(np.float32)[:, None]

        def one(part: slice) -> Values:
            onward, weights = self._onward[part], self._weights[part]
            margins = self._margins[part] + step32 * onward
            chances = _chances(margins)
            residuals = chances.copy()
            if margins.shape[2] == 1:
                residuals -= self._dealt.codes[part, None, None] == 1
                curve = chances[:, :, 0] * (1 - chances[:, :, 0]) * onward[:, :, 0] ** 2
            else:
                residuals[np.arange(len(margins)), :, self._dealt.codes[part]] -= 1
                mean = np.einsum("bft,bft->bf", chances, onward)
                curve = np.einsum("bft,bft,bft->bf", chances, onward, onward) - mean**2
            residuals *= weights[:, :, None]
            self._residuals[part] = residuals
            slope = np.einsum("bft,bft->f", residuals, onward, dtype=np.float64)
            return np.stack([slope, np.einsum("bf,bf->f", weights, curve, dtype=np.float64)])

        slope, curve = reduce(add, self._dealt.each_of(one, self._parts))
        return slope, curve

    def _look(self, way: Point) -> None:
        """Make the margins along the way."""
        unscaled = way.coefficients / self._spread
        dim = unscaled.shape[1]
        columns = np.moveaxis(unscaled, 0, 1).reshape(dim, -1).astype(np.float32)
        offset = way.intercepts - np.einsum("fmi,fmt->ft", self._middle, unscaled)

        def one(part: slice) -> None:
            margins = (self._dealt.vectors[part] @ columns).reshape(-1, *offset.shape)
            self._onward[part] = margins + offset.astype(np.float32)

        self._dealt.each_of(one, self._parts)

    def _go(self, step: Values) -> None:
        self._margins += step.astype(np.float32)[:, None] * self._onward

    def _slopes(self, c: float) -> Point:
        """The gradient where the residuals were kept."""

        def one(part: slice) -> tuple[Values, Values]:
            residuals = self._residuals[part].reshape(-1, self._residuals[0].size)
            products = self._dealt.vectors[part].T @ residuals
            return products.astype(np.float64), residuals.sum(axis=0, dtype=np.float64)

        sums = self._dealt.each_of(one, self._parts)
        shape = self._residuals.shape[1:]
        whole = reduce(add, (each[1] for each in sums)).reshape(shape)
        products = np.moveaxis(reduce(add, (each[0] for each in sums)).reshape(-1, *shape), 0, 1)
        centred = (products - self._middle * whole[:, None, :]) / self._spread
        return Point(centred + self.point.coefficients / c, whole)


def _chances(margins: NDArray[np.float32]) -> NDArray[np.float32]:
    """(b, fits, t) of the second label, or of each."""
    from scipy.special import expit, softmax

    chances: NDArray[np.float32]
    chances = expit(margins) if margins.shape[2] == 1 else softmax(margins, axis=2)
    return chances
