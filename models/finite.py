"""Vectors that are no numbers are refused before anything is made from them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from domain import NotEnoughData
from models.answers import Names

NAMED = 5


def check_finite(vectors: NDArray[np.float32], pictures: Names, embedder: str) -> None:
    """Refuse vectors with NaN or infinite numbers.

    Parameters
    ----------
    vectors
        (n, dim).
    pictures
        The sha256 of their rows.
    embedder
        Whose they are, for the message.

    Raises
    ------
    NotEnoughData
        Some are; says how many and names the first.
    """
    broken = pictures[~np.isfinite(vectors).all(axis=1)]
    if not len(broken):
        return
    named = ", ".join(name.decode()[:12] for name in broken[:NAMED].tolist())
    more = f" and {len(broken) - NAMED} more" if len(broken) > NAMED else ""
    raise NotEnoughData(
        f"The vectors of {len(broken)} of {len(pictures)} pictures are no numbers (NaN or "
        f"infinite): {named}{more}. Erase these pictures, or have {embedder} look at them anew.",
        pictures=[name.decode() for name in broken.tolist()],
    )
