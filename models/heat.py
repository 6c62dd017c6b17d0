"""Which parts of a picture a score rests on, and whether that holds against chance."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models import Head

WINDOW = 2
"""Cells a side that are covered together while looking: one alone changes little."""
DELETED = (0.15, 0.35)
"""Shares of the cells that are covered, hottest first, while testing."""
SHUFFLES = 24
"""Baselines of each sort; beating all of them has a chance of 1 in 25."""
LEVEL = 0.05
AT_ONCE = 8
"""Baselines that are scored together: a map that does not hold is mostly known after these."""
SURE = 1e-6
"""Probabilities are kept so far from 0 and 1, so that their log-odds stay finite."""

Cells = NDArray[np.bool_]
Heat = NDArray[np.float64]
Score = Callable[[Cells], NDArray[np.float64]]
"""Log-odds of a label with cells covered: (n, rows, columns) to (n,)."""


@dataclass(frozen=True, slots=True)
class Trial:
    """How covering the hottest cells lowers the log-odds, against covering by chance.

    Attributes
    ----------
    drop
        By the map: mean over the shares in `DELETED`.
    permuted, shifted
        The mean drops of maps with their cells shuffled, and of the same map moved elsewhere:
        cells that lie together matter more than scattered ones, wherever they are.
    chance
        The larger of the two shares of baselines, the map among them, that do as well.
    """

    drop: float
    permuted: float
    shifted: float
    chance: float

    @property
    def holds(self) -> bool:
        """Whether the map is better than chance."""
        return self.drop > 0 and self.chance < LEVEL


def log_odds(
    head: Head, columns: Sequence[int], vectors: NDArray[np.float32]
) -> NDArray[np.float64]:
    """(n,) log-odds of some classes together, for (n, dim) unit vectors."""
    chances = head.predict_proba(vectors)[:, columns].sum(axis=1)
    chances = np.clip(chances, SURE, 1 - SURE)
    return np.asarray(np.log(chances / (1 - chances)))


def heat_by_covering(score: Score, shape: tuple[int, int]) -> Heat:
    """How much the log-odds fall when each part is covered.

    Parameters
    ----------
    score
        Log-odds of the label, by what is covered.
    shape
        Rows and columns of the grid, each at least 2.

    Returns
    -------
    NDArray[np.float64]
        (rows, columns): positive where the picture speaks for the label.

    References
    ----------
    M. D. Zeiler, R. Fergus, "Visualizing and understanding convolutional networks", ECCV 2014.
    """
    windows = np.array(list(_windows(shape)))
    none = np.zeros((1, *shape), np.bool_)
    scores = score(np.concatenate([none, windows]))
    drops = scores[0] - scores[1:]
    covering = windows.sum(axis=0)
    return np.asarray(np.tensordot(drops, windows, 1) / covering)


def try_heat(heat: Heat, score: Score, *, seed: int) -> Trial:
    """Cover the hottest cells, and as many by chance.

    Parameters
    ----------
    heat
        (rows, columns).
    score
        Log-odds of the label, by what is covered.
    seed
        Of chance.

    References
    ----------
    W. Samek et al., "Evaluating the visualization of what a deep neural network has learned",
    IEEE TNNLS 2017. The rank of the map among baselines as a p-value: B. Phipson, G. K. Smyth,
    "Permutation p-values should never be zero", 2010.
    """
    none = np.zeros((1, *heat.shape), np.bool_)
    found = score(np.concatenate([none, _deleted(heat)]))
    whole, drop = found[0], float(np.mean(found[0] - found[1:]))
    random = np.random.default_rng(seed)
    drops: dict[str, list[float]] = {"permuted": [], "shifted": []}
    as_well = {"permuted": 0, "shifted": 0}
    for _ in range(SHUFFLES // AT_ONCE):
        for sort, baseline in (("permuted", _permuted), ("shifted", _shifted)):
            deleted = np.concatenate([_deleted(baseline(heat, random)) for _ in range(AT_ONCE)])
            some = (whole - score(deleted)).reshape(AT_ONCE, len(DELETED)).mean(axis=1)
            drops[sort].extend(some.tolist())
            as_well[sort] += int(np.count_nonzero(some >= drop))
        if any(as_well.values()):
            break  # of 24 none may do as well
    chance = max((1 + as_well[sort]) / (1 + len(drops[sort])) for sort in drops)
    return Trial(drop, float(np.mean(drops["permuted"])), float(np.mean(drops["shifted"])), chance)


def _windows(shape: tuple[int, int]) -> Iterator[Cells]:
    for top in range(shape[0] - WINDOW + 1):
        for left in range(shape[1] - WINDOW + 1):
            window = np.zeros(shape, np.bool_)
            window[top : top + WINDOW, left : left + WINDOW] = True
            yield window


def _deleted(heat: Heat) -> Cells:
    """(shares, rows, columns): the hottest cells, more and more of them."""
    order = np.argsort(-heat.ravel(), kind="stable")
    deleted = np.zeros((len(DELETED), heat.size), np.bool_)
    for row, share in zip(deleted, DELETED, strict=True):
        row[order[: max(1, round(share * heat.size))]] = True
    return deleted.reshape(len(DELETED), *heat.shape)


def _permuted(heat: Heat, random: np.random.Generator) -> Heat:
    return random.permutation(heat.ravel()).reshape(heat.shape)


def _shifted(heat: Heat, random: np.random.Generator) -> Heat:
    """The map elsewhere: moved round the grid by a quarter or more of a side, perhaps mirrored."""
    by = [int(random.integers(0, side)) for side in heat.shape]
    axis = int(random.integers(2))
    side = heat.shape[axis]
    least = max(1, side // 4)
    by[axis] = int(random.integers(least, side - least + 1))
    moved = np.roll(heat, by, axis=(0, 1))
    return moved[:: random.choice([-1, 1]), :: random.choice([-1, 1])]
