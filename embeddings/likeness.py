"""What of a picture outlives re-encoding, scaling and screenshots: its coarse shape in light."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from embeddings.builtin.reduce import grey
from embeddings.images import Picture, resize

LIKENESS = "likeness:1"
"""Id under which likenesses are kept; it changes whenever they would."""
WAVES = 22
"""Waves slower than this many half turns a side are looked at. `models/crops.py` knows how they
stand and must be told of a change."""
PLANE = 64
"""Every picture is brought to this many pixels a side first."""
LOOKED_AT = 256
"""Rows and columns are left out until less than twice as many are left."""
FLAT = 2.0
"""Grey levels (root mean square, over all waves) that a picture needs to be told by its shape.

The flattest of 3,400 real pictures had 6.7; encoding noise on a flat one makes about 0.5.
"""
BORDER = 1 / 20
"""A border is cut off when it ends within this share of the picture."""
MARGIN = 1 / 12
"""Up to this share of what is left is cut off as well while it is of one colour."""
ONE_COLOUR = 12
"""Grey levels by which a border's pixels may differ: what lossy formats do to them.

Judging lines by their mean or letting a few pixels stand out was tried: smooth photographs and
thin strokes then come and go with the noise, which costs up to 17 % of the cut copies of faces.
"""


def likeness(picture: Picture) -> NDArray[np.float32]:
    """Describe a picture so that its copies come out nearly the same.

    The slow waves of a cosine transform of the luma, without the mean, each times the square
    root of its frequency: the slowest are what all aligned faces and all letters on paper have
    in common, and the fastest are what a copy loses. Borders and margins of one colour are cut
    off first: a border, which screenshots add, would outshine the rest.

    Parameters
    ----------
    picture
        A decoded picture.

    Returns
    -------
    NDArray[np.float32]
        (DIM,), unit length, or zeros when the picture is too flat to tell anything.
    """
    luma = grey(resize(_without_margins(_thinned(picture.pixels)), PLANE, PLANE, gap=1.5))
    waves = ((_COSINES @ luma @ _COSINES.T) / PLANE)[_KEPT]
    if float(np.linalg.norm(waves)) < FLAT:
        return np.zeros(DIM, np.float32)
    weighted = waves * _WEIGHTS
    return np.asarray(weighted / np.linalg.norm(weighted), np.float32)


def _thinned(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Every n-th row and every m-th column, unmixed, so that a border stays of one colour."""
    down, across = (max(1, length // LOOKED_AT) for length in pixels.shape[:2])
    return pixels[::down, ::across]


def _without_margins(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Cut off borders, then margins: what is left must not depend on a line around a margin."""
    inner = _cut(pixels, BORDER, must_end=True)
    return np.ascontiguousarray(_cut(inner, MARGIN, must_end=False))


def _cut(pixels: NDArray[np.uint8], share: float, *, must_end: bool) -> NDArray[np.uint8]:
    turned = pixels.swapaxes(0, 1)
    sides = (pixels, pixels[::-1], turned, turned[::-1])
    top, bottom, left, right = (_plain_lines(side, share, must_end=must_end) for side in sides)
    return pixels[top : pixels.shape[0] - bottom, left : pixels.shape[1] - right]


def _plain_lines(lines: NDArray[np.uint8], share: float, *, must_end: bool) -> int:
    """How many lines from the first one on have the colour of the first pixel."""
    most = int(len(lines) * share)
    colour = lines[0, 0].astype(np.int16)
    for count, line in enumerate(lines[: most + must_end]):
        if (np.abs(line - colour) > ONE_COLOUR).any():
            return count
    return 0 if must_end else most


def _cosines() -> NDArray[np.float32]:
    """(WAVES, PLANE): orthonormal, slowest first."""
    waves = np.cos(np.pi / PLANE * np.outer(np.arange(WAVES), np.arange(PLANE) + 0.5))
    waves *= np.sqrt(2 / PLANE)
    waves[0] /= np.sqrt(2)
    return waves.astype(np.float32)


_COSINES = _cosines()
_FREQUENCIES = np.hypot(*np.indices((WAVES, WAVES)))
_KEPT = (_FREQUENCIES > 0) & (_FREQUENCIES < WAVES)
_WEIGHTS = np.sqrt(_FREQUENCIES[_KEPT]).astype(np.float32)
DIM = int(_KEPT.sum())
