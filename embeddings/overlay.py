"""A heat map laid over its picture, with a legend that says what it is: a hint."""

from __future__ import annotations

import io
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from embeddings.covering import Grid

LONGEST, SHORTEST = 768, 256
"""Pixels of the longer side as it is drawn: large pictures are scaled down, tiny ones up."""
LEAST_WIDTH = 360
"""Of the whole, so that the legend has room."""
STRONGEST = 0.68
"""Opacity of the hottest part."""
LEGEND, BAR = 76, 12
"""Height of the legend and of its colour bar, pixels."""
MARGIN = 10
PAPER, INK = (255, 255, 255), (26, 26, 26)
VIRIDIS = np.array(
    [
        *[(68, 1, 84), (71, 44, 122), (59, 81, 139), (44, 113, 142), (33, 144, 141)],
        *[(39, 173, 129), (92, 200, 99), (170, 220, 50), (253, 231, 37)],
    ],
    np.float64,
)
"""Nine points of the map of that name by N. Smith and S. van der Walt, which is in the public
domain: even in brightness, and told apart by the colour-blind."""


def draw_heat(
    pixels: NDArray[np.uint8],
    heat: NDArray[np.float64],
    grid: Grid,
    label: str,
    texts: Mapping[str, str],
) -> bytes:
    """Lay a heat map over a picture.

    Parameters
    ----------
    pixels
        (height, width, 3) uint8.
    heat
        (rows, columns): positive where the picture speaks for the label; the rest stays clear.
    grid
        Where the map lies on the picture; it may have other rows and columns than the map.
    label
        What the picture speaks for there.
    texts
        Written into the file, by keyword.

    Returns
    -------
    bytes
        A PNG file.
    """
    picture = Image.fromarray(pixels)
    scale = _scale(picture.size)
    size = tuple(max(1, round(side * scale)) for side in picture.size)
    picture = picture.resize((size[0], size[1]), Image.Resampling.BICUBIC)
    box = [round(edge * scale) for edge in (grid.left, grid.top, grid.width, grid.height)]
    _lay_over(picture, heat, (box[0], box[1]), (max(1, box[2]), max(1, box[3])))
    whole = Image.new("RGB", (max(picture.width, LEAST_WIDTH), picture.height + LEGEND), PAPER)
    whole.paste(picture, ((whole.width - picture.width) // 2, 0))
    _legend(whole, picture.height, label)
    file = io.BytesIO()
    whole.save(file, "PNG", pnginfo=_texts(texts))
    return file.getvalue()


def colours(share: NDArray[np.float64]) -> NDArray[np.uint8]:
    """The colour of each share in [0, 1]: (..., 3) uint8, dark violet to yellow."""
    points = np.linspace(0, 1, len(VIRIDIS))
    planes = [np.interp(share, points, VIRIDIS[:, channel]) for channel in range(3)]
    return np.rint(np.stack(planes, axis=-1)).astype(np.uint8)


def _scale(size: tuple[int, int]) -> float:
    longer = max(size)
    return min(max(longer, SHORTEST), LONGEST) / longer


def _lay_over(
    picture: Image.Image,
    heat: NDArray[np.float64],
    place: tuple[int, int],
    size: tuple[int, int],
) -> None:
    """Colour the warm parts, the hotter the more opaquely."""
    warm = np.clip(heat, 0, None) / max(float(heat.max()), np.finfo(np.float64).tiny)
    coarse = Image.fromarray(np.rint(255 * warm).astype(np.uint8))
    fine = coarse.resize(size, Image.Resampling.BILINEAR)
    share = np.asarray(fine, np.float64) / 255
    cover = Image.fromarray(np.rint(255 * STRONGEST * np.sqrt(share)).astype(np.uint8))
    picture.paste(Image.fromarray(colours(share)), place, cover)


def _legend(whole: Image.Image, top: int, label: str) -> None:
    pen = ImageDraw.Draw(whole)
    font, small = ImageFont.load_default(15), ImageFont.load_default(12)
    named = f'"{label}"' if label.isascii() and len(label) <= 24 else "the answer"
    pen.text((MARGIN, top + 6), f"A hint, no proof: what speaks for {named}", INK, font)
    bar = whole.width - 2 * MARGIN
    shades = colours(np.linspace(0, 1, bar))[None].repeat(BAR, axis=0)
    whole.paste(Image.fromarray(shades), (MARGIN, top + 32))
    pen.text((MARGIN, top + 50), "little", INK, small)
    pen.text((whole.width - MARGIN, top + 50), "most", INK, small, anchor="ra")


def _texts(texts: Mapping[str, str]) -> PngInfo:
    written = PngInfo()
    for keyword, text in texts.items():
        written.add_itxt(keyword, text, lang="en")
    return written
