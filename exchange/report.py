"""What an import did, counted while it goes."""

from __future__ import annotations

from dataclasses import dataclass, field

from exchange.differing import Difference

SHOWN = 100
"""Differences and refusals that are told one by one."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Something of a lesson that was not taken: `what` names it, `reason` is a stable word."""

    what: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of a lesson.

    Attributes
    ----------
    made
        Whether the task was made for it.
    samples, corrections
        How many were added.
    samples_here, corrections_here
        How many were here already.
    adopted
        Pictures that got the lesson's label in the importer's name.
    conflicts, n_conflicts
        Pictures labelled otherwise here, the first of them, and how many there are.
    refused, n_refused
        What was not taken and why, the first of it, and how much there is.
    without_vectors
        Pictures taken that the embedding job still has to look at.
    """

    task: str
    made: bool
    dry_run: bool
    labels_added: tuple[str, ...]
    variants_added: tuple[str, ...]
    samples: int
    samples_here: int
    corrections: int
    corrections_here: int
    adopted: int
    conflicts: tuple[Difference, ...]
    n_conflicts: int
    refused: tuple[Refusal, ...]
    n_refused: int
    without_vectors: int


@dataclass(slots=True)
class Tally:
    """An `Imported` to be."""

    labels_added: list[str] = field(default_factory=list)
    variants_added: list[str] = field(default_factory=list)
    samples: int = 0
    samples_here: int = 0
    corrections: int = 0
    corrections_here: int = 0
    adopted: int = 0
    refused: list[Refusal] = field(default_factory=list)
    n_refused: int = 0
    without_vectors: int = 0

    def refuse(self, what: str, reason: str, message: str) -> None:
        """Note what is not taken."""
        self.n_refused += 1
        if len(self.refused) < SHOWN:
            self.refused.append(Refusal(what, reason, message))

    def report(
        self, task: str, conflicts: list[Difference], *, made: bool, dry_run: bool
    ) -> Imported:
        """What it comes to."""
        return Imported(
            task=task,
            made=made,
            dry_run=dry_run,
            labels_added=tuple(self.labels_added),
            variants_added=tuple(self.variants_added),
            samples=self.samples,
            samples_here=self.samples_here,
            corrections=self.corrections,
            corrections_here=self.corrections_here,
            adopted=self.adopted,
            conflicts=tuple(conflicts[:SHOWN]),
            n_conflicts=len(conflicts),
            refused=tuple(self.refused),
            n_refused=self.n_refused,
            without_vectors=self.without_vectors,
        )
