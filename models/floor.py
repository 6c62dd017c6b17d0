"""Whether a version tells its labels apart at all: asked of those that nothing is compared with."""

from __future__ import annotations

import math

import numpy as np

from models.answers import Answers

DEVIATIONS = 1.96
"""Of a 95 % interval."""


def no_better_than_chance(answers: Answers) -> str:
    """Why a version should answer nobody; empty where it is surely better than guessing.

    Parameters
    ----------
    answers
        What it answered to pictures that it had not learned from.

    Notes
    -----
    Wilson's interval of balanced accuracy, with families for pictures: near-duplicates are
    right together.

    References
    ----------
    E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
    Journal of the American Statistical Association 22 (1927).
    """
    labels = np.unique(answers.labels)
    if not len(labels):
        return ""
    right = answers.said == answers.labels
    rows = [answers.labels == label for label in labels]
    balanced = float(np.mean([right[row].mean() for row in rows]))
    families = [len(np.unique(answers.families[row])) for row in rows]
    low, high = _wilson(balanced, len(labels) ** 2 / sum(1 / n for n in families))
    chance = 1 / len(answers.classes)
    if low > chance:
        return ""
    return (
        f"It is not shown to be better than guessing: balanced accuracy on {len(answers)} pictures "
        f"that it had not learned from is {balanced:.1%} ({low:.1%} to {high:.1%} with 95 % "
        f"confidence), by guessing {chance:.1%}. More pictures or truer labels are needed; "
        "or promote it by hand."
    )


def _wilson(share: float, n: float) -> tuple[float, float]:
    square = DEVIATIONS**2
    middle = share + square / (2 * n)
    reach = DEVIATIONS * math.sqrt(share * (1 - share) / n + square / (4 * n * n))
    return (middle - reach) / (1 + square / n), (middle + reach) / (1 + square / n)
