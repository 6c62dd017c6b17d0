"""Whether a candidate may take the place of the version that answers now."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.card import Predictions

ALLOWED = 1.0
"""Standard errors by which the candidate may lie below the current version."""


@dataclass(frozen=True, slots=True)
class Gate:
    """What was decided, and why in one sentence."""

    promoted: bool
    reason: str


def compare(candidate: Predictions, current: Predictions) -> Gate:
    """Promote unless balanced accuracy on the same held-out pictures is clearly lower.

    Notes
    -----
    Both answered the same pictures, so the standard error is that of the paired difference:
    pictures on which both are right or both wrong do not blur it.
    """
    labels = candidate.examples.labels
    if not len(labels):
        return Gate(True, "No pictures are held out to compare it on.")
    ours, theirs = _right(candidate), _right(current)
    gains = [(ours - theirs)[labels == label] for label in np.unique(labels)]
    difference = float(np.mean([gain.mean() for gain in gains]))
    error = float(np.sqrt(sum(gain.var() / len(gain) for gain in gains))) / len(gains)
    scores = (
        f"balanced accuracy on the {len(labels)} held-out pictures is "
        f"{_balanced(ours, labels):.1%}, the current version's {_balanced(theirs, labels):.1%} "
        f"(standard error of the difference {error:.1%})"
    )
    if difference < -ALLOWED * error:
        return Gate(False, f"Clearly worse: {scores}.")
    return Gate(True, f"No worse: {scores}.")


def _right(predictions: Predictions) -> NDArray[np.float64]:
    said = np.asarray(predictions.classes)[predictions.chances.argmax(axis=1)]
    return np.asarray(said == predictions.examples.labels, np.float64)


def _balanced(right: NDArray[np.float64], labels: NDArray[np.str_]) -> float:
    return float(np.mean([right[labels == label].mean() for label in np.unique(labels)]))
