"""Kernel ridge regression whose coefficients no rounding error moves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Products = NDArray[np.float32]
Values = NDArray[np.float64]

FAR, NEAR = 0.35, 8.0
"""Steepness of the kernel that generalises, and of that which reaches little but copies."""
DEFAULT_WIDTH, LEAST_WIDTH = 0.5, 0.02
"""Squared distances of neighbours: where no rows tell it, and at least."""

FINE = 2.0**-18
"""Grid of kernels and coefficients: their products sum exactly, in any order and batch."""
REFINED = 2.0**-32
"""What may be left of the equations: far below the grid, so that its points are hit."""
ROUNDS = 8


@dataclass(frozen=True, slots=True)
class Kernels:
    """Gaussian kernels of unit rows, by their products; float32 on the fine grid.

    Attributes
    ----------
    width
        Squared distance of neighbours.
    """

    width: float

    @classmethod
    def suiting(cls, products: Products) -> Kernels:
        """Those for rows with such (m, m) products: as wide as the median nearest neighbour."""
        if len(products) < 2:
            return cls(DEFAULT_WIDTH)
        apart = 2 - 2 * products
        np.fill_diagonal(apart, np.inf)
        return cls(max(float(np.median(apart.min(axis=1))), LEAST_WIDTH))

    def far(self, products: Products) -> Products:
        """The kernel that generalises."""
        return self._gaussian(products, FAR)

    def near(self, products: Products) -> Products:
        """The kernel that reaches little but copies."""
        return self._gaussian(products, NEAR)

    def _gaussian(self, products: Products, steepness: float) -> Products:
        slope = np.float32(2 * steepness / self.width)
        kernel = np.minimum(products, np.float32(1))
        np.subtract(kernel, np.float32(1), out=kernel)
        np.multiply(kernel, slope, out=kernel)
        np.exp(kernel, out=kernel)
        np.multiply(kernel, np.float32(1 / FINE), out=kernel)
        np.rint(kernel, out=kernel)
        np.multiply(kernel, np.float32(FINE), out=kernel)
        return kernel


class Ridge:
    """(K + diag(ridge))^-1, ready to be applied.

    Factorised in float32, a third of the time of float64, and refined by what is left of the
    equations in float64. Where that does not converge, float64 does it alone.

    Parameters
    ----------
    kernel
        (n, n), symmetric.
    ridge
        (n,) added to the diagonal.
    """

    def __init__(self, kernel: Products, ridge: Values) -> None:
        self._matrix = kernel.astype(np.float64)
        self._matrix.flat[:: len(kernel) + 1] += ridge

    def solve(self, goals: Values) -> Values:
        """(n, k) coefficients for (n, k) goals, on the fine grid."""
        from scipy.linalg import LinAlgError, cho_factor, cho_solve

        for precision in (np.float32, np.float64):
            try:
                # the transpose, which is the same, has the order that LAPACK wants
                factor = cho_factor(
                    self._matrix.astype(precision).T, overwrite_a=True, check_finite=False
                )
            except LinAlgError:  # not positive in float32's eyes
                continue
            solution, rest = np.zeros_like(goals), goals
            for _ in range(ROUNDS):
                solution = solution + cho_solve(factor, rest.astype(precision), check_finite=False)
                rest = goals - self._matrix @ solution
                if np.abs(rest).max(initial=0.0) <= REFINED:
                    return _on_grid(solution)
        return _on_grid(solution)


def _on_grid(values: Values) -> Values:
    return np.asarray(np.rint(values / FINE) * FINE)
