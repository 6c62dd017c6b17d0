"""Authenticity: what the fine noise of a picture looks like, whatever the picture shows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.fft import fft2
from scipy.ndimage import convolve, median_filter

from embeddings.builtin.reduce import unit

TILE = 128
"""Side of the four pieces looked at, pixels, at full resolution: resizing would wipe the traces."""
CLIP = 2
"""Residuals are counted as -CLIP..CLIP."""
RADII = 24
ANGLES = 12
KV = (
    np.array(
        [
            [-1, 2, -2, 2, -1],
            [2, -6, 8, -6, 2],
            [-2, 8, -12, 8, -2],
            [2, -6, 8, -6, 2],
            [-1, 2, -2, 2, -1],
        ],
        np.float32,
    )
    / 12
)
TO_YCBCR = np.array(
    [[0.299, 0.587, 0.114], [-0.169, -0.331, 0.5], [0.5, -0.419, -0.081]], np.float32
)


def describe(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Describe the noise of a picture.

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
    J. Fridrich, J. Kodovsky, "Rich models for steganalysis of digital images", TIFS 2012.
    """
    tiles = _tiles(pixels)
    counts = np.sqrt(np.mean([_co_occurrences(tile) for tile in tiles], 0))
    spectra = np.mean([_spectrum(tile[0]) for tile in tiles], 0)
    return unit(np.concatenate([unit(counts), unit(spectra)]))


def _tiles(pixels: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
    """(3, TILE, TILE) in Y, Cb, Cr around the middles of the four quarters; small ones repeated."""
    height, width = pixels.shape[:2]
    tops, lefts = _starts(height), _starts(width)
    found = []
    for top in tops:
        for left in lefts:
            piece = pixels[top : top + TILE, left : left + TILE].astype(np.float32)
            missing = max(0, TILE - piece.shape[0]), max(0, TILE - piece.shape[1])
            piece = np.pad(piece, ((0, missing[0]), (0, missing[1]), (0, 0)), "symmetric")
            found.append(np.moveaxis(piece @ TO_YCBCR.T, 2, 0))
    return found


def _starts(length: int) -> list[int]:
    if length <= TILE:
        return [0]
    if length < 2 * TILE:
        return [0, length - TILE]
    return [length // 4 - TILE // 2, length - length // 4 - TILE // 2]


def _co_occurrences(tile: NDArray[np.float32]) -> NDArray[np.float32]:
    """Frequencies of three quantised residuals in a row, whatever the sign and the direction."""
    found = []
    for channel in tile:
        across = (channel[:, :-2] + channel[:, 2:] - 2 * channel[:, 1:-1]) / 2
        down = (channel[:-2] + channel[2:] - 2 * channel[1:-1]) / 2
        fine = convolve(channel, KV, mode="reflect")[2:-2, 2:-2]
        found.append(_triples(across, across.T) + _triples(down.T, down))
        found.append(_triples(fine, fine.T))
    return np.concatenate(found)


def _triples(*residuals: NDArray[np.float32]) -> NDArray[np.float32]:
    total = np.zeros(_CLASSES, np.float64)
    for residual in residuals:
        level = np.clip(np.rint(residual), -CLIP, CLIP).astype(np.intp) + CLIP
        code = (level[:, :-2] * _LEVELS + level[:, 1:-1]) * _LEVELS + level[:, 2:]
        full = np.bincount(code.ravel(), minlength=_LEVELS**3)
        total += np.bincount(_SAME, full, _CLASSES) / max(code.size, 1)
    return total.astype(np.float32)


def _same() -> tuple[NDArray[np.intp], int]:
    """Number of the class of each triple under sign change and mirroring."""
    grid = np.indices((_LEVELS,) * 3).reshape(3, -1) - CLIP
    forms = [grid, -grid, grid[::-1], -grid[::-1]]
    codes = [((f[0] + CLIP) * _LEVELS + f[1] + CLIP) * _LEVELS + f[2] + CLIP for f in forms]
    _, numbers = np.unique(np.min(codes, 0), return_inverse=True)
    return numbers, int(numbers.max()) + 1


def _spectrum(luma: NDArray[np.float32]) -> NDArray[np.float32]:
    """Log power of the median residual by frequency and by direction, each about its mean."""
    residual = luma - median_filter(luma, 3)
    power = np.log1p(np.abs(fft2(residual)) ** 2 / residual.size)
    radial = np.bincount(_RADIUS, power.ravel(), RADII + 1)[:RADII] / _IN_RADIUS
    angular = np.bincount(_ANGLE, power.ravel(), ANGLES) / _IN_ANGLE
    return np.concatenate([radial - radial.mean(), angular - angular.mean()]).astype(np.float32)


def _rings() -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    frequency = np.fft.fftfreq(TILE)
    fy, fx = np.meshgrid(frequency, frequency, indexing="ij")
    radius = np.minimum(np.hypot(fy, fx) * 2 * RADII, RADII).astype(np.intp)
    angle = (np.arctan2(fy, fx) / np.pi * ANGLES).astype(np.intp) % ANGLES
    return radius.ravel(), angle.ravel()


_LEVELS = 2 * CLIP + 1
_SAME, _CLASSES = _same()
_RADIUS, _ANGLE = _rings()
_IN_RADIUS = np.bincount(_RADIUS, minlength=RADII + 1)[:RADII]
_IN_ANGLE = np.bincount(_ANGLE, minlength=ANGLES)
DIM = 6 * _CLASSES + RADII + ANGLES
