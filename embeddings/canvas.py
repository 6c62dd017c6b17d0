"""Drawings as they come, brought to one look: black ink on white, whatever was drawn on what."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from embeddings.builtin.reduce import thinned
from embeddings.images import Picture, resize, to_grey, to_ycbcr

SIDE = 400
"""A drawing comes out with at most this many pixels a side, its margin aside; where it is, is
looked up at up to twice as many."""
FAINT = 10.0
"""Grey levels by which something must stand off its ground to be ink: noise makes fewer."""
INK = 0.3
"""Share of the strongest ink that counts when looking where the drawing is."""
MARGIN = 0.12
"""White around the drawing, as a share of its longer side."""
EMPTY = 32
"""Side of the white square that a canvas without any ink becomes."""
COLOURLESS = 12
"""Colour differences of a grey picture are no larger, whatever JPEG did to it."""
EVEN = 3
"""Grey levels by which the border of a canvas differs from its middle value; paper differs more."""
CLEAR, SOLID = 128, 250
"""Below this alpha ground shows; from that on a pixel has the colour that was drawn with."""
SHEET = 0.6
"""Share of its own frame that a sheet of paper covers at least, on transparent ground."""
DETAIL = 48.0
"""Levels by which what is on such a sheet stands off it at least."""


class _Ground(NamedTuple):
    """What a drawing is on: its Y, Cb, Cr, which way of it ink is (0: both), colours or none."""

    colour: NDArray[np.float32]
    way: int
    coloured: bool


def as_drawing(picture: Picture) -> NDArray[np.uint8]:
    """Show what is drawn in black on white, cut to it, in the middle of a square.

    Ink is what stands off the ground, which the border tells. On transparent ground that is
    whatever covers it, of any colour. On an even ground, as canvases have, it is any difference
    of brightness or colour; on an uneven one, such as paper in a photograph, brightness counts
    to the one side only where there is more of it: the other is shade or glare.

    Parameters
    ----------
    picture
        A decoded picture.

    Returns
    -------
    NDArray[np.uint8]
        (side, side, 3); all white when there is no ink. May be a view that shares one plane.
    """
    alpha = picture.alpha
    if alpha is None or np.median(_border(alpha)) >= CLEAR:
        return _framed(_ink_of_colours(picture.pixels))
    sheet = _sheet(picture.pixels, alpha)
    if sheet is None:
        return _framed(_ink_of_alpha(alpha))
    through = 1 - alpha[..., None].astype(np.float32) / 255
    filled = np.rint(picture.pixels - through * (255 - sheet))  # paper in place of white
    return _framed(_ink_of_colours(np.clip(filled, 0, 255).astype(np.uint8)))


def _ink_of_alpha(alpha: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What covers a transparent ground, cut to where that is much."""
    box = _box(alpha > INK * max(float(alpha.max()), FAINT))
    return _NONE if box is None else _near(np.ascontiguousarray(alpha[box])).astype(np.float32)


def _sheet(pixels: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.float32] | None:
    """Colour of the sheet of paper that stands on transparent ground, if one does.

    Strokes are not one: they fill little of their frame, or have no other colour on them.
    """
    step = max(1, max(alpha.shape) // SIDE)
    solid = alpha[::step, ::step] >= SOLID
    box = _box(solid)
    if box is None or solid[box].mean() < SHEET:
        return None
    colours = pixels[::step, ::step][solid].astype(np.float32)
    sheet = np.asarray(np.median(colours, 0), np.float32)
    return sheet if np.abs(colours - sheet).max() >= DETAIL else None


def _ink_of_colours(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """How far each pixel stands off the ground, grey levels, cut to where that is far."""
    far = thinned(pixels, SIDE)
    ground, ink = _look(far)
    strongest = float(ink.max())
    box = _box(ink > INK * strongest) if strongest >= FAINT else None
    if box is None:
        return _NONE
    if max(pixels.shape[:2]) <= SIDE:
        return ink[box]
    step = pixels.shape[0] / far.shape[0], pixels.shape[1] / far.shape[1]
    rows, columns = (
        slice(max(int((part.start - 1) * by), 0), int(np.ceil((part.stop + 1) * by)))
        for part, by in zip(box, step, strict=True)
    )
    part = np.ascontiguousarray(pixels[rows, columns])
    if ground.coloured:
        return _against(to_ycbcr(_near(part)), ground)
    return _against(_near(to_grey(part))[..., None], ground)


def _look(pixels: NDArray[np.uint8]) -> tuple[_Ground, NDArray[np.float32]]:
    """What the ground is, and how far each pixel stands off it."""
    colours = to_ycbcr(pixels)
    border = _border(colours)
    colour = np.median(border, 0).astype(np.float32)
    even = np.percentile(np.abs(border - colour).max(1), 90) <= EVEN
    # channel by channel: over both axes at once numpy takes twenty times as long
    below = [float(colour[i] - colours[..., i].min()) for i in range(3)]
    above = [float(colours[..., i].max() - colour[i]) for i in range(3)]
    way = 0 if even else -1 if below[0] >= above[0] else 1
    ground = _Ground(colour, way, max(*below[1:], *above[1:]) > COLOURLESS)
    return ground, _against(colours, ground)


def _against(colours: NDArray[np.uint8], ground: _Ground) -> NDArray[np.float32]:
    """Distance of (h, w, 3 or 1) Y, Cb, Cr from the ground: for ink of any colour, its share."""
    off = colours[..., 0] - ground.colour[0]
    off = np.maximum(ground.way * off, 0) if ground.way else np.abs(off)
    if ground.coloured:
        blue, red = (colours[..., i] - ground.colour[i] for i in (1, 2))
        off = np.sqrt(off * off + blue * blue + red * red)
    return np.asarray(off, np.float32)


def _border(plane: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What stands at the four edges, (n,) or (n, 3)."""
    return np.concatenate([plane[0], plane[-1], plane[:, 0], plane[:, -1]])


def _box(there: NDArray[np.bool_]) -> tuple[slice, slice] | None:
    """Rows and columns from the first to the last that have any; None when none has."""
    rows, columns = np.flatnonzero(there.any(1)), np.flatnonzero(there.any(0))
    if not rows.size:
        return None
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _near(part: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Scaled down to SIDE, if it is larger."""
    height, width = part.shape[:2]
    scale = SIDE / max(height, width)
    if scale >= 1:
        return part
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return resize(part, *size, gap=1.5)


def _framed(ink: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Ink as black, its strongest wholly so, in the middle of a white square with a margin."""
    strongest = float(ink.max())
    if strongest < FAINT:
        return np.full((EMPTY, EMPTY, 3), 255, np.uint8)
    height, width = ink.shape
    longer = max(height, width)
    side = longer + 2 * max(2, round(MARGIN * longer))
    top, left = (side - height) // 2, (side - width) // 2
    square = np.full((side, side), 255, np.uint8)
    square[top : top + height, left : left + width] = np.rint(255 - ink * (255 / strongest))
    return np.broadcast_to(square[..., None], (side, side, 3))


_NONE = np.zeros((1, 1), np.float32)
