"""Authenticity: how a picture's noise, tones and colour contrast are, more than what it shows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from embeddings.builtin import naturalness
from embeddings.builtin.reduce import shrunk, unit
from embeddings.builtin.residuals import (
    CO_OCCURRENCES,
    EVENNESS,
    co_occurrences,
    evenness,
    in_ycc,
    residuals,
)

SIDE = 256
"""Side of the middle piece that is looked at in full resolution."""
FAR_SIDE = 192
"""The whole picture is looked at shrunk to this side and to at most half its size."""
SMALL_SIDE = 96
"""The law of natural colours is read with the longer side at most this."""
LEAST = 12
"""Smaller pictures are mirrored to this many pixels a side."""
SHADES = 16
PARTS = {
    "noise, full resolution": CO_OCCURRENCES,
    "noise, shrunk": CO_OCCURRENCES,
    "evenness": 2 * EVENNESS,
    "tones": 4 * SHADES,
    "natural colour": 3 * naturalness.COLOUR + naturalness.STEEPNESS,
}
"""What a vector consists of, in this order, and how many numbers each part has."""
DIM = sum(PARTS.values())


def describe(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Describe the noise of a picture in full resolution and shrunk, its tones and colours.

    Parameters
    ----------
    pixels
        (height, width, 3) uint8.

    Returns
    -------
    NDArray[np.float32]
        (DIM,), unit length.
    """
    near = residuals(in_ycc(_middle(pixels), LEAST))
    half = shrunk(pixels, FAR_SIDE, share=0.5)
    planes = in_ycc(half, LEAST)
    far = residuals(planes)
    # from what is shrunk already where that is large enough: saves a second pass over all pixels
    small = shrunk(half if max(half.shape) >= SMALL_SIDE else pixels, SMALL_SIDE)
    spread = [evenness(found["second across"]) for found in (near, far)]
    return unit(
        np.concatenate(
            [
                unit(co_occurrences(near)),
                unit(co_occurrences(far)),
                _about_unit(np.concatenate(spread)),
                unit(_tones(planes)),
                _about_unit(_colour(in_ycc(small, LEAST))),
            ]
        )
    )


def _middle(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    top, left = (max(0, (length - SIDE) // 2) for length in pixels.shape[:2])
    return pixels[top : top + SIDE, left : left + SIDE]


def _about_unit(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scaled alike for all pictures: their own length would take away how strong things are."""
    return values / np.float32(2 * values.size**0.5)


def _colour(planes: NDArray[np.float32]) -> NDArray[np.float32]:
    luma, blue, red = planes
    found = [naturalness.colour(plane) for plane in (blue, red, np.hypot(blue, red))]
    return np.asarray([*np.concatenate(found), *naturalness.steepness(luma)], np.float32)


def _tones(planes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Roots of how much of the picture has which brightness, colour difference and colourfulness.

    Generators favour certain palettes; of all that the picture shows, no more than this is told.
    """
    colourful = np.hypot(planes[1], planes[2])
    found = []
    for plane, lowest, highest in (
        (planes[0], 0, 256),
        (planes[1], -128, 128),
        (planes[2], -128, 128),
        (colourful, 0, 128),
    ):
        share = (plane - lowest) * (SHADES / (highest - lowest))
        shade = np.clip(share, 0, SHADES - 1).astype(np.intp)
        found.append(np.bincount(shade.ravel(), minlength=SHADES) / plane.size)
    return np.asarray(np.sqrt(np.concatenate(found)), np.float32)
