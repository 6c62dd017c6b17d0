"""From which score on few enough others are wronged: bounds that hold for pictures not seen yet."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, isfinite, log, log1p

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]

CONFIDENCE = 0.95
AIM = 0.975
"""Where there are enough others, the score is one that is kept with so much confidence.

What the theory leaves out lives off the rest: models of folds stand for the one that is served,
the classifier was chosen on the same scores, and any check on new pictures is a draw itself.
"""
STEP = 1e-6
"""Thresholds are rounded up to this, so that no two computers disagree at the last digit.

Probabilities nearer to 0 or 1 than this are all alike: a forest gives exact zeros.
"""
NONE = -1
"""In place of how many may be wronged where even none is no proof."""


@dataclass(frozen=True, slots=True)
class Bound:
    """From which score on a label is said.

    Attributes
    ----------
    at
        The score, in [0, 1]; None where no score will do.
    promised
        Whether its share of others is kept with confidence, whatever their scores are like.
    wrongly
        How many of the others reach the score.
    n
        How many others there were.
    """

    at: float | None
    promised: bool
    wrongly: int
    n: int


def fewest(budget: float) -> int:
    """How many others must be seen before a share of them can be promised at all."""
    return ceil(log(1 - CONFIDENCE) / log1p(-budget))


def least_share(n: int) -> float:
    """The least share that n others can prove, when none of them is wronged."""
    return float(1 - (1 - CONFIDENCE) ** (1 / n)) if n else 1.0


def most_wronged(n: int, budget: float, confidence: float = CONFIDENCE) -> int:
    """How many of n others may reach a score for the promise to hold; NONE where none may.

    The score is put just above one of the others, so the share of all others beyond it is a
    Beta variable whatever they are like; that it exceeds the budget has the chance that a
    binomial variable of n trials is this or less.

    References
    ----------
    X. Tong, Y. Feng, J. J. Li, "Neyman-Pearson classification algorithms and NP receiver
    operating characteristics", Science Advances 4 (2018), proposition 1.
    """
    from scipy.stats import binom

    k = int(binom.ppf(1 - confidence, n, budget)) if n else 0
    # ppf gives the first that reaches the chance, and only an exact hit is still allowed
    if binom.cdf(k, n, budget) > 1 - confidence:
        k -= 1
    return k if k >= 0 else NONE


def upper_bound(wrongly: int, n: int) -> float:
    """Clopper and Pearson's one-sided upper bound of a share with 95 % confidence."""
    from scipy.stats import beta

    return float(beta.ppf(CONFIDENCE, wrongly + 1, n - wrongly)) if n > wrongly else 1.0


def bound(others: Scores, budget: float, *, least: float = 0.0) -> Bound:
    """The smallest score that at most a share of the others reaches, with 95 % confidence.

    Parameters
    ----------
    others
        (n,) probabilities in [0, 1] of a label that none of them has, by what had not seen them;
        independent of one another, so near-duplicates count once.
    budget
        The share, from 1e-6 on and below 0.5.
    least
        The score is at least this.

    Notes
    -----
    Where there are too few of them to prove it, the score is beyond all of them, and beyond
    what a normal distribution of their log-odds would keep: an assumption, so nothing is
    promised.
    """
    n = len(others)
    if not n:
        return Bound(None, False, 0, 0)
    proven = most_wronged(n, budget) != NONE
    allowed = most_wronged(n, budget, AIM)
    at = float(np.sort(others)[::-1][max(allowed, 0)])
    if not proven:
        at = max(at, normal_limit(others, budget))
    above = just_above(at, least)
    if above is None:
        return Bound(None, proven, 0, n)
    return Bound(above, proven, int((others >= above).sum()), n)


def observed(others: Scores, budget: float, *, least: float = 0.0) -> float | None:
    """The smallest score that at most a share of these others reaches; None where none will do.

    Parameters
    ----------
    others
        (n,) probabilities in [0, 1], one or more. Nothing is said of any but these.
    budget
        The share, in (0, 0.5).
    least
        The score is at least this.
    """
    return just_above(float(np.sort(others)[::-1][int(budget * len(others))]), least)


def stricter_of(one: float | None, other: float | None) -> float | None:
    """The higher of two scores to say a label from; None is never."""
    return None if one is None or other is None else max(one, other)


def just_above(score: float, least: float) -> float | None:
    """The next threshold above a score; None where that is beyond 1."""
    at = max(least, round(float(np.floor(score / STEP) + 1) * STEP, 6))
    return at if at <= 1 else None


def normal_limit(others: Scores, budget: float) -> float:
    """The score that at most a share of others exceeds, if their log-odds are normal.

    With 95 % confidence, by the one-sided tolerance factor of the noncentral t distribution.
    Of a single picture nothing is known of the spread, so it is 1.

    References
    ----------
    W. Q. Meeker, G. J. Hahn, L. A. Escobar, "Statistical intervals", 2nd edition, Wiley (2017),
    section 4.6.
    """
    from scipy.special import expit, logit, nctdtrit, ndtri  # scipy.stats takes long to import

    n = len(others)
    if n < 2:
        return 1.0
    logits = logit(np.clip(others, STEP, 1 - STEP))
    root = np.sqrt(n)
    factor = float(nctdtrit(n - 1, -ndtri(budget) * root, CONFIDENCE)) / root
    return float(expit(logits.mean() + factor * logits.std(ddof=1))) if isfinite(factor) else 1.0
