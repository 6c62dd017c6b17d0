"""Photographs: shapes by gradient direction and fine texture, each by place."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.feature import hog, local_binary_pattern

from embeddings.builtin.reduce import fitted_grey, unit

_hog: Any = hog  # scikit-image publishes no types
_patterns: Any = local_binary_pattern

SIDE = 64
"""Every photograph is brought to this many pixels a side."""
CELL = 8
DIRECTIONS = 9
TEXTURE_GRID = 3
TEXTURES = 59
"""Uniform local binary patterns of eight neighbours, and one bin for all others."""
_BLOCKS = SIDE // CELL - 1
DIM = _BLOCKS * _BLOCKS * 4 * DIRECTIONS + TEXTURE_GRID * TEXTURE_GRID * TEXTURES


def describe(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Describe a photograph.

    Parameters
    ----------
    pixels
        (height, width, 3) uint8.

    Returns
    -------
    NDArray[np.float32]
        (DIM,), unit length.

    References
    ----------
    N. Dalal, B. Triggs, "Histograms of oriented gradients for human detection", CVPR 2005.
    T. Ahonen, A. Hadid, M. Pietikainen, "Face description with local binary patterns", PAMI 2006.
    """
    picture = fitted_grey(pixels, SIDE)
    return unit(np.concatenate([unit(_shapes(picture)), unit(_textures(picture))]))


def _shapes(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.asarray(_hog(picture, DIRECTIONS, (CELL, CELL), (2, 2)), np.float32)


def _textures(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Square roots of pattern frequencies in each field of the grid."""
    patterns = np.asarray(_patterns(picture, 8, 1, "nri_uniform"), np.intp)
    fields = [
        field
        for row in np.array_split(patterns, TEXTURE_GRID, 0)
        for field in np.array_split(row, TEXTURE_GRID, 1)
    ]
    counts = np.stack([np.bincount(field.ravel(), minlength=TEXTURES) for field in fields])
    return np.asarray(np.sqrt(counts / counts.sum(1, keepdims=True)), np.float32)
