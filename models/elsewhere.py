"""From which score on a label is said, and how that rule does on sources it had not seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.answered import Answered
from models.tolerance import Bound, bound, observed, stricter_of

SOURCES, TIME = "sources", "time"
"""What was lacking where no source was left out: the `cause` on a card."""
HANDFUL = 10
"""Pictures of other labels from which on a source moves the score.

Of fewer a single odd one would decide how careful the whole is. They are measured all the same.
"""


@dataclass(frozen=True, slots=True)
class Rule:
    """How the score is found from which on a label is said.

    Attributes
    ----------
    label, column
        The label, and its place among the classes.
    budget
        The share of pictures of other labels that may be given it.
    least
        The score is at least this.
    unseen
        Whether the share is to hold on sources left out, too.
    """

    label: str
    column: int
    budget: float
    least: float
    unseen: bool

    def bound(self, known: Answered) -> Bound:
        """What pictures of the known sources prove."""
        return bound(known.others(self.label, self.column), self.budget, least=self.least)

    def score(self, by_known: float | None, left_out: Answered | None) -> float | None:
        """The score by known sources, or the stricter one that keeps it on those left out."""
        if not self.unseen or left_out is None:
            return by_known
        others = self._told(left_out).others(self.label, self.column)
        if not len(others):
            return by_known
        # a measurement and no promise: of few sources more pictures prove no more
        return stricter_of(by_known, observed(others, self.budget, least=self.least))

    def _told(self, left_out: Answered) -> Answered:
        """Of sources that are more than a handful."""
        without = left_out.take(left_out.labels != self.label)
        names = np.unique(without.sources)
        sizes = [len(np.unique(without.families[without.sources == name])) for name in names]
        return without.take(np.isin(without.sources, names[np.asarray(sizes) >= HANDFUL]))

    def elsewhere(
        self, found: Bound, known: Answered, left_out: Answered | None
    ) -> dict[str, Any] | None:
        """How the rule does on sources left out: each at the score found without it.

        The score itself was chosen on the same pictures, so it does better on them than on the
        next source. There is no bound: the source is the unit, and there are a handful.
        """
        if left_out is None or not (left_out.labels != self.label).any():
            return None
        each = {
            str(source): self._of_source(left_out.take(left_out.sources == source), found, known,
                                         left_out)
            for source in np.unique(left_out.sources)
        }  # fmt: skip
        total = {name: sum(one[name] for one in each.values()) for name in _COUNTS}
        return {
            "sources": len(each),
            **{name: total[name] for name in ("n_others", "wrongly", "n")},
            "share": total["wrongly"] / total["n_others"],
            "recall": total["found"] / total["n"] if total["n"] else None,
            "per_source": each,
        }

    def _of_source(
        self, there: Answered, found: Bound, known: Answered, left_out: Answered
    ) -> dict[str, Any]:
        by_known = self._by_known(found, known.without(there))
        at = self.score(by_known, left_out.without(there))
        others, own = there.others(self.label, self.column), there.own(self.label, self.column)
        likeliest = there.chances[there.labels == self.label].argmax(axis=1) == self.column
        return {
            "from": at,
            "n_others": len(others),
            "wrongly": reached(others, at),
            "n": len(own),
            "found": reached(own[likeliest], at),
        }

    def _by_known(self, found: Bound, rest: Answered) -> float | None:
        """The score by the known sources but one: as lax on these as the whole is on all."""
        others = rest.others(self.label, self.column)
        if not len(others):
            return found.at
        if not found.promised:
            return bound(others, self.budget, least=self.least).at
        return observed(others, found.wrongly / found.n, least=self.least)


_COUNTS = ("n_others", "wrongly", "n", "found")


def reached(scores: NDArray[np.float64], at: float | None) -> int:
    """How many scores are this or more; of None none is."""
    return 0 if at is None else int((scores >= at).sum())
