"""Vectors on a grid so coarse that sums of their products are exact."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

STEP = 2.0**-11
"""Products of two multiples of it are multiples of 2^-22: of unit vectors, float32 has room for
all 24 bits of a dot product, and float64 for sums of up to 2^30 of them."""


def quantised(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Round to multiples of `STEP`.

    Dot products of what comes out have no rounding error in float32, in any order, batch shape or
    number of threads; so what is added to a sum of them can be taken out again to the last bit.

    Parameters
    ----------
    vectors
        float32 of any shape, rows of at most unit length.

    Returns
    -------
    NDArray[np.float32]
        Of the same shape, each entry moved by at most `STEP` / 2.
    """
    return np.asarray(np.rint(vectors / np.float32(STEP)) * np.float32(STEP), np.float32)
