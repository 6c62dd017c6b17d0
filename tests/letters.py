"""Letters as a drawing canvas sends them: any pen, any colour, any ground or none."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageDraw

COLOURS = {
    "black": (0, 0, 0),
    "white": (255, 255, 255),
    "red": (220, 20, 30),
    "blue": (20, 40, 220),
    "yellow": (250, 230, 20),
}
PAPER = (244, 236, 214)
FINE = 2
"""Drawn at this many times the size and averaged, as canvases smooth their lines."""

Stroke = list[tuple[float, float]]
_S_CURVE: Stroke = [
    *[(0.75, 0.25), (0.6, 0.15), (0.4, 0.15), (0.27, 0.25), (0.3, 0.4), (0.5, 0.5)],
    *[(0.7, 0.6), (0.73, 0.75), (0.6, 0.85), (0.4, 0.85), (0.25, 0.75)],
]
LETTERS: dict[str, list[Stroke]] = {
    "A": [[(0.2, 0.85), (0.5, 0.15), (0.8, 0.85)], [(0.32, 0.6), (0.68, 0.6)]],
    "E": [[(0.75, 0.15), (0.25, 0.15), (0.25, 0.85), (0.75, 0.85)], [(0.25, 0.5), (0.65, 0.5)]],
    "K": [[(0.25, 0.15), (0.25, 0.85)], [(0.75, 0.15), (0.25, 0.55)], [(0.4, 0.45), (0.78, 0.85)]],
    "S": [_S_CURVE],
    "T": [[(0.2, 0.15), (0.8, 0.15)], [(0.5, 0.15), (0.5, 0.85)]],
}


def draw(
    letter: str,
    *,
    width: float = 8,
    colour: tuple[int, int, int] = (0, 0, 0),
    ground: tuple[int, int, int] | None = (255, 255, 255),
    size: int = 400,
    hand: int | None = None,
) -> Image.Image:
    """Draw a letter; `ground` None is transparent; another `hand` writes it otherwise."""
    rng = np.random.default_rng(hand)
    slant, wide, tall = (0.0, 1.0, 1.0) if hand is None else rng.uniform(*_HANDS)
    side, reach = size * FINE, width * FINE / 2
    cover = Image.new("L", (side, side), 0)
    pen = ImageDraw.Draw(cover)
    for stroke in LETTERS[letter]:
        shaken = [(0.0, 0.0) if hand is None else rng.normal(0, 0.015, 2) for _ in stroke]
        points = [
            (
                (0.5 + wide * (x - 0.5) + slant * (y - 0.5) + dx) * side,
                (0.5 + tall * (y - 0.5) + dy) * side,
            )
            for (x, y), (dx, dy) in zip(stroke, shaken, strict=True)
        ]
        pen.line(points, fill=255, width=round(width * FINE))
        for x, y in points:
            pen.ellipse((x - reach, y - reach, x + reach, y + reach), fill=255)
    cover = cover.resize((size, size), Image.Resampling.BOX)
    if ground is not None:
        drawn = Image.new("RGB", (size, size), ground)
        drawn.paste(colour, mask=cover)
        return drawn
    drawn = Image.new("RGBA", (size, size), (0, 0, 0, 0))  # what browsers clear a canvas to
    drawn.paste((*colour, 255), mask=cover.point(lambda a: 255 if a else 0))
    drawn.putalpha(cover)
    return drawn


_HANDS = ([-0.25, 0.75, 0.75], [0.25, 1.05, 1.05])


def letter_png(letter: str, **options: object) -> bytes:
    """The file of `draw` with the same options."""
    file = io.BytesIO()
    draw(letter, **options).save(file, "PNG")  # type: ignore[arg-type]
    return file.getvalue()
