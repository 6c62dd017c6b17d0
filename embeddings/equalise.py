"""Pictures of all classes brought to the same forms, so that form says nothing of the class.

Each picture is cut, scaled and encoded anew. Its new shape, size and quality are drawn from one
distribution, the same for every picture there is, by its sha256 alone: the same picture always
gets the same form, and no class can have forms of its own.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from domain import EQUALISED, TaskKind
from embeddings.canvas import as_drawing
from embeddings.images import Picture, decode, encode_jpeg, resize

ASPECTS = (1.0, 1.0, 4 / 3, 3 / 4, 3 / 2, 2 / 3, 16 / 9, 9 / 16)
"""Width by height, each as often."""
SHORT_SIDES = (224, 448)
"""The short side after scaling, pixels; small ones are as likely as large ones by ratio."""
QUALITIES = (75, 95)
DRAWN_SIDE = 320


@dataclass(frozen=True, slots=True)
class Form:
    """A shape, the pixels of its short side, and a JPEG quality."""

    aspect: float
    short_side: int
    quality: int


def form_of(sha256: str) -> Form:
    """The form that a picture is given: a fair draw that its name decides."""
    digest = hashlib.sha256(f"{sha256}{EQUALISED}".encode()).digest()
    shape, size, quality = (
        int.from_bytes(digest[start : start + 4], "big") / 2**32 for start in (0, 4, 8)
    )
    least, most = SHORT_SIDES
    worst, best = QUALITIES
    return Form(
        ASPECTS[int(shape * len(ASPECTS))],
        round(least * (most / least) ** size),
        worst + int(quality * (best - worst + 1)),
    )


def equalised_file(picture: Picture, kind: TaskKind) -> bytes:
    """The JPEG file of a picture in the form that it is given.

    Parameters
    ----------
    picture
        As it was decoded.
    kind
        A drawing is not cut: it is shown black on white in a square, as embedders see it.
    """
    form = form_of(picture.facts.sha256)
    if kind is TaskKind.DRAWING:
        pixels = as_drawing(picture)
        return encode_jpeg(resize(pixels, DRAWN_SIDE, DRAWN_SIDE), form.quality)
    piece = cut(picture.pixels, form.aspect)
    scale = form.short_side / min(piece.shape[:2])
    height, width = (max(1, round(side * scale)) for side in piece.shape[:2])
    return encode_jpeg(resize(piece, width, height), form.quality)


def equalised(picture: Picture, kind: TaskKind) -> Picture:
    """Show a picture as if it had come in the form it is given; its facts stay its file's."""
    return Picture(decode(equalised_file(picture, kind)).pixels, picture.facts)


def cut(pixels: NDArray[np.uint8], aspect: float) -> NDArray[np.uint8]:
    """Keep the largest middle piece of a shape.

    Parameters
    ----------
    pixels
        (h, w, 3) uint8.
    aspect
        Width by height of the piece.

    Returns
    -------
    NDArray[np.uint8]
        (height, width, 3).
    """
    height, width = pixels.shape[:2]
    high = min(height, max(1, round(width / aspect)))
    wide = min(width, max(1, round(height * aspect)))
    top, left = (height - high) // 2, (width - wide) // 2
    return np.ascontiguousarray(pixels[top : top + high, left : left + wide])
