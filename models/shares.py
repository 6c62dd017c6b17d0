"""Shares of what was right, how sure they are, and whether one lies below another.

References
----------
C. J. Clopper, E. S. Pearson, "The use of confidence or fiducial limits illustrated in the case of
the binomial", Biometrika 26 (1934). R. G. Newcombe, "Interval estimation for the difference
between independent proportions", Statistics in Medicine 17 (1998). G. Y. Zou, A. Donner,
"Construction of confidence limits about effect measures: a general approach", Statistics in
Medicine 27 (2008).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

LEVEL = 0.95

Counts = Mapping[str, tuple[int, int]]
"""Of each label: how many pictures, and how many answered rightly."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was seen against what was promised.

    Attributes
    ----------
    n, right
        What was compared: of labels that the promise tells of.
    expected
        The share that the promise gives for the same mix of labels.
    at_best
        By how much the share seen may lie above that at the most; below it, if negative.
    """

    n: int
    right: int
    expected: float
    at_best: float


def interval(right: int, n: int, sets: int = 1) -> tuple[float, float]:
    """Within which a share lies of which `right` of `n` were seen; (0, 1) when nothing was.

    Exact, so it holds for few pictures too: of `sets` intervals at once all do with 95 %.
    """
    from scipy.special import betaincinv

    beyond = (1 - LEVEL) / 2 / max(sets, 1)
    low = float(betaincinv(right, n - right + 1, beyond)) if right else 0.0
    high = float(betaincinv(right + 1, n - right, 1 - beyond)) if right < n else 1.0
    return low, high


def compare(seen: Counts, promised: Counts, sets: int = 1) -> Comparison | None:
    """Compare a set with what was promised for the same mix of labels.

    A set in which only hard labels came is not worse for that. Both sides are uncertain: their
    intervals are put together as the errors of a sum are.

    Parameters
    ----------
    seen, promised
        Counts by label. What one of them does not tell of is left out.
    sets
        How many sets are compared with the promise: each is the more sure to be below it.

    Returns
    -------
    Comparison or None
        None when there is nothing to compare.
    """
    both = [(label, n) for label, (n, _) in seen.items() if n and promised.get(label, (0, 0))[0]]
    n = sum(of for _, of in both)
    if not n:
        return None
    right = sum(seen[label][1] for label, _ in both)
    expected = below = 0.0
    for label, of in both:
        had, hits = promised[label]
        weight = of / n
        expected += weight * hits / had
        below += (weight * (hits / had - interval(hits, had, sets)[0])) ** 2
    share = right / n
    above = interval(right, n, sets)[1] - share
    return Comparison(n, right, expected, share - expected + math.sqrt(above * above + below))


def together(counts: Counts) -> tuple[int, int]:
    """All labels as one: how many pictures, and how many right."""
    return sum(n for n, _ in counts.values()), sum(right for _, right in counts.values())
