"""From which score on examples alone say a label: beyond every example of another label."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from models import Head
from models.taught import TaughtHead
from models.tolerance import normal_limit
from models.words import Mixed

FEWEST_OTHERS = 5
"""Examples of other labels from which on a label that wrongs somebody is said at all."""

Chances = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Beyond:
    """What examples of other labels were given of a label, each as if it had not been shown.

    Attributes
    ----------
    others
        Their probabilities, in [0, 1].
    """

    others: tuple[float, ...] = ()

    @property
    def enough(self) -> bool:
        """Whether they are enough for the label to be said."""
        return len(self.others) >= FEWEST_OTHERS

    def at(self, budget: float | None) -> float:
        """The score beyond which the label is said, in [0, 1]: no other example reached it.

        With a budget, also the score that normal log-odds would exceed in no more than that
        share. One beyond n others is reached by the next one with a chance of about 1 in n + 1.

        Parameters
        ----------
        budget
            The share, in (0, 0.5); None: beyond the examples is enough.

        References
        ----------
        R. F. Barber et al., "Predictive inference with the jackknife+", Annals of Statistics 49
        (2021).
        """
        return _at(self.others, budget)


@lru_cache(maxsize=64)
def _at(others: tuple[float, ...], budget: float | None) -> float:
    if budget is None:
        return max(others)
    return max(*others, normal_limit(np.asarray(others), budget))


def beyond_examples(head: Head | None, canonical: Mapping[str, str]) -> dict[str, Beyond]:
    """By canonical label, what examples of other labels were given of it.

    Parameters
    ----------
    head
        What answers where nothing but examples taught, or these and words; nothing is known of
        any other.
    canonical
        Labels that stand for others.
    """
    taught = head.taught if isinstance(head, Mixed) else head
    if head is None or not isinstance(taught, TaughtHead) or taught.trial is None:
        return {}
    trial = taught.trial
    n = len(trial.chances)
    parts: list[tuple[float, tuple[str, ...], Chances]] = [(1.0, taught.classes, trial.chances)]
    if isinstance(head, Mixed):
        words = head.words.predict_proba(trial.vectors[:n])
        parts = [
            (1 - head.share, taught.classes, trial.chances),
            (head.share, head.words.classes, words),
        ]
    chances: dict[str, Chances] = {}
    for share, classes, rows in parts:
        for name, column in zip(classes, rows.T, strict=True):
            label = canonical.get(name, name)
            chances[label] = chances.get(label, np.zeros(n)) + share * column
    own = np.asarray([canonical.get(name, name) for name in taught.classes])[trial.codes[:n]]
    return {
        label: Beyond(tuple(column[own != label].tolist())) for label, column in chances.items()
    }
