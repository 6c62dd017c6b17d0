"""Pictures computed for tests: what they show follows from the seed alone."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw


def photo(seed: int, width: int = 160, height: int = 120) -> NDArray[np.uint8]:
    """(height, width, 3) uint8: random colours, shades and grain, as unlike as photographs."""
    rng = np.random.default_rng(seed)
    colours = _soft(rng.integers(60, 196, (8, 10, 3)), width, height)
    shades = _soft(rng.integers(60, 196, (14, 18, 1)).repeat(3, axis=2), width, height)
    grain = rng.normal(0, 4, (height, width, 1))
    return np.clip(colours + shades - 128 + grain, 0, 255).astype(np.uint8)


def _soft(coarse: NDArray[np.int64], width: int, height: int) -> NDArray[np.float64]:
    image = Image.fromarray(coarse.astype(np.uint8))
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC), np.float64)


def encode(pixels: NDArray[Any] | Image.Image, name: str, **options: Any) -> bytes:
    """The file Pillow writes of (h, w, c) or (h, w) pixels, or of its own image."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    file = io.BytesIO()
    image.save(file, name, **options)
    return file.getvalue()


def letter(
    which: int, hand: int = 0, side: int = 160, *, spread: float = 0.02
) -> NDArray[np.uint8]:
    """(side, side, 3) uint8: a letter of a made-up script, black on white, by one of many hands.

    Hands differ by `spread` of a side at every turn of the pen.
    """
    shape = np.random.default_rng(1000 + which).uniform(0.2, 0.8, (6, 2))
    rng = np.random.default_rng((which, hand))
    points = (shape + rng.normal(0, spread, shape.shape)) * side
    image = Image.new("RGB", (side, side), "white")
    pen = ImageDraw.Draw(image)
    pen.line([(float(x), float(y)) for x, y in points], "black", max(2, side // 30), "curve")
    return np.asarray(image)
