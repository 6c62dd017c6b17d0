"""Evidence is gathered: both versions' kept answers, and their heads asked where there are none."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from domain import Task
from models import Head
from models.answers import NOTHING, Answers, Names, ranked
from models.evidence import Evidence, Fresh, Paired, Side, Widened
from models.examples import Rows, Strings
from models.truth import Said, among, counted_as, true_labels
from storage import Store

MOST_ASKED = 4_000
"""Pictures a head is asked about that it has no kept answer to; the first by sha256."""

MOST_CORRECTED = 0.02
"""Of a candidate's pictures: with more that were corrected since, no sources are left out to
compare. They are hard by choice, and those fitted without a source rest on them too much."""


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


class _Asked(NamedTuple):
    """Rows a head was asked about, and what it says with all of its labels and with old ones."""

    rows: Rows
    said: Strings
    restricted: Strings


class _Gathering:
    def __init__(self, store: Store, task: Task, candidate: Side, current: Side) -> None:
        self._store, self._task = store, task
        self._said = Said.of(store, task)
        self._candidate, self._current = candidate, current
        self._place = candidate.answers.rows_of(current.answers.pictures)
        self._truth = true_labels(store, task, current.version, current.answers, self._said)
        self._given = self._named(candidate.answers, candidate.answers.labels)
        before = counted_as(task, current.head.classes)
        after = counted_as(task, candidate.head.classes)
        self._new = np.setdiff1d(after, before)
        self._lost = np.setdiff1d(before, after)

    def evidence(self) -> Evidence:
        ours, theirs = self._candidate.answers, self._current.answers
        known = self._place != NOTHING
        changed = known.copy()
        changed[known] = self._given[self._place[known]] != self._truth[known]
        changed &= ~among(theirs.pictures, self._said.pictures)
        asked = self._ask(self._candidate, theirs.pictures, np.flatnonzero(~known))
        usable = known.copy()
        usable[asked.rows] = True
        return Evidence(
            shared=self._shared(known, asked).take(usable & ~self._is_new(self._truth)),
            unseen=self._unseen(known),
            fresh=self._fresh(self._place[changed]),
            relabelled=int(changed.sum()),
            removed=int((~known).sum()),
            had=len(theirs),
            has=len(ours),
            lost=tuple(str(name) for name in self._lost),
            widened=tuple(self._widened(str(name), known, asked) for name in self._new),
        )

    def _named(self, answers: Answers, places: NDArray[np.int32]) -> Strings:
        """What labels count as now; nothing where there is none."""
        names = np.append(counted_as(self._task, answers.classes), "")
        return np.asarray(names[places])

    def _is_new(self, labels: Strings) -> NDArray[np.bool_]:
        return np.asarray(np.isin(labels, self._new))

    def _restricted(self, rows: Rows) -> Strings:
        """What the candidate would say, did it know the labels of the current version only."""
        ours = self._candidate.answers
        old = ~self._is_new(counted_as(self._task, ours.classes))
        return self._named(ours, ours.said_of(old)[rows])

    def _shared(self, known: NDArray[np.bool_], asked: _Asked) -> Paired:
        theirs = self._current.answers
        said = np.full(len(theirs), "", object)
        said[known] = self._restricted(self._place[known])
        said[asked.rows] = asked.restricted
        after = said.astype(np.str_) == self._truth
        return Paired(self._truth, theirs.families, self._right_before(), after)

    def _right_before(self) -> NDArray[np.bool_]:
        theirs = self._current.answers
        return np.asarray(self._named(theirs, theirs.said) == self._truth)

    def _widened(self, label: str, known: NDArray[np.bool_], asked: _Asked) -> Widened:
        ours, theirs = self._candidate.answers, self._current.answers
        told = self._named(ours, ours.said)
        called = np.zeros(len(theirs), np.bool_)
        called[known] = told[self._place[known]] == label
        called[asked.rows] = asked.said == label
        usable = known.copy()
        usable[asked.rows] = True
        shown = usable & (~self._is_new(self._truth) | (self._truth == label))
        before = self._right_before() & (self._truth != label)
        after = np.where(self._truth == label, called, before & ~called)
        old = Paired(self._truth, theirs.families, before, after).take(shown)
        added = (theirs.rows_of(ours.pictures) == NOTHING) & (self._given == label)
        return Widened(
            label,
            Paired(
                np.concatenate([old.labels, self._given[added]]),
                np.concatenate([old.families, ours.families[added]]),
                np.concatenate([old.before, np.zeros(int(added.sum()), np.bool_)]),
                np.concatenate([old.after, told[added] == label]),
            ),
        )

    def _unseen(self, known: NDArray[np.bool_]) -> Paired:
        ours, theirs = self._candidate.answers, self._current.answers
        corrected = among(ours.pictures, self._said.pictures)
        added = corrected & (theirs.rows_of(ours.pictures) == NOTHING)
        if added.sum() > MOST_CORRECTED * len(ours):
            known = np.zeros_like(known)
        both = known & (theirs.unseen != NOTHING) & ~self._is_new(self._truth)
        # hard by choice, and no source that pictures come from
        both &= ~among(theirs.pictures, self._said.pictures)
        told = self._named(ours, ours.unseen)
        both[both] = ours.unseen[self._place[both]] != NOTHING
        both[both] = ~self._is_new(told[self._place[both]])
        truth = self._truth[both]
        before = self._named(theirs, theirs.unseen[both]) == truth
        after = told[self._place[both]] == truth
        return Paired(truth, theirs.families[both], before, after)

    def _fresh(self, relabelled: Rows) -> Fresh:
        ours = self._candidate.answers
        new = self._current.answers.rows_of(ours.pictures) == NOTHING
        new[relabelled] = True
        new &= ~among(ours.pictures, self._said.pictures) & ~self._is_new(self._given)
        rows = np.flatnonzero(new)
        labels = self._given[rows]
        asked = self._ask(self._current, ours.pictures, rows)
        places = np.searchsorted(rows, asked.rows)
        return Fresh(labels, self._restricted(rows) != labels, places, asked.said != labels[places])

    def _ask(self, side: Side, pictures: Names, rows: Rows) -> _Asked:
        """Ask a head about those of the rows that have vectors."""
        if len(rows) > MOST_ASKED:
            rows = np.sort(rows[np.argsort(pictures[rows], kind="stable")[:MOST_ASKED]])
        row_of = {pictures[row].decode(): row for row in rows}
        found, vectors = self._store.vectors.get(side.embedder, list(row_of))
        if not found:
            none = np.empty(0, np.str_)
            return _Asked(np.empty(0, np.intp), none, none)
        chances = side.head.predict_proba(vectors)
        names = counted_as(self._task, side.head.classes)
        old = np.where(self._is_new(names), -1.0, chances)
        asked = np.asarray([row_of[sha256] for sha256 in found], np.intp)
        return _Asked(asked, names[chances.argmax(axis=1)], names[old.argmax(axis=1)])


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
    places = np.searchsorted(classes, np.asarray(head.classes, np.str_)).astype(np.int32)
    said = places[ranked(head.predict_proba(vectors))]
    return replace(
        answers,
        classes=classes,
        pictures=answers.pictures[rows],
        labels=np.searchsorted(classes, labels).astype(np.int32),
        said=said[:, 0],
        ranked=said,
        sure=answers.sure[rows],
        unseen=np.full(len(rows), NOTHING, np.int32),
        held_out=answers.held_out[rows],
        families=answers.families[rows],
        sources=answers.sources[rows],
    )
