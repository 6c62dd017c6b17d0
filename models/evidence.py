"""What speaks for and against a candidate: both versions' answers to the same pictures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from domain import EQUALISED, ModelVersion, Task
from models import Head
from models.answers import NOTHING, Answers, Names
from models.examples import Rows, Strings
from models.standing import Standing, opinion_of
from storage import Store

MOST_ASKED = 4_000
"""Pictures a head is asked about that it has no kept answer to; the first by sha256."""


@dataclass(frozen=True, slots=True, eq=False)
class Paired:
    """Pictures that both versions answered without having learned from them.

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
class Evidence:
    """Everything a decision rests on but corrected pictures.

    Attributes
    ----------
    shared
        Pictures of the current version.
    unseen
        Those of them that both answered with their whole source left out.
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
    seen: str = "pictures that both know"
    note: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """A version with its head, what it answered, and under which name it has its vectors."""

    version: ModelVersion
    head: Head
    answers: Answers
    embedder: str


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


class _Namer:
    """Labels by what they count as now."""

    def __init__(self, task: Task) -> None:
        self._variants = task.variants

    def names(self, classes: Iterable[str]) -> Strings:
        return np.asarray([self._variants.get(name, name) for name in classes], np.str_)


def gather_evidence(store: Store, task: Task, candidate: Side, current: Side) -> Evidence:
    """Compare what two versions answered.

    Parameters
    ----------
    store
        For vectors of pictures that one of them has no kept answer to.
    task
        Whose versions they are.
    candidate, current
        The two.
    """
    return _Gathering(store, task, candidate, current).evidence()


class _Gathering:
    def __init__(self, store: Store, task: Task, candidate: Side, current: Side) -> None:
        self._store = store
        self._namer = _Namer(task)
        self._said = Said.of(store, task)
        self._candidate, self._current = candidate, current
        self._place = candidate.answers.rows_of(current.answers.pictures)
        self._truth = self._true_labels()

    def evidence(self) -> Evidence:
        ours, theirs = self._candidate.answers, self._current.answers
        known = self._place != NOTHING
        changed = known.copy()
        given = self._namer.names(ours.classes)[ours.labels]
        changed[known] = given[self._place[known]] != self._truth[known]
        corrected = _among(theirs.pictures, self._said.pictures)
        before = self._namer.names(self._current.head.classes)
        after = self._namer.names(self._candidate.head.classes)
        return Evidence(
            shared=self._shared(known),
            unseen=self._unseen(known),
            fresh=self._fresh(given, self._place[changed & ~corrected]),
            relabelled=int((changed & ~corrected).sum()),
            removed=int((~known).sum()),
            had=len(theirs),
            has=len(ours),
            lost=tuple(sorted({str(name) for name in before} - {str(name) for name in after})),
        )

    def _true_labels(self) -> Strings:
        """(n,) the yardstick for the current version's pictures."""
        theirs = self._current.answers
        labels = self._namer.names(theirs.classes)[theirs.labels]
        trusted = self._said.trusted
        if not trusted:
            return labels
        rows = np.flatnonzero(_among(theirs.pictures, trusted))
        better = [trusted[theirs.pictures[row].decode()] for row in rows]
        longest = max([labels.dtype.itemsize // 4, *(len(label) for label in better)])
        labels = labels.astype(f"U{longest}")
        labels[rows] = better
        return labels

    def _shared(self, known: NDArray[np.bool_]) -> Paired:
        ours, theirs = self._candidate.answers, self._current.answers
        said = np.full(len(theirs), "", object)
        said[known] = self._namer.names(ours.classes)[ours.said[self._place[known]]]
        rows, told = self._ask(self._candidate, theirs.pictures, np.flatnonzero(~known))
        said[rows] = told
        usable = known.copy()
        usable[rows] = True
        before = self._namer.names(theirs.classes)[theirs.said] == self._truth
        after = said.astype(np.str_) == self._truth
        return Paired(self._truth, theirs.families, before, after).take(usable)

    def _unseen(self, known: NDArray[np.bool_]) -> Paired:
        ours, theirs = self._candidate.answers, self._current.answers
        both = known & (theirs.unseen != NOTHING)
        both[both] = ours.unseen[self._place[both]] != NOTHING
        truth = self._truth[both]
        before = self._namer.names(theirs.classes)[theirs.unseen[both]] == truth
        after = self._namer.names(ours.classes)[ours.unseen[self._place[both]]] == truth
        return Paired(truth, theirs.families[both], before, after)

    def _fresh(self, given: Strings, relabelled: Rows) -> Fresh:
        ours = self._candidate.answers
        new = self._current.answers.rows_of(ours.pictures) == NOTHING
        new[relabelled] = True
        new &= ~_among(ours.pictures, self._said.pictures)
        rows = np.flatnonzero(new)
        labels = given[rows]
        odd = self._namer.names(ours.classes)[ours.said[rows]] != labels
        asked, told = self._ask(self._current, ours.pictures, rows)
        places = np.searchsorted(rows, asked)
        return Fresh(labels, odd, places, told != labels[places])

    def _ask(self, side: Side, pictures: Names, rows: Rows) -> tuple[Rows, Strings]:
        """Those rows that have vectors, and what a head says of them."""
        if len(rows) > MOST_ASKED:
            rows = np.sort(rows[np.argsort(pictures[rows], kind="stable")[:MOST_ASKED]])
        row_of = {pictures[row].decode(): row for row in rows}
        found, vectors = self._store.vectors.get(side.embedder, list(row_of))
        if not found:
            return np.empty(0, np.intp), np.empty(0, np.str_)
        said = side.head.predict_proba(vectors).argmax(axis=1)
        asked = np.asarray([row_of[sha256] for sha256 in found], np.intp)
        return asked, self._namer.names(side.head.classes)[said]


def form_of(version: ModelVersion) -> str:
    """What stands after the embedder's id in the name of the vectors it was trained on."""
    return EQUALISED if version.card.get("shortcuts", {}).get("equalised") else ""


def _among(pictures: Names, some: Iterable[str]) -> NDArray[np.bool_]:
    known = np.asarray([name.encode() for name in some], "S64")
    return np.asarray(np.isin(pictures, known))


def asked_now(
    store: Store, answers: Answers, head: Head, *, embedder: str, most: int = 5 * MOST_ASKED
) -> Answers:
    """What a head would have answered to the held-out pictures of another version.

    For a version that kept no answers of its own, or whose pictures are all gone: the held-out
    side is settled by family, so that it was held out from it as well.
    """
    rows = np.flatnonzero(answers.held_out)[:most]
    names = [name.decode() for name in answers.pictures[rows]]
    found, vectors = store.vectors.get(embedder, names)
    rows = answers.rows_of(np.asarray(found, "S64"))
    labels = np.asarray(answers.classes, np.str_)[answers.labels[rows]]
    classes = tuple(str(name) for name in np.union1d(labels, np.asarray(head.classes, np.str_)))
    said = np.asarray(head.classes, np.str_)[head.predict_proba(vectors).argmax(axis=1)]
    return replace(
        answers,
        classes=classes,
        pictures=answers.pictures[rows],
        labels=np.searchsorted(classes, labels).astype(np.int32),
        said=np.searchsorted(classes, said).astype(np.int32),
        sure=answers.sure[rows],
        unseen=np.full(len(rows), NOTHING, np.int32),
        held_out=answers.held_out[rows],
        families=answers.families[rows],
        sources=answers.sources[rows],
    )
