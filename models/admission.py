"""Which of people's opinions a head may learn from, and how much each weighs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from domain import UNSURE, Correction
from models.standing import Canonical, Opinion

FREE_VOTES = 20
INFLUENCE = 10
"""Of a head's examples, one person who is not trusted may give a tenth of what others gave."""
SURE = 0.8
"""From this confidence on a mistake was a confident one."""


@dataclass(frozen=True, slots=True)
class Teaching:
    """One picture as a head may learn from it; `label` is the one given, perhaps a variant."""

    vote: Correction
    label: str
    weight: int


class Admission:
    """What a head learns from, oldest first: a function of the opinions, kept up to date.

    Left out are pictures people are at odds about, and what a person who is not trusted gives
    beyond a share of what everybody else gave before: whoever floods a task moves the memory of
    those very pictures and no more. Putting others at odds counts as giving.

    Parameters
    ----------
    canonical
        Variants of labels.
    first_is_free
        Whether who teaches before anybody else did is not limited: a task has its teacher.
    """

    def __init__(self, canonical: Canonical, *, first_is_free: bool = True) -> None:
        self._canonical = canonical
        self._first_is_free = first_is_free
        self._given: Counter[str] = Counter()
        self._contradicted: Counter[str] = Counter()
        self._last = 0  # the first vote on the latest picture
        self.teachings: Mapping[str, Teaching] = {}

    def move(
        self, had: Mapping[str, Opinion], opinions: Mapping[str, Opinion], touched: Collection[str]
    ) -> tuple[list[Teaching], list[Teaching]]:
        """Go from some opinions to others that differ in the touched pictures.

        Returns
        -------
        tuple[list[Teaching], list[Teaching]]
            What is learned from no more, and what is new.
        """
        new = [opinions[sha256] for sha256 in touched if sha256 in opinions]
        at_the_end = all(opinion.votes[0].seq > self._last for opinion in new)
        if at_the_end and not any(sha256 in had for sha256 in touched):
            added = self._admitted(new)  # nothing before them changes: shares look back only
            self.teachings = {**self.teachings, **added}
            return [], list(added.values())
        before, self._last = self.teachings, 0
        self._given, self._contradicted = Counter(), Counter()
        now = self.teachings = self._admitted(opinions.values())
        gone = [one for s, one in before.items() if s not in now or now[s].vote is not one.vote]
        come = [one for s, one in now.items() if s not in before or before[s].vote is not one.vote]
        return gone, come

    def _admitted(self, opinions: Iterable[Opinion]) -> dict[str, Teaching]:
        found = {}
        for opinion in sorted(opinions, key=lambda one: one.votes[0].seq):
            self._last = opinion.votes[0].seq
            vote = self._vote_of(opinion)
            if vote is None:
                continue
            if not (vote.trusted or self._is_first(vote.person) or self._may_give(vote.person)):
                continue
            self._given[vote.person] += 1
            label = self._canonical.get(vote.label, vote.label)
            weight = _weight(vote, label, self._canonical)
            found[vote.sha256] = Teaching(vote, vote.label, weight)
        return found

    def _vote_of(self, opinion: Opinion) -> Correction | None:
        """The vote to learn from; None while people are at odds.

        Whoever contradicts the first one without being trusted pays for it, and is not heard
        any more when they may give nothing more.
        """
        if not opinion.disputed or opinion.vote.trusted:
            return opinion.vote
        first, *others = opinion.votes
        meant = self._canonical.get(first.label, first.label)
        heard = [
            vote.person
            for vote in others
            if self._canonical.get(vote.label, vote.label) != meant and self._may_give(vote.person)
        ]
        self._contradicted.update(heard)
        return None if heard else first

    def _is_first(self, person: str) -> bool:
        return self._first_is_free and self._given.total() == self._given[person]

    def _may_give(self, person: str) -> bool:
        others = self._given.total() - self._given[person]
        spent = self._given[person] + self._contradicted[person]
        return spent < max(FREE_VOTES, others // INFLUENCE)


def _weight(vote: Correction, label: str, canonical: Canonical) -> int:
    """1 where the answer was right, unsure or none, 2 for a mistake, 3 for a confident one."""
    before = vote.before
    if before is None or before.prediction == UNSURE:
        return 1
    if canonical.get(before.prediction, before.prediction) == label:
        return 1
    return 3 if before.confidence >= SURE else 2
