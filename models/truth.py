"""What is true of pictures that versions are compared on, whatever a candidate was told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from domain import ModelVersion, Task
from models.answers import Answers, Names
from models.examples import Strings
from models.standing import Standing, opinion_of
from storage import Store


@dataclass(frozen=True, slots=True)
class Said:
    """What people say now: `trusted` has the labels that somebody trusted gave, by sha256."""

    trusted: Mapping[str, str]
    pictures: frozenset[str]

    @classmethod
    def of(cls, store: Store, task: Task) -> Self:
        """Read the log of corrections."""
        standing = Standing().after(store.corrections.since(task.name, 0))
        pictures = frozenset(row.sha256 for row in standing.live.values())
        trusted = {}
        for sha256 in pictures:
            votes = tuple(vote for vote in standing.votes(sha256) if vote.trusted)
            if votes:
                trusted[sha256] = str(opinion_of(votes, task.variants).label)
        return cls(trusted, pictures)


def counted_as(task: Task, classes: Iterable[str]) -> Strings:
    """Labels by what they count as now."""
    return np.asarray([task.variants.get(name, name) for name in classes], np.str_)


def among(pictures: Names, some: Iterable[str]) -> NDArray[np.bool_]:
    """(n,) which of the pictures are some of these."""
    known = np.asarray([name.encode() for name in some], "S64")
    return np.asarray(np.isin(pictures, known))


def true_labels(
    store: Store, task: Task, version: ModelVersion, answers: Answers, said: Said
) -> Strings:
    """(n,) the truth of a version's pictures: as it was when it was made, or as trusted people say.

    Where a variant stands for another label by now, a picture that was counted under the old
    one is of the label that its own name stands for. A picture that was given another name
    since is not: what it was counted as then does not follow from it.
    """
    labels: NDArray[np.object_] = counted_as(task, answers.classes)[answers.labels].astype(object)
    then = version.card.get("variants")
    if then is not None and dict(then) != dict(task.variants):
        counted, row_of = answers.label_names(), _rows(answers.pictures)
        for sample in store.samples.all(task.name, demo=version.demo):
            place = row_of.get(sample.sha256)
            if place is not None and then.get(sample.label, sample.label) == counted[place]:
                labels[place] = task.variants.get(sample.label, sample.label)
    if said.trusted:
        for row in np.flatnonzero(among(answers.pictures, said.trusted)).tolist():
            labels[row] = said.trusted[answers.pictures[row].decode()]
    return labels.astype(np.str_)


def _rows(pictures: Names) -> Mapping[str, int]:
    return {name.decode(): row for row, name in enumerate(pictures.tolist())}
