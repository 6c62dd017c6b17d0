"""What a head gives each of its classes, told by the labels that count now."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.standing import Canonical


def chances_of(
    classes: Sequence[str], scores: NDArray[np.float64], canonical: Canonical
) -> dict[str, float]:
    """Fold the classes that are variants into the labels they stand for.

    Parameters
    ----------
    classes
        A head's, in its order.
    scores
        (k,) what it gives each of them, in [0, 1].
    canonical
        Variants of labels.

    Returns
    -------
    dict[str, float]
        By canonical label, in the order of the classes; they add up to what the scores do.
    """
    chances: dict[str, float] = {}
    for name, p in zip(classes, scores, strict=True):
        label = canonical.get(name, name)
        chances[label] = chances.get(label, 0.0) + float(p)
    return chances
