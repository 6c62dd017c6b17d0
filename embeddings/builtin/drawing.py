"""Drawings and handwriting: where strokes run in which direction, after size, place and slant."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import (
    affine_transform,
    distance_transform_edt,
    gaussian_filter,
    sobel,
)

from embeddings.builtin.reduce import LUMA, averaged, grey, thinned, unit, windows

PLANE = 80
"""Side of the normalised drawing, pixels."""
SPREAD = 65.0
"""What four standard deviations of the ink's longer axis come to in the plane, pixels."""
DIRECTIONS = 12
GRID = 10
DIM = DIRECTIONS * GRID * GRID

COARSE_SIDE = 400
"""Where the drawing is, is looked up at 400 to 800 pixels a side."""
WORKING_SIDE = 160
"""The drawing itself, cropped, is then brought to 160 to 320 pixels a side."""
INK = 0.3
"""Share of the strongest ink that counts when cropping to the drawing."""
BROAD = 0.07
"""Strokes broader than that share of the drawing are pared down to it: a broad pen closes loops
and pushes edges apart, a thin one changes little."""
HALF = 0.5
"""Share of the strongest ink from which on a pixel belongs to a stroke."""
EVEN_WIDTH = 3.2
"""Width of strokes in their mean depth."""
DESKEW = 0.7
"""Share of the measured slant that is taken out: writers slant less than moments say."""


