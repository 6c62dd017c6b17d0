"""Authenticity: what the fine noise of a picture is like, whatever the picture shows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.fft import fft2
from scipy.ndimage import uniform_filter

from embeddings.builtin.reduce import TO_YCBCR, shrunk, unit

SIDE = 256
"""Side of the middle piece that is looked at in full resolution."""
FAR_SIDE = 192
"""The whole picture is looked at shrunk to this side and to at most half its size."""
LEAST = 12
"""Smaller pictures are mirrored to this many pixels a side."""
CLIP = 2
"""Residuals are counted as -CLIP..CLIP."""
QUIET = 0.05
"""Added to a residual's mean strength, grey levels, so that flat pictures divide by something."""
RADII = 24
ANGLES = 12
BLOCK = 16
SHADES = 16
Residuals = dict[str, NDArray[np.float32]]


def describe(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Describe the noise of a picture in full resolution and shrunk.

    Counts are taken of residuals relative to their own strength, so that a grainy and a smooth
    picture can be compared, and, in full resolution, of residuals in grey levels too.

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
    M. Goljan, J. Fridrich, R. Cogranne, "Rich model for steganalysis of color images", WIFS 2014.
    """
    near, far = _residuals(_middle(pixels)), _residuals(shrunk(pixels, FAR_SIDE, share=0.5))
    parts = [*_parts(near), *_parts(far), _co_occurrences(near, _in_grey_levels), _tones(far)]
    return unit(np.concatenate([unit(part) for part in parts]))


def _middle(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    top, left = (max(0, (length - SIDE) // 2) for length in pixels.shape[:2])
    return pixels[top : top + SIDE, left : left + SIDE]


def _residuals(pixels: NDArray[np.uint8]) -> Residuals:
    """What neighbours do not foretell, by filter: (3, h, w) of Y, Cb, Cr, some of R, G, B too."""
    missing = [(0, max(0, LEAST - length)) for length in pixels.shape[:2]]
    whole = np.pad(pixels, (*missing, (0, 0)), "symmetric") if any(map(any, missing)) else pixels
    rgb = np.ascontiguousarray(np.moveaxis(whole, 2, 0), np.float32)
    ycc = np.tensordot(TO_YCBCR, rgb, 1)
    fine = _fine(rgb)
    found = {"picture": ycc, "fine": np.tensordot(TO_YCBCR, fine, 1), "rgb fine": fine}
    for way, axis in (("across", 2), ("down", 1)):
        found[f"first {way}"] = np.diff(ycc, 1, axis)
        found[f"second {way}"] = np.diff(found[f"first {way}"], 1, axis)
        found[f"third {way}"] = np.diff(found[f"second {way}"], 1, axis)
        found[f"rgb second {way}"] = np.diff(rgb, 2, axis)
    return found


def _fine(planes: NDArray[np.float32]) -> NDArray[np.float32]:
    """The 5 x 5 KV kernel, which is one second difference by another, seen from five places."""
    both = np.diff(np.diff(planes, 2, 2), 2, 1)
    corners = both[:, :-2, :-2] + both[:, :-2, 2:] + both[:, 2:, :-2] + both[:, 2:, 2:]
    return np.asarray(-(corners + 2 * both[:, 1:-1, 1:-1]) / 12, np.float32)


def _parts(residuals: Residuals) -> list[NDArray[np.float32]]:
    return [
        _co_occurrences(residuals, _relative),
        _across_colours(residuals),
        _spectrum(residuals["picture"][0]),
        _evenness(residuals["second across"]),
    ]


def _relative(name: str, residual: NDArray[np.float32]) -> NDArray[np.float32]:
    strength = np.abs(residual).mean((1, 2), keepdims=True)
    return np.asarray(residual / (strength + QUIET), np.float32)


def _in_grey_levels(name: str, residual: NDArray[np.float32]) -> NDArray[np.float32]:
    return residual / np.float32(_GREY_STEP[name.split()[0]])


def _levels(residual: NDArray[np.float32]) -> NDArray[np.uint8]:
    return (np.clip(np.rint(residual), -CLIP, CLIP) + CLIP).astype(np.uint8)


def _co_occurrences(
    residuals: Residuals, scaled: Callable[[str, NDArray[np.float32]], NDArray[np.float32]]
) -> NDArray[np.float32]:
    """Roots of the frequencies of three residuals in a row, whatever the sign and the direction."""
    found = []
    for names in _FAMILIES:
        total = np.zeros((3, _TRIPLES), np.float64)
        for name in names:
            for channel, level in enumerate(_levels(scaled(name, residuals[name]))):
                if not name.endswith("down"):
                    total[channel] += _frequency(level[:, :-2], level[:, 1:-1], level[:, 2:])
                if not name.endswith("across"):
                    total[channel] += _frequency(level[:-2], level[1:-1], level[2:])
        found.append(np.sqrt(_merged(total, _SAME_ROW)))
    return np.concatenate(found, axis=None).astype(np.float32)


def _across_colours(residuals: Residuals) -> NDArray[np.float32]:
    """Roots of the frequencies of the red, green and blue residual of one pixel."""
    found = []
    for names in (("rgb second across", "rgb second down"), ("rgb fine",)):
        total = np.zeros((1, _TRIPLES), np.float64)
        for name in names:
            total[0] += _frequency(*_levels(_relative(name, residuals[name])))
        found.append(np.sqrt(_merged(total, _SAME_PIXEL)))
    return np.concatenate(found, axis=None).astype(np.float32)


def _frequency(*three: NDArray[np.uint8]) -> NDArray[np.float64]:
    """How often each triple of levels occurs; the largest code, 124, fits a byte."""
    side = np.uint8(2 * CLIP + 1)
    code = (three[0] * side + three[1]) * side + three[2]
    return np.bincount(code.ravel(), minlength=_TRIPLES) / code.size


def _merged(total: NDArray[np.float64], same: NDArray[np.intp]) -> NDArray[np.float64]:
    """Add up triples that count as the same, and make each row a distribution."""
    rows = np.stack([np.bincount(same, row) for row in total])
    return np.asarray(rows / rows.sum(1, keepdims=True), np.float64)


def _classes(*, mirrored: bool) -> NDArray[np.intp]:
    """Number of the class of each triple under sign change and, if asked, mirroring."""
    side = 2 * CLIP + 1
    grid = np.indices((side,) * 3).reshape(3, -1) - CLIP
    forms = [grid, -grid, *([grid[::-1], -grid[::-1]] if mirrored else [])]
    codes = [((f[0] + CLIP) * side + f[1] + CLIP) * side + f[2] + CLIP for f in forms]
    return np.asarray(np.unique(np.min(codes, 0), return_inverse=True)[1], np.intp)


def _spectrum(luma: NDArray[np.float32]) -> NDArray[np.float32]:
    """Log power of the median residual by frequency and by direction, each about its mean."""
    residual = luma - _median3(luma)
    window = np.outer(np.hanning(luma.shape[0] + 2)[1:-1], np.hanning(luma.shape[1] + 2)[1:-1])
    spectrum = fft2(residual * window.astype(np.float32), (SIDE, SIDE))
    power = np.log1p(np.abs(spectrum) ** 2 / (window**2).sum()).ravel()
    radial = np.bincount(_RADIUS, power, RADII + 1)[:RADII] / _IN_RADIUS
    angular = np.bincount(_ANGLE, power, ANGLES) / _IN_ANGLE
    return np.concatenate([radial - radial.mean(), angular - angular.mean()]).astype(np.float32)


def _median3(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """Median over 3 x 3 by nine-element exchange: several times faster than a rank filter."""
    rows = np.pad(plane, ((1, 1), (0, 0)), "edge")
    a, b, c = rows[:-2], rows[1:-1], rows[2:]
    low, high = np.minimum(a, b), np.maximum(a, b)
    sorted_three = (np.minimum(low, c), np.maximum(low, np.minimum(high, c)), np.maximum(high, c))
    lows, middles, highs = (_three_columns(part) for part in sorted_three)
    largest_low = np.maximum(np.maximum(*lows[:2]), lows[2])
    smallest_high = np.minimum(np.minimum(*highs[:2]), highs[2])
    return _median(largest_low, _median(*middles), smallest_high)


def _three_columns(plane: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
    wide = np.pad(plane, ((0, 0), (1, 1)), "edge")
    return wide[:, :-2], wide[:, 1:-1], wide[:, 2:]


def _median(
    a: NDArray[np.float32], b: NDArray[np.float32], c: NDArray[np.float32]
) -> NDArray[np.float32]:
    middle: NDArray[np.float32] = np.maximum(np.minimum(a, b), np.minimum(np.maximum(a, b), c))
    return middle


def _evenness(second: NDArray[np.float32]) -> NDArray[np.float32]:
    """How noise is spread over the picture: log strength by block, and how colours share it."""
    strength = np.abs(second)
    found = []
    for channel, shares in enumerate((_SHARES, _FEWER_SHARES, _FEWER_SHARES)):
        blocks = uniform_filter(strength[channel], BLOCK)[BLOCK // 2 :: BLOCK, BLOCK // 2 :: BLOCK]
        found.append(np.percentile(np.log(blocks + 0.1), shares))
    about = strength - strength.mean((1, 2), keepdims=True)
    power = np.sqrt((about**2).mean((1, 2)))
    shared = (about[0] * about[1:]).mean((1, 2)) / np.maximum(power[0] * power[1:], 1e-6)
    return np.concatenate([*found, shared]).astype(np.float32)


def _tones(residuals: Residuals) -> NDArray[np.float32]:
    """Roots of how much of the picture has which brightness, colour difference and colourfulness.

    Generators favour certain palettes; of all that the picture shows, no more than this is told.
    """
    ycc = residuals["picture"]
    colourful = np.hypot(ycc[1], ycc[2])
    found = []
    for plane, lowest, highest in (
        (ycc[0], 0, 256),
        (ycc[1], -128, 128),
        (ycc[2], -128, 128),
        (colourful, 0, 128),
    ):
        share = (plane - lowest) * (SHADES / (highest - lowest))
        shade = np.clip(share, 0, SHADES - 1).astype(np.intp)
        found.append(np.bincount(shade.ravel(), minlength=SHADES) / plane.size)
    return np.asarray(np.sqrt(np.concatenate(found)), np.float32)


def _rings() -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    frequency = np.fft.fftfreq(SIDE)
    fy, fx = np.meshgrid(frequency, frequency, indexing="ij")
    radius = np.minimum(np.hypot(fy, fx) * 2 * RADII, RADII).astype(np.intp)
    angle = (np.arctan2(fy, fx) / np.pi * ANGLES).astype(np.intp) % ANGLES
    return radius.ravel(), angle.ravel()


_FAMILIES = (
    ("first across", "first down"),
    ("second across", "second down"),
    ("third across", "third down"),
    ("fine",),
)
_GREY_STEP = {"first": 1, "second": 2, "third": 3, "fine": 1}
_SHARES = (2, 10, 25, 50, 75, 90, 98)
_FEWER_SHARES = (10, 50, 90)
_TRIPLES = (2 * CLIP + 1) ** 3
_SAME_ROW, _SAME_PIXEL = _classes(mirrored=True), _classes(mirrored=False)
_RADIUS, _ANGLE = _rings()
_IN_RADIUS = np.bincount(_RADIUS, minlength=RADII + 1)[:RADII]
_IN_ANGLE = np.bincount(_ANGLE, minlength=ANGLES)
_ROWS = len(_FAMILIES) * 3 * (int(_SAME_ROW.max()) + 1)
_PART = _ROWS + 2 * (int(_SAME_PIXEL.max()) + 1) + RADII + ANGLES + 7 + 2 * 3 + 2
DIM = 2 * _PART + _ROWS + 4 * SHADES
