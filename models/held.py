"""Whether what a version promised still holds of its head with corrections, and what would."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.adjusted import Adjusted
from models.examples import Strings
from models.promise import limits_on
from models.tolerance import STEP

TAIL = 0.1
"""Share of the golden pictures without a label, the likeliest to be given it, that are watched."""
SLACK = 0.1
"""Log-odds that these may rise by on average before the promise is said to hold no more."""


def held_to(
    card: Mapping[str, Any], head: Adjusted, golden_labels: Strings
) -> dict[str, float | None]:
    """From which score on labels have to be said for corrections to wrong nobody more.

    The promise was made for the version's own head. Of pictures without a label that were held
    out, frozen with the version, no more may reach its score than did by that head; and where
    the likeliest of them rose, the score rises with them. They are too few to promise anew by.

    Parameters
    ----------
    card
        Of the version.
    head
        Its head with corrections.
    golden_labels
        (g,) of the golden pictures, in the order in which the head was asked about them.

    Returns
    -------
    dict[str, float | None]
        Of the labels alone whose promise does not hold; None is never.
    """
    if head.golden is None:
        return {}
    before, after = head.golden
    found: dict[str, float | None] = {}
    for label, limit in limits_on(card).items():
        others = golden_labels != label
        if limit["from"] is None or label not in head.base.classes or not others.any():
            continue
        own = before[others, list(head.base.classes).index(label)]
        now = after[others, list(head.classes).index(label)]
        at = _called_for(float(limit["from"]), own, now)
        if at is None or at > limit["from"]:
            found[label] = at
    return found


def _called_for(at: float, before: NDArray[np.float64], after: NDArray[np.float64]) -> float | None:
    """The score itself where it still does, a higher one, or None."""
    from scipy.special import expit, logit

    few = max(1, int(TAIL * len(before)))
    tails = [logit(np.clip(np.sort(one)[-few:], STEP, 1 - STEP)) for one in (before, after)]
    risen = float(tails[1].mean() - tails[0].mean())
    reached = int((before >= at).sum())
    higher = float(expit(logit(min(at, 1 - STEP)) + risen)) if risen > SLACK else at
    if int((after >= higher).sum()) > reached:
        higher = max(higher, float(np.sort(after)[::-1][reached]))
    if higher == at:
        return at
    higher = round(float(np.floor(higher / STEP) + 1) * STEP, 6)
    return higher if higher <= 1 else None
