"""Making large pictures small at little cost, and vectors unit length."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from embeddings.images import resize

LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def grey(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Luma in [0, 255], (height, width)."""
    return pixels.astype(np.float32) @ LUMA


def thinned(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Keep every n-th row and column, so that the longer side is below `2 * side`; no averaging."""
    step = max(1, max(pixels.shape[:2]) // side)
    return pixels[::step, ::step]


def averaged(pixels: NDArray[np.uint8], side: int) -> NDArray[np.float32]:
    """Average blocks of pixels, so that the longer side is below `2 * side`.

    Very large pictures are thinned to four pixels a block side first: 16 of a block's pixels
    say its mean well enough, and reading all 25 million costs more than everything after it.

    Parameters
    ----------
    pixels
        (height, width, channels) uint8.
    side
        At least 1.

    Returns
    -------
    NDArray[np.float32]
        (height / n, width / n, channels) in [0, 255].
    """
    few = thinned(pixels, 4 * side)
    block = max(1, max(few.shape[:2]) // side)
    high, wide = min(block, few.shape[0]), min(block, few.shape[1])
    few = few[: few.shape[0] // high * high, : few.shape[1] // wide * wide]
    total = np.zeros((few.shape[0] // high, few.shape[1] // wide, few.shape[2]), np.uint16)
    for row in range(high):
        for column in range(wide):
            total += few[row::high, column::wide]
    return total.astype(np.float32) / np.float32(high * wide)


def fitted_grey(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Luma of the whole picture at `side` x `side`, whatever its shape."""
    few = thinned(pixels, 8 * side)
    return resize(np.rint(grey(few)).astype(np.uint8), side, side)


def unit(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Flatten and scale to unit length; all zeros become the one direction of equal parts."""
    flat = np.asarray(values, np.float32).ravel()
    length = float(np.linalg.norm(flat))
    if length < 1e-12:
        return np.full(flat.size, flat.size**-0.5, np.float32)
    return flat / np.float32(length)
