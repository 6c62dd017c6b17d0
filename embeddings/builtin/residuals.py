"""What is left of a picture when neighbours are taken from one another: its noise and edges."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from embeddings.builtin.reduce import TO_YCBCR

CLIP = 2
"""Residuals are counted as -CLIP..CLIP."""
QUIET = 0.05
"""Added to a residual's mean strength, grey levels, so that flat pictures divide by something."""
BLOCK = 16
Residuals = dict[str, NDArray[np.float32]]


def in_ycc(pixels: NDArray[np.uint8], least: int) -> NDArray[np.float32]:
    """(3, height, width) of Y, Cb, Cr; small pictures are mirrored to `least` pixels a side."""
    missing = [(0, max(0, least - length)) for length in pixels.shape[:2]]
    whole = np.pad(pixels, (*missing, (0, 0)), "symmetric") if any(map(any, missing)) else pixels
    rgb = np.ascontiguousarray(np.moveaxis(whole, 2, 0), np.float32)
    return np.asarray(np.tensordot(TO_YCBCR, rgb, 1), np.float32)


def residuals(planes: NDArray[np.float32]) -> Residuals:
    """What neighbours do not foretell, by filter.

    Parameters
    ----------
    planes
        (3, height, width) of Y, Cb, Cr, at least 6 pixels a side.

    Returns
    -------
    dict[str, NDArray[np.float32]]
        (3, h, w) each: first to third differences both ways, and the 5 x 5 KV kernel.
    """
    found: Residuals = {"fine": _fine(planes)}
    for way, axis in (("across", 2), ("down", 1)):
        found[f"first {way}"] = np.diff(planes, 1, axis)
        found[f"second {way}"] = np.diff(found[f"first {way}"], 1, axis)
        found[f"third {way}"] = np.diff(found[f"second {way}"], 1, axis)
    return found


def _fine(planes: NDArray[np.float32]) -> NDArray[np.float32]:
    """The 5 x 5 KV kernel, which is one second difference by another, seen from five places."""
    both = np.diff(np.diff(planes, 2, 2), 2, 1)
    corners = both[:, :-2, :-2] + both[:, :-2, 2:] + both[:, 2:, :-2] + both[:, 2:, 2:]
    return np.asarray(-(corners + 2 * both[:, 1:-1, 1:-1]) / 12, np.float32)


def co_occurrences(found: Residuals) -> NDArray[np.float32]:
    """Roots of the frequencies of three residuals in a row, whatever the sign and the direction.

    Residuals count relative to their own mean strength, so that a grainy and a smooth picture
    can be compared. Both colour differences share one row: apart they doubled the columns and
    told unseen sources apart no better.

    Returns
    -------
    NDArray[np.float32]
        (CO_OCCURRENCES,) in [0, 1]: by family of filters, of Y and then of Cb and Cr.

    References
    ----------
    J. Fridrich, J. Kodovsky, "Rich models for steganalysis of digital images", TIFS 2012.
    M. Goljan, J. Fridrich, R. Cogranne, "Rich model for steganalysis of color images", WIFS 2014.
    """
    rows = []
    for names in _FAMILIES:
        total = np.zeros((3, _TRIPLES), np.float64)
        for name in names:
            for channel, level in enumerate(_levels(found[name])):
                if not name.endswith("down"):
                    total[channel] += _frequency(level[:, :-2], level[:, 1:-1], level[:, 2:])
                if not name.endswith("across"):
                    total[channel] += _frequency(level[:-2], level[1:-1], level[2:])
        luma, *colours = np.sqrt(_merged(total))
        rows += [luma, np.mean(colours, 0)]
    return np.concatenate(rows).astype(np.float32)


def _levels(residual: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Rounded in units of its own mean strength and clipped; counted from 0.

    Comparing with the four edges is twice as fast as dividing, rounding and clipping.
    """
    step = np.abs(residual).mean((1, 2), keepdims=True) + np.float32(QUIET)
    levels = np.zeros(residual.shape, np.uint8)
    for edge in np.arange(0.5 - CLIP, CLIP):
        levels += residual > np.float32(edge) * step
    return levels


def _frequency(*three: NDArray[np.uint8]) -> NDArray[np.float64]:
    """How often each triple of levels occurs; the largest code, 124, fits a byte."""
    side = np.uint8(2 * CLIP + 1)
    code = (three[0] * side + three[1]) * side + three[2]
    return np.bincount(code.ravel(), minlength=_TRIPLES) / code.size


def _merged(total: NDArray[np.float64]) -> NDArray[np.float64]:
    """Add up triples that count as the same, and make each row a distribution."""
    rows = np.stack([np.bincount(_SAME, row) for row in total])
    return np.asarray(rows / rows.sum(1, keepdims=True), np.float64)


def _classes() -> NDArray[np.intp]:
    """Number of the class of each triple under sign change and mirroring."""
    side = 2 * CLIP + 1
    grid = np.indices((side,) * 3).reshape(3, -1) - CLIP
    forms = [grid, -grid, grid[::-1], -grid[::-1]]
    codes = [((f[0] + CLIP) * side + f[1] + CLIP) * side + f[2] + CLIP for f in forms]
    return np.asarray(np.unique(np.min(codes, 0), return_inverse=True)[1], np.intp)


def evenness(second: NDArray[np.float32]) -> NDArray[np.float32]:
    """How noise is spread over the picture: log strength by block, and how colours share it.

    Parameters
    ----------
    second
        (3, h, w), second differences of Y, Cb, Cr.

    Returns
    -------
    NDArray[np.float32]
        (EVENNESS,): percentiles of log strength of Y, Cb and Cr; correlations of Y with both.
    """
    strength = np.abs(second)
    found = []
    for channel, shares in enumerate((_SHARES, _FEWER_SHARES, _FEWER_SHARES)):
        found.append(np.percentile(np.log(_blocks(strength[channel]) + 0.1), shares))
    about = strength - strength.mean((1, 2), keepdims=True)
    power = np.sqrt((about**2).mean((1, 2)))
    shared = (about[0] * about[1:]).mean((1, 2)) / np.maximum(power[0] * power[1:], 1e-6)
    return np.concatenate([*found, shared]).astype(np.float32)


def _blocks(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """Means of whole blocks from the top left; of a smaller plane its one mean."""
    down, across = (length // BLOCK for length in plane.shape)
    if not down or not across:
        return np.asarray(plane.mean(keepdims=True), np.float32)
    whole = plane[: down * BLOCK, : across * BLOCK].reshape(down, BLOCK, across, BLOCK)
    return np.asarray(whole.mean((1, 3)), np.float32)


_FAMILIES = (
    ("first across", "first down"),
    ("second across", "second down"),
    ("third across", "third down"),
    ("fine",),
)
_SHARES = (2, 10, 25, 50, 75, 90, 98)
_FEWER_SHARES = (10, 50, 90)
_TRIPLES = (2 * CLIP + 1) ** 3
_SAME = _classes()
CO_OCCURRENCES = len(_FAMILIES) * 2 * (int(_SAME.max()) + 1)
EVENNESS = len(_SHARES) + 2 * len(_FEWER_SHARES) + 2
