"""Whether new labels are odd: other than what is expected of them, more often than old ones.

Wrong labels cost a head little, so that few held-out pictures do not show them. But they show
themselves: a head that has not learned from a picture says otherwise. Pictures of a source that
nobody has seen do not look like that, for once some are learned the others are told rightly.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.evidence import Fresh, Paired

ODD = 0.05
"""Chance of so many odd labels, were new ones as good as old ones, below which they are doubted."""
STRANGE = 0.01
"""Such a chance, below which not even a small loss is risked with them."""
ODD_SHARE = 0.005
"""Of what a candidate was made from: fewer odd labels do no harm."""


@dataclass(frozen=True, slots=True)
class Odd:
    """How odd new labels are.

    `chance` is that of so many among them, were they as good as old ones: by the candidate, by
    both versions (the geometric mean), of `label` alone (times the number of labels).
    `share_of_all` is what is too many, of all that the candidate was made from.
    """

    n: int
    odd: float
    odd_of_old: float
    chance: float
    chance_by_both: float
    label: str
    chance_of_label: float
    share_of_all: float

    @property
    def doubted(self) -> bool:
        """Whether they are so odd, and so many, that they may do harm."""
        return self.least < ODD and self.share_of_all > ODD_SHARE

    @property
    def strange(self) -> bool:
        """Whether there is next to no doubt that some are wrong."""
        return self.doubted and self.least < STRANGE

    @property
    def least(self) -> float:
        """The least of the chances."""
        return min(self.chance, self.chance_by_both, self.chance_of_label)


def odd_labels(fresh: Fresh, shared: Paired, has: int) -> Odd | None:
    """How odd new labels are beside old ones; None where one of both is missing.

    Parameters
    ----------
    fresh
        New labels, and which of them are odd.
    shared
        Old pictures, and where the versions are right.
    has
        Pictures that the candidate was made from.

    Notes
    -----
    Fisher's exact test, one-sided: with few pictures it doubts nothing.
    """
    if not len(fresh) or not len(shared):
        return None
    old = ~shared.after
    chance = _chance(fresh.odd, old)
    both = math.sqrt(chance * _chance(fresh.odd_before, ~shared.before))
    labels = list(_by_label(fresh, shared))
    label, least, _ = min(labels, key=lambda one: one[1])
    excess = max(float(fresh.odd.mean() - old.mean()) * len(fresh), *(one[2] for one in labels))
    return Odd(
        n=len(fresh),
        odd=float(fresh.odd.mean()),
        odd_of_old=float(old.mean()),
        chance=chance,
        chance_by_both=both,
        label=label,
        chance_of_label=min(1.0, least * len(labels)),
        share_of_all=excess / max(has, 1),
    )


def _by_label(fresh: Fresh, shared: Paired) -> Iterator[tuple[str, float, float]]:
    """Each new label, the chance of so many odd ones among it, and how many are too many."""
    for label in np.unique(fresh.labels):
        new, old = fresh.odd[fresh.labels == label], ~shared.after[shared.labels == label]
        usual = float(old.mean()) if len(old) else 1.0
        yield str(label), _chance(new, old), float(new.mean() - usual) * len(new)


def _chance(new: NDArray[np.bool_], old: NDArray[np.bool_]) -> float:
    """That of as many among the new ones, when all were dealt out by lot."""
    from scipy.stats import hypergeom

    if not len(new) or not len(old):
        return 1.0
    odd = int(new.sum())
    return float(hypergeom.sf(odd - 1, len(new) + len(old), odd + int(old.sum()), len(new)))