def describe(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Describe a drawing on any plain ground, dark on light or light on dark.

    Parameters
    ----------
    pixels
        (height, width, 3) uint8.

    Returns
    -------
    NDArray[np.float32]
        (DIM,), unit length: the square root of stroke gradient in 12 signed directions over a
        10 x 10 grid.

    References
    ----------
    C.-L. Liu, K. Nakashima, H. Sako, H. Fujisawa, "Handwritten digit recognition: investigation
    of normalization and feature extraction techniques", Pattern Recognition 37 (2004).
    """
    return unit(np.sqrt(_direction_maps(normalise(_pared(_ink(pixels))))))


def _ink(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Strength of ink in [0, 1], cropped to where there is any and brought to a working size."""
    coarse = grey(thinned(pixels, COARSE_SIDE))
    ground = _ground(coarse)
    ink = _against(coarse, ground)
    rows, columns = _extent(ink)
    step = pixels.shape[0] / coarse.shape[0], pixels.shape[1] / coarse.shape[1]
    top, bottom = int((rows[0] - 1) * step[0]), int(np.ceil((rows[1] + 1) * step[0]))
    left, right = int((columns[0] - 1) * step[1]), int(np.ceil((columns[1] + 1) * step[1]))
    near = pixels[max(top, 0) : bottom, max(left, 0) : right]
    return _against(averaged(near, WORKING_SIDE) @ LUMA, ground)


def _ground(picture: NDArray[np.float32]) -> float:
    """The grey of the paper: what the border mostly shows."""
    edges = (picture[0], picture[-1], picture[:, 0], picture[:, -1])
    return float(np.median(np.concatenate(edges)))


def _against(picture: NDArray[np.float32], ground: float) -> NDArray[np.float32]:
    """How far each pixel is from the ground, to the side where the drawing is."""
    darker, lighter = ground - float(picture.min()), float(picture.max()) - ground
    ink = np.maximum(ground - picture if darker >= lighter else picture - ground, 0)
    top = float(ink.max())
    return np.asarray(ink / top if top > 0 else ink, np.float32)


def _extent(ink: NDArray[np.float32]) -> tuple[tuple[int, int], tuple[int, int]]:
    """First row and one past the last row with ink, and the same for columns."""
    strong = ink > INK
    rows, columns = np.flatnonzero(strong.any(1)), np.flatnonzero(strong.any(0))
    if not rows.size:
        return (0, ink.shape[0]), (0, ink.shape[1])
    return (int(rows[0]), int(rows[-1]) + 1), (int(columns[0]), int(columns[-1]) + 1)


def _pared(ink: NDArray[np.float32]) -> NDArray[np.float32]:
    """Take as much off both sides of broad strokes as leaves slender ones; blots stay blots."""
    (top, bottom), (left, right) = _extent(ink)
    solid = np.pad(ink[top:bottom, left:right] > HALF, 1)
    if not solid.any():
        return ink
    longest = max(solid.shape) - 2
    edges = np.count_nonzero(np.diff(solid, axis=0)) + np.count_nonzero(np.diff(solid, axis=1))
    # a line in any direction has 4 / pi times as many pixel edges as it is long
    if 2 * np.count_nonzero(solid) < BROAD * longest * edges * np.pi / 4:
        return ink
    depth = distance_transform_edt(solid)
    # in a stroke of even width depth is a quarter of it on average; less where widths differ
    off = (EVEN_WIDTH * float(depth[solid].mean()) - BROAD * longest) / 2
    return ink if off <= 0 else np.asarray(np.clip(depth - off, 0, 1), np.float32)


def normalise(ink: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bring ink to the plane: cropped, slant taken out, centred and scaled by its moments.

    The shorter axis is stretched towards the longer one by `sqrt(sin(pi / 2 * ratio))`, so that
    a bar stays a bar and a tall letter becomes comparable with a wide one.
    """
    (top, bottom), (left, right) = _extent(ink)
    cropped = ink[top:bottom, left:right]
    total = float(cropped.sum())
    if total <= 0:
        return np.zeros((PLANE, PLANE), np.float32)
    y, x = np.arange(cropped.shape[0]), np.arange(cropped.shape[1])
    rows, columns = cropped.sum(1), cropped.sum(0)
    cy, cx = rows @ y / total, columns @ x / total
    dy, dx = y - cy, x - cx
    var_y, var_x = rows @ dy**2 / total, columns @ dx**2 / total
    slant = DESKEW * float(dy @ cropped @ dx / total) / (var_y + 1e-6)
    var_x = max(var_x - 2 * slant * float(dy @ cropped @ dx / total) + slant**2 * var_y, 0)
    side_y, side_x = 4 * np.sqrt(var_y) + 1, 4 * np.sqrt(var_x) + 1
    ratio = min(side_x, side_y) / max(side_x, side_y)
    short = SPREAD * np.sqrt(np.sin(np.pi / 2 * ratio))
    tall = side_y >= side_x
    step_y = side_y / (SPREAD if tall else short)
    step_x = side_x / (short if tall else SPREAD)
    matrix = np.array([[step_y, 0.0], [slant * step_y, step_x]])
    middle = (PLANE - 1) / 2
    offset = np.array([cy, cx]) - matrix @ [middle, middle]
    # an output pixel covers step input pixels: blur that much first, or thin strokes drop out
    soft = gaussian_filter(cropped, (0.4 * step_y, 0.4 * step_x), truncate=2.5)
    return np.asarray(affine_transform(soft, matrix, offset, (PLANE, PLANE), order=1), np.float32)


def _direction_maps(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """(DIRECTIONS, GRID, GRID): gradient strength, shared by the two nearest directions."""
    soft = gaussian_filter(plane, 1.0)
    gy, gx = sobel(soft, 0), sobel(soft, 1)
    strength = np.hypot(gy, gx)
    turn = (np.arctan2(gy, gx) / (2 * np.pi) * DIRECTIONS) % DIRECTIONS
    low = np.floor(turn).astype(np.intp) % DIRECTIONS
    share = (turn - np.floor(turn)).astype(np.float32)
    maps = np.zeros((DIRECTIONS, PLANE * PLANE), np.float32)
    at = np.arange(PLANE * PLANE)
    maps[low.ravel(), at] += ((1 - share) * strength).ravel()
    maps[(low.ravel() + 1) % DIRECTIONS, at] += (share * strength).ravel()
    sampled = _SAMPLE @ maps.reshape(DIRECTIONS, PLANE, PLANE) @ _SAMPLE.T
    return np.asarray(sampled, np.float32)


WINDOW = 0.6
"""Standard deviation of a sampling window, in grid cells."""
_SAMPLE = windows(PLANE, GRID, WINDOW)
