"""From which score on a picture may be called `ai` without wronging too many real ones."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

STEP = 1e-6
"""Thresholds are rounded up to this, so that no two computers disagree at the last digit."""
CONFIDENCE = 0.95


def accusation(
    chances: NDArray[np.float64], is_ai: NDArray[np.bool_], budget: float
) -> dict[str, Any]:
    """The smallest probability of `ai` at which few enough real pictures are accused.

    Parameters
    ----------
    chances
        (n,) probability of `ai` in [0, 1], from models that had not seen the picture.
    is_ai
        (n,) the truth; every other label counts as real.
    budget
        Share of real pictures that may be accused, in (0, 0.5).

    Returns
    -------
    dict[str, Any]
        `accuse` is the threshold, at least 0.5, or None when no score keeps the budget. The
        estimate on these `n_real` pictures keeps it; what holds for others with 95 %
        confidence is `upper_95`, a one-sided Clopper-Pearson bound. `recall` is the share of
        ai pictures that reach the threshold.
    """
    from scipy.stats import beta

    real, n_real = chances[~is_ai], int((~is_ai).sum())
    allowed = int(budget * n_real)
    threshold: float | None = None
    if n_real:
        first_too_many = float(np.sort(real)[::-1][allowed])
        threshold = max(0.5, round((np.floor(first_too_many / STEP) + 1) * STEP, 6))
        threshold = threshold if threshold <= 1 else None
    accused = int((real >= threshold).sum()) if threshold is not None else 0
    upper = float(beta.ppf(CONFIDENCE, accused + 1, n_real - accused)) if n_real else 1.0
    reached = chances[is_ai] >= threshold if threshold is not None else np.zeros(int(is_ai.sum()))
    return {
        "accuse": threshold,
        "budget": budget,
        "n_real": n_real,
        "n_ai": len(reached),
        "false_accusations": accused,
        "upper_95": upper,
        "recall": float(reached.mean()) if len(reached) else None,
    }
