"""Photographs: how strongly waves of each direction and size run where, texture, and colour."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.fft import fft2, ifft2
from scipy.ndimage import gaussian_filter, uniform_filter

from embeddings.builtin.reduce import planes, squared, unit, windows

SIDE = 64
"""Every photograph is brought to this many pixels a side."""


class _Wave(NamedTuple):
    """Centre frequency in cycles a pixel, fields a side its strength is averaged over, weight."""

    frequency: float
    fields: int
    weight: float


WAVES = (_Wave(0.3, 8, 1.0), _Wave(0.15, 4, 0.5), _Wave(0.075, 4, 0.5))
"""Where a thing's edges are, finely; the coarser waves, where about."""
DIRECTIONS = 8
BANDWIDTH = 0.55
"""Spread of a filter over frequency, as a ratio to its centre: about two octaves."""
WINDOW = 0.45
"""Standard deviation of a field, in steps from field to field: fields overlap, so that what moves
a little stays alike."""
FLATTENED = 0.35
"""Exponent of strength: faint waves count nearly as much as strong ones."""
COMMON = 0.5
"""Share taken off of what a field has in common with its neighbours, then with all: it drowns
what differs."""
TEXTURE_BLOCK, TEXTURE_GRID, TEXTURE_WEIGHT = 2, 2, 0.8
"""Pixels averaged for one before texture is counted, and fields a side it is counted in.

Coarse texture carries a face better than fine texture does, and more fields only add noise.
"""
TEXTURES = 59
"""Uniform local binary patterns of eight neighbours, and one bin for all others."""
COLOUR_GRID = 4
SHADES = 16
COLOUR_WEIGHT = 0.4
"""Colour counts less than shape and texture do: it changes with the light."""
DIM = (
    sum(DIRECTIONS * wave.fields**2 for wave in WAVES)
    + TEXTURES * TEXTURE_GRID**2
    + 2 * (COLOUR_GRID**2 + SHADES + TEXTURES)
)


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
    D. J. Field, "Relations between the statistics of natural images and the response properties
    of cortical cells", JOSA A 4 (1987): log-Gabor filters.
    T. Ahonen, A. Hadid, M. Pietikainen, "Face description with local binary patterns", PAMI 2006.
    """
    luma, *chroma = planes(squared(pixels, SIDE))
    texture = _textures(_blocks(luma, TEXTURE_BLOCK), TEXTURE_GRID)
    colour = np.concatenate([_colour(plane) for plane in chroma])
    return unit(
        np.concatenate(
            [*_waves(luma), TEXTURE_WEIGHT * unit(texture), COLOUR_WEIGHT * unit(colour)]
        )
    )


def _blocks(plane: NDArray[np.float32], block: int) -> NDArray[np.float32]:
    """Means of blocks of so many pixels a side."""
    few = len(plane) // block
    return np.asarray(plane.reshape(few, block, few, block).mean((1, 3)), np.float32)


def _waves(luma: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Flattened mean filter strength, field by field, after evening out the light."""
    flat = luma - gaussian_filter(luma, SIDE / 16)
    contrast = np.sqrt(gaussian_filter(flat * flat, SIDE / 8))
    even = flat / (contrast + 0.1 * contrast.mean() + 2)
    strength = np.abs(ifft2(_FILTERS * fft2(even)))
    found = []
    for wave, maps in zip(WAVES, strength, strict=True):
        sample = _SAMPLES[wave.fields]
        mean = np.maximum(sample @ maps @ sample.T, 0)
        strong = mean**FLATTENED
        own = strong - COMMON * uniform_filter(strong, (1, 3, 3), mode="nearest")
        found.append(np.float32(wave.weight) * unit(own - COMMON * own.mean()))
    return found


def _textures(plane: NDArray[np.float32], grid: int) -> NDArray[np.float32]:
    """Square roots of local pattern frequencies in each field of the grid."""
    levels = np.rint(plane).astype(np.int16)
    from skimage import feature  # late: a quarter of a second that no --help should wait for

    patterns: Any = feature.local_binary_pattern  # scikit-image publishes no types
    codes = np.asarray(patterns(levels, 8, 1, "nri_uniform"), np.intp)
    cell = len(plane) // grid
    field = np.arange(len(plane)) // cell
    number = (field[:, None] * grid + field) * TEXTURES + codes
    counts = np.bincount(number.ravel(), minlength=grid * grid * TEXTURES)
    return np.sqrt(counts.astype(np.float32) / cell**2)


def _colour(chroma: NDArray[np.float32]) -> NDArray[np.float32]:
    """Where one colour difference stands, how much of each shade there is, and its texture."""
    places = _blocks(chroma, SIDE // COLOUR_GRID) / 128
    shade = np.clip((chroma + 128) / 256 * SHADES, 0, SHADES - 1).astype(np.intp)
    amounts = np.bincount(shade.ravel(), minlength=SHADES).astype(np.float32) / chroma.size
    return np.concatenate([places.ravel(), np.sqrt(amounts), _textures(chroma, 1)])


def _filters() -> NDArray[np.float32]:
    """(waves, DIRECTIONS, SIDE, SIDE): one-sided log-Gabor filters in the frequency domain."""
    frequency = np.fft.fftfreq(SIDE)
    fy, fx = np.meshgrid(frequency, frequency, indexing="ij")
    radius = np.hypot(fy, fx)
    radius[0, 0] = 1e-9
    turn = np.arctan2(fy, fx)
    centre = np.array([wave.frequency for wave in WAVES])[:, None, None, None]
    towards = (np.arange(DIRECTIONS) * np.pi / DIRECTIONS)[:, None, None]
    across = np.angle(np.exp(1j * (turn - towards))) / (0.6 * np.pi / DIRECTIONS)
    along = np.log(radius / centre) / np.log(BANDWIDTH)
    return np.asarray(np.exp(-(along**2 + across**2) / 2), np.float32)


_FILTERS = _filters()
_SAMPLES = {fields: windows(SIDE, fields, WINDOW) for fields in {wave.fields for wave in WAVES}}
