"""Photographs: how strongly waves of each direction and size run where, texture, and colour."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import fft2, ifft2
from scipy.ndimage import gaussian_filter

from embeddings.builtin.reduce import planes, squared, unit

SIDE = 64
"""Every photograph is brought to this many pixels a side."""
WAVES = ((0.3, 8), (0.15, 8), (0.075, 4))
"""Centre frequency in cycles a pixel, and how many fields a side its strength is averaged over."""
DIRECTIONS = 8
BANDWIDTH = 0.55
"""Spread of a filter over frequency, as a ratio to its centre: about two octaves."""
TEXTURE_GRIDS = {1: 2, 2: 4}
"""Fields a side in which texture is counted, by how many pixels are averaged for one first.

Coarse texture carries a face better than fine texture does, fine texture a material.
"""
TEXTURES = 59
"""Uniform local binary patterns of eight neighbours, and one bin for all others."""
COLOUR_GRID = 4
SHADES = 16
COLOUR_WEIGHT = 0.5
"""Colour counts half as much as shape and as texture: it changes with the light."""
DIM = (
    sum(DIRECTIONS * fields**2 for _, fields in WAVES)
    + sum(TEXTURES * fields**2 for fields in TEXTURE_GRIDS.values())
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
    textures = [_textures(_blocks(luma, block), grid) for block, grid in TEXTURE_GRIDS.items()]
    colour = np.concatenate([_colour(plane) for plane in chroma])
    parts = [unit(_waves(luma)), unit(np.concatenate(textures)), COLOUR_WEIGHT * unit(colour)]
    return unit(np.concatenate(parts))


def _blocks(plane: NDArray[np.float32], block: int) -> NDArray[np.float32]:
    """Means of blocks of so many pixels a side."""
    few = len(plane) // block
    return np.asarray(plane.reshape(few, block, few, block).mean((1, 3)), np.float32)


def _waves(luma: NDArray[np.float32]) -> NDArray[np.float32]:
    """Square roots of mean filter strength, field by field, after evening out the light."""
    flat = luma - gaussian_filter(luma, SIDE / 16)
    contrast = np.sqrt(gaussian_filter(flat * flat, SIDE / 10))
    even = flat / (contrast + 0.1 * contrast.mean() + 2)
    strength = np.abs(ifft2(_FILTERS * fft2(even)))
    found = []
    for (_, fields), maps in zip(WAVES, strength, strict=True):
        cell = SIDE // fields
        mean = maps.reshape(DIRECTIONS, fields, cell, fields, cell).mean((2, 4))
        found.append(unit(np.sqrt(mean)))
    return np.concatenate(found)


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
    centre = np.array([wave for wave, _ in WAVES])[:, None, None, None]
    towards = (np.arange(DIRECTIONS) * np.pi / DIRECTIONS)[:, None, None]
    across = np.angle(np.exp(1j * (turn - towards))) / (0.6 * np.pi / DIRECTIONS)
    along = np.log(radius / centre) / np.log(BANDWIDTH)
    return np.asarray(np.exp(-(along**2 + across**2) / 2), np.float32)


_FILTERS = _filters()
