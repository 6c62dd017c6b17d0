"""The only place that opens untrusted pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from domain import PictureFacts


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A decoded picture: (height, width, 3) uint8 sRGB pixels, upright, and its facts."""

    pixels: NDArray[np.uint8]
    facts: PictureFacts
