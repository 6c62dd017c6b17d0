"""How alike two pictures are, one of which may be a crop of the other: waves moved by algebra."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from models.exact import quantised

WAVES = 22
"""How many waves a side a likeness has; `embeddings/likeness.py` says what they are."""
ONE_SIDED = (0.0, 0.05)
"""Shares cut from the left, right, top and bottom that are tried in every combination."""
EVEN = (0.0125, 0.025, 0.0375)
"""Shares cut from all sides alike that are tried as well."""
POINTS = 512
"""Waves are compared with each other at this many points."""
AT_ONCE = 16
"""Likenesses whose crops the processor's cache holds: more at once take twice as long or more."""
LEAST = 1e-6
"""Shorter vectors count as this long where they are divided by."""

_FREQUENCIES = np.hypot(*np.indices((WAVES, WAVES)))
_KEPT = (_FREQUENCIES > 0) & (_FREQUENCIES < WAVES)
_WEIGHTS = np.sqrt(_FREQUENCIES[_KEPT]).astype(np.float32)
DIM = int(_KEPT.sum())


def _part(before: float, after: float) -> NDArray[np.float32]:
    """(WAVES, WAVES): takes the waves of a line to those of the middle part of it."""
    at, waves = (np.arange(POINTS) + 0.5) / POINTS, np.arange(WAVES)
    height = np.where(waves, np.sqrt(2), 1)[:, None]
    whole = np.cos(np.pi * np.outer(waves, at)) * height
    part = np.cos(np.pi * np.outer(waves, before + (1 - before - after) * at)) * height
    return np.asarray(whole @ part.T / POINTS, np.float32)


_MIXED = np.stack([_part(*ends) for ends in itertools.product(ONE_SIDED, repeat=2)])
_EVEN = np.stack([_part(share, share) for share in EVEN])
CROPS = len(_MIXED) ** 2 + len(_EVEN)
"""How many are tried; the first leaves everything."""


def cropped(likenesses: NDArray[np.float32]) -> NDArray[np.float32]:
    """The likenesses that crops of pictures have, not scaled to unit length.

    Parameters
    ----------
    likenesses
        (n, DIM) float32.

    Returns
    -------
    NDArray[np.float32]
        (n, CROPS, DIM). A row's bits do not depend on how many others there are.
    """
    return np.asarray(_moved(likenesses / _WEIGHTS, _MIXED, _EVEN) * _WEIGHTS, np.float32)


def lengths(likenesses: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, CROPS): how long `cropped` are; `Asked.similarities` divides by it."""
    found = np.empty((len(likenesses), CROPS), np.float32)
    for start in range(0, len(found), AT_ONCE):
        piece = slice(start, start + AT_ONCE)
        found[piece] = np.linalg.norm(cropped(likenesses[piece]), axis=2)
    return found


def _moved(
    likenesses: NDArray[np.float32], mixed: NDArray[np.float32], even: NDArray[np.float32]
) -> NDArray[np.float32]:
    """(n, CROPS, DIM): any two of `mixed` down and across, then each of `even` both ways.

    One small product a row and crop: in a larger one a row's bits would depend on its neighbours.
    """
    waves = np.zeros((len(likenesses), 1, WAVES, WAVES), np.float32)
    waves[:, 0, _KEPT] = likenesses
    across = waves @ mixed.swapaxes(1, 2)
    both = (mixed[:, None] @ across[:, None]).reshape(len(waves), -1, WAVES, WAVES)
    alike = even @ waves @ even.swapaxes(1, 2)
    return np.concatenate([both[:, :, _KEPT], alike[:, :, _KEPT]], axis=1)


class Asked:
    """A likeness that many others are compared with.

    Parameters
    ----------
    likeness
        (DIM,) float32.
    """

    def __init__(self, likeness: NDArray[np.float32]) -> None:
        ours = quantised(likeness[None])
        self._length = float(np.linalg.norm(ours))
        self._plain = np.concatenate([ours, quantised(_unit(cropped(ours)[0, 1:]))])
        self._plain_scale = 1 / np.maximum(np.linalg.norm(self._plain, axis=1), LEAST)
        # our product with another's crop is the other's with ours moved by the transpose
        ways = _moved(ours * _WEIGHTS, _MIXED.swapaxes(1, 2), _EVEN.swapaxes(1, 2))[0] / _WEIGHTS
        self._ways = quantised(_unit(ways))
        self._ways_scale = np.linalg.norm(ways, axis=1) / max(self._length, LEAST)

    @property
    def blank(self) -> bool:
        """Whether it is of zeros, which are like nothing."""
        return self._length == 0

    def similarities(
        self, others: NDArray[np.float32], lengths: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        """Correlation with each of the others at the best of the crops tried, of it or of ours.

        Parameters
        ----------
        others
            (n, DIM) float32, quantised.
        lengths
            (n, CROPS), what `lengths` says of them.

        Returns
        -------
        NDArray[np.float64]
            (n,) in [0, 1], 0 for zeros. The products are exact, so a picture's similarity does
            not depend on which others are compared in the same call.
        """
        if self.blank:
            return np.zeros(len(others))
        sizes = np.maximum(lengths, LEAST).astype(np.float64)
        ours = (others @ self._plain.T) * self._plain_scale.astype(np.float64)
        theirs = (others @ self._ways.T) * self._ways_scale.astype(np.float64)
        best = np.maximum(ours.max(1) / sizes[:, 0], (theirs / sizes).max(1))
        return np.asarray(np.clip(best, 0, 1), np.float64)


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    sizes = np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), LEAST)
    return np.asarray(rows / sizes, np.float32)
