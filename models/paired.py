"""Two versions on the same pictures: how far apart they are, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

DRAWS = 4_000
SEED = 20_261_121
IMAGINED = 1
"""Families a label that are imagined to speak for each side: without them a few pictures on
which both agree would pass for certainty."""

Right = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Difference:
    """By how much a share of right answers moved.

    `low` and `high` hold the true difference with 95 % confidence; `worse` is the share of
    draws in which it is a loss. `gained` and `lost` count the pictures that changed sides.
    """

    n: int
    before: float
    after: float
    low: float
    high: float
    error: float
    worse: float
    gained: int
    lost: int

    @property
    def change(self) -> float:
        """How much more is right than before, in [-1, 1]."""
        return self.after - self.before

    def as_json(self) -> dict[str, float]:
        """JSON-ready."""
        return {**asdict(self), "change": self.change}


def differences(
    labels: NDArray[np.str_],
    families: NDArray[np.uint64],
    before: Right,
    after: Right,
    *,
    draws: int = DRAWS,
) -> tuple[Difference | None, Mapping[str, Difference]]:
    """The paired difference of balanced accuracy, and that of each label's share of right answers.

    Parameters
    ----------
    labels
        (n,) the truth.
    families
        (n,) near-duplicates, which are drawn together.
    before, after
        (n,) whether each version is right.
    draws
        How often the families are drawn anew.

    Returns
    -------
    tuple[Difference | None, Mapping[str, Difference]]
        Labels weighed alike, None without pictures; and by label.

    Notes
    -----
    A bootstrap, paired by picture, stratified by label, clustered by family. Families of which
    as many pictures move by as much are alike, so that each draw is one multinomial over the
    kinds there are: a million pictures take no longer than a thousand.

    References
    ----------
    D. G. Bonett, R. M. Price, "Adjusted Wald confidence interval for a difference of binomial
    proportions based on paired data", Journal of Educational and Behavioral Statistics 37
    (2012): an imagined change for each side, so that few pictures do not pass for certainty.
    """
    random = np.random.default_rng(SEED)
    moved = after.astype(np.int64) - before.astype(np.int64)
    found: dict[str, Difference] = {}
    drawn = []
    for label in np.unique(labels):
        rows = labels == label
        drawn.append(_draws(moved[rows], families[rows], random, draws))
        found[str(label)] = _difference(before[rows], after[rows], drawn[-1])
    if not found:
        return None, {}
    means = np.mean(drawn, axis=0)
    every = found.values()
    overall = Difference(
        n=sum(one.n for one in every),
        before=float(np.mean([one.before for one in every])),
        after=float(np.mean([one.after for one in every])),
        **_interval(means),
        gained=sum(one.gained for one in every),
        lost=sum(one.lost for one in every),
    )
    return overall, found


def _draws(
    moved: NDArray[np.int64],
    families: NDArray[np.uint64],
    random: np.random.Generator,
    draws: int,
) -> NDArray[np.float64]:
    """(draws,) mean of `moved` over families drawn with replacement."""
    family_of = np.unique(families, return_inverse=True)[1]
    sums = np.bincount(family_of, weights=moved).astype(np.int64)
    sizes = np.bincount(family_of)
    kinds, counts = np.unique(np.stack([sums, sizes]), axis=1, return_counts=True)
    imagined = np.array([[1, -1], [1, 1]])
    kinds = np.concatenate([kinds, imagined], axis=1)
    counts = np.concatenate([counts, [IMAGINED, IMAGINED]])
    times = random.multinomial(len(sums), counts / counts.sum(), size=draws)
    return np.asarray((times @ kinds[0]) / (times @ kinds[1]))


def _difference(before: Right, after: Right, drawn: NDArray[np.float64]) -> Difference:
    return Difference(
        n=len(before),
        before=float(before.mean()),
        after=float(after.mean()),
        **_interval(drawn),
        gained=int((after & ~before).sum()),
        lost=int((before & ~after).sum()),
    )


def _interval(drawn: NDArray[np.float64]) -> dict[str, float]:
    low, high = np.quantile(drawn, [0.025, 0.975])
    worse = float((drawn < 0).mean() + 0.5 * (drawn == 0).mean())
    return {"low": float(low), "high": float(high), "error": float(drawn.std()), "worse": worse}
