"""What speaks for and against a candidate: both versions' answers to the same pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from domain import EQUALISED, ModelVersion
from models import Head
from models.answers import Answers
from models.examples import Rows, Strings


@dataclass(frozen=True, slots=True, eq=False)
class Paired:
    """Pictures that both versions answered without having learned from them.

    A label that only the candidate knows is nothing that the current version could say. Where
    the candidate says it, its next best answer counts; `Widened` has what it costs.

    Attributes
    ----------
    labels
        (n,) the truth: as it was when the current version was made, or as somebody trusted
        said since. What the candidate was told is no yardstick for it.
    families
        (n,) uint64.
    before, after
        (n,) whether the current version and the candidate are right.
    """

    labels: Strings
    families: NDArray[np.uint64]
    before: NDArray[np.bool_]
    after: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: NDArray[np.bool_]) -> Self:
        """Only these rows."""
        return type(self)(self.labels[rows], self.families[rows], self.before[rows],
                          self.after[rows])  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Fresh:
    """What the candidate was told and the current version was not, without a correction for it.

    Pictures of labels that the current version does not know are left out: it cannot say them,
    and nothing is known of how many odd ones are usual. What they bring is in `Widened`.

    What people corrected is left out: it is here because a version was wrong about it, so that
    it is odd by choice, and how far it may move a head is settled where it is admitted.

    Attributes
    ----------
    labels
        (m,) as given.
    odd
        (m,) whether the candidate says otherwise when it has not learned from the picture.
    asked, odd_before
        (a,) rows of it that the current version was asked about, and whether it says otherwise.
    """

    labels: Strings
    odd: NDArray[np.bool_]
    asked: Rows
    odd_before: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, slots=True, eq=False)
class Widened:
    """What a label that only the candidate knows brings, and what it costs the others.

    Attributes
    ----------
    label
        The new one.
    paired
        Its own pictures, none of which the current version gets right; and those of the labels
        that both know, of which only those are lost that the candidate calls by the new one.
    """

    label: str
    paired: Paired


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """Everything a decision rests on but corrected pictures.

    Attributes
    ----------
    shared
        Pictures of the current version.
    unseen
        Those of them that both answered with their whole source left out; neither those that
        people corrected nor those that got a new label then.
    fresh
        New pictures, and old ones under a new label.
    relabelled
        How many old pictures have a new label that no correction explains.
    removed
        How many of the current version's pictures the candidate was not made from.
    had, has
        Pictures that the current version and the candidate were made from.
    lost
        Labels that the current version tells apart and the candidate does not.
    widened
        Labels that the candidate tells apart and the current version does not.
    seen, note
        What `shared` holds, in words, and what else has to be said of it.
    """

    shared: Paired
    unseen: Paired
    fresh: Fresh
    relabelled: int
    removed: int
    had: int
    has: int
    lost: tuple[str, ...]
    widened: tuple[Widened, ...] = ()
    seen: str = "pictures that both know"
    note: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """A version with its head, what it answered, and under which name it has its vectors."""

    version: ModelVersion
    head: Head
    answers: Answers
    embedder: str


def form_of(version: ModelVersion) -> str:
    """What stands after the embedder's id in the name of the vectors it was trained on."""
    return EQUALISED if version.card.get("shortcuts", {}).get("equalised") else ""
