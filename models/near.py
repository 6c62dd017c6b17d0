"""When a picture counts as a copy of a remembered one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from domain import TaskKind
from models.crops import Asked, lengths
from models.exact import quantised

LIKE = {TaskKind.PHOTO: 0.85, TaskKind.AUTHENTICITY: 0.85, TaskKind.DRAWING: 0.87}
"""The least likeness of a copy.

Measured with 500 remembered pictures (`python -m benchmarks.recall`): 95 % or more of each kind
of copy of photographs, faces and letters reach it. The nearest of unlike photographs and faces
came to 0.75; of 125,000 pairs of letters one, twice the same letter, came above 0.87.
"""
MOST_LIKE = 0.93
"""No task asks for more: one in twenty of copies cut by 5 % a side would be missed."""
FEW = 16
"""Of so few pictures nothing is fitted."""
LOOKED_AT = 256
"""Of how many pictures the nearest others are looked up."""
SHARE = 0.99
"""Of unlike pictures, how many must stay below the threshold, by `MARGIN`."""
MARGIN = 0.03
BITS = {TaskKind.PHOTO: 8, TaskKind.AUTHENTICITY: 8, TaskKind.DRAWING: 2}
"""In how many of 64 bits the hash of a copy may differ where there is no likeness."""


@dataclass(frozen=True, slots=True)
class NearRule:
    """From which likeness on, and up to how many bits of difference, pictures are copies."""

    likeness: float = LIKE[TaskKind.DRAWING]
    bits: int = BITS[TaskKind.DRAWING]

    @classmethod
    def of(cls, kind: TaskKind) -> Self:
        """The rule of a task of which nothing is known but its kind."""
        return cls(LIKE[kind], BITS[kind])


def fit_rule(
    kind: TaskKind, likenesses: Sequence[NDArray[np.float32] | None], phashes: Sequence[int]
) -> NearRule:
    """Ask for more likeness where a task's unlike pictures are much alike.

    Parameters
    ----------
    kind
        The task's.
    likenesses
        (DIM,) each, of different pictures of the task, such as its samples; None where unknown.
        The first `LOOKED_AT` known count.
    phashes
        As many; pictures whose hashes are near may be copies and say nothing.
    """
    rule = NearRule.of(kind)
    pairs = zip(likenesses, phashes, strict=True)
    known = [(row, phash) for row, phash in pairs if row is not None and row.any()][:LOOKED_AT]
    if len(known) < FEW:
        return rule
    rows = quantised(np.stack([row for row, _ in known]))
    sizes, hashes = lengths(rows), np.array([phash for _, phash in known], np.uint64)
    nearest = np.zeros(len(rows))
    for i, row in enumerate(rows):
        likeness = Asked(row).similarities(rows, sizes)
        likeness[np.bitwise_count(hashes ^ hashes[i]) <= BITS[TaskKind.PHOTO]] = 0
        nearest[i] = likeness.max()
    wanted = float(np.quantile(nearest, SHARE)) + MARGIN
    return NearRule(min(max(rule.likeness, wanted), MOST_LIKE), rule.bits)
