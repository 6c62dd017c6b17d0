"""Whether a picture is a photograph, drawn, or of a screen: told by simple facts of its pixels.

It is no recogniser and does not try to be one. It parts pictures coarsely, so that a version's
errors can be counted manner by manner. Paintings and renderings with soft shades count as
photographs, flat graphics such as charts and icons as drawn, printed pages as screens.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from embeddings.builtin.reduce import thinned
from embeddings.images import Picture

PHOTO, DRAWN, SCREEN = "photo", "drawn", "screen"

BLOCK = 8
"""Pixels a side of the blocks that are looked at, at full resolution."""
GRID = 28
"""Blocks a row and a column, spread evenly; they overlap in small pictures."""
EVEN = 8
"""Grey levels within which a block counts as flat, whatever JPEG did to it."""
STRONG = 48
"""Grey levels that a block with an edge spans at least."""
NEAR = 0.12
"""Share of such a span within which a pixel has one of the edge's two tones."""
INK = 40
"""Grey levels by which ink stands off the commonest tone around."""
STRIPS, THIN, COLUMNS = 6, 640, 240
"""Upright strips in which rows of text are counted, in so many pixels a side and columns."""
INKED = 0.04
"""Share of a strip's row that is ink in a row of text."""

TWO_TONED, COMMON = 0.58, 0.34
FEW_TONES, FLAT = 2.6, 0.45
ROWS, CRISP, COLOURED = 10, 0.85, 0.3


class Tones(NamedTuple):
    """What the pixels of a picture are like.

    `two_toned` is the share of pixels on edges that have one of an edge's two tones, `common`
    that of the commonest of 4,096 colours, `entropy` of these colours is in bits, `flat` the
    share of blocks without any edge, `spread` the mean distance of a pixel's strongest to its
    weakest channel; `rows` of text, or of what looks like it, are counted.
    """

    two_toned: float
    common: float
    entropy: float
    flat: float
    spread: float
    rows: int


def looks(picture: Picture) -> dict[str, Any]:
    """Facts by which pictures are parted into slices, JSON-ready.

    Returns
    -------
    dict[str, Any]
        `width`, `height` in pixels and `format` of the file, its `manner`, and whether it has
        the EXIF of a `camera`. `domain.LOOKS` names this recipe.
    """
    facts = picture.facts
    return {
        "width": facts.width,
        "height": facts.height,
        "format": "JPEG" if facts.format == "MPO" else facts.format,
        "manner": manner(picture.pixels),
        "camera": picture.camera,
    }


def manner(pixels: NDArray[np.uint8]) -> str:
    """How a picture was made, coarsely.

    What is drawn has edges of two tones, one colour that is most of it, and flat areas; a lens
    or a renderer gives many tones, soft edges and noise. Rows as of text, coloured somewhere or
    with edges that screens soften, make a screen of what would else be drawn. docs/slices.md
    has the error, on other pictures than the bounds were set on.

    Parameters
    ----------
    pixels
        (height, width, 3) uint8.

    Returns
    -------
    str
        `photo`, `drawn` or `screen`.
    """
    tones = tones_of(pixels)
    two_toned = tones.two_toned > TWO_TONED and tones.common > COMMON
    if not two_toned and (tones.entropy > FEW_TONES or tones.flat < FLAT):
        return PHOTO
    soft = tones.spread > COLOURED or tones.two_toned < CRISP
    return SCREEN if tones.rows >= ROWS and soft else DRAWN


def tones_of(pixels: NDArray[np.uint8]) -> Tones:
    """What `manner` goes by: (height, width, 3) uint8 in, a few numbers out."""
    red, green, blue = blocks = _blocks(pixels)
    grey = ((77 * red + 150 * green + 29 * blue) >> 8).astype(np.int16)  # luma, ITU-R 601
    low, high = grey.min(axis=1, keepdims=True), grey.max(axis=1, keepdims=True)
    span = (high - low)[:, 0]
    strong = span >= STRONG
    place = (grey - low)[strong] / np.maximum(span[strong], 1)[:, None]
    code = (red >> 4 << 8) | (green >> 4 << 4) | (blue >> 4)
    shares = np.bincount(code.ravel(), minlength=4096) / code.size
    seen = shares[shares > 0]
    return Tones(
        two_toned=float((np.abs(place - 0.5) > 0.5 - NEAR).mean()) if strong.any() else 0.0,
        common=float(shares.max()),
        entropy=float(-(seen * np.log2(seen)).sum()),
        flat=float((span <= EVEN).mean()),
        spread=float((blocks.max(axis=0) - blocks.min(axis=0)).mean()),
        rows=_rows_of_text(pixels),
    )


def _blocks(pixels: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """(3, n, BLOCK * BLOCK): the channels of blocks at even distances."""
    height, width = pixels.shape[:2]
    side = min(BLOCK, height, width)
    tops, lefts = (
        np.unique(np.linspace(0, length - side, GRID).astype(np.intp)) for length in (height, width)
    )
    windows = np.lib.stride_tricks.sliding_window_view(pixels, (side, side), axis=(0, 1))
    chosen = windows[tops[:, None], lefts[None, :]].reshape(-1, 3, side * side)
    return np.ascontiguousarray(chosen.swapaxes(0, 1), dtype=np.uint16)


def _rows_of_text(pixels: NDArray[np.uint8]) -> int:
    """Runs of rows with ink between rows without, in the strip that has most of them."""
    few = thinned(pixels, THIN)
    columns = np.linspace(0, few.shape[1] - 1, min(few.shape[1], COLUMNS)).astype(np.intp)
    tones = few[:, columns, 1].astype(np.int16)  # green is nearly all of brightness
    most = 0
    for strip in np.array_split(tones, STRIPS, axis=1):
        if strip.shape[1] < BLOCK:
            continue
        ground = int(np.bincount((strip >> 3).ravel(), minlength=32).argmax()) * 8 + 4
        inked = (np.abs(strip - ground) > INK).mean(axis=1) > INKED
        most = max(most, int((inked[1:] & ~inked[:-1]).sum() + inked[0]))
    return most
