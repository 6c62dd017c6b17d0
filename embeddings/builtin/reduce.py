"""Making large pictures small at little cost, colour planes, and vectors of unit length."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from embeddings.images import resize

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
TO_YCBCR = np.array(
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32
)


GAP = 1.5
"""Blocks are averaged down to this many times the wanted size before finer scaling."""


def grey(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Luma in [0, 255], (height, width)."""
    return pixels.astype(np.float32) @ LUMA


def planes(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(3, height, width): Y in [0, 255], Cb and Cr about 0."""
    return np.moveaxis(pixels.astype(np.float32) @ TO_YCBCR.T, 2, 0)


def thinned(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Keep every n-th row and column, so that the longer side is below `2 * side`; no averaging."""
    step = max(1, max(pixels.shape[:2]) // side)
    if step == 1:
        return pixels
    rows = np.ascontiguousarray(pixels[::step])
    # copying whole pixels, not three bytes each, is three times faster
    return rows.view("V3")[:, ::step].copy().view(np.uint8)


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


def shrunk(pixels: NDArray[np.uint8], side: int, share: float = 1.0) -> NDArray[np.uint8]:
    """Scale to at most `side` pixels and at most `share` of the size, keeping the shape."""
    few = thinned(pixels, 4 * side)
    height, width = pixels.shape[:2]
    scale = min(share, side / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return resize(few, *size, gap=GAP)


def squared(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """The whole picture at `side` x `side`, whatever its shape."""
    return resize(thinned(pixels, 8 * side), side, side, gap=GAP)


def unit(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Flatten and scale to unit length; all zeros become the one direction of equal parts."""
    flat = np.asarray(values, np.float32).ravel()
    length = float(np.linalg.norm(flat))
    if length < 1e-12:
        return np.full(flat.size, flat.size**-0.5, np.float32)
    return flat / np.float32(length)


def windows(side: int, fields: int, spread: float) -> NDArray[np.float32]:
    """(fields, side) Gaussian windows around the middles of so many fields in a row.

    Parameters
    ----------
    side
        Pixels in the row.
    fields
        How many fields they are divided into.
    spread
        Standard deviation of a window, in fields.
    """
    cell = side / fields
    centres = (np.arange(fields) + 0.5) * cell - 0.5
    distance = np.arange(side) - centres[:, None]
    shares = np.exp(-(distance**2) / (2 * (spread * cell) ** 2))
    return np.asarray(shares / shares.sum(1, keepdims=True), np.float32)
